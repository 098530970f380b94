//! What becomes of a heartbeat: the one place where the lease and the streams that its answer tells
//! are decided.
//!
//! ```text
//!   heartbeat, standing ──question──▶ a query to the fleet, and a proof ──▶ News ─┐
//!   lease that was granted (`lease/grant.rs`), age of the newest proof ───────────┴─▶ HeartbeatOutcome
//! ```
//!
//! Most heartbeats are *renewed*: the worker has the newest set, and the answer adds nothing to it.
//! That needs no proof that this orchestrator still leads, because the lease is counted from the
//! newest one. An answer that can make the worker start or stop something ([`Question::needs_proof`])
//! needs a [`Proof`] that was sent after the heartbeat came; without one it is withheld, and grants no
//! lease.
//!
//! HTTP translates the outcome into words and adds nothing to it.

use std::time::Duration;

use super::fleet::Standing;
use super::heartbeat::Heartbeat;
use super::ids::{AssignmentVersion, Term};
use super::instance::InstanceStatus;
use super::leadership::Proof;
use super::lease::{Grant, WorkerSet, told};
use super::queries::{ChangesSince, Resync, SetUpdate, SurvivingSet, WorkerUpdate};

/// What is to be asked before a heartbeat can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Nothing: the worker has the newest version and runs its streams, or goes by no versions.
    None,
    /// What has changed. If the answer does not come in time, the changes are withheld.
    Changes(ChangesSince),
    /// What a worker with the newest version does not run, or runs beside. An answer that does not
    /// come in time does no harm: the next heartbeat asks again.
    Again(Resync),
    /// Nothing, but the answer confirms the worker's own set to a worker that runs less than it, or
    /// says that its instance has failed.
    Confirmation,
    /// After a loss: which of the streams that the worker runs are its instance's.
    Surviving(SurvivingSet),
    /// After a loss: nothing. What the worker runs is not known.
    Frozen,
}

impl Question {
    /// Of a heartbeat. `tells_again` says that its worker is out of step for too long
    /// (`reconciliation/`), `term` is the own one, and `lease_runs` says that the last lease granted to
    /// the worker is not over.
    ///
    /// A worker whose lease has lapsed resumes its set once it is granted a lease, and one that names a
    /// higher term has heard of a newer leader: both get a confirmation first.
    pub fn of(
        heartbeat: &Heartbeat,
        standing: &Standing,
        tells_again: bool,
        term: Term,
        lease_runs: bool,
    ) -> Self {
        let may_start = heartbeat.resuming
            || heartbeat.term.is_some_and(|heard| heard > term)
            || standing.status == InstanceStatus::Failed
            || (heartbeat.version.is_none() && standing.leased && !lease_runs);
        let unless_it_may_start = if may_start {
            Self::Confirmation
        } else {
            Self::None
        };
        let Some(version) = heartbeat.version else {
            return unless_it_may_start;
        };
        let (id, incarnation) = (heartbeat.id.clone(), standing.incarnation);
        if version != standing.assignment_version {
            return Self::Changes(ChangesSince {
                id,
                incarnation: Some(incarnation),
                version,
            });
        }
        if !tells_again {
            return unless_it_may_start;
        }
        Self::Again(Resync {
            id,
            incarnation,
            version,
            running: heartbeat.running().cloned(),
        })
    }

    /// Of a heartbeat while no stream is started after a loss (`leadership/loss`). Whatever version it names,
    /// that version may be of the history that was lost.
    pub fn after_loss(heartbeat: &Heartbeat, standing: &Standing) -> Self {
        if heartbeat.version.is_none() && !standing.leased {
            // A classic worker holds no lease, and is told nothing by heartbeats.
            return Self::None;
        }
        // The set is told also to a worker that runs exactly it: a stream of the lost history that it has not started
        // yet, or has stopped with its lease, is in no digest.
        let reported = heartbeat.streams.as_ref();
        let reported = reported
            .filter(|reported| reported.running.is_some() || reported.digest == standing.digest);
        reported.map_or(Self::Frozen, |reported| {
            Self::Surviving(SurvivingSet {
                id: heartbeat.id.clone(),
                reported: reported.clone(),
            })
        })
    }

