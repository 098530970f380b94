//! When the fleet is balanced by itself, and what has become of the moves.
//!
//! # States
//!
//! ```text
//!   idle ──join, return──▶ wanted ──settled, cooled down, not blocked──▶ planning ──▶ running ──▶ idle
//! ```
//!
//! An order of an operator goes straight to planning. A plan replaces the moves of an older one that have
//! not begun; the moves under way count as done in it. While running, moves begin as the limits of
//! planned moves allow (`pace.rs`), and wait while the shell finds the fleet blocked.
//!
//! # Messages
//!
//! Saved events: an instance that registers, or takes streams again, a stream that arrives, a move
//! that is given up. Deadlines: the end of the wait after a join, and the next try of waiting moves.
//!
//! # What can go wrong
//!
//! A move that the owner does not follow is given up elsewhere (`AbandonHandovers`); its stream is held
//! back for a growing while. What waits is in memory only: after a restart of the program the moves under
//! way go on, and the others are planned anew with the next join or order.

use std::collections::BTreeSet;
use std::time::Duration;

use super::outcome::{BalanceMove, MoveState};
use super::patience::Patience;
use super::running::{NextMoves, Rebalance, Running};
use super::stats::BalanceStats;
use super::survey::BalanceScope;
use crate::events::{DatedEvent, Event};
use crate::handover::AbandonReason;
use crate::ids::StreamId;
use crate::reason::{AssignReason, RebalanceMethod, RebalanceReason};
use crate::settings::BalanceSettings;
use crate::time::{Timestamp, WallTime};

/// The wait after a join: its neighbours may join too, and unclaimed streams may fill it.
const SETTLE: Duration = Duration::from_secs(5);

/// The wait before a blocked balance is tried again.
const BLOCKED: Duration = Duration::from_secs(5);

/// The wait between two tries of moves that wait.
const PACE: Duration = Duration::from_secs(1);

/// What a deadline asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// A plan, made by itself.
    Plan(Rebalance),
    /// The next moves of the plan.
    Moves(Rebalance),
}

/// The state of balance.
#[derive(Debug)]
pub struct Balancer {
    settings: BalanceSettings,
    /// When the balance that a join asked for is due.
    wanted_at: Option<Timestamp>,
    /// Until when none begins by itself.
    cools_until: Option<Timestamp>,
    next_moves_at: Option<Timestamp>,
    running: Option<Running>,
    patience: Patience,
    stats: BalanceStats,
}

impl Balancer {
    /// Creates a balancer that has seen nothing.
    pub fn new(settings: BalanceSettings) -> Self {
        Self {
            settings,
            wanted_at: None,
            cools_until: None,
            next_moves_at: None,
            running: None,
            patience: Patience::default(),
            stats: BalanceStats::default(),
        }
    }

    /// Returns the settings.
    pub fn settings(&self) -> &BalanceSettings {
        &self.settings
    }

    /// Returns what was counted.
    pub fn stats(&self) -> BalanceStats {
        self.stats
    }

    /// Returns the streams that no plan moves now.
    pub fn held_back(&self, now: Timestamp) -> BTreeSet<StreamId> {
        self.patience.held_back(now)
    }

