//! The settings of the log.
//!
//! The logger's own reader of `RUST_LOG` takes an unknown word for the name of a module, and skips
//! what it cannot read. A log line that is missing because of a misspelt level is missed too late.
//! So this reader translates a level of another program (`warning`), with a warning; refuses any
//! other unknown word; and warns of a module that no line of this program has.

use super::typo::nearest;
use crate::domain::spelling::edit_distance;

/// The logger's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The form of the lines: for people or for machines.
    pub format: LogFormat,
    /// Directives in the language of `RUST_LOG`: `info,actix_server=warn`.
    pub filter: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Time, level as a word, module, message, `key=value`.
    Text,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be text or json".to_owned()),
        }
    }
}

/// The crate whose lines below `warn` hold the values of statements, passwords among them: those
/// lines are never written.
pub const DRIVER: &str = "tokio_postgres";

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Levels of other programs, and their names in this one.
const FOREIGN_LEVELS: [(&str, &str); 14] = [
    ("warning", "warn"),
    ("warnings", "warn"),
    ("notice", "info"),
    ("information", "info"),
    ("verbose", "debug"),
    ("fine", "debug"),
    ("all", "trace"),
    ("critical", "error"),
    ("crit", "error"),
    ("fatal", "error"),
    ("err", "error"),
    ("none", "off"),
    ("silent", "off"),
    ("quiet", "off"),
];

/// This program's own modules, as its lines name them.
const OWN: &str = "resilient_orchestrator";

/// The rooms of this program; modules below them are not checked.
const ROOMS: [&str; 9] = [
    "actors", "app", "cli", "clock", "config", "http", "logging", "outbound", "store",
];

/// The other crates that write lines.
const CRATES: [&str; 14] = [
    "actix",
    "actix_http",
    "actix_rt",
    "actix_server",
    "actix_web",
    "deadpool",
    "diesel",
    "diesel_async",
    "diesel_migrations",
    "mio",
    "rustls",
    "tokio",
    DRIVER,
    "tokio_postgres_rustls",
];

/// Reads a filter; returns it as the logger understands it.
///
/// # Errors
/// Returns which filters are valid, if the logger would skip a part of this one, or take it for a
/// module.
pub(super) fn parse_filter(text: &str) -> Result<String, String> {
    const SYNTAX: &str = "write a level (off, error, warn, info, debug, trace) or MODULE=LEVEL, \
                          separated by commas, as in info,actix_server=warn";
    let mut seen: Vec<Option<&str>> = Vec::new();
    for (module, level) in directives(text) {
        let is_module = module.is_none_or(|module| {
            !module.is_empty()
                && module
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_:-.".contains(&byte))
        });
        if !is_module {
            return Err(format!("has a part that is no log filter: {SYNTAX}"));
        }
        match (module, level) {
            (_, Some(level)) if level_of(level).is_none() => {
                let meant = suggestion(level);
                return Err(format!("has a part that is no log filter{meant}: {SYNTAX}"));
            }
            (Some(module), None) if !is_known(module) => {
                let meant = suggestion(module);
                return Err(format!(
                    "has a word that is neither a level nor a module{meant}, so nothing would be \
                     logged: {SYNTAX}"
                ));
            }
            _ => {}
        }
        if seen.contains(&module) {
            let what = module.unwrap_or("all modules");
            return Err(format!("has two levels for {what}: leave one out"));
        }
        seen.push(module);
    }
    // The text after a slash is a regular expression on the message.
    match text.split_once('/') {
        Some((_, pattern)) if pattern.contains('/') || regex::Regex::new(pattern).is_err() => Err(
            "has something behind its slash that is no regular expression on messages, as in \
                 info/moved .* streams"
                .to_owned(),
        ),
        Some(_) | None => Ok(in_own_levels(text)),
    }
}

/// Returns a filter with the levels of this program in place of those of others.
fn in_own_levels(text: &str) -> String {
    let pattern = text.find('/').map_or("", |at| &text[at..]);
    if directives(text).all(|(_, level)| level.is_none_or(is_level)) {
        return text.to_owned();
    }
    let parts = directives(text).map(|(module, level)| {
        let level = level.map(|level| level_of(level).unwrap_or(level));
        match (module, level) {
            (Some(module), Some(level)) => format!("{module}={level}"),
            (Some(one), None) | (None, Some(one)) => one.to_owned(),
            (None, None) => String::new(),
        }
    });
    let parts: Vec<String> = parts.collect();
    parts.join(",") + pattern
}

/// Returns remarks on a valid filter, each as the end of a sentence that begins with the setting:
/// the parts without effect, and those that are translated.
pub(super) fn remarks(filter: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (module, level) in directives(filter) {
        if let Some(level) = level.filter(|level| !is_level(level))
            && let Some(own) = level_of(level)
        {
            found.push(format!(
                "has {level:?}, which is no level of this program, and is taken for {own}; write {own}"
            ));
        }
        let Some(module) = module else { continue };
        let says_more = level.is_none_or(|level| {
            level_of(level).is_some_and(|level| ["info", "debug", "trace"].contains(&level))
        });
        if !is_known(module) {
            found.push(format!(
                "has {module:?}, which is no module of this program, so that part has no effect; \
                 its own are called {OWN}::actors, ::http, ::store and so on"
            ));
        } else if module.split("::").next() == Some(DRIVER) && says_more {
            found.push(format!(
                "asks for lines of {DRIVER} that are never written, because they hold the values \
                 of statements; warn and error are"
            ));
        }
    }
    found
}