    /// Whether the answer may make the worker start or stop something.
    pub fn needs_proof(&self) -> bool {
        match self {
            Self::None | Self::Frozen => false,
            Self::Changes(_) | Self::Again(_) | Self::Confirmation | Self::Surviving(_) => true,
        }
    }
}

/// What is known of the changes when a heartbeat is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// There are none that the worker has to hear of now.
    None,
    /// They are told, under a proof that was sent after the heartbeat came.
    Update(WorkerUpdate, Proof),
    /// They could not be read, or not be proven, in time, or may not be told. The worker has this version.
    Withheld(AssignmentVersion),
    /// After a loss: the worker goes on with this set, and keeps the version that it has.
    Surviving(WorkerUpdate, AssignmentVersion, Proof),
}

/// What becomes of a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatOutcome {
    /// What is saved about the instance.
    pub standing: Standing,
    /// Whether the heartbeat counts as a sign of life, and not of a return.
    pub is_trusted: bool,
    /// The lease that the worker is told.
    pub granted: Option<Grant>,
    /// The version that the worker has once it has followed the answer.
    pub version: AssignmentVersion,
    /// What the worker is to start and to stop.
    pub update: SetUpdate,
    /// Whether the state of the instance is withheld: that it has failed makes a worker stop.
    pub hides_status: bool,
}