    /// Takes note of what was saved.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most events are not about balance"
    )]
    pub fn note(&mut self, events: &[DatedEvent], now: Timestamp) {
        for dated in events {
            match &dated.event {
                Event::InstanceRegistered { .. }
                | Event::InstanceTrusted { .. }
                | Event::LeaseAgreed { leased: true, .. }
                | Event::InstanceUncordoned { .. }
                | Event::DrainEnded {
                    takes_streams: true,
                    ..
                }
                | Event::MaintenanceEnded { .. } => self.want(now),
                Event::StreamAssigned { stream, reason, .. } => {
                    self.patience.forget(*stream);
                    if *reason == AssignReason::Rebalance {
                        self.stats.moved += 1;
                    }
                    self.ended(*stream, now);
                }
                Event::HandoverAbandoned { stream, reason, .. } => {
                    let gave_up = *reason == AbandonReason::NotReleased;
                    if self.ended(*stream, now) && gave_up {
                        self.stats.given_up += 1;
                        self.patience.hold(*stream, now);
                        if let Some(running) = &mut self.running {
                            running.has_given_up = true;
                        }
                    }
                }
                Event::OverlapEnded { stream, .. }
                | Event::StreamReleased { stream, .. }
                | Event::StreamOrphaned { stream, .. }
                | Event::StreamWithdrawn { stream, .. } => {
                    self.ended(*stream, now);
                }
                Event::StreamDeleted { stream } => self.patience.forget(*stream),
                _ => {}
            }
        }
        self.end_if_over();
    }

    fn want(&mut self, now: Timestamp) {
        if self.settings.automatic && self.wanted_at.is_none() {
            let settled = now + SETTLE;
            let cooled = self.cools_until.unwrap_or(settled);
            self.wanted_at = Some(settled.max(cooled));
        }
    }

    /// Notes the end of a move; returns whether it was one of the running rebalance.
    fn ended(&mut self, stream: StreamId, now: Timestamp) -> bool {
        let Some(running) = &mut self.running else {
            return false;
        };
        let was_ours = running.under_way.remove(&stream).is_some();
        if was_ours && !running.waiting.is_empty() {
            // Its place is free.
            self.next_moves_at = Some(self.next_moves_at.map_or(now, |at| at.min(now)));
        }
        was_ours
    }

    fn end_if_over(&mut self) {
        let is_over =
            |running: &mut Running| running.waiting.is_empty() && running.under_way.is_empty();
        if let Some(running) = self.running.take_if(is_over)
            && running.is_announced
        {
            self.stats.ended += 1;
            self.stats.successful += u64::from(!running.has_given_up);
        }
    }

    /// Returns the first deadline.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        [self.wanted_at, self.next_moves_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Returns what is due.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Option<Due> {
        if self.wanted_at.is_some_and(|at| at <= now) {
            self.wanted_at = None;
            return Some(Due::Plan(Rebalance {
                method: RebalanceMethod::Smart,
                reason: RebalanceReason::NewInstance,
                scope: BalanceScope::Leased,
            }));
        }
        if self.next_moves_at.is_some_and(|at| at <= now) {
            self.next_moves_at = None;
            return self
                .running
                .as_ref()
                .map(|running| Due::Moves(running.what));
        }
        None
    }

    /// Tries the moves that wait again after a while, because they could not be saved.
    pub fn retry(&mut self, now: Timestamp) {
        if self.running.is_some() {
            self.next_moves_at = Some(now + BLOCKED);
        }
    }

    /// Forgets the moves that wait: their order was refused.
    pub fn forget_waiting(&mut self) {
        if let Some(running) = &mut self.running {
            running.waiting.clear();
        }
        self.next_moves_at = None;
        self.end_if_over();
    }

    /// Puts off what was due, because the fleet is not in a state to be balanced.
    pub fn put_off(&mut self, due: Due, now: Timestamp) {
        match due {
            Due::Plan(_) => self.wanted_at = Some(now + BLOCKED),
            Due::Moves(_) => self.next_moves_at = Some(now + BLOCKED),
        }
    }

    /// Takes over a plan. The moves of an older plan that have not begun are forgotten.
    pub fn begin(&mut self, what: Rebalance, moves: Vec<BalanceMove>) {
        let mut running = Running::new(what, moves);
        if let Some(before) = self.running.take() {
            running.under_way = before.under_way;
            if before.is_announced {
                self.stats.ended += 1;
                self.stats.successful += u64::from(!before.has_given_up);
            }
        }
        self.running = Some(running);
        self.next_moves_at = None;
        self.end_if_over();
    }

    /// Returns the moves that are to begin next, if some wait.
    pub fn next_moves(&self) -> Option<NextMoves> {
        let next = self.running.as_ref()?.next(self.settings.pace);
        Some(next).filter(|next| !next.moves.is_empty())
    }

    /// Notes what became of the moves that were tried. Returns whether it is worth trying more at
    /// once.
    pub fn tried(
        &mut self,
        states: &[(StreamId, MoveState)],
        now: Timestamp,
        wall: WallTime,
    ) -> bool {
        let Some(running) = &mut self.running else {
            return false;
        };
        let states: std::collections::BTreeMap<StreamId, MoveState> =
            states.iter().copied().collect();
        let mut has_begun = false;
        let under_way = &mut running.under_way;
        let dropped = &mut self.stats.dropped;
        running
            .waiting
            .retain(|planned| match states.get(&planned.stream) {
                None | Some(MoveState::Waiting) => true,
                // Moves that make room for it are before it: without one, nothing makes room.
                Some(MoveState::NoRoom) if !under_way.is_empty() => true,
                Some(MoveState::Begun(progress)) => {
                    has_begun = true;
                    if progress.is_under_way() {
                        under_way.insert(planned.stream, planned.to.clone());
                    }
                    false
                }
                Some(MoveState::NoRoom | MoveState::Dropped) => {
                    *dropped += 1;
                    false
                }
            });
        if has_begun && !running.is_announced {
            running.is_announced = true;
            self.stats.begun += 1;
            self.stats.last = Some(wall);
            if running.what.is_automatic() {
                self.cools_until = Some(now + self.settings.cooldown);
                if let Some(wanted_at) = &mut self.wanted_at {
                    *wanted_at = (*wanted_at).max(now + self.settings.cooldown);
                }
            }
        }
        let has_more = !running.waiting.is_empty();
        if has_more {
            self.next_moves_at = Some(now + PACE);
        }
        self.end_if_over();
        has_begun && has_more
    }

    /// Adds the time that a rebalance took until its first moves had begun.
    pub fn took(&mut self, time: Duration) {
        self.stats.took += time;
    }
}
