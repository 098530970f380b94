//! The description of one setting, without its value.

/// One value that an operator can set, by flag, by environment variable or in `.env`.
///
/// Reading, `--help`, the sample, the typo check and the README's table are all made from these
/// descriptions, so they cannot contradict each other.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable, upper case with underscores.
    pub name: &'static str,
    /// The flag without its dashes: the same name in lower case, with dashes for underscores.
    pub flag: &'static str,
    /// The heading under which it is listed.
    pub group: Group,
    /// The form of its text, and its bounds.
    pub kind: Kind,
    /// Its value when it is not set.
    pub default: Fallback,
    /// What it does, in one sentence for an operator.
    pub meaning: &'static str,
}

/// The headings under which settings are listed, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Group {
    /// The address of the program.
    Server,
    /// Who may call.
    Access,
    /// The database of the fleet.
    Database,
    /// Several orchestrators on one database.
    Cluster,
    /// The thresholds of silence.
    Heartbeats,
    /// Leases, and the limits that workers are given.
    Leases,
    /// How streams are moved, and how often a failed recovery is retried.
    Recovery,
    /// Which instance gets a stream.
    Placement,
    /// Limits for parts that fail or grow.
    Limits,
    /// How long records are kept.
    Retention,
    /// What is shown to monitoring.
    Metrics,
    /// Receivers outside.
    Webhooks,
    Log,
}

impl Group {
    /// Returns the heading in listings.
    pub fn title(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Access => "Keys and callers",
            Self::Database => "Database",
            Self::Cluster => "Several orchestrators",
            Self::Heartbeats => "Heartbeats",
            Self::Leases => "Leases",
            Self::Recovery => "Recovery",
            Self::Placement => "Placement",
            Self::Limits => "Limits",
            Self::Retention => "Retention",
            Self::Metrics => "Metrics",
            Self::Webhooks => "Webhooks",
            Self::Log => "Log",
        }
    }
}

/// The form of a setting's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    /// `host:port`.
    Address,
    /// A database URL; it holds a password, so it is never printed whole.
    DatabaseUrl,
    /// A length of time above zero.
    Duration,
    /// A length of time; zero switches the delay off.
    DurationOrZero,
    /// A length of time, zero included, or `unlimited`.
    Limit,
    /// A whole number within bounds, both included.
    Count { min: u32, max: u32 },
    /// A number from 0 to 1.
    Fraction,
    /// Yes or no.
    Switch,
    /// Ranges of addresses, separated by commas, or `none`.
    Networks,
    /// A text with a form of its own, or `auto`.
    Name,
    /// The name of a file, or a word for none.
    File,
    /// The name of a file with a private key, or a word for none. A value that may be the key itself is not
    /// printed.
    KeyFile,
    /// The name of a label.
    Label,
    /// A policy of placement.
    Policy,
    /// `text` or `json`.
    LogFormat,
    /// A filter in the language of `RUST_LOG`.
    LogFilter,
}

impl Kind {
    /// Returns the placeholder of a value in `--help`.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Address => "HOST:PORT",
            Self::DatabaseUrl => "URL",
            Self::Duration | Self::DurationOrZero | Self::Limit => "DURATION",
            Self::Count { .. } => "NUMBER",
            Self::Fraction => "FRACTION",
            Self::Switch => "BOOL",
            Self::Networks => "NETWORKS",
            Self::Name | Self::Label => "TEXT",
            Self::File | Self::KeyFile => "FILE",
            Self::Policy => "POLICY",
            Self::LogFormat => "FORMAT",
            Self::LogFilter => "FILTER",
        }
    }
}

/// The value of a setting that is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This text, read like a value that was set.
    Text(&'static str),
    /// A value computed from another setting.
    Derived {
        /// The setting from which it is computed.
        from: &'static str,
        /// The formula for people: `0.4 × HEARTBEAT_TIMEOUT`.
        formula: &'static str,
        /// The result while everything is at its default; shown, never read.
        usually: &'static str,
    },
}

impl Fallback {
    /// Returns the text for `--help` and tables: the default, or the value with its formula.
    pub fn describe(self) -> String {
        match self {
            Self::Text(text) => text.to_owned(),
            Self::Derived {
                formula, usually, ..
            } => format!("{usually} ({formula})"),
        }
    }

    /// Returns the value while everything else is at its default.
    pub fn usual_value(self) -> &'static str {
        match self {
            Self::Text(text) => text,
            Self::Derived { usually, .. } => usually,
        }
    }
}
