//! What a process that led knows when it goes on as a standby.
//!
//! | kept | reason |
//! | --- | --- |
//! | the highest term and version | no process leads below a term that it has seen, and a promoted database may lack both |
//! | the row of the orchestrator that leads now | requests are carried to it before the first look |
//! | when the database answered last | a heartbeat is echoed only while the database is heard |
//! | heartbeats that were echoed | the next leader is to hear of each |
//!
//! Everything else is of the term that is over: members, claims, orders, notices, and what was said in failsafe. The
//! standby has another run, so no other process takes it for the one before.

use std::sync::atomic::Ordering;

use super::view::ClusterView;
use crate::domain::leadership::{Role, RowState};

impl ClusterView {
    /// The same, of a process that led with the view `before` and goes by the same clock.
    #[must_use]
    pub fn succeeding(self, before: &Self) -> Self {
        let (term, version) = &*before.highest;
        let (own_term, own_version) = &*self.highest;
        own_term.fetch_max(term.load(Ordering::Relaxed), Ordering::Relaxed);
        own_version.fetch_max(version.load(Ordering::Relaxed), Ordering::Relaxed);
        let heard = before.database_heard.load(Ordering::Relaxed);
        self.database_heard.fetch_max(heard, Ordering::Relaxed);
        let leader = before.now().leader;
        // The row of the run before is no other leader's.
        let leader =
            leader.filter(|(row, _)| row.state == RowState::Held && row.run != before.me().run);
        self.change(|known| {
            known.role = Role::Standby;
            known.leader = leader;
        });
        self.take_echoes_of(before);
        self
    }

    /// Takes the heartbeats that were echoed with the view `before`, which has the same clock.
    pub fn take_echoes_of(&self, before: &Self) {
        let beats = before.echoes().take(usize::MAX);
        let mut kept = self.echoes();
        for beat in beats {
            kept.keep(beat);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::actors::leadership::Identity;
    use crate::clock::Clock;
    use crate::domain::ids::{InstanceId, Term, Version};
    use crate::domain::leadership::{
        EchoedBeat, LeadershipRow, MemberSecret, NodeName, ReleaseCause, RunId,
    };
    use crate::domain::time::WallTime;

    fn view(run: i64, clock: &Clock) -> ClusterView {
        let me = Identity {
            node: NodeName::new("a"),
            run: RunId::new(run),
            address: "a:1".to_owned(),
            public_url: "http://a:1".to_owned(),
            secret: MemberSecret::default(),
        };
        ClusterView::new(me, Duration::from_secs(3_600), clock.clone())
    }

    fn row(node: &str, run: i64, state: RowState) -> LeadershipRow {
        LeadershipRow {
            term: Term::new(8),
            node: NodeName::new(node),
            run: RunId::new(run),
            beat: 3,
            state,
            successor: None,
            release_cause: ReleaseCause::Ended,
            address: format!("{node}:1"),
            public_url: format!("http://{node}:1"),
            secret: MemberSecret::default(),
            since: WallTime::from_micros(1),
            after_loss: None,
            version: Version::new(20),
        }
    }

    #[test]
    fn a_standby_knows_the_leader_that_its_process_saw_and_never_its_own_row() {
        let clock = Clock::real(Duration::ZERO);
        for (row, is_known) in [
            (row("b", 2, RowState::Held), true),
            (row("b", 2, RowState::Released), false),
            (row("a", 1, RowState::Held), false),
            (row("a", 1, RowState::Released), false),
        ] {
            let before = view(1, &clock);
            before.saw(row.clone());
            let after = view(3, &clock).succeeding(&before);
            assert_eq!(after.leader(), is_known.then_some(row.clone()));
            assert_eq!(after.other_leader().is_some(), is_known, "{row:?}");
            assert_eq!(after.now().role, Role::Standby);
            assert_eq!(after.highest_term(), Some(Term::new(8)));
            assert_eq!(after.highest_version(), Version::new(20));
            assert!(after.database_silent_for().is_some());
        }
    }

    #[test]
    fn a_standby_of_a_process_that_never_heard_the_database_has_not_heard_it_either() {
        let clock = Clock::real(Duration::ZERO);
        let after = view(3, &clock).succeeding(&view(1, &clock));
        assert_eq!(after.database_silent_for(), None);
        assert_eq!(after.highest_term(), None);
        assert_eq!(after.leader(), None);
    }

    #[test]
    fn echoed_heartbeats_go_on_to_the_standby_with_their_age() {
        let clock = Clock::real(Duration::ZERO);
        let before = view(1, &clock);
        let came = before.moment();
        let beat = |id: &str| EchoedBeat {
            id: InstanceId::new(id),
            incarnation: None,
            came,
        };
        assert!(before.echoes().keep(beat("w")));
        let after = view(3, &clock).succeeding(&before);
        assert!(before.echoes().is_empty());
        assert!(before.echoes().keep(beat("late")));
        after.take_echoes_of(&before);
        let taken = after.echoes().take(usize::MAX);
        let came_at: Vec<_> = taken
            .iter()
            .map(|beat| (beat.id.as_str(), beat.came))
            .collect();
        assert_eq!(came_at, [("late", came), ("w", came)]);
    }
}
