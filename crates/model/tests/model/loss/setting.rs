//! What may happen in the model of a fail-over that loses changes, and which of its rules is broken.

/// Which rule is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mutation {
    None,
    /// A take-over leaves the counter of epochs where it is.
    EpochsNotMoved,
    /// The next term is the last one plus one, whatever the timeline is.
    TermWithoutTimeline,
    /// The versions of the instances stay where they are, although changes may be lost.
    VersionsNotMoved,
    /// After a loss the stream keeps the epoch under which it was assigned.
    OldEpochsKept,
    /// The leader that writes lost changes again removes the mark first.
    MarkRemovedFirst,
    /// A leader whose term starts after a loss starts streams at once.
    StartsAtOnce,
    /// Lost changes are written again from the newest to the oldest.
    WritesBackwards,
    /// The leader of the old term writes lost changes again without a new term, and goes on.
    WritesUnderOldTerm,
    /// The leader that lives through a promotion does not compare versions.
    VersionsNotCompared,
    /// It does not listen to the other orchestrators.
    IsSureToBeLast,
    /// It listens to whichever process answers at the address of a member.
    AsksAnyProcess,
    /// A word that was found before another promotion counts after it.
    WordOutlivesPromotion,
    /// After a loss a worker that runs what its instance is given is granted a lease and told nothing.
    TellsNothingAfterLoss,
}

/// What may happen, and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) mutation: Mutation,
    /// How many orchestrators there are: at most [`MOST`](super::world::MOST).
    pub(crate) orchestrators: usize,
    /// How often a standby of the database is promoted.
    pub(crate) promotions: u8,
    /// How many changes of the fleet are made.
    pub(crate) changes: u8,
    /// How many of them get no answer.
    pub(crate) doubts: u8,
    /// How often an orchestrator takes over from another one.
    pub(crate) take_overs: u8,
    /// How often the process of an orchestrator ends and is started again.
    pub(crate) ends: u8,
    /// Whether a leader forgets its oldest changes.
    pub(crate) forgets: bool,
    /// Whether it is looked from each state how the stream comes to run again, which takes its time.
    pub(crate) recovers: bool,
}
