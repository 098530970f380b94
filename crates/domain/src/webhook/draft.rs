//! What an operator wants to change of a target.

use std::time::Duration;

use super::format::Format;
use super::message::Urgency;
use super::pattern::TypePattern;
use super::secret::Secret;
use super::target::{PreviousSecret, Source, Target};
use super::url::TargetUrl;
use crate::time::WallTime;

/// How long a secret that was replaced signs beside its successor.
pub const ROTATION: Duration = Duration::from_secs(24 * 3_600);

/// The fields of a target that are given; the others keep their value, or get the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TargetDraft {
    pub url: Option<TargetUrl>,
    pub format: Option<Format>,
    pub secret: Option<Secret>,
    /// Whether a new secret is to be made.
    pub rotate_secret: bool,
    pub types: Option<Vec<TypePattern>>,
    pub min_severity: Option<Urgency>,
    pub enabled: Option<bool>,
}

/// What is new about a target that does not follow from its draft: chance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    /// The secret, if one has to be made.
    pub secret: Secret,
    /// The part of message ids, if the target is new.
    pub uid: String,
}

/// A bad field, and the rule that it breaks.
pub type Fault = (&'static str, String);

impl TargetDraft {
    /// Returns the target as the draft wants it, and the secret that was made and is to be shown once. A target that
    /// was stopped by 410 begins again.
    ///
    /// # Errors
    /// Returns the bad field.
    pub fn apply(
        self,
        name: &str,
        before: Option<&Target>,
        fresh: Fresh,
        source: Source,
        now: WallTime,
    ) -> Result<(Target, Option<Secret>), Fault> {
        let Some(url) = self.url.or_else(|| before.map(|before| before.url.clone())) else {
            return Err(("url", "is missing: a new target needs one".to_owned()));
        };
        let known = before.map(|before| before.secret.clone());
        let made = (self.secret.is_none() && (self.rotate_secret || known.is_none()))
            .then_some(fresh.secret);
        let given = self
            .secret
            .or_else(|| made.clone())
            .or_else(|| known.clone());
        let Some(secret) = given else {
            return Err(("secret", "is missing".to_owned()));
        };
        let replaced = known.filter(|known| *known != secret);
        let previous = match replaced {
            Some(secret) => Some(PreviousSecret {
                secret,
                until: now + ROTATION,
            }),
            None => before.and_then(|before| before.previous.clone()),
        };
        let target = Target {
            name: name.to_owned(),
            url,
            format: self
                .format
                .or(before.map(|before| before.format))
                .unwrap_or(Format::Generic),
            types: self
                .types
                .or_else(|| before.map(|before| before.types.clone()))
                .unwrap_or_else(TypePattern::defaults),
            min_severity: self
                .min_severity
                .or(before.and_then(|before| before.min_severity)),
            enabled: self
                .enabled
                .or(before.map(|before| before.enabled))
                .unwrap_or(true),
            secret,
            previous: previous.filter(|previous| previous.until > now),
            uid: before.map_or(fresh.uid, |before| before.uid.clone()),
            gone: false,
            source,
        };
        target.check_types().map_err(|reason| ("types", reason))?;
        Ok((target, made))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> Secret {
        Secret::from_bytes(vec![byte; 24]).unwrap()
    }

    fn fresh() -> Fresh {
        Fresh {
            secret: secret(9),
            uid: "u9".to_owned(),
        }
    }

    fn apply(draft: TargetDraft, before: Option<&Target>, now: i64) -> (Target, Option<Secret>) {
        let now = WallTime::from_micros(now);
        draft
            .apply("ops", before, fresh(), Source::Api, now)
            .unwrap()
    }

    fn url() -> Option<TargetUrl> {
        Some(TargetUrl::parse("https://a.example/", false).unwrap())
    }

    #[test]
    fn a_new_target_gets_what_was_not_said() {
        let draft = TargetDraft {
            url: url(),
            ..TargetDraft::default()
        };
        let (target, made) = apply(draft, None, 0);
        assert_eq!((target.format, target.enabled), (Format::Generic, true));
        assert_eq!(target.types, TypePattern::defaults());
        assert_eq!((made, target.uid.as_str()), (Some(secret(9)), "u9"));
        let fault =
            TargetDraft::default().apply("ops", None, fresh(), Source::Api, WallTime::default());
        assert_eq!(fault.unwrap_err().0, "url");
    }

    #[test]
    fn a_secret_that_is_replaced_signs_for_a_day_longer() {
        let draft = TargetDraft {
            url: url(),
            secret: Some(secret(1)),
            ..TargetDraft::default()
        };
        let (first, made) = apply(draft.clone(), None, 0);
        assert_eq!((made, first.previous.clone()), (None, None));
        let (same, _) = apply(draft, Some(&first), 0);
        assert_eq!(same, first);
        let rotate = TargetDraft {
            rotate_secret: true,
            ..TargetDraft::default()
        };
        let (second, made) = apply(rotate, Some(&first), 5);
        assert_eq!((made, second.secret.clone()), (Some(secret(9)), secret(9)));
        let previous = second.previous.clone().unwrap();
        let until = WallTime::from_micros(5) + ROTATION;
        assert_eq!((previous.secret, previous.until), (secret(1), until));
        let (later, _) = apply(TargetDraft::default(), Some(&second), until.as_micros());
        assert_eq!(later.previous, None, "it is over");
        assert_eq!(later.uid, first.uid);
    }

    #[test]
    fn what_is_absent_keeps_its_value_and_a_stopped_target_begins_again() {
        let draft = TargetDraft {
            url: url(),
            format: Some(Format::Slack),
            min_severity: Some(Urgency::Critical),
            enabled: Some(false),
            ..TargetDraft::default()
        };
        let (mut target, _) = apply(draft, None, 0);
        target.gone = true;
        let (same, made) = apply(TargetDraft::default(), Some(&target), 1);
        target.gone = false;
        assert_eq!((same, made), (target, None));
    }
}
