//! Reads settings one by one, and remembers every fault and every value in force.

use std::time::Duration;

use super::origin::Origin;
use super::problem::{Problem, Warning};
use super::rules::Length;
use super::setting::{Fallback, Kind, Setting};
use super::sources::Sources;
use super::{access, address, database, duration, log, scalar, table, tls, webhooks};
use crate::domain::access::Network;
use crate::domain::masked_url::masked_url;
use crate::domain::placement::PlacementPolicy;
use crate::domain::settings::Fraction;
use crate::domain::webhook::TargetDraft;
use crate::tls::{Fault, ServerTls, TLS_CERT, TLS_CLIENT_CA, TLS_CLUSTER_CA, TLS_KEY};

/// The value of one setting, and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct EffectiveValue {
    /// The setting's name.
    pub name: &'static str,
    /// Its value as it may be shown: no passwords.
    pub shown: String,
    pub origin: Origin,
}

/// Reads settings. Each method returns `None` for a value that was refused, and keeps the reason;
/// callers go on reading so that all problems are found at once.
pub(super) struct Reader<'a> {
    sources: &'a Sources,
    pub(super) problems: Vec<Problem>,
    pub(super) effective: Vec<EffectiveValue>,
    pub(super) warnings: Vec<Warning>,
    /// The lengths of time read so far, for the rules across settings.
    pub(super) lengths: Vec<Length>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            problems: sources.problems.clone(),
            effective: Vec::new(),
            warnings: sources.warnings.clone(),
            lengths: Vec::new(),
        }
    }

    pub(super) fn address(&mut self, name: &'static str) -> Option<address::BindAddress> {
        self.read(
            name,
            |text, _| address::BindAddress::parse(text),
            ToString::to_string,
        )
    }

    pub(super) fn database_url(&mut self, name: &'static str) -> Option<database::DatabaseUrl> {
        let url = self.read(
            name,
            |text, _| database::DatabaseUrl::parse(text),
            ToString::to_string,
        )?;
        self.warn_of(name, url.without_effect());
        Some(url)
    }

    /// Reads a text by a form of its own; `None` inside: `auto`.
    pub(super) fn name_or_auto(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<Option<String>, String>,
    ) -> Option<Option<String>> {
        self.read(
            name,
            |text, _| parse(text),
            |value| value.clone().unwrap_or_else(|| "auto".to_owned()),
        )
    }

    /// Reads a text; `None` inside: the word that stands for nothing.
    pub(super) fn name_or(
        &mut self,
        nothing: &'static str,
        name: &'static str,
    ) -> Option<Option<String>> {
        self.read(
            name,
            |text, _| Ok((!text.eq_ignore_ascii_case(nothing)).then(|| text.to_owned())),
            |value| value.clone().unwrap_or_else(|| nothing.to_owned()),
        )
    }

    /// Reads the files of TLS; `None` inside: TLS is not spoken.
    pub(super) fn tls(&mut self) -> Option<Option<ServerTls>> {
        let certificate = self.name_or(tls::NONE, TLS_CERT);
        let key = self.name_or(tls::NONE, TLS_KEY);
        let client_ca = self.name_or(tls::NONE, TLS_CLIENT_CA);
        let members_ca = self.name_or(tls::NONE, TLS_CLUSTER_CA);
        match tls::read(certificate?, key?, client_ca?, members_ca?) {
            Ok(None) => Some(None),
            Ok(Some(read)) => {
                self.warn_of(TLS_CLIENT_CA, read.remarks());
                Some(Some(read))
            }
            Err(faults) => {
                let problems = faults.into_iter().filter_map(|fault| self.at_fault(fault));
                let problems: Vec<Problem> = problems.collect();
                self.problems.extend(problems);
                None
            }
        }
    }

    /// Returns the problem of a setting that was read before, and whose file cannot be used.
    fn at_fault(&self, Fault { setting, rule }: Fault) -> Option<Problem> {
        let read = self.effective.iter().find(|value| value.name == setting)?;
        let kind = table::find(setting)?.kind;
        Some(Problem::Value {
            name: read.name,
            origin: read.origin,
            shown: show_refused(&read.shown, kind),
            rule,
        })
    }

    /// Reads the file with receivers of webhooks.
    pub(super) fn webhooks(
        &mut self,
        name: &'static str,
        allow_loopback: bool,
    ) -> Option<Vec<(String, TargetDraft)>> {
        let file = self.read(
            name,
            |text, _| webhooks::read_file(text, allow_loopback),
            |file| match &file.path {
                Some(path) => path.display().to_string(),
                None => webhooks::NO_FILE.to_owned(),
            },
        )?;
        Some(file.targets)
    }

    /// Reads whether callers need a key; `None` inside: as the address says.
    pub(super) fn auth(&mut self, name: &'static str) -> Option<Option<bool>> {
        self.read(
            name,
            |text, _| access::parse_auth(text),
            |value| match value {
                None => access::AUTO.to_owned(),
                Some(true) => "on".to_owned(),
                Some(false) => "off".to_owned(),
            },
        )
    }

    /// Reads ranges of addresses.
    pub(super) fn networks(&mut self, name: &'static str) -> Option<Vec<Network>> {
        self.read(
            name,
            |text, _| access::parse_networks(text),
            |networks| access::shown(networks),
        )
    }

    pub(super) fn log_format(&mut self, name: &'static str) -> Option<log::LogFormat> {
        self.read(
            name,
            |text, _| log::LogFormat::parse(text),
            |format| match format {
                log::LogFormat::Text => "text".to_owned(),
                log::LogFormat::Json => "json".to_owned(),
            },
        )
    }

    /// Reads a policy of placement.
    pub(super) fn policy(&mut self, name: &'static str) -> Option<PlacementPolicy> {
        self.read(
            name,
            |text, _| {
                let words = PlacementPolicy::ALL.iter().map(|policy| policy.as_str());
                let known = PlacementPolicy::from_word(&text.to_ascii_lowercase());
                known.ok_or_else(|| format!("must be {}", words.collect::<Vec<_>>().join(", ")))
            },
            |policy| policy.as_str().to_owned(),
        )
    }

    /// Reads the name of a label.
    pub(super) fn label(&mut self, name: &'static str) -> Option<String> {
        self.read(name, |text, _| scalar::parse_label(text), String::clone)
    }

    pub(super) fn log_filter(&mut self, name: &'static str) -> Option<String> {
        let (filter, remarks) = self.read(
            name,
            |text, _| log::parse_filter(text).map(|filter| (filter, log::remarks(text))),
            |(filter, _)| filter.clone(),
        )?;
        self.warn_of(name, remarks);
        Some(filter)
    }

    pub(super) fn switch(&mut self, name: &'static str) -> Option<bool> {
        self.read(name, |text, _| scalar::parse_switch(text), bool::to_string)
    }

    pub(super) fn count(&mut self, name: &'static str) -> Option<u32> {
        let parse = |text: &str, kind| match kind {
            Kind::Count { min, max } => scalar::parse_count(text, min, max),
            _ => Err("is listed as something else than a number".to_owned()),
        };
        self.read(name, parse, u32::to_string)
    }

    pub(super) fn fraction(&mut self, name: &'static str) -> Option<Fraction> {
        self.read(
            name,
            |text, _| scalar::parse_fraction(text),
            |fraction| fraction.as_f64().to_string(),
        )
    }

    /// Reads a length of time with a default of its own.
    pub(super) fn duration(&mut self, name: &'static str) -> Option<Duration> {
        let value = self.read(name, parse_duration, |value| duration::format(*value))?;
        self.remember(name, value);
        Some(value)
    }

    /// Reads the limit of a wait; `None` if it has no limit.
    pub(super) fn limit(&mut self, name: &'static str) -> Option<Option<Duration>> {
        self.read(
            name,
            |text, _| duration::parse_limit(text),
            |limit| limit.map_or_else(|| duration::UNLIMITED.to_owned(), duration::format),
        )
    }

    /// Reads a length of time that is `derived` by default; `None` there means that the setting it
    /// is derived from was refused, which is already reported.
    pub(super) fn derived(
        &mut self,
        name: &'static str,
        derived: Option<Duration>,
    ) -> Option<Duration> {
        if self.sources.get(name).is_some() {
            return self.duration(name);
        }
        let setting = self.setting(name)?;
        let Fallback::Derived { formula, .. } = setting.default else {
            return self.duration(name);
        };
        let value = derived?;
        let origin = Origin::Derived(formula);
        self.effective.push(EffectiveValue {
            name,
            shown: duration::format(value),
            origin,
        });
        self.remember(name, value);
        Some(value)
    }

    fn remember(&mut self, name: &'static str, value: Duration) {
        if let Some(effective) = self.effective.last().filter(|last| last.name == name) {
            self.lengths.push(Length {
                name,
                value,
                origin: effective.origin,
            });
        }
    }

    /// Adds warnings about a setting without effect, if it was set.
    pub(super) fn warn_of(&mut self, name: &'static str, reasons: Vec<String>) {
        let Some((origin, _)) = self.sources.get(name) else {
            return;
        };
        let warnings = reasons.into_iter().map(|reason| Warning::NoEffect {
            name,
            origin,
            reason,
        });
        self.warnings.extend(warnings);
    }

    fn read<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str, Kind) -> Result<T, String>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        let setting = self.setting(name)?;
        let set = self.sources.get(name);
        let (origin, raw) =
            set.unwrap_or((Origin::Default, setting.default.usual_value().as_ref()));
        let outcome = match raw.to_str().map(str::trim) {
            None => Err("must be UTF-8 text".to_owned()),
            Some("") => Err("must not be empty: give it a value or leave the flag out".to_owned()),
            Some(text) => parse(text, setting.kind).map_err(|rule| match is_quoted(text) {
                true => {
                    format!("{rule} (the quotes around it are part of the value: leave them out)")
                }
                false => rule,
            }),
        };
        match outcome {
            Ok(value) => {
                self.effective.push(EffectiveValue {
                    name,
                    shown: show(&value),
                    origin,
                });
                Some(value)
            }
            Err(rule) => {
                let shown = show_refused(&raw.to_string_lossy(), setting.kind);
                self.problems.push(Problem::Value {
                    name,
                    origin,
                    shown,
                    rule,
                });
                None
            }
        }
    }

    fn setting(&mut self, name: &'static str) -> Option<&'static Setting> {
        let setting = table::find(name);
        if setting.is_none() {
            self.problems.push(Problem::Value {
                name,
                origin: Origin::Default,
                shown: "unknown".to_owned(),
                rule: "is missing from the list of settings".to_owned(),
            });
        }
        setting
    }
}

