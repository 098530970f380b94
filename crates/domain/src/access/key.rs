//! Keys: their text, their hash, and what is kept of one.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pattern::ServerIdPattern;
use super::role::Role;
use crate::ids::KeyId;
use crate::time::WallTime;

/// The beginning of every key, by which scanners of secrets find one that was published.
pub const KEY_PREFIX: &str = "ork_";

/// How many random bytes a key has.
const SECRET_BYTES: usize = 32;

/// How many characters write them.
const SECRET_CHARACTERS: usize = 43;

/// How many keys there may be that are not revoked.
pub const MAX_KEYS: usize = 10_000;

/// The most characters of a name.
pub const MAX_KEY_NAME: usize = 64;

/// How many patterns of `server_id`s a key may have.
pub const MAX_KEY_PATTERNS: usize = 100;

/// How far ahead the end of a key may be, if it is given as a duration: a leap year.
pub const MAX_KEY_LIFE: Duration = Duration::from_secs(366 * 86_400);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A key as its holder has it: `ork_` and base64url of 256 random bits. It is shown by no `Debug` and no
/// `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySecret([u8; SECRET_BYTES]);

impl KeySecret {
    /// Creates a key of these bytes, which must be random.
    pub const fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// Reads a key. There is one way to write each, so that two texts are never one key; `None` if the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(KEY_PREFIX)?.as_bytes();
        if digits.len() != SECRET_CHARACTERS {
            return None;
        }
        let mut bytes = [0_u8; SECRET_BYTES];
        let (mut bits, mut count, mut place) = (0_u32, 0_u32, 0);
        for digit in digits {
            bits = (bits << 6 | value_of(*digit)?) & 0xfff;
            count += 6;
            if count >= 8 {
                count -= 8;
                *bytes.get_mut(place)? = u8::try_from(bits >> count & 0xff).ok()?;
                place += 1;
            }
        }
        // The last character has two bits that belong to no byte.
        (bits & 0b11 == 0).then_some(Self(bytes))
    }

    /// Returns the random bytes, of which the hash is made.
    pub const fn bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    /// Returns the text, to be shown once.
    pub fn expose(&self) -> String {
        let mut text = String::with_capacity(KEY_PREFIX.len() + SECRET_CHARACTERS);
        text.push_str(KEY_PREFIX);
        let (mut bits, mut count) = (0_u32, 0_u32);
        for byte in self.0.iter().copied().map(u32::from).chain([0]) {
            bits = (bits << 8 | byte) & 0xffff;
            count += 8;
            while count >= 6 && text.len() < KEY_PREFIX.len() + SECRET_CHARACTERS {
                count -= 6;
                let digit = ALPHABET[(bits >> count & 63) as usize];
                text.push(char::from(digit));
            }
        }
        text
    }
}

/// Returns the value of a digit of base64url.
const fn value_of(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(value as u32)
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(…)")
    }
}

/// The SHA-256 of a key or of a session. Shown by no `Debug`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Wraps a hash.
    pub const fn new(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// Returns the bytes, which are compared in constant time where a caller chose them.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the first bytes as a number, by which a hash is looked up. A caller who measures the time of a
    /// look-up learns a part of a hash, of which no key can be computed.
    pub const fn shelf(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// Returns the hash as it is stored: 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads a stored hash; `None` if the text is none.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut hash = [0; 32];
        for (place, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
        }
        Some(Self(hash))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// What the maker of a key says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct KeyDraft {
    pub name: String,
    pub role: Role,
    /// Which `server_id`s a worker may use; empty: any.
    pub server_ids: Vec<ServerIdPattern>,
    pub expires_at: Option<WallTime>,
}

impl KeyDraft {
    /// Returns the field that breaks a rule or contradicts another, and why; `None` if none does.
    pub fn fault(&self, now: WallTime) -> Option<(&'static str, String)> {
        if !self.server_ids.is_empty() && self.role != Role::Worker {
            let role = self.role;
            let reason =
                format!("is for keys of the role `worker` only; this one has the role `{role}`");
            return Some(("server_ids", reason));
        }
        if self.server_ids.len() > MAX_KEY_PATTERNS {
            let reason = format!("must have at most {MAX_KEY_PATTERNS} patterns");
            return Some(("server_ids", reason));
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Some(("expires", "must be in the future".to_owned()));
        }
        None
    }
}

/// Checks the name of a key.
///
/// # Errors
/// Returns the rule that the name breaks.
pub fn check_key_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.:@/".contains(c);
    if (1..=MAX_KEY_NAME).contains(&name.chars().count()) && name.chars().all(is_plain) {
        return Ok(());
    }
    // The name is not repeated: it may be a key that was pasted.
    Err(format!(
        "must have 1 to {MAX_KEY_NAME} letters, digits or `-_.:@/`"
    ))
}

