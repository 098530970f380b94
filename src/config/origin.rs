//! The origin of a setting's value.

use super::table::find;

/// The origin of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A flag on the command line.
    Flag,
    /// A variable of the process's environment.
    Environment,
    /// A line in `.env`.
    DotEnv,
    /// The program itself, for an embedded server or a test.
    Program,
    /// The default.
    Default,
    /// Computed by this formula.
    Derived(&'static str),
}

impl Origin {
    /// Returns the origin of `name`'s value, for people.
    pub fn describe(self, name: &str) -> String {
        match self {
            Self::Flag => match find(name) {
                Some(setting) => format!("flag --{}", setting.flag),
                None => "flag".to_owned(),
            },
            Self::Environment => "environment".to_owned(),
            Self::DotEnv => ".env".to_owned(),
            Self::Program => "set by the program".to_owned(),
            Self::Default => "default".to_owned(),
            Self::Derived(formula) => format!("derived: {formula}"),
        }
    }
}
