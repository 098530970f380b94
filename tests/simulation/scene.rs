//! What a world is made with, and the ways in which it can be made wrong on purpose.

use std::time::Duration;

use crate::faults::{Flaw, Rot};

/// One world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) seed: u64,
    /// How long things go wrong.
    pub(crate) faults: Duration,
    pub(crate) weather: Weather,
    pub(crate) mutation: Option<Mutation>,
    /// Whether operators plan work, too.
    pub(crate) plans: bool,
    /// Whether most of that work is drains of instances whose streams have somewhere to go.
    pub(crate) drains_often: bool,
    /// Whether a stream ends the process of each worker that runs it, as long as things go wrong.
    pub(crate) poisons: bool,
}

impl Scene {
    /// Whether nothing breaks but what the scene names.
    pub(crate) fn is_fair(&self) -> bool {
        matches!(self.weather, Weather::Fair | Weather::OneIsBroken)
    }

    /// Whether one orchestrator lives for as long as things go wrong.
    pub(crate) fn has_one_life(&self) -> bool {
        self.weather == Weather::Fair
    }

    /// A stream that no worker can start, as long as things go wrong.
    pub(crate) fn broken_stream(&self) -> Option<i64> {
        matches!(self.weather, Weather::Foul | Weather::OneIsBroken).then_some(1)
    }

    /// Whether operators enable the stream, and then leave it as it is.
    pub(crate) fn leaves_alone(&self, stream: i64) -> bool {
        self.weather == Weather::OneIsBroken && self.broken_stream() == Some(stream)
    }

    /// A stream that ends the process of each worker that runs it, as long as things go wrong.
    pub(crate) fn poisonous_stream(&self) -> Option<i64> {
        self.poisons.then_some(2)
    }

    pub(crate) fn is_at_the_edge(&self) -> bool {
        self.weather == Weather::AtTheEdge
    }

    /// A sound program among the usual misfortunes.
    pub(crate) fn usual(seed: u64, faults: Duration) -> Self {
        Self {
            seed,
            faults,
            weather: Weather::Foul,
            mutation: None,
            plans: false,
            drains_often: false,
            poisons: false,
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Nothing breaks, and nobody is slow.
    Fair,
    /// Nothing breaks but one stream, which no worker can start, and the orchestrator is restarted now
    /// and then. No stream is quarantined: the pauses between its trials grow undisturbed.
    OneIsBroken,
    /// Everything breaks now and then; clocks are up to a twentieth too fast or too slow.
    Foul,
    /// The world at the edge: all workers are leased, their clocks as slow as the chain of limits
    /// just forgives (who stops by its clock after 0.72 of the timeout stops after 0.89 of it, and
    /// nothing is given away before 0.9), answers are slow, cables break often, and operators act
    /// at once.
    AtTheEdge,
}

/// A rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// The store breaks a promise.
    Store(Flaw),
    /// Somebody edits the database between two lives of the orchestrator.
    Edited(Rot),
    /// Nothing is added to a lease before streams are given away.
    NoMargin,
    /// Workers do not stop by themselves.
    NeverStops,
    /// Workers count their lease from the answer instead of the question.
    CountsFromTheAnswer,
    /// Workers say that they have done what they have yet to hear of.
    ConfirmsTooEarly,
    /// Workers register with more room than they have.
    ClaimsTooMuchRoom,
    /// The orchestrator waits for a third of the time that was agreed.
    Impatient,
    /// The orchestrator begins as many moves for balance at once as it likes.
    Stampedes,
    /// The orchestrator gives a stream to a fourth owner after three have failed with it.
    TakesAFourth,
    /// The orchestrator never counts whose owners failed.
    NeverQuarantines,
    /// The orchestrator takes streams from an instance that drains before its worker has released them.
    TakesBeforeRelease,
    /// The orchestrator calls an instance drained as soon as its moves have begun.
    DrainedTooEarly,
    /// The orchestrator takes its own standstills for silence of others.
    CountsStandstills,
}
