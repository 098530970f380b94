//! Which other orchestrators may take over, as the leader knows it.
//!
//! ```text
//!            beats              renewal saved "admitted"
//!   unknown ───────▶ admitting ───────────────────────▶ admitted
//!      ▲                 ▲                                  │ no beat for AWAY
//!      │                 │ beats                            ▼
//!      └── 1.1 × horizon ┴────────── dismissed ◀──────── dismissing
//!           after it                           renewal saved "not admitted"
//! ```
//!
//! A process that cannot reach the database must not conclude that it is alone while another one may
//! be taking over. So the leader adds a member to its own set *before* the database says that the
//! member may take over, and removes it only a whole failsafe horizon *after* the database says that
//! it may not. If the set is empty, then no other process can take over now, because every process
//! that may is in the set.
//!
//! A member whose row is gone counts as dismissed from the moment at which that was read: an order to forget it was
//! carried out, although its answer may have been lost.

use std::collections::BTreeMap;
use std::time::Duration;

use super::failsafe::FailsafeMember;
use super::member::MemberRow;
use super::row::{NodeName, RunId};

/// What the leader has to write in its next renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdmissionStep {
    /// The member may take over from now on.
    Admit(NodeName, RunId),
    /// The member may not take over any more.
    Dismiss(NodeName, RunId),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// It was seen once; whether it lives shows with its next beat.
    Seen,
    /// In the set; the database does not say so yet.
    Admitting,
    /// In the set, and the database says so.
    Admitted,
    /// In the set; it is away, and the database still admits it.
    Dismissing,
    /// In the set until this moment, although the database does not admit it.
    Dismissed { forgotten_at: Duration },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    run: RunId,
    address: String,
    beat: i64,
    beat_since: Duration,
    stage: Stage,
}

/// The leader's set of processes that may take over. All moments are on the leader's steady time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    away_after: Duration,
    forget_after: Duration,
    members: BTreeMap<NodeName, Member>,
}

impl Admission {
    /// The set right after a take-over: `rows` were read after it. A member is away once its row has
    /// not changed for `away_after`; a dismissed one leaves the set 1.1 × `horizon` later.
    pub fn new(away_after: Duration, horizon: Duration, rows: &[MemberRow], now: Duration) -> Self {
        let mut admission = Self {
            away_after,
            forget_after: horizon + horizon / 10,
            members: BTreeMap::new(),
        };
        for row in rows {
            admission.meet(row, now);
        }
        admission
    }

    fn meet(&mut self, row: &MemberRow, now: Duration) {
        let stage = if row.is_admitted {
            Stage::Admitted
        } else {
            Stage::Seen
        };
        let member = Member {
            run: row.run,
            address: row.address.clone(),
            beat: row.beat,
            beat_since: now,
            stage,
        };
        self.members.insert(row.node.clone(), member);
    }

    /// Looks at the rows of all other nodes; returns what has to be written. A step is returned again
    /// until [`Admission::written`] says that it is done.
    pub fn observe(&mut self, rows: &[MemberRow], now: Duration) -> Vec<AdmissionStep> {
        for row in rows {
            self.observe_one(row, now);
        }
        let (away_after, forgotten_at) = (self.away_after, now + self.forget_after);
        for (node, member) in &mut self.members {
            let is_in_set = matches!(
                member.stage,
                Stage::Admitting | Stage::Admitted | Stage::Dismissing
            );
            if is_in_set && rows.iter().all(|row| row.node != *node) {
                // Without a row it may not take over, and there is no row in which a dismissal could be written.
                member.stage = Stage::Dismissed { forgotten_at };
            }

            let is_away = now.saturating_sub(member.beat_since) >= away_after;
            if is_away && matches!(member.stage, Stage::Admitting | Stage::Admitted) {
                member.stage = Stage::Dismissing;
            }
        }
        self.members.retain(|_, member| match member.stage {
            Stage::Dismissed { forgotten_at } => now < forgotten_at,
            Stage::Seen => now.saturating_sub(member.beat_since) < away_after,
            Stage::Admitting | Stage::Admitted | Stage::Dismissing => true,
        });
        let steps = self
            .members
            .iter()
            .filter_map(|(node, member)| match member.stage {
                Stage::Admitting => Some(AdmissionStep::Admit(node.clone(), member.run)),
                Stage::Dismissing => Some(AdmissionStep::Dismiss(node.clone(), member.run)),
                Stage::Seen | Stage::Admitted | Stage::Dismissed { .. } => None,
            });
        steps.collect()
    }

