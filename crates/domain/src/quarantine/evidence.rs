//! What counts as evidence against a stream.
//!
//! | what happened | what it says of the stream |
//! | --- | --- |
//! | its owner fell silent, or was reported as failed, within `QUARANTINE_WINDOW` of getting it | speaks against it |
//! | its owner gave it back with a reason, or did not run it, within the window | speaks against it |
//! | any of these after the window | it ran steadily: the row of failures has ended |
//! | its owner gave it back without a reason | nothing |
//! | the failure belongs to a mass failure (`brake/mod.rs`) | nothing |
//! | the silence may be the orchestrator's own: it was not started yet, or stood still | nothing |
//! | an earlier run of the program detected the failure | nothing: how that run listened is not known |
//! | a person ordered the recovery, or the instance was found failed | nothing |
//! | its worker crashed, and registered again before it counted as failed | nothing: it keeps the stream, and no failure was detected |
//!
//! The first question is asked once for an instance ([`Culpable::of`]), the second for each of its
//! streams ([`QuarantinePolicy::weigh`]).

use std::sync::Arc;
use std::time::Duration;

use super::policy::QuarantinePolicy;
use crate::incident::FailureCause;
use crate::string_enum::string_enum;
use crate::time::{Timestamp, WallTime};

/// The last time during which the orchestrator itself heard no heartbeat, as far as it noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deafness {
    /// No such time followed a heartbeat that came later.
    until: Timestamp,
    lost: Duration,
}

impl Deafness {
    /// Begins with the start of the process, which heard nothing before. `lost` is how long the
    /// process has stood still so far.
    pub const fn starting(now: Timestamp, lost: Duration) -> Self {
        Self { until: now, lost }
    }

    /// Notices whether the process stood still since the last look.
    pub fn look(&mut self, now: Timestamp, lost: Duration) {
        if lost > self.lost {
            (self.until, self.lost) = (now, lost);
        }
    }

    /// Returns whether a silence that began after this heartbeat may be the orchestrator's own.
    pub fn covers(&self, last_beat: Timestamp) -> bool {
        last_beat <= self.until
    }
}

/// What is known of the failure of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureFacts {
    /// Why the instance is recovered.
    pub cause: FailureCause,
    /// When it was last heard.
    pub last_beat: WallTime,
    /// When the failure was detected.
    pub detected_at: WallTime,
    /// Whether an earlier run of the program detected it.
    pub is_resumed: bool,
    /// Whether it belongs to a mass failure.
    pub is_of_mass: bool,
    /// Whether the silence may be the orchestrator's own ([`Deafness::covers`]).
    pub may_be_deafness: bool,
}

/// A failure of an instance that is evidence against the streams it owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Culpable {
    /// When the instance was last well: its last heartbeat, or the moment of a report.
    pub at: WallTime,
}

impl Culpable {
    /// Returns what a failure says of the streams of the instance, if it says anything.
    pub fn of(facts: &FailureFacts) -> Option<Self> {
        if facts.is_resumed || facts.is_of_mass {
            return None;
        }
        match facts.cause {
            FailureCause::HeartbeatTimeout | FailureCause::EmergencyThreshold => {
                (!facts.may_be_deafness).then_some(Self {
                    at: facts.last_beat,
                })
            }
            FailureCause::Reported => Some(Self {
                at: facts.detected_at,
            }),
            FailureCause::FoundFailed | FailureCause::Forced | FailureCause::Emergency => None,
        }
    }
}

string_enum! {
    /// What the owner of a stream did.
    OwnerFault {
        /// It failed: its heartbeats stopped, or a caller reported the failure.
        Failed = "failed",
        /// It gave the stream back with a reason.
        GaveBack = "gave_back",
        /// It did not run the stream although it was notified.
        NotRun = "not_run",
    }
}

/// The conduct of an owner, as far as it concerns one of its streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conduct {
    /// It failed.
    Failed(Culpable),
    /// It gave the stream back. A reason says that the stream itself is the cause; a worker that
    /// stops gracefully gives none.
    GaveBack(Option<Arc<str>>),
    /// It did not run the stream although it was notified.
    NotRun,
}

impl Conduct {
    /// Returns what is recorded as evidence.
    pub const fn fault(&self) -> OwnerFault {
        match self {
            Self::Failed(_) => OwnerFault::Failed,
            Self::GaveBack(_) => OwnerFault::GaveBack,
            Self::NotRun => OwnerFault::NotRun,
        }
    }

    /// Returns the reason that the owner gave.
    pub fn reason(&self) -> Option<&Arc<str>> {
        match self {
            Self::GaveBack(reason) => reason.as_ref(),
            Self::Failed(_) | Self::NotRun => None,
        }
    }
}

