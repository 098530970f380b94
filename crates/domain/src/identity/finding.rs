//! What a machine that looks for duplicates finds.

/// What a sighting or the passing of time came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Two processes are alive under the name.
    Duplicate,
    /// The one that was found is still there.
    StillThere,
    /// The one that was found has been silent for long enough.
    Over,
    /// There is nothing to be suspicious of any more.
    Cleared,
}
