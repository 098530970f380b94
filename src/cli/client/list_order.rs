//! The orders to list.

/// The lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum List {
    Instances,
    Streams,
    Moves,
    Alerts,
    Silences,
    Patterns,
    Incidents,
}

/// What is to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct ListOrder {
    pub(in crate::cli) list: List,
    /// The conditions, by parameter.
    pub(in crate::cli) parameters: Vec<(&'static str, String)>,
    /// The most rows, as it was given; `None`: the whole list.
    pub(in crate::cli) limit: Option<String>,
}
