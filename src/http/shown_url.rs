//! The URLs of streams in answers of the catalogue: masked, unless the caller asks for them whole.

use serde::{Serialize, Serializer};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::stream_url::StreamUrl;

/// How much of the URLs of streams an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Urls {
    /// Scheme and host.
    #[default]
    Masked,
    /// All of it, with users, passwords and keys.
    Full,
}

impl Urls {
    /// Every value.
    pub(super) const ALL: &'static [Self] = &[Self::Masked, Self::Full];

    /// Returns the word of the parameter `urls`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Masked => "masked",
            Self::Full => "full",
        }
    }

    /// Returns a URL as it is to be shown.
    pub(super) fn show(self, url: StreamUrl) -> ShownUrl {
        ShownUrl { url, urls: self }
    }
}

/// The URL of a stream in an answer.
#[derive(Debug)]
pub(super) struct ShownUrl {
    url: StreamUrl,
    urls: Urls,
}

impl Serialize for ShownUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.urls {
            Urls::Masked => serializer.collect_str(&self.url),
            Urls::Full => serializer.serialize_str(self.url.expose()),
        }
    }
}

impl PartialSchema for ShownUrl {
    fn schema() -> RefOr<Schema> {
        String::schema()
    }
}

impl ToSchema for ShownUrl {}
