//! The form of a line, for people and for machines.
//!
//! Whatever a message or a field holds, a record stays on one line and cannot deceive its reader
//! (`escapes`): names of workers come from outside. In JSON the same characters are written as
//! `\u202e`: the value stays the same, and readers that end a line at U+2028 see one object.

use std::time::SystemTime;

use log::Level;
use log::kv::{self, Key, Value, VisitSource};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::escapes::{deceives, escaped, escaped_json};
use super::request;
use crate::config::LogFormat;

#[expect(
    clippy::disallowed_methods,
    reason = "a log line tells the wall's time of its writing; nothing is decided by it"
)]
fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

/// The parts of a record, in the order they are written.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Line {
    pub timestamp: String,
    pub level: Level,
    /// The module that wrote it.
    pub target: String,
    pub message: String,
    pub fields: Vec<(String, serde_json::Value)>,
}

impl Line {
    /// Returns a record as it is now, with the request that it is about.
    pub(super) fn of(record: &log::Record<'_>) -> Self {
        Self::at(now(), record)
    }

    fn at(timestamp: String, record: &log::Record<'_>) -> Self {
        let mut fields = Fields(Vec::new());
        // A field that cannot be read is no reason to lose the line.
        let _ = record.key_values().visit(&mut fields);
        request::with_current(|request| {
            fields.add("request_id", request.id());
            if let Some(trace) = request.trace_id() {
                fields.add("trace_id", trace);
            }
        });
        Self {
            timestamp,
            level: record.level(),
            target: record.target().to_owned(),
            message: record.args().to_string(),
            fields: fields.0,
        }
    }

    /// Returns a line of the log itself.
    pub(super) fn own(level: Level, message: String, field: (&str, u64)) -> Self {
        Self {
            timestamp: now(),
            level,
            target: module_path!().to_owned(),
            message,
            fields: vec![(field.0.to_owned(), field.1.into())],
        }
    }

    /// Returns the line as it is written, with its end.
    pub(super) fn written(&self, format: LogFormat, is_styled: bool) -> String {
        let level = self.level.as_str();
        let mut line = match format {
            LogFormat::Text if is_styled => {
                let colour = colour(self.level);
                self.text(&format!("\u{1b}[{colour}m{level:<5}\u{1b}[0m"))
            }
            LogFormat::Text => self.text(&format!("{level:<5}")),
            // Texts, numbers and lists of them can always be written.
            LogFormat::Json => self.json().unwrap_or_default(),
        };
        line.push('\n');
        line
    }

    /// `2026-01-02T03:04:05.678Z INFO  module: message key=value`.
    fn text(&self, level: &str) -> String {
        let Self {
            timestamp,
            target,
            message,
            fields,
            ..
        } = self;
        let mut line = format!(
            "{timestamp} {level} {}: {}",
            escaped(target),
            escaped(message)
        );
        for (key, value) in fields {
            line.push_str(&format!(" {}={}", escaped(key), field_text(value)));
        }
        line
    }

    /// Returns one object.
    fn json(&self) -> serde_json::Result<String> {
        Ok(escaped_json(&serde_json::to_string(self)?))
    }
}

/// One object: `timestamp`, `level`, `target`, `message`, then the fields.
impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const OURS: [&str; 4] = ["timestamp", "level", "target", "message"];
        let mut object = serializer.serialize_map(None)?;
        let own = [
            &*self.timestamp,
            self.level.as_str(),
            &*self.target,
            &*self.message,
        ];
        for (key, value) in OURS.iter().zip(own) {
            object.serialize_entry(key, value)?;
        }
        for (key, value) in &self.fields {
            // A field with the name of one of the program's own must not make an object with two
            // equal keys.
            if OURS.contains(&key.trim_end_matches('_')) {
                object.serialize_entry(&format!("{key}_"), value)?;
            } else {
                object.serialize_entry(key, value)?;
            }
        }
        object.end()
    }
}

/// Returns the colour of a level, as terminals number colours.
const fn colour(level: Level) -> u8 {
    match level {
        Level::Error => 31,
        Level::Warn => 33,
        Level::Info => 32,
        Level::Debug => 34,
        Level::Trace => 36,
    }
}

/// Collects fields as JSON values; of two equal keys the later counts.
struct Fields(Vec<(String, serde_json::Value)>);

impl Fields {
    /// Adds a field that the record does not have itself.
    fn add(&mut self, key: &str, value: &str) {
        if self.0.iter().all(|(known, _)| known != key) {
            self.0.push((key.to_owned(), value.into()));
        }
    }
}

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let value = field_value(&value);
        match self.0.iter_mut().find(|(known, _)| known == key.as_str()) {
            Some((_, known)) => *known = value,
            None => self.0.push((key.as_str().to_owned(), value)),
        }
        Ok(())
    }
}

/// Tries whole numbers first: every number can be read as a float, and `300.0` is not what was
/// logged.
fn field_value(value: &Value<'_>) -> serde_json::Value {
    if let Some(number) = value.to_u64() {
        number.into()
    } else if let Some(number) = value.to_i64() {
        number.into()
    } else {
        serde_json::to_value(value).unwrap_or_else(|_| value.to_string().into())
    }
}

/// Returns a field for a text line: bare when that is unambiguous, else in quotes.
fn field_text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) if is_bare(text) => text.clone(),
        serde_json::Value::String(text) => escaped(&format!("{text:?}")),
        other => escaped(&other.to_string()),
    }
}