/// Returns the parts of a filter: a module, if one is named, and a level, if one is.
fn directives(filter: &str) -> impl Iterator<Item = (Option<&str>, Option<&str>)> {
    let directives = filter
        .split_once('/')
        .map_or(filter, |(directives, _)| directives);
    let parts = directives
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts.map(|part| match part.split_once('=') {
        Some((module, level)) => (Some(module.trim()), Some(level.trim())),
        None if level_of(part).is_some() => (None, Some(part)),
        None => (Some(part), None),
    })
}

fn is_level(word: &str) -> bool {
    LEVELS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Returns the level that a word stands for, here or in other programs.
fn level_of(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let own = LEVELS.into_iter().find(|level| *level == word);
    own.or_else(|| {
        let foreign = FOREIGN_LEVELS.iter().find(|(known, _)| *known == word);
        foreign.map(|(_, level)| *level)
    })
}

/// Returns the level that an unknown word probably stands for, for the end of a clause.
fn suggestion(word: &str) -> String {
    let word = word.to_ascii_lowercase();
    match nearest(&word, LEVELS) {
        Some(close) if edit_distance(&word, close) <= 1 => format!(" (did you mean {close}?)"),
        Some(_) | None => String::new(),
    }
}

/// Returns whether the module of some line can begin with this name: the logger compares them so.
fn is_known(name: &str) -> bool {
    let begins = |module: &str| {
        module.starts_with(name)
            || name
                .strip_prefix(module)
                .is_some_and(|below| below.starts_with("::"))
    };
    CRATES.iter().any(|module| begins(module))
        || OWN.starts_with(name)
        || ROOMS.iter().any(|room| begins(&format!("{OWN}::{room}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        assert_eq!(LogFormat::parse("text"), Ok(LogFormat::Text));
        assert_eq!(LogFormat::parse("JSON"), Ok(LogFormat::Json));
        assert!(LogFormat::parse("xml").is_err());
    }

    #[test]
    fn filters() {
        for text in [
            "info",
            "OFF",
            "warn,actix_web=debug",
            "a::b=trace,info",
            "debug/moved .*",
            "tokio_postgres",
            "resilient_orchestrator::actors::fleet=debug",
        ] {
            assert_eq!(parse_filter(text).as_deref(), Ok(text));
        }
        for text in [
            "actix_web=loud",
            "info;debug",
            "=info",
            "info=",
            "a=b=info",
            "so much",
        ] {
            assert!(parse_filter(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_level_of_another_program_is_taken_for_its_own_and_said() {
        for (text, own) in [
            ("warning", "warn"),
            ("WARNING", "warn"),
            ("err", "error"),
            ("fatal", "error"),
            ("none", "off"),
            ("info, actix_web=warning", "info,actix_web=warn"),
            ("verbose/moved .*", "debug/moved .*"),
        ] {
            assert_eq!(parse_filter(text).as_deref(), Ok(own), "{text}");
            let said = remarks(text);
            assert!(
                said.len() == 1 && said[0].contains("is taken for"),
                "{said:?}"
            );
        }
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_with_the_one_that_was_meant() {
        for (text, meant) in [
            ("inf", "mean info?"),
            ("actix_web=trac", "mean trace?"),
            ("orchestrator", "neither a level nor a module"),
            ("loud", "neither a level nor a module"),
        ] {
            let rule = parse_filter(text).unwrap_err();
            assert!(rule.contains(meant), "{text}: {rule}");
        }
    }

    #[test]
    fn what_the_logger_would_skip_is_refused() {
        for (text, part) in [
            ("info,debug", "two levels for all modules"),
            ("actix=info,actix=warn", "two levels for actix"),
            ("info/[", "regular expression"),
            ("info/a/b", "regular expression"),
        ] {
            let rule = parse_filter(text).unwrap_err();
            assert!(rule.contains(part), "{text}: {rule}");
        }
    }

    #[test]
    fn a_module_nothing_is_called_is_warned_about() {
        for (filter, part) in [
            ("orchestrator=debug", "no module of this program"),
            ("info,resilient_orchestrator::actor_s=debug", "no module"),
            ("tokio_postgres=debug", "never written"),
            ("tokio_postgres", "never written"),
        ] {
            let found = remarks(filter);
            assert_eq!(found.len(), 1, "{filter}: {found:?}");
            assert!(found[0].contains(part), "{found:?}");
        }
        for filter in [
            "info,actix_server=warn,tokio_postgres=warn",
            "resilient_orchestrator=debug",
            "resilient_orchestrator::actors::fleet=trace,off",
            "tokio=debug,rustls::client=warn",
            "trace",
        ] {
            assert_eq!(remarks(filter), [""; 0], "{filter}");
        }
    }

    #[test]
    fn the_rooms_are_those_there_are() {
        for room in ROOMS {
            let path = format!("{}/src/{room}", env!("CARGO_MANIFEST_DIR"));
            let is_there = [path.clone(), format!("{path}.rs")]
                .iter()
                .any(|path| std::path::Path::new(path).exists());
            assert!(is_there, "there is no {path}");
        }
    }
}