    fn observe_one(&mut self, row: &MemberRow, now: Duration) {
        let Some(member) = self.members.get_mut(&row.node) else {
            self.meet(row, now);
            return;
        };
        let beats = member.beat != row.beat || member.run != row.run;
        member.run = row.run;
        member.address.clone_from(&row.address);
        if beats {
            member.beat = row.beat;
            member.beat_since = now;
        }
        member.stage = match (&member.stage, beats) {
            (_, true) if row.is_admitted => Stage::Admitted,
            (Stage::Seen | Stage::Dismissed { .. } | Stage::Admitting, true) => Stage::Admitting,
            // The database admits it although this leader does not know why: it may take over.
            (Stage::Seen | Stage::Dismissed { .. }, false) if row.is_admitted => Stage::Admitted,
            (Stage::Dismissing, true) => Stage::Admitting,
            (Stage::Admitted, true) => Stage::Admitting,
            (stage, false) => stage.clone(),
        };
    }

    /// A step was committed in a renewal.
    pub fn written(&mut self, step: &AdmissionStep, now: Duration) {
        let (AdmissionStep::Admit(node, run) | AdmissionStep::Dismiss(node, run)) = step;
        let Some(member) = self.members.get_mut(node) else {
            return;
        };
        let is_current = member.run == *run;
        match (step, &member.stage) {
            (AdmissionStep::Admit(..), Stage::Admitting) if is_current => {
                member.stage = Stage::Admitted;
            }
            (AdmissionStep::Dismiss(..), Stage::Dismissing) => {
                member.stage = Stage::Dismissed {
                    forgotten_at: now + self.forget_after,
                };
            }
            _ => {}
        }
    }

    /// Whether no other process can take over.
    pub fn is_alone(&self) -> bool {
        self.members
            .values()
            .all(|member| member.stage == Stage::Seen)
    }

    /// The processes that may take over, by the rows that were read last: all of them have to confirm that this one
    /// leads while it does not reach the database. A member that was dismissed is among them until it is forgotten.
    pub fn entitled(&self) -> Vec<FailsafeMember> {
        let members = self.members.iter();
        let entitled = members.filter(|(_, member)| member.stage != Stage::Seen);
        let entitled = entitled.map(|(node, member)| FailsafeMember {
            node: node.clone(),
            run: member.run,
            address: member.address.clone(),
        });
        entitled.collect()
    }

    /// How long the row of a node has not changed.
    pub fn unchanged_for(&self, node: &NodeName, now: Duration) -> Duration {
        self.members.get(node).map_or(Duration::ZERO, |member| {
            now.saturating_sub(member.beat_since)
        })
    }

