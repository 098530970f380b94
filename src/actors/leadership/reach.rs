//! How far a standby reaches: the leader, the database, and the workers that it answers with an echo.

use std::sync::MutexGuard;
use std::time::Duration;

use super::view::ClusterView;
use crate::domain::leadership::{
    Echoes, Heard, LeaderLink, LeadershipRow, Reach, RowState, SteadyTime, WitnessFlow,
    leader_lives,
};

impl ClusterView {
    /// The moment on steady time.
    pub fn moment(&self) -> SteadyTime {
        SteadyTime::new(self.clock().since_made())
    }

    /// The way to the leader, until the guard is dropped.
    pub fn link(&self) -> MutexGuard<'_, LeaderLink> {
        self.hearing.link()
    }

    /// The heartbeats that were echoed, until the guard is dropped.
    pub fn echoes(&self) -> MutexGuard<'_, Echoes> {
        self.hearing.echoes()
    }

    /// Whether they get into the database, until the guard is dropped.
    pub(super) fn flow(&self) -> MutexGuard<'_, WitnessFlow> {
        self.hearing.flow()
    }

    /// The row of the leader, if another process holds it.
    pub fn other_leader(&self) -> Option<LeadershipRow> {
        let row = self.leader()?;
        (row.state == RowState::Held && row.run != self.me().run).then_some(row)
    }

    /// The other process that leads and is reached.
    pub fn reached_leader(&self) -> Option<LeadershipRow> {
        let row = self.other_leader()?;
        self.link().reaches(row.term, self.moment()).then_some(row)
    }

    /// Returns once another process that leads is reached.
    pub async fn reaches_a_leader(&self) {
        let mut news = self.news();
        while self.reached_leader().is_none() {
            if news.changed().await.is_err() {
                return;
            }
        }
    }

    /// For how long the row of another process that holds it has not changed; none if no other one holds it.
    pub(super) fn row_unchanged_for(&self) -> Option<Duration> {
        let (row, since) = self.now().leader?;
        let is_another = row.state == RowState::Held && row.run != self.me().run;
        is_another.then(|| self.clock().since_made().saturating_sub(since))
    }

    /// How far this process reaches while it does not lead.
    pub(super) fn reach(&self) -> Reach {
        // None, as long as the process is younger than the window.
        let since = self
            .clock()
            .since_made()
            .saturating_sub(self.hearing_window);
        let heard = self.echoes().heard_since(SteadyTime::new(since));
        Reach {
            reaches_leader: self.reached_leader().is_some(),
            hears: heard as u64,
        }
    }

    /// What was heard of the leader and of the database.
    pub fn heard(&self) -> Heard {
        let now = self.moment();
        Heard {
            leader_silent_for: self.link().silent_for(now),
            database_silent_for: self.database_silent_for(),
            leader_lives: leader_lives(self.row_unchanged_for()),
            are_written: self.flow().flows(now),
        }
    }
}
