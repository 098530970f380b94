//! The findings of the machines that look for duplicates.

/// The result of a sighting, or of the passing of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Two processes are alive under the name.
    Duplicate,
    /// The second process that was found is still there.
    StillThere,
    /// The second process that was found has been silent for long enough.
    Over,
    /// The suspicion has ended.
    Cleared,
}