fn parse_duration(text: &str, kind: Kind) -> Result<Duration, String> {
    if kind == Kind::DurationOrZero {
        duration::parse(text)
    } else {
        duration::parse_positive(text)
    }
}

/// Returns whether a value has quotes that no shell has taken away.
fn is_quoted(text: &str) -> bool {
    ['"', '\''].iter().any(|quote| {
        let inside = text.strip_prefix(*quote);
        inside.is_some_and(|inside| inside.ends_with(*quote))
    })
}

/// Returns a refused value for a message: on one line, of bounded length, and without possible
/// passwords, whichever setting they were pasted into.
fn show_refused(text: &str, kind: Kind) -> String {
    const LONGEST: usize = 80;
    if kind == Kind::DatabaseUrl || text.contains("://") || text.contains("password") {
        return masked_url(text.trim());
    }
    if text.contains("-----BEGIN") || kind == Kind::KeyFile && tls::may_be_a_key(text.trim()) {
        return "(hidden)".to_owned();
    }
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}… (cut)", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_place_of_its_file_is_not_shown() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA";
        let bare = "MC4CAQAwBQYDK2VwBCIEIHjLqn1cXwZ0a8m0o1Ih/iYVj5v7u3v2e1nq0Fz3yq1T";
        for kind in [Kind::File, Kind::KeyFile, Kind::Address] {
            assert_eq!(show_refused(pem, kind), "(hidden)");
        }
        assert_eq!(show_refused(bare, Kind::KeyFile), "(hidden)");
        for path in [
            "key.pem",
            "/etc/ssl/private/a-very-long-name-of-a-key",
            "key",
        ] {
            assert_eq!(show_refused(path, Kind::KeyFile), format!("{path:?}"));
        }
    }

    #[test]
    fn refused_values_stay_on_one_short_line() {
        assert_eq!(
            show_refused("a\nb\u{1b}", Kind::Duration),
            r#""a\nb\u{1b}""#
        );
        assert!(
            show_refused(&"ä".repeat(500), Kind::Duration)
                .chars()
                .count()
                < 100
        );
    }

    #[test]
    fn a_url_in_the_wrong_place_is_redacted_too() {
        let shown = show_refused("postgres://user:secret@db/x", Kind::Address);
        assert_eq!(shown, "postgres://db/…");
        for kind in [Kind::DatabaseUrl, Kind::Address] {
            let shown = show_refused("host=db password=secret", kind);
            assert_eq!(shown, "(hidden)");
        }
    }
}
