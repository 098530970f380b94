//! A key that is made with access to the database alone: the first one, before any caller could make it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::actors::access::{hash_of, new_secret};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::access::{
    KeyDraft, MAX_KEY_LIFE, MAX_KEYS, Role, ServerIdPattern, check_key_name,
};
use crate::domain::time::WallTime;
use crate::store::{KeyMark, NewKey, Store, StoreError, Target};

use super::database::target;

/// A key as the command line describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct OfflineKey {
    pub name: String,
    pub role: String,
    pub server_ids: Vec<String>,
    /// A moment, or how long the key lasts.
    pub expires: Option<String>,
}

/// Why a key was not made.
#[derive(Debug, thiserror::Error)]
pub enum OfflineKeyError {
    /// The database cannot be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// `memory:` keeps nothing.
    #[error(
        "DATABASE_URL is memory:, which keeps no keys; name a SQLite file or a PostgreSQL database"
    )]
    NothingKept,
    /// A key of that name is there.
    #[error(
        "a key of the name `{0}` is there and not revoked; choose another name, or revoke that key first"
    )]
    NameTaken(String),
    /// There is no room for another.
    #[error(
        "there are {MAX_KEYS} keys that are not revoked, and no more are possible; revoke some first"
    )]
    TooMany,
    /// A value of the key is bad.
    #[error("--{0} {1}")]
    Invalid(&'static str, String),
    /// The system cannot run it.
    #[error("{0}")]
    System(std::io::Error),
}

impl OfflineKeyError {
    /// Returns whether the command line was wrong, and not the database.
    pub fn is_misuse(&self) -> bool {
        match self {
            Self::Invalid(..) | Self::NothingKept => true,
            Self::Store(_) | Self::NameTaken(_) | Self::TooMany | Self::System(_) => false,
        }
    }
}

/// Makes a key with access to the database alone, and brings its tables up to this release before. Returns the text of
/// the key.
///
/// # Errors
///
/// Returns why it could not. A SQLite file that another process uses is refused.
pub fn create_key_offline(config: &Config, key: &OfflineKey) -> Result<String, OfflineKeyError> {
    let now = Clock::real(Duration::ZERO).wall();
    let draft = draft(key, now)?;
    let target = target(&config.database.url);
    if target == Target::Memory {
        return Err(OfflineKeyError::NothingKept);
    }
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build();
    runtime.map_err(OfflineKeyError::System)?.block_on(async {
        let timeout = config.database.timeout;
        let store = target.open("making a key", timeout, 1).await?;
        let made = create(store.as_ref(), draft, now).await;
        let closed = store.close().await;
        let text = made?;
        closed?;
        Ok(text)
    })
}

async fn create(
    store: &dyn Store,
    draft: KeyDraft,
    now: WallTime,
) -> Result<String, OfflineKeyError> {
    let KeyMark { count, revoked, .. } = store.key_mark().await?;
    if usize::try_from(count - revoked).is_ok_and(|good| good >= MAX_KEYS) {
        return Err(OfflineKeyError::TooMany);
    }
    let (secret, name) = (new_secret(), draft.name.clone());
    let new = NewKey {
        hash: hash_of(&secret),
        draft,
        created_at: now,
    };
    match store.create_key(&new).await? {
        Some(_) => Ok(secret.expose()),
        None => Err(OfflineKeyError::NameTaken(name)),
    }
}

fn draft(key: &OfflineKey, now: WallTime) -> Result<KeyDraft, OfflineKeyError> {
    let invalid = |argument| move |reason| OfflineKeyError::Invalid(argument, reason);
    check_key_name(&key.name).map_err(invalid("name"))?;
    let role = Role::from_word(&key.role).ok_or_else(|| {
        let words: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        OfflineKeyError::Invalid("role", format!("must be one of {}", words.join(", ")))
    })?;
    let patterns = key
        .server_ids
        .iter()
        .map(|text| ServerIdPattern::parse(text));
    let expires_at = key.expires.as_ref().map(|text| moment(text, now));
    let draft = KeyDraft {
        name: key.name.clone(),
        role,
        server_ids: patterns
            .collect::<Result<_, _>>()
            .map_err(invalid("server-id"))?,
        expires_at: expires_at.transpose().map_err(invalid("expires"))?,
    };
    match draft.fault(now) {
        None => Ok(draft),
        Some(("server_ids", reason)) => Err(OfflineKeyError::Invalid("server-id", reason)),
        Some((field, reason)) => Err(OfflineKeyError::Invalid(field, reason)),
    }
}

/// Reads a moment, or a length of time from now.
fn moment(text: &str, now: WallTime) -> Result<WallTime, String> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    if let Some(length) = seconds.or_else(|| humantime::parse_duration(text).ok()) {
        if length > MAX_KEY_LIFE {
            return Err("must be at most 366 days, if it is a duration".to_owned());
        }
        return Ok(now + length);
    }
    let moment: SystemTime = humantime::parse_rfc3339(text)
        .map_err(|_| "must be an RFC 3339 time, or a duration such as 90d".to_owned())?;
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(WallTime::from_micros(0) + since)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime::from_micros(1_767_225_600_000_000);

    fn key(role: &str) -> OfflineKey {
        OfflineKey {
            name: "ops".to_owned(),
            role: role.to_owned(),
            server_ids: Vec::new(),
            expires: None,
        }
    }

    #[test]
    fn a_bad_value_is_named_by_its_argument() {
        for (bad, argument) in [
            (key("root"), "--role"),
            (
                OfflineKey {
                    name: "a b".to_owned(),
                    ..key("admin")
                },
                "--name",
            ),
            (
                OfflineKey {
                    server_ids: vec![String::new()],
                    ..key("worker")
                },
                "--server-id",
            ),
            (
                OfflineKey {
                    server_ids: vec!["a".to_owned()],
                    ..key("admin")
                },
                "--server-id",
            ),
            (
                OfflineKey {
                    expires: Some("soon".to_owned()),
                    ..key("admin")
                },
                "--expires",
            ),
            (
                OfflineKey {
                    expires: Some("367d".to_owned()),
                    ..key("admin")
                },
                "--expires",
            ),
            (
                OfflineKey {
                    server_ids: vec!["a".to_owned(); 101],
                    ..key("worker")
                },
                "--server-id",
            ),
            (
                OfflineKey {
                    expires: Some("2020-01-01T00:00:00Z".to_owned()),
                    ..key("admin")
                },
                "--expires",
            ),
        ] {
            let error = draft(&bad, NOW).unwrap_err();
            assert!(error.to_string().starts_with(argument), "{error}");
            assert!(error.is_misuse());
        }
    }

    #[test]
    fn a_key_lasts_as_long_as_it_is_said() {
        let expires = |text: &str| {
            let key = OfflineKey {
                expires: Some(text.to_owned()),
                ..key("worker")
            };
            draft(&key, NOW).unwrap().expires_at
        };
        let day = Duration::from_secs(86_400);
        assert_eq!(expires("90d"), Some(NOW + day * 90));
        assert_eq!(expires("86400"), Some(NOW + day));
        assert_eq!(expires("2026-01-02T00:00:00Z"), Some(NOW + day));
    }
}
