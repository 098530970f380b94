//! The secret by which a receiver recognizes this orchestrator.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::base64::{base64, from_base64};

/// The beginning of every secret.
const PREFIX: &str = "whsec_";

/// The fewest bytes of a secret.
pub const MIN_SECRET: usize = 24;

/// The most bytes of a secret.
const MAX_SECRET: usize = 256;

/// A secret: `whsec_` and base64. It is shown by no `Debug` and no `Display`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Creates a secret of these bytes; `None` if they are too few or too many.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        (MIN_SECRET..=MAX_SECRET)
            .contains(&bytes.len())
            .then_some(Self(bytes))
    }

    /// Reads a secret.
    ///
    /// # Errors
    /// Returns the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(bytes) = text.strip_prefix(PREFIX).and_then(from_base64) else {
            return Err("must be `whsec_` and base64".to_owned());
        };
        let length = bytes.len();
        Self::from_bytes(bytes).ok_or_else(|| {
            format!("must have {MIN_SECRET} to {MAX_SECRET} bytes behind `whsec_`; it has {length}")
        })
    }

    /// Returns the key of the signature.
    pub fn key(&self) -> &[u8] {
        &self.0
    }

    /// Returns the text, to be shown once.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}", base64(&self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl TryFrom<String> for Secret {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_enough_and_shown_only_on_purpose() {
        let text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let secret = Secret::parse(text).unwrap();
        assert_eq!(secret.key().len(), 24);
        assert_eq!(secret.expose(), text);
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        for (bad, part) in [
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_"),
            ("whsec_", "24 to 256"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa", "it has 22"),
            ("whsec_not base64", "base64"),
        ] {
            let reason = Secret::parse(bad).unwrap_err();
            assert!(reason.contains(part), "{reason}");
        }
    }
}