/// What is kept of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AccessKey {
    pub id: KeyId,
    pub name: String,
    pub role: Role,
    pub server_ids: Vec<ServerIdPattern>,
    pub created_at: WallTime,
    pub expires_at: Option<WallTime>,
    pub revoked_at: Option<WallTime>,
    /// The last use that is written down.
    pub last_used_at: Option<WallTime>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "ork_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn counted() -> [u8; 32] {
        std::array::from_fn(|place| u8::try_from(place).unwrap())
    }

    #[test]
    fn a_key_is_written_as_the_standard_says_and_shown_only_on_purpose() {
        let key = KeySecret::from_bytes(counted());
        assert_eq!(key.expose(), TEXT);
        assert_eq!(KeySecret::parse(TEXT), Some(key.clone()));
        assert_eq!(format!("{key:?}"), "KeySecret(…)");
        assert_eq!(format!("{:?}", KeyHash::new(counted())), "KeyHash(…)");
    }

    #[test]
    fn any_other_text_is_no_key() {
        for text in [
            "",
            "ork_",
            &TEXT[4..],
            &TEXT[..46],
            "ork_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9",
            "ork_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "ork_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH+8",
            "ORK_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            " ork_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "ork_ÄAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh",
        ] {
            assert_eq!(KeySecret::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_plain() {
        for name in ["a", "ci-7", "me@site/ops", "büro"] {
            assert_eq!(check_key_name(name), Ok(()), "{name}");
        }
        for name in ["", "a b", "a\n", "<b>", &"x".repeat(65)] {
            assert!(check_key_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_draft_must_not_contradict_itself() {
        let now = WallTime::from_micros(10);
        let draft = KeyDraft {
            name: "a".to_owned(),
            role: Role::Worker,
            server_ids: vec![ServerIdPattern::parse("a*").unwrap()],
            expires_at: Some(WallTime::from_micros(11)),
        };
        assert_eq!(draft.fault(now), None);
        let viewer = KeyDraft {
            role: Role::Viewer,
            ..draft.clone()
        };
        assert_eq!(viewer.fault(now).unwrap().0, "server_ids");
        let past = KeyDraft {
            expires_at: Some(now),
            ..draft
        };
        assert_eq!(past.fault(now).unwrap().0, "expires");
        let pattern = ServerIdPattern::parse("a*").unwrap();
        let many = |count| KeyDraft {
            server_ids: vec![pattern.clone(); count],
            expires_at: None,
            ..past.clone()
        };
        assert_eq!(many(MAX_KEY_PATTERNS).fault(now), None);
        assert_eq!(
            many(MAX_KEY_PATTERNS + 1).fault(now).unwrap().0,
            "server_ids"
        );
    }

    proptest! {
        #[test]
        fn keys_come_back(bytes: [u8; 32]) {
            let key = KeySecret::from_bytes(bytes);
            let text = key.expose();
            prop_assert_eq!(text.len(), 47);
            prop_assert_eq!(KeySecret::parse(&text), Some(key));
        }

        #[test]
        fn a_text_that_is_read_is_the_only_one_of_its_key(text in "ork_[A-Za-z0-9_-]{43}") {
            if let Some(key) = KeySecret::parse(&text) {
                prop_assert_eq!(key.expose(), text);
            }
        }

        #[test]
        fn hashes_come_back(bytes: [u8; 32]) {
            let hash = KeyHash::new(bytes);
            prop_assert_eq!(KeyHash::from_hex(&hash.to_hex()), Some(hash));
        }
    }
}
