//! A target for tests.

use super::format::Format;
use super::pattern::TypePattern;
use super::secret::Secret;
use super::target::{Source, Target};
use super::url::TargetUrl;

/// Returns a target named `ops`.
pub(super) fn target(format: Format) -> Target {
    Target {
        name: "ops".to_owned(),
        url: TargetUrl::parse("https://hooks.example/x", false).unwrap(),
        format,
        types: TypePattern::defaults(),
        min_severity: None,
        enabled: true,
        secret: Secret::from_bytes(vec![7; 24]).unwrap(),
        previous: None,
        uid: "u1".to_owned(),
        gone: false,
        source: Source::Api,
    }
}
