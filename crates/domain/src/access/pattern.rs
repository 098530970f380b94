//! Which `server_id`s a key of a worker allows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most characters of a pattern: as many as a `server_id` has at the most.
pub const MAX_PATTERN: usize = 128;

/// A pattern of `server_id`s, in which `*` stands for any characters, also none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerIdPattern(String);

impl ServerIdPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Returns the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        let length = text.chars().count();
        if !(1..=MAX_PATTERN).contains(&length) || text.chars().any(char::is_control) {
            return Err(format!(
                "must be a `server_id` of 1 to {MAX_PATTERN} characters, in which `*` stands for any characters"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the pattern allows a `server_id`. Takes no longer than the product of the two lengths.
    pub fn allows(&self, server_id: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return self.0 == server_id;
        };
        let Some(mut left) = server_id.strip_prefix(first) else {
            return false;
        };
        let mut parts: Vec<&str> = rest.split('*').collect();
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            match left.find(part) {
                Some(at) => left = &left[at + part.len()..],
                None => return false,
            }
        }
        left.ends_with(last)
    }
}

impl fmt::Display for ServerIdPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ServerIdPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<ServerIdPattern> for String {
    fn from(pattern: ServerIdPattern) -> Self {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allows(pattern: &str, server_id: &str) -> bool {
        ServerIdPattern::parse(pattern).unwrap().allows(server_id)
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, good, bad) in [
            ("a", &["a"][..], &["", "b", "ab", "ba", "*"][..]),
            ("*", &["", "a", "a/b"], &[]),
            (
                "rack1-*",
                &["rack1-", "rack1-7"],
                &["rack1", "rack10-7", "a-rack1-7"],
            ),
            ("*-eu", &["-eu", "a-eu", "-eu-eu"], &["a-eu1", "eu"]),
            (
                "a*b*c",
                &["abc", "axbyc", "abbc", "abcbc"],
                &["ab", "acb", "abcx"],
            ),
            ("a*a", &["aa", "aba"], &["a"]),
            ("**", &["", "x"], &[]),
        ] {
            for id in good {
                assert!(allows(pattern, id), "{pattern} {id}");
            }
            for id in bad {
                assert!(!allows(pattern, id), "{pattern} {id}");
            }
        }
    }

    #[test]
    fn other_texts_are_no_patterns() {
        for text in ["", "a\nb", &"x".repeat(129)] {
            assert!(ServerIdPattern::parse(text).is_err(), "{text:?}");
        }
    }

    /// The same by trying every split.
    fn slow(pattern: &[char], id: &[char]) -> bool {
        match pattern.split_first() {
            None => id.is_empty(),
            Some((&'*', rest)) => (0..=id.len()).any(|at| slow(rest, &id[at..])),
            Some((c, rest)) => id.first() == Some(c) && slow(rest, &id[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_pattern_allows_what_some_split_allows(pattern in "[ab*]{1,6}", id in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(allows(&pattern, &id), slow(&chars(&pattern), &chars(&id)));
        }
    }
}
