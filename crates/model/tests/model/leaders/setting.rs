//! What may happen in the model of several orchestrators, and which of its rules is broken.

/// Which rule is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mutation {
    None,
    /// A lease is as long as ever, however old the leader's proof is.
    LeaseNotShortened,
    /// A heartbeat with another version is answered with the streams to run, without a proof.
    TellsWithoutProof,
    /// A young proof is enough, although it was sent before the request came.
    TellsByYoungProof,
    /// An unknown life is denied without a proof.
    DeniesWithoutProof,
    /// A proof counts from the moment its answer arrived.
    ProofFromAnswer,
    /// A command that changes nothing is answered from memory.
    CommandFromMemory,
    /// The worker heeds the answer to a request that it has given up.
    LateAnswerHeeded,
    /// The new leader forgets the leases of the leaders before it.
    TakeOverForgetsLeases,
    /// A release takes the stream whatever its epoch is by now.
    ReleaseNamesNoEpoch,
    /// A registration ends the life before it at once.
    RegistrationEndsLife,
    /// A leader that does not reach the database needs no word of the other orchestrator.
    FailsafeWithoutAWord,
}

/// What may happen, and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) mutation: Mutation,
    /// Whether time passes. Late requests are worth looking at without it too: there are fewer
    /// states, so more may happen.
    pub(crate) time_passes: bool,
    pub(crate) take_overs: u8,
    pub(crate) moves: u8,
    /// How often a silent owner loses the stream.
    pub(crate) silences: u8,
    /// How often the process of worker 0 crashes; it registers again.
    pub(crate) crashes: u8,
    /// How often a worker releases the stream by itself.
    pub(crate) releases: u8,
    /// How often a worker asks for its streams with a command that changes nothing.
    pub(crate) lists: u8,
    /// How many messages are on their way at the most.
    pub(crate) in_flight: usize,
    /// Whether the answer to a renewal of the leadership row may be late.
    pub(crate) late_proofs: bool,
    /// Whether a leader asks the other orchestrator instead of the database, and hears late that its own take-over
    /// was carried out.
    pub(crate) failsafe: bool,
}
