//! The file with receivers of webhooks: one table `[webhooks.NAME]` each.
//!
//! ```toml
//! [webhooks.ops]
//! url = "https://hooks.example/orchestrator"
//! secret = "whsec_…"
//! format = "generic"                        # or slack, alertmanager
//! types = ["alert.*", "event.instance_*"]
//! min_severity = "warning"
//! enabled = true
//! ```

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::domain::webhook::{
    Format, MAX_TARGETS, Secret, TargetDraft, TargetUrl, TypePattern, Urgency, check_name,
};

/// The word for "no file".
pub(super) const NO_FILE: &str = "none";

/// The word for the certificates of the system.
pub(super) const SYSTEM: &str = "system";

/// What is said about receivers outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The targets of the file, with their names.
    pub targets: Vec<(String, TargetDraft)>,
    /// Whether loopback addresses may be called.
    pub allow_loopback: bool,
    /// The certificates by which `https` is checked; none: the system's.
    pub ca_file: Option<PathBuf>,
}

/// The file as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WebhookFile {
    pub(super) path: Option<PathBuf>,
    pub(super) targets: Vec<(String, TargetDraft)>,
}

/// Reads the file that a setting names.
pub(super) fn read_file(path: &str, allow_loopback: bool) -> Result<WebhookFile, String> {
    if path.eq_ignore_ascii_case(NO_FILE) {
        return Ok(WebhookFile::default());
    }
    let text = fs::read_to_string(path)
        .map_err(|error| format!("must name a file that can be read: {error}"))?;
    Ok(WebhookFile {
        path: Some(Path::new(path).to_owned()),
        targets: parse(&text, allow_loopback)?,
    })
}

/// Returns the line on which a place of a text is.
fn line(text: &str, place: &Range<usize>) -> usize {
    let before = text.get(..place.start).unwrap_or(text);
    before.matches('\n').count() + 1
}

/// A file that is being read.
struct Reading<'t> {
    text: &'t str,
    allow_loopback: bool,
}

fn parse(text: &str, allow_loopback: bool) -> Result<Vec<(String, TargetDraft)>, String> {
    let reading = Reading {
        text,
        allow_loopback,
    };
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line(text, &span));
        // The message of the parser repeats nothing of the line, which may hold a secret.
        format!("line {line}: is no TOML: {}", error.message())
    })?;
    let mut targets = Vec::new();
    for (key, value) in document.get_ref() {
        let named = match (&**key.get_ref(), value.get_ref()) {
            ("webhooks", DeValue::Table(named)) => named,
            (name, _) => {
                let reason = format!("`{name}` is not known; receivers are tables [webhooks.NAME]");
                return Err(reading.at(&key.span(), &reason));
            }
        };
        for (name, target) in named {
            let DeValue::Table(fields) = target.get_ref() else {
                return Err(reading.at(&name.span(), "must be a table [webhooks.NAME]"));
            };
            check_name(name.get_ref())
                .map_err(|reason| reading.at(&name.span(), &format!("the name {reason}")))?;
            let draft = reading.target(&name.span(), fields)?;
            targets.push((name.get_ref().to_string(), draft));
        }
    }
    if targets.len() > MAX_TARGETS {
        return Err(format!("must have at most {MAX_TARGETS} receivers"));
    }
    Ok(targets)
}

impl Reading<'_> {
    fn at(&self, place: &Range<usize>, reason: &str) -> String {
        format!("line {}: {reason}", line(self.text, place))
    }

    fn target(&self, head: &Range<usize>, fields: &DeTable<'_>) -> Result<TargetDraft, String> {
        let mut draft = TargetDraft::default();
        for (key, value) in fields {
            let name = &**key.get_ref();
            let wrong = |reason: String| self.at(&value.span(), &format!("`{name}` {reason}"));
            match name {
                "url" => {
                    let url = TargetUrl::parse(text(value).map_err(wrong)?, self.allow_loopback);
                    draft.url = Some(url.map_err(wrong)?);
                }
                "secret" => {
                    let secret = Secret::parse(text(value).map_err(wrong)?);
                    draft.secret = Some(secret.map_err(wrong)?);
                }
                "format" => {
                    let words = Format::ALL.iter().map(|format| format.as_str());
                    let found = Format::from_word(text(value).map_err(wrong)?);
                    draft.format = Some(found.ok_or_else(|| wrong(one_of(words)))?);
                }
                "min_severity" => {
                    let words = Urgency::ALL.iter().map(|urgency| urgency.as_str());
                    let found = Urgency::from_word(text(value).map_err(wrong)?);
                    draft.min_severity = Some(found.ok_or_else(|| wrong(one_of(words)))?);
                }
                "types" => draft.types = Some(types(value).map_err(wrong)?),
                "enabled" => match value.get_ref() {
                    DeValue::Boolean(flag) => draft.enabled = Some(*flag),
                    _ => return Err(wrong("must be true or false".to_owned())),
                },
                _ => {
                    let known = "url, secret, format, types, min_severity and enabled are";
                    let reason = format!("`{name}` is not known; {known}");
                    return Err(self.at(&key.span(), &reason));
                }
            }
        }
        for (field, is_there) in [
            ("url", draft.url.is_some()),
            ("secret", draft.secret.is_some()),
        ] {
            if !is_there {
                return Err(self.at(head, &format!("`{field}` is missing")));
            }
        }
        if let (Some(Format::Alertmanager), Some(types)) = (draft.format, &draft.types)
            && !types
                .iter()
                .any(|pattern| pattern.matches("alert.opened") || pattern.matches("alert.closed"))
        {
            let reason = "`types` must select alerts: alertmanager has no form for events";
            return Err(self.at(head, reason));
        }
        Ok(draft)
    }
}