fn is_bare(text: &str) -> bool {
    let needs_quotes =
        |letter: char| letter.is_whitespace() || deceives(letter) || "\"=\\".contains(letter);
    !text.is_empty() && !text.contains(needs_quotes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-01-02T03:04:05.678Z";

    fn line(message: &str, fields: &[(&str, Value<'_>)]) -> Line {
        let arguments = format_args!("{message}").to_string();
        let record = |args| {
            let mut builder = log::Record::builder();
            builder.level(Level::Info).target("fleet");
            Line::at(
                TIME.to_owned(),
                &builder.args(args).key_values(&fields).build(),
            )
        };
        record(format_args!("{arguments}"))
    }

    #[test]
    fn a_text_line_reads_from_left_to_right() {
        let fields = [
            ("server_id", Value::from("worker-1")),
            ("streams", Value::from(12_u64)),
            ("ratio", Value::from(0.5)),
            ("reason", Value::from("gone silent")),
            ("empty", Value::from("")),
            ("odd", Value::from("a=\"b\"")),
        ];
        assert_eq!(
            line("moved 12 streams", &fields).text("INFO "),
            "2026-01-02T03:04:05.678Z INFO  fleet: moved 12 streams server_id=worker-1 streams=12 \
             ratio=0.5 reason=\"gone silent\" empty=\"\" odd=\"a=\\\"b\\\"\""
        );
    }

    #[test]
    fn a_json_line_has_fields_of_their_own_type_in_order() {
        let duration = std::time::Duration::from_millis(1_500);
        let fields = [
            ("streams", Value::from(300_u32)),
            ("balance", Value::from(-7_i64)),
            ("epoch", Value::from(u64::MAX)),
            ("ratio", Value::from(0.5)),
            ("leased", Value::from(true)),
            ("reason", Value::from("gone \"silent\"")),
            ("waited", Value::from_debug(&duration)),
        ];
        assert_eq!(
            line("moved", &fields).json().unwrap(),
            r#"{"timestamp":"2026-01-02T03:04:05.678Z","level":"INFO","target":"fleet","message":"moved","streams":300,"balance":-7,"epoch":18446744073709551615,"ratio":0.5,"leased":true,"reason":"gone \"silent\"","waited":"1.5s"}"#
        );
    }

    #[test]
    fn a_record_stays_on_one_line_and_steers_no_terminal() {
        let fields = [("name", Value::from("a\nb\u{1b}[2J"))];
        let line = line("one\ntwo\r\u{1b}[31m", &fields);
        let text = line.text("WARN ");
        assert!(!text.contains(char::is_control), "{text:?}");
        assert!(
            text.ends_with(r#"one\ntwo\r\u{1b}[31m name="a\nb\u{1b}[2J""#),
            "{text}"
        );
        let json = line.json().unwrap();
        assert!(!json.contains(char::is_control), "{json:?}");
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed["message"], "one\ntwo\r\u{1b}[31m");
    }

    #[test]
    fn a_record_deceives_no_reader_and_keeps_its_values() {
        let name = "w\u{202e}1\u{2028}2\u{200b}\u{85}";
        let fields = [("server_id", Value::from(name)), ("plain", Value::from(1))];
        let line = line(&format!("instance {name} has left"), &fields);
        let text = line.text("WARN ");
        assert!(
            text.ends_with(
                r#"instance w\u{202e}1\u{2028}2\u{200b}\u{85} has left server_id="w\u{202e}1\u{2028}2\u{200b}\u{85}" plain=1"#
            ),
            "{text}"
        );
        let json = line.json().unwrap();
        assert!(json.is_ascii(), "{json}");
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed["server_id"], name);
    }

    #[test]
    fn equal_keys_are_never_written_twice() {
        let fields = [
            ("level", Value::from(3)),
            ("streams", Value::from(1)),
            ("streams", Value::from(2)),
        ];
        let json = line("m", &fields).json().unwrap();
        assert!(
            json.ends_with(r#""message":"m","level_":3,"streams":2}"#),
            "{json}"
        );
    }

    #[test]
    fn a_line_names_the_request_that_it_is_about() {
        use crate::domain::request::{RequestContext, TraceParent};

        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parent = TraceParent::parse(&format!("00-{trace}-00f067aa0ba902b7-01"));
        let request = RequestContext::new("r-1", parent);
        let named = request::sync_within(Some(&request), || line("m", &[])).text("INFO ");
        assert!(
            named.ends_with(&format!("fleet: m request_id=r-1 trace_id={trace}")),
            "{named}"
        );
        let fields = [("request_id", Value::from("its own"))];
        let own = request::sync_within(Some(&request), || line("m", &fields)).text("INFO ");
        assert!(own.contains("request_id=\"its own\""), "{own}");
        assert!(line("m", &[]).text("INFO ").ends_with("fleet: m"));
    }

    #[test]
    fn colours_are_around_the_level_only() {
        let line = line("moved", &[]);
        let plain = line.written(LogFormat::Text, false);
        assert_eq!(plain, format!("{TIME} INFO  fleet: moved\n"));
        let styled = line.written(LogFormat::Text, true);
        assert_eq!(
            styled,
            format!("{TIME} \u{1b}[32mINFO \u{1b}[0m fleet: moved\n")
        );
        let json = line.written(LogFormat::Json, true);
        assert!(json.ends_with("}\n") && !json.contains('\u{1b}'), "{json}");
    }
}