    /// Whether a node may take over now, as far as the database says so.
    pub fn admits(&self, node: &NodeName) -> bool {
        self.members
            .get(node)
            .is_some_and(|member| matches!(member.stage, Stage::Admitted | Stage::Dismissing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leadership::{JudgingSettings, Reach, SchemaVersion};

    const AWAY: Duration = Duration::from_secs(10);
    const HORIZON: Duration = Duration::from_secs(3_600);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn row(beat: i64, is_admitted: bool) -> MemberRow {
        MemberRow {
            node: NodeName::new("b"),
            run: RunId::new(7),
            address: "127.0.0.1:2".to_owned(),
            public_url: "http://b".to_owned(),
            release: "1".to_owned(),
            schema: SchemaVersion::default(),
            settings: JudgingSettings::default(),
            beat,
            is_admitted,
            reach: Reach::default(),
        }
    }

    fn admit() -> AdmissionStep {
        AdmissionStep::Admit(NodeName::new("b"), RunId::new(7))
    }

    fn dismiss() -> AdmissionStep {
        AdmissionStep::Dismiss(NodeName::new("b"), RunId::new(7))
    }

    fn empty() -> Admission {
        Admission::new(AWAY, HORIZON, &[], at(0))
    }

    #[test]
    fn a_member_that_beats_is_in_the_set_before_the_database_admits_it() {
        let mut admission = empty();
        assert_eq!(admission.observe(&[row(1, false)], at(1)), []);
        assert!(admission.is_alone(), "a row alone is no living process");
        assert_eq!(admission.entitled(), []);
        assert_eq!(admission.observe(&[row(2, false)], at(2)), [admit()]);
        assert!(!admission.is_alone());
        let member = FailsafeMember {
            node: NodeName::new("b"),
            run: row(2, false).run,
            address: row(2, false).address,
        };
        assert_eq!(admission.entitled(), [member]);
        assert!(!admission.admits(&NodeName::new("b")));
        // The write failed: it is asked for again.
        assert_eq!(admission.observe(&[row(3, false)], at(3)), [admit()]);
        admission.written(&admit(), at(3));
        assert!(admission.admits(&NodeName::new("b")));
        assert_eq!(admission.observe(&[row(4, true)], at(4)), []);
    }

    #[test]
    fn a_member_that_is_away_leaves_the_set_a_horizon_after_the_database_dismissed_it() {
        let mut admission = Admission::new(AWAY, HORIZON, &[row(1, true)], at(0));
        assert!(!admission.is_alone());
        assert_eq!(admission.observe(&[row(1, true)], at(9)), []);
        assert_eq!(admission.observe(&[row(1, true)], at(10)), [dismiss()]);
        assert!(!admission.is_alone());
        admission.written(&dismiss(), at(11));
        assert_eq!(admission.observe(&[row(1, false)], at(12)), []);
        assert_eq!(admission.entitled().len(), 1, "it has to confirm as well");
        assert!(!admission.is_alone(), "it may have taken over meanwhile");
        admission.observe(&[row(1, false)], at(11 + 3_959));
        assert!(!admission.is_alone());
        admission.observe(&[row(1, false)], at(11 + 3_960));
        assert!(admission.is_alone());
    }

    #[test]
    fn a_dismissed_member_that_beats_again_is_admitted_again() {
        let mut admission = Admission::new(AWAY, HORIZON, &[row(1, true)], at(0));
        admission.observe(&[row(1, true)], at(10));
        admission.written(&dismiss(), at(10));
        assert_eq!(admission.observe(&[row(2, false)], at(11)), [admit()]);
        // The dismissal had not been written yet when it came back: it is still admitted.
        let mut admission = Admission::new(AWAY, HORIZON, &[row(1, true)], at(0));
        assert_eq!(admission.observe(&[row(1, true)], at(10)), [dismiss()]);
        assert_eq!(admission.observe(&[row(2, true)], at(11)), []);
        assert!(admission.admits(&NodeName::new("b")));
    }

    #[test]
    fn a_member_the_database_admits_is_in_the_set_whatever_this_leader_remembers() {
        let mut admission = empty();
        admission.observe(&[row(1, true)], at(1));
        assert!(!admission.is_alone());
    }

    #[test]
    fn a_member_whose_row_is_gone_leaves_the_set_a_horizon_later() {
        for is_away in [false, true] {
            let mut admission = Admission::new(AWAY, HORIZON, &[row(1, true)], at(0));
            if is_away {
                assert_eq!(admission.observe(&[row(1, true)], at(10)), [dismiss()]);
            }
            // It was forgotten, and the answer of the database was lost.
            assert_eq!(
                admission.observe(&[], at(11)),
                [],
                "there is no row to write to"
            );
            assert!(!admission.admits(&NodeName::new("b")));
            assert!(!admission.is_alone(), "it may have taken over meanwhile");
            admission.observe(&[], at(11 + 3_959));
            assert!(!admission.is_alone());
            admission.observe(&[], at(11 + 3_960));
            assert!(admission.is_alone());
            // If it comes back, it is a member like any other.
            admission.observe(&[row(5, false)], at(5_000));
            assert_eq!(admission.observe(&[row(6, false)], at(5_001)), [admit()]);
        }
    }

    #[test]
    fn a_member_without_a_second_beat_is_forgotten() {
        let mut admission = empty();
        admission.observe(&[row(1, false)], at(1));
        assert_eq!(admission.observe(&[], at(11)), []);
        assert!(admission.members.is_empty() && admission.is_alone());
    }

    #[test]
    fn a_new_process_of_a_node_has_to_be_admitted_itself() {
        let mut admission = Admission::new(AWAY, HORIZON, &[row(1, true)], at(0));
        let restarted = MemberRow {
            run: RunId::new(8),
            ..row(1, true)
        };
        // A restart of an admitted node stays admitted.
        assert_eq!(admission.observe(&[restarted], at(1)), []);
        assert!(!admission.is_alone());
        // The new process is asked, not the one before.
        assert_eq!(admission.entitled()[0].run, RunId::new(8));
    }
}
