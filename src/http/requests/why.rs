//! The reason of an order of planned work.

use super::limits::check_text;
use super::reading::{Field, Refused, Rule, Slot};
use super::rules::parsed;
use super::schema;
use crate::domain::masked_url::with_masked_urls;
use crate::domain::returns::LONGEST_REASON;

/// A reason, with masked URLs; `None` if it is empty or absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http) struct Why(pub(in crate::http) Option<String>);

/// Accepts a reason of at most 512 characters.
pub(super) fn why() -> impl Rule<Value = Why> {
    parsed(
        || schema::text(&(0..=LONGEST_REASON)),
        |text| {
            check_text(text, &(0..=LONGEST_REASON))?;
            let reason = (!text.is_empty()).then(|| with_masked_urls(text));
            Ok(Why(reason))
        },
    )
}

impl Field for Why {
    type Inner = Self;

    const IS_REQUIRED: bool = false;

    fn settle(slot: Slot<Self>, name: &str, refused: &mut Refused) -> Option<Self> {
        match slot.transpose() {
            Ok(why) => Some(why.unwrap_or_default()),
            Err(part) => {
                refused.add(name, part);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::requests::reading::Json;

    #[test]
    fn an_empty_reason_is_as_if_it_were_not_given() {
        let read = |text: &str| why().plain(Json::Text(text)).map(|why| why.0);
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("update"), Ok(Some("update".to_owned())));
        assert_eq!(read(&"x".repeat(512)), Ok(Some("x".repeat(512))));
        assert!(read(&"x".repeat(513)).is_err());
        assert!(read("two\nlines").is_err());
        let masked = read("see rtsp://user:secret@camera/1").unwrap();
        assert!(masked.is_some_and(|reason| !reason.contains("secret")));
    }
}
