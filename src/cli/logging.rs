//! The logger: the form of a line, for people and for machines.
//!
//! Whatever a message or a field holds, a record stays on one line and cannot deceive its reader
//! (`escapes`): names of workers come from outside. In JSON the same characters are written as
//! `\u202e`: the value stays the same, and readers that end a line at U+2028 see one object.

use std::io::Write;
use std::time::SystemTime;

use log::kv::{self, Key, Value, VisitSource};
use serde::ser::{SerializeMap, Serializer};

use super::escapes::{deceives, escaped, escaped_json};
use crate::config::{DRIVER, LogFormat, LogSettings};

/// Starts the process's logger, on standard error. Later calls have no effect.
pub(super) fn start(settings: &LogSettings) {
    let mut builder = env_logger::Builder::new();
    // It logs faults of clients (a broken request, a connection cut) as errors of this program.
    builder.filter_module("actix_http", log::LevelFilter::Off);
    builder.parse_filters(&settings.filter);
    match settings.format {
        LogFormat::Text => builder.format(|output, record| {
            if holds_values(record.metadata()) {
                return Ok(());
            }
            let level = record.level();
            let style = output.default_level_style(level);
            let level = format!("{style}{level:<5}{style:#}");
            let line = Line::of(record, now());
            writeln!(output, "{}", line.text(&level))
        }),
        LogFormat::Json => builder.format(|output, record| {
            if holds_values(record.metadata()) {
                return Ok(());
            }
            let line = Line::of(record, now());
            writeln!(output, "{}", line.json(record.level().as_str())?)
        }),
    };
    // Fails only if a logger exists already, as in a program that embeds the server: that one is
    // kept.
    let _ = builder.try_init();
}

/// Returns whether a record is one in which the database's driver writes the values of a statement,
/// URLs of streams with their passwords among them. Such records are withheld whatever `RUST_LOG`
/// says; the driver's warnings and errors hold no values.
fn holds_values(record: &log::Metadata<'_>) -> bool {
    let module = record.target().split("::").next();
    module == Some(DRIVER) && record.level() > log::Level::Warn
}

#[expect(
    clippy::disallowed_methods,
    reason = "a log line tells the wall's time of its writing; nothing is decided by it"
)]
fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

/// The parts of a record, in the order they are written.
struct Line {
    timestamp: String,
    target: String,
    message: String,
    fields: Vec<(String, serde_json::Value)>,
}

impl Line {
    fn of(record: &log::Record<'_>, timestamp: String) -> Self {
        let mut fields = Fields(Vec::new());
        // A field that cannot be read is no reason to lose the line.
        let _ = record.key_values().visit(&mut fields);
        Self {
            timestamp,
            target: record.target().to_owned(),
            message: record.args().to_string(),
            fields: fields.0,
        }
    }

    /// `2026-01-02T03:04:05.678Z INFO  module: message key=value`.
    fn text(&self, level: &str) -> String {
        let Self {
            timestamp,
            target,
            message,
            fields,
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

    /// Returns one object: `timestamp`, `level`, `target`, `message`, then the fields.
    fn json(&self, level: &str) -> serde_json::Result<String> {
        const OURS: [&str; 4] = ["timestamp", "level", "target", "message"];
        let mut bytes = Vec::new();
        let mut serializer = serde_json::Serializer::new(&mut bytes);
        let mut object = serializer.serialize_map(None)?;
        let own = [&*self.timestamp, level, &*self.target, &*self.message];
        for (key, value) in OURS.iter().zip(own) {
            object.serialize_entry(key, value)?;
        }
        for (key, value) in &self.fields {
            // A field with the name of one of the program's own must not make an object with two
            // equal keys.
            if OURS.contains(&key.as_str()) {
                object.serialize_entry(&format!("{key}_"), value)?;
            } else {
                object.serialize_entry(key, value)?;
            }
        }
        object.end()?;
        Ok(escaped_json(&String::from_utf8_lossy(&bytes)))
    }
}

/// Collects fields as JSON values; of two equal keys the later counts.
struct Fields(Vec<(String, serde_json::Value)>);

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
            builder.level(log::Level::Info).target("fleet");
            Line::of(
                &builder.args(args).key_values(&fields).build(),
                TIME.to_owned(),
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
            line("moved", &fields).json("INFO").unwrap(),
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
        let json = line.json("WARN").unwrap();
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
        let json = line.json("WARN").unwrap();
        assert!(json.is_ascii(), "{json}");
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed["server_id"], name);
    }

    #[test]
    fn the_drivers_lines_with_values_are_withheld_at_every_level() {
        let withheld = |target: &str, level| {
            let metadata = log::Metadata::builder().target(target).level(level).build();
            holds_values(&metadata)
        };
        for level in [log::Level::Info, log::Level::Debug, log::Level::Trace] {
            assert!(withheld("tokio_postgres::query", level));
            assert!(withheld("tokio_postgres", level));
        }
        assert!(!withheld("tokio_postgres::connection", log::Level::Warn));
        assert!(!withheld("tokio_postgres_rustls", log::Level::Debug));
        assert!(!withheld(
            "resilient_orchestrator::store",
            log::Level::Debug
        ));
    }

    #[test]
    fn equal_keys_are_never_written_twice() {
        let fields = [
            ("level", Value::from(3)),
            ("streams", Value::from(1)),
            ("streams", Value::from(2)),
        ];
        let json = line("m", &fields).json("INFO").unwrap();
        assert!(
            json.ends_with(r#""message":"m","level_":3,"streams":2}"#),
            "{json}"
        );
    }
}
