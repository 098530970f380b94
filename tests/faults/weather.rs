//! Which fault a call meets: first what the script says, then an outage, then the weather.

use std::time::Duration;

use super::State;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    Fine,
    /// It fails at once and certainly.
    Unavailable,
    /// There is no connection for it until the limit: it fails certainly.
    NoConnection,
    /// It is carried out, and the answer is lost.
    WrittenInDoubt,
    /// It never arrives, and nobody knows.
    LostInDoubt,
    /// The answer is lost, and it is carried out after this long unless it is defeated first.
    LateInDoubt(Duration),
    /// It takes this long; beyond the limit the caller gives up and it happens nevertheless.
    Slow(Duration),
    /// It never happens; the caller gives up at the limit.
    Hang,
    /// The orchestrator dies just before the write.
    HaltBefore,
    /// The orchestrator dies just after the write.
    HaltAfter,
}

/// A time in which nothing works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outage {
    /// Calls fail at once.
    Refusing,
    /// Calls run into the limit.
    Hanging,
    /// Calls run into the limit before they begin: nothing of them is carried out.
    Unreachable,
}

/// One of the two kinds of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// What is read.
    Reads,
    /// What is written.
    Writes,
}

/// A store that breaks its promises, to see whether anybody notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// One transaction is saved without where its streams are.
    LosesPlaces,
    /// One transaction is acknowledged and not saved at all.
    ForgetsSave,
    /// Late writes happen although they were defeated.
    DefeatedWritesLand,
    /// Transactions in doubt that are there are said to be defeated.
    DeniesCommitted,
    /// The events of one recovery also tell of a stream of somebody else.
    InventsMoves,
    /// The ends of incidents are acknowledged and never written.
    KeepsIncidentsOpen,
    /// Whoever loads the fleet reads that no instance was ever granted a lease.
    HidesLeases,
}

/// What somebody makes of the database while no orchestrator looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rot {
    /// The counter of epochs goes back.
    RewindsEpochs,
    /// An instance may hold less than it does.
    TakesRoom,
    /// A stream that is to be run is nowhere.
    HidesStream,
    /// An owner has failed.
    FailsOwner,
    /// Nobody ever held a lease.
    ForgetsLeases,
    /// No stream was ever given back.
    ForgetsReturns,
}

impl State {
    pub(super) fn next_for_save(&mut self) -> Fault {
        if let Some(fault) = self.save_script.pop_front() {
            return fault;
        }
        self.general(Side::Writes, |rng| {
            let delay = Duration::from_millis(rng.u64(1..9_000));
            match rng.u8(0..10) {
                0 | 1 => Fault::Unavailable,
                2 => Fault::WrittenInDoubt,
                3 => Fault::LostInDoubt,
                4 => Fault::LateInDoubt(delay),
                5..=7 => Fault::Slow(delay),
                8 => Fault::Hang,
                _ if rng.bool() => Fault::HaltBefore,
                _ => Fault::HaltAfter,
            }
        })
    }

    pub(super) fn next_for_settle(&mut self) -> Fault {
        if let Some(fault) = self.settle_script.pop_front() {
            return fault;
        }
        self.general(Side::Writes, |rng| match rng.u8(0..5) {
            0 => Fault::Unavailable,
            1 => Fault::WrittenInDoubt,
            2 => Fault::LostInDoubt,
            3 => Fault::Slow(Duration::from_millis(rng.u64(1..9_000))),
            _ => Fault::Hang,
        })
    }

    pub(super) fn next_minor(&mut self, side: Side) -> Fault {
        self.general(side, |rng| match rng.u8(0..3) {
            0 => Fault::Unavailable,
            1 => Fault::Slow(Duration::from_millis(rng.u64(1..9_000))),
            _ => Fault::Hang,
        })
    }

    fn general(&mut self, side: Side, storm: impl FnOnce(&mut fastrand::Rng) -> Fault) -> Fault {
        let partial = self.partial_outage.filter(|(out, _)| *out == side);
        match self.outage.or(partial.map(|(_, outage)| outage)) {
            Some(Outage::Refusing) => Fault::Unavailable,
            Some(Outage::Hanging) => Fault::Hang,
            Some(Outage::Unreachable) => Fault::NoConnection,
            None if self.weather.u32(0..1_000) < self.storminess => storm(&mut self.weather),
            None => Fault::Fine,
        }
    }
}
