//! The URL of a stream's content. It usually holds a password.

use std::fmt;
use std::sync::Arc;

use crate::masked_url::masked_url;

/// The URL of a stream, which cannot be printed by accident.
///
/// `Debug` and `Display` show scheme and host; there is no conversion to text, to a slice or to
/// JSON but [`StreamUrl::expose`], so each place that shows the whole URL can be found by that
/// name: the answers to workers, the answers to callers that ask for whole URLs, and the rows of the
/// store.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamUrl(Arc<str>);

impl StreamUrl {
    /// Returns the whole URL with its passwords: for the worker that runs the stream, for a caller
    /// who reads the catalogue, and for the store. Never for a log line, an event or an error.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for StreamUrl {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for StreamUrl {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for StreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked_url(&self.0))
    }
}

impl fmt::Debug for StreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{SaveStreams, StreamSpec};

    #[test]
    fn a_stream_url_is_printed_without_its_password() {
        let url = StreamUrl::from("rtsp://admin:geheim@10.0.0.8/cam?key=geheim");
        assert_eq!(
            format!("{url} {url:?} {url:#?}"),
            ["rtsp://10.0.0.8/…"; 3].join(" ")
        );
        assert_eq!(url.expose(), "rtsp://admin:geheim@10.0.0.8/cam?key=geheim");
    }

    #[test]
    fn a_command_that_is_printed_shows_no_password() {
        let spec = StreamSpec {
            url: Some(Some("rtsp://admin:geheim@10.0.0.8/cam".into())),
            ..StreamSpec::default()
        };
        let command = SaveStreams {
            streams: vec![spec],
        };
        let shown = format!("{command:?} {command:#?}");
        assert!(shown.contains("10.0.0.8"), "{shown}");
        assert!(!shown.contains("geheim"), "{shown}");
    }
}
