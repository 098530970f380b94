//! What becomes of a heartbeat: the one place where the lease and the streams that its answer tells
//! are decided.
//!
//! ```text
//!   heartbeat, standing ──question──▶ a query to the fleet ──▶ News ─┐
//!   lease that was granted (`lease/grant.rs`) ───────────────────────┴─▶ HeartbeatOutcome
//! ```
//!
//! HTTP translates the outcome into words and adds nothing to it.

use super::fleet::Standing;
use super::heartbeat::Heartbeat;
use super::ids::AssignmentVersion;
use super::lease::{Grant, WorkerSet, told};
use super::queries::{ChangesSince, SetUpdate, TellAgain, WorkerUpdate};

/// What is to be asked before a heartbeat can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Nothing: the worker has the newest version and runs its streams, or goes by no versions.
    None,
    /// What has changed. If the answer does not come in time, the changes are withheld.
    Changes(ChangesSince),
    /// What a worker with the newest version does not run, or runs beside. An answer that does not
    /// come in time does no harm: the next heartbeat asks again.
    Again(TellAgain),
}

impl Question {
    /// Of a heartbeat. `tells_again` says that its worker is out of step for too long
    /// (`reconciliation/`).
    pub fn of(heartbeat: &Heartbeat, standing: &Standing, tells_again: bool) -> Self {
        let Some(version) = heartbeat.version else {
            return Self::None;
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
            return Self::None;
        }
        Self::Again(TellAgain {
            id,
            incarnation,
            version,
            running: heartbeat.running().cloned(),
        })
    }
}

/// What is known of the changes when a heartbeat is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// There are none that the worker has to hear of now.
    None,
    /// They are told.
    Update(WorkerUpdate),
    /// They could not be read in time. The worker has this version.
    Withheld(AssignmentVersion),
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
}

impl HeartbeatOutcome {
    /// Of a heartbeat that was granted a lease, or none. If the changes are withheld, the worker
    /// keeps its version so that it asks again.
    pub fn new(standing: Standing, is_trusted: bool, granted: Option<Grant>, news: News) -> Self {
        let (standing, set, version, update) = match news {
            News::None => {
                let version = standing.assignment_version;
                (standing, WorkerSet::Current, version, SetUpdate::UpToDate)
            }
            News::Update(WorkerUpdate { standing, update }) => {
                let version = standing.assignment_version;
                (standing, WorkerSet::Current, version, update)
            }
            News::Withheld(known) => (standing, WorkerSet::Outdated, known, SetUpdate::UpToDate),
        };
        Self {
            standing,
            is_trusted,
            granted: told(granted, set),
            version,
            update,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::ReportedStreams;
    use crate::sample;

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
                (Some(false), Some(version)) => Question::Again(TellAgain {
                    id,
                    incarnation,
                    version,
                    running: Some(sample::ids([1, 2]).into()),
                }),
                _ => Question::None,
            };
            let found = Question::of(&heartbeat, &standing, tells_again);
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
        let full = SetUpdate::Full { assign: Vec::new() };
        let update = WorkerUpdate {
            standing: standing(8),
            update: full.clone(),
        };
        // news, told lease, version of the instance, version of the worker, update
        let table = [
            (News::None, granted, 7, 7, SetUpdate::UpToDate),
            (News::Update(update), granted, 8, 8, full),
            (News::Withheld(version(5)), None, 7, 5, SetUpdate::UpToDate),
        ];
        for (news, told, newest, known, update) in table {
            let expected = HeartbeatOutcome {
                standing: standing(newest),
                is_trusted: true,
                granted: told,
                version: version(known),
                update,
            };
            let found = HeartbeatOutcome::new(standing(7), true, granted, news.clone());
            assert_eq!(found, expected, "{news:?}");
            let none = HeartbeatOutcome::new(standing(7), true, None, news.clone());
            assert_eq!(none.granted, None, "{news:?}");
        }
    }
}