/// What the conduct of an owner says of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// It speaks against the stream.
    Against,
    /// The stream ran steadily before: what spoke against it is over.
    RanSteadily,
    /// Nothing.
    Nothing,
}

impl QuarantinePolicy {
    /// Weighs the conduct of an owner that had the stream for so long.
    pub fn weigh(&self, conduct: &Conduct, owned: Duration) -> Evidence {
        match conduct {
            Conduct::GaveBack(None) => Evidence::Nothing,
            Conduct::Failed(_) | Conduct::GaveBack(Some(_)) | Conduct::NotRun => {
                if owned < self.window {
                    Evidence::Against
                } else {
                    Evidence::RanSteadily
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: WallTime = WallTime::from_micros(7_000_000);
    const DETECTED: WallTime = WallTime::from_micros(9_000_000);

    fn facts(cause: FailureCause) -> FailureFacts {
        FailureFacts {
            cause,
            last_beat: BEAT,
            detected_at: DETECTED,
            is_resumed: false,
            is_of_mass: false,
            may_be_deafness: false,
        }
    }

    #[test]
    fn a_failure_of_its_own_is_evidence_from_the_last_sign_of_life_on() {
        for (cause, at) in [
            (FailureCause::HeartbeatTimeout, Some(BEAT)),
            (FailureCause::EmergencyThreshold, Some(BEAT)),
            (FailureCause::Reported, Some(DETECTED)),
            (FailureCause::FoundFailed, None),
            (FailureCause::Forced, None),
            (FailureCause::Emergency, None),
        ] {
            let culpable = Culpable::of(&facts(cause));
            assert_eq!(culpable.map(|one| one.at), at, "{cause:?}");
        }
    }

    #[test]
    fn a_mass_failure_a_resumed_one_and_a_standstill_are_no_evidence() {
        let causes = [FailureCause::HeartbeatTimeout, FailureCause::Reported];
        for cause in causes {
            let mass = FailureFacts {
                is_of_mass: true,
                ..facts(cause)
            };
            assert_eq!(Culpable::of(&mass), None, "{cause:?}: a mass failure");
            let resumed = FailureFacts {
                is_resumed: true,
                ..facts(cause)
            };
            assert_eq!(Culpable::of(&resumed), None, "{cause:?}: resumed");
        }
        for (cause, is_evidence) in [
            (FailureCause::HeartbeatTimeout, false),
            (FailureCause::EmergencyThreshold, false),
            // A report is heard, whatever else was not.
            (FailureCause::Reported, true),
        ] {
            let deaf = FailureFacts {
                may_be_deafness: true,
                ..facts(cause)
            };
            assert_eq!(Culpable::of(&deaf).is_some(), is_evidence, "{cause:?}");
        }
    }

    #[test]
    fn a_silence_that_began_before_a_start_or_a_standstill_may_be_the_orchestrators_own() {
        let at = |seconds: u64| Timestamp::from_micros(seconds * 1_000_000);
        let none = Duration::ZERO;
        let mut deafness = Deafness::starting(at(100), none);
        assert!(deafness.covers(at(100)), "from before the start");
        assert!(!deafness.covers(at(101)));
        deafness.look(at(150), none);
        assert!(!deafness.covers(at(101)), "no standstill");
        deafness.look(at(200), Duration::from_secs(20));
        assert!(deafness.covers(at(200)));
        assert!(!deafness.covers(at(201)));
        deafness.look(at(300), Duration::from_secs(20));
        assert!(!deafness.covers(at(201)), "the same standstill");
    }

    #[test]
    fn what_an_owner_does_within_the_window_speaks_against_the_stream() {
        let policy = QuarantinePolicy::default();
        let failed = Conduct::Failed(Culpable { at: BEAT });
        let refused = Conduct::GaveBack(Some("no signal".into()));
        let (soon, late) = (policy.window - Duration::from_millis(1), policy.window);
        for (conduct, owned, evidence) in [
            (&failed, Duration::ZERO, Evidence::Against),
            (&failed, soon, Evidence::Against),
            (&failed, late, Evidence::RanSteadily),
            (&refused, soon, Evidence::Against),
            (&refused, late, Evidence::RanSteadily),
            (&Conduct::NotRun, soon, Evidence::Against),
            (&Conduct::NotRun, late, Evidence::RanSteadily),
            (&Conduct::GaveBack(None), Duration::ZERO, Evidence::Nothing),
            (&Conduct::GaveBack(None), late, Evidence::Nothing),
        ] {
            assert_eq!(policy.weigh(conduct, owned), evidence, "{conduct:?}");
        }
    }
}
