//! What is written to the log, and how.

/// The logger's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// For people or for machines.
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

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Refuses what the logger would silently skip: a line that is missing at night because of a
/// misspelt level is found out too late.
pub(super) fn parse_filter(text: &str) -> Result<String, String> {
    const SYNTAX: &str = "write a level (off, error, warn, info, debug, trace) or MODULE=LEVEL, \
                          separated by commas, as in info,actix_server=warn";
    // What follows a slash is a regular expression on the message.
    let directives = text
        .split_once('/')
        .map_or(text, |(directives, _)| directives);
    for directive in directives
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (module, level) = match directive.split_once('=') {
            Some((module, level)) => (module.trim(), Some(level.trim())),
            None => (directive, None),
        };
        let level_is_valid =
            level.is_none_or(|level| LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)));
        let module_is_valid = module
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_:-.".contains(&byte));
        if !level_is_valid || !module_is_valid || module.is_empty() {
            return Err(format!("has a part that is no log filter: {SYNTAX}"));
        }
    }
    Ok(text.to_owned())
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
}
