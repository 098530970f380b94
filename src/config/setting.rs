//! What can be said about one setting without knowing its value.

/// One thing an operator can set, by flag, by environment variable or in `.env`.
///
/// Reading, `--help`, the sample, the typo check and the README's table are all made from these, so
/// that they cannot tell different stories.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable, upper case with underscores.
    pub name: &'static str,
    /// The flag without its dashes: the same name in lower case, with dashes for underscores.
    pub flag: &'static str,
    /// The heading it is listed under.
    pub group: Group,
    /// What its text must look like, and within which bounds.
    pub kind: Kind,
    /// What holds when nobody sets it.
    pub default: Fallback,
    /// What it does, in one sentence for an operator.
    pub meaning: &'static str,
}

/// The headings settings are listed under, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Where the program is reached.
    Server,
    /// Where the fleet is kept.
    Database,
    /// When silence means something.
    Heartbeats,
    /// What workers are told about leases and their own clocks.
    Leases,
    /// How streams are moved, and how hard that is tried.
    Recovery,
    /// Bounds on what is asked of failing or growing things.
    Limits,
    /// How long things are remembered.
    Retention,
    /// What is written to the log.
    Log,
}

impl Group {
    /// The heading in listings.
    pub fn title(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Database => "Database",
            Self::Heartbeats => "Heartbeats",
            Self::Leases => "Leases",
            Self::Recovery => "Recovery",
            Self::Limits => "Limits",
            Self::Retention => "Retention",
            Self::Log => "Log",
        }
    }
}

/// The shape of a setting's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `host:port`.
    Address,
    /// A database URL; holds a password, so it is never printed whole.
    DatabaseUrl,
    /// A length of time above zero.
    Duration,
    /// A length of time; zero switches off what it lengthens.
    DurationOrZero,
    /// A length of time, zero included, or `unlimited`.
    Limit,
    /// A whole number within bounds, both included.
    Count {
        /// The smallest accepted number.
        min: u32,
        /// The greatest accepted number.
        max: u32,
    },
    /// A number from 0 to 1.
    Fraction,
    /// Yes or no.
    Switch,
    /// `text` or `json`.
    LogFormat,
    /// Which log lines are written, in the language of `RUST_LOG`.
    LogFilter,
}

impl Kind {
    /// The placeholder of a value in `--help`.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Address => "HOST:PORT",
            Self::DatabaseUrl => "URL",
            Self::Duration | Self::DurationOrZero | Self::Limit => "DURATION",
            Self::Count { .. } => "NUMBER",
            Self::Fraction => "FRACTION",
            Self::Switch => "BOOL",
            Self::LogFormat => "FORMAT",
            Self::LogFilter => "FILTER",
        }
    }
}

/// What holds when a setting is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This text, read like one that was set.
    Text(&'static str),
    /// A value computed from another setting.
    Derived {
        /// The setting it is computed from.
        from: &'static str,
        /// How, for people: `0.4 × HEARTBEAT_TIMEOUT`.
        formula: &'static str,
        /// What that gives while everything is at its default; shown, never read.
        usually: &'static str,
    },
}

impl Fallback {
    /// What `--help` and tables show: the text, or the value with its formula.
    pub fn describe(self) -> String {
        match self {
            Self::Text(text) => text.to_owned(),
            Self::Derived {
                formula, usually, ..
            } => format!("{usually} ({formula})"),
        }
    }

    /// The value while everything else is at its default.
    pub fn usual_value(self) -> &'static str {
        match self {
            Self::Text(text) => text,
            Self::Derived { usually, .. } => usually,
        }
    }
}