fn one_of<'w>(words: impl Iterator<Item = &'w str>) -> String {
    format!("must be one of {}", words.collect::<Vec<_>>().join(", "))
}

fn text<'v>(value: &'v Spanned<DeValue<'_>>) -> Result<&'v str, String> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text),
        _ => Err("must be text".to_owned()),
    }
}

fn types(value: &Spanned<DeValue<'_>>) -> Result<Vec<TypePattern>, String> {
    let DeValue::Array(list) = value.get_ref() else {
        return Err("must be a list of patterns".to_owned());
    };
    if list.is_empty() {
        return Err("must have an entry".to_owned());
    }
    let patterns = list.iter().map(|one| TypePattern::parse(text(one)?));
    patterns.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn a_file_has_a_table_for_each_receiver() {
        let file = format!(
            "# ours\n[webhooks.ops]\nurl = \"https://h.example/x\"\nsecret = \"{SECRET}\"\n\n\
             [webhooks.am]\nurl = \"http://am:9093/api/v2/alerts\"\nsecret = \"{SECRET}\"\n\
             format = \"alertmanager\"\ntypes = [\"alert.*\"]\nmin_severity = \"critical\"\n\
             enabled = false\n"
        );
        let targets = parse(&file, false).unwrap();
        let names: Vec<&str> = targets.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["am", "ops"]);
        let am = &targets[0].1;
        assert_eq!(am.format, Some(Format::Alertmanager));
        assert_eq!(
            (am.min_severity, am.enabled),
            (Some(Urgency::Critical), Some(false))
        );
        assert_eq!(targets[1].1.format, None);
        assert_eq!(parse("", false), Ok(vec![]));
        assert_eq!(read_file("none", false), Ok(WebhookFile::default()));
        assert!(
            read_file("/no/such/file", false)
                .unwrap_err()
                .contains("can be read")
        );
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_field_and_without_its_value() {
        let head = format!("[webhooks.ops]\nurl = \"https://h.example/\"\nsecret = \"{SECRET}\"\n");
        let with = |line: &str| format!("{head}{line}\n");
        for (file, parts) in [
            (with("format = \"xml\""), ["line 4", "`format`", "slack"]),
            (
                with("types = [\"no.such\"]"),
                ["line 4", "`types`", "alert.opened"],
            ),
            (with("types = []"), ["line 4", "`types`", "entry"]),
            (with("types = 3"), ["line 4", "`types`", "list"]),
            (with("enabled = \"on\""), ["line 4", "`enabled`", "true"]),
            (
                with("min_severity = \"bad\""),
                ["line 4", "`min_severity`", "critical"],
            ),
            (with("sekret = \"x\""), ["line 4", "`sekret`", "not known"]),
            (with("format = "), ["line 4", "TOML", "is no"]),
            (
                with("format = \"alertmanager\"\ntypes = [\"event.*\"]"),
                ["line 1", "`types`", "alerts"],
            ),
            (
                "[webhooks.ops]\nsecret = \"whsec_aGlkZGVu\"\n".to_owned(),
                ["line 2", "`secret`", "24"],
            ),
            (
                "[webhooks.ops]\nurl = \"http://me:hidden@127.0.0.1/\"\n".to_owned(),
                ["line 2", "`url`", "loopback"],
            ),
            (
                format!("[webhooks.ops]\nsecret = \"{SECRET}\"\n"),
                ["line 1", "`url`", "missing"],
            ),
            (
                "[webhooks.ops]\nurl = \"http://h/\"\n".to_owned(),
                ["line 1", "`secret`", "missing"],
            ),
            (
                "\n[webhooks.\"a b\"]\n".to_owned(),
                ["line 2", "name", "letters"],
            ),
            (
                "\nwebhooks = 3\n".to_owned(),
                ["line 2", "webhooks", "tables"],
            ),
            (
                "[targets.ops]\n".to_owned(),
                ["line 1", "`targets`", "not known"],
            ),
        ] {
            let reason = parse(&file, false).unwrap_err();
            for part in parts {
                assert!(reason.contains(part), "{file}\n{reason}");
            }
            assert!(
                !reason.contains("hidden") && !reason.contains("aGlk"),
                "{reason}"
            );
        }
    }
}