impl HeartbeatOutcome {
    /// Of a heartbeat that was granted a lease, or none, `proof_age` after the newest proof was sent.
    /// If the changes are withheld, the worker keeps its version so that it asks again.
    pub fn new(
        standing: Standing,
        is_trusted: bool,
        granted: Option<Grant>,
        proof_age: Duration,
        news: News,
    ) -> Self {
        let is_withheld = matches!(news, News::Withheld(_));
        // Another process may have registered since the lease was granted.
        let granted = match &news {
            News::Update(update, _) | News::Surviving(update, ..)
                if update.standing.incarnation != standing.incarnation =>
            {
                None
            }
            News::None | News::Update(..) | News::Withheld(_) | News::Surviving(..) => granted,
        };
        let (standing, set, version, update) = match news {
            News::None => {
                let version = standing.assignment_version;
                (standing, WorkerSet::Current, version, SetUpdate::UpToDate)
            }
            News::Update(WorkerUpdate { standing, update }, _) => {
                let version = standing.assignment_version;
                (standing, WorkerSet::Current, version, update)
            }
            News::Surviving(WorkerUpdate { standing, update }, known, _) => {
                (standing, WorkerSet::Current, known, update)
            }
            News::Withheld(known) => (standing, WorkerSet::Outdated, known, SetUpdate::UpToDate),
        };
        Self {
            standing,
            is_trusted,
            granted: told(granted, set, proof_age),
            version,
            update,
            hides_status: is_withheld && standing.status == InstanceStatus::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::ReportedStreams;
    use crate::leadership::{ProofClock, SteadyTime};
    use crate::sample;

    const TERM: Term = Term::new(5);

    fn version(number: i64) -> AssignmentVersion {
        AssignmentVersion::new(number)
    }

    fn standing(number: i64) -> Standing {
        Standing {
            assignment_version: version(number),
            ..sample::standing()
        }
    }

    #[test]
    fn an_answer_asks_for_changes_or_for_what_is_to_be_told_again() {
        let standing = standing(7);
        let streams = ReportedStreams::listed(sample::ids([2, 1]));
        // named version, told again, whether changes (or what is told again) are asked for
        let table = [
            (None, false, None),
            (None, true, None),
            (Some(7), false, None),
            (Some(7), true, Some(false)),
            (Some(6), false, Some(true)),
            (Some(6), true, Some(true)),
            (Some(0), false, Some(true)),
            (Some(8), false, Some(true)),
        ];
        for (named, tells_again, asks_changes) in table {
            let heartbeat = Heartbeat {
                version: named.map(version),
                streams: Some(streams.clone()),
                ..Heartbeat::of("a".into())
            };
            let (id, incarnation) = ("a".into(), standing.incarnation);
            let expected = match (asks_changes, heartbeat.version) {
                (Some(true), Some(version)) => Question::Changes(ChangesSince {
                    id,
                    incarnation: Some(incarnation),
                    version,
                }),
                (Some(false), Some(version)) => Question::Again(Resync {
                    id,
                    incarnation,
                    version,
                    running: Some(sample::ids([1, 2]).into()),
                }),
                _ => Question::None,
            };
            let found = Question::of(&heartbeat, &standing, tells_again, TERM, true);
            assert_eq!(found, expected, "{named:?}, {tells_again}");
        }
    }

    #[test]
    fn a_lease_is_told_with_the_newest_set_only() {
        let limits = sample::limits();
        let granted = Some(Grant {
            lease: limits.lease,
            stop_after: limits.worker_stop,
        });
        let at = SteadyTime::default();
        let proof = ProofClock::always().proof_for(at).unwrap();
        let full = SetUpdate::Full { assign: Vec::new() };
        let update = WorkerUpdate {
            standing: standing(8),
            update: full.clone(),
        };
        // news, told lease, version of the instance, version of the worker, update
        let table = [
            (News::None, granted, 7, 7, SetUpdate::UpToDate),
            (News::Update(update, proof), granted, 8, 8, full),
            (News::Withheld(version(5)), None, 7, 5, SetUpdate::UpToDate),
        ];
        for (news, told, newest, known, update) in table {
            let expected = HeartbeatOutcome {
                standing: standing(newest),
                is_trusted: true,
                granted: told,
                version: version(known),
                update,
                hides_status: false,
            };
            let found =
                HeartbeatOutcome::new(standing(7), true, granted, Duration::ZERO, news.clone());
            assert_eq!(found, expected, "{news:?}");
            let none = HeartbeatOutcome::new(standing(7), true, None, Duration::ZERO, news.clone());
            assert_eq!(none.granted, None, "{news:?}");
        }
    }

    #[test]
    fn an_answer_that_may_make_a_worker_start_needs_a_proof() {
        let leased = Standing {
            leased: true,
            ..standing(7)
        };
        let failed = Standing {
            status: InstanceStatus::Failed,
            ..standing(7)
        };
        let beat = Heartbeat::of("a".into());
        let current = Heartbeat {
            version: Some(version(7)),
            ..beat.clone()
        };
        let resuming = Heartbeat {
            resuming: true,
            ..current.clone()
        };
        let heard = |term| Heartbeat {
            term: Some(Term::new(term)),
            ..current.clone()
        };
        let behind = Heartbeat {
            version: Some(version(6)),
            ..beat.clone()
        };
        // what shows it, standing, heartbeat, whether the last lease runs, whether a proof is needed
        let table = [
            ("renewed", leased, current.clone(), true, false),
            (
                "renewed after its lease",
                leased,
                current.clone(),
                false,
                false,
            ),
            ("no version, lease runs", leased, beat.clone(), true, false),
            ("no version, lease over", leased, beat.clone(), false, true),
            ("classic", standing(7), beat, false, false),
            ("resuming", leased, resuming, true, true),
            ("the same term", leased, heard(5), true, false),
            ("a lower term", leased, heard(4), true, false),
            ("a higher term", leased, heard(6), true, true),
            ("behind", leased, behind, true, true),
            ("failed", failed, current, true, true),
        ];
        for (shows, standing, beat, lease_runs, needs) in table {
            let question = Question::of(&beat, &standing, false, TERM, lease_runs);
            assert_eq!(question.needs_proof(), needs, "{shows}");
        }
    }

    #[test]
    fn a_withheld_answer_does_not_say_that_the_instance_has_failed() {
        let failed = Standing {
            status: InstanceStatus::Failed,
            ..standing(7)
        };
        let hides = |standing, news| {
            HeartbeatOutcome::new(standing, false, None, Duration::ZERO, news).hides_status
        };
        assert!(hides(failed, News::Withheld(version(7))));
        assert!(!hides(failed, News::None));
        assert!(!hides(standing(7), News::Withheld(version(7))));
    }
}
