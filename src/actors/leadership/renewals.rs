//! Renews the leadership row for as long as the process leads.
//!
//! ```text
//!              proven                      other term
//!   waits ───────────────▶ waits    renews ───────────▶ ends the work of the leader
//!     │ R is over, or an answer waits ▲ │
//!     └──────────────▶ renews ────────┘ │ failed, or late
//!                        ▲              ▼
//!                        └── pause ── not proven: leases shrink, answers are withheld,
//!                                     unless failsafe proves the term (`failsafe`)
//! ```
//!
//! One renewal at a time, on a connection of its own, so that a slow transaction of the fleet never
//! delays it. A proof counts from the moment its renewal was *sent*: if another process took over
//! after that, then its take-over was committed later than the proof's moment, because both change
//! the same row and the row's lock orders them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use log::{debug, error, info, warn};

use tokio::sync::mpsc;

use super::calls::FailsafeCalls;
use super::ears::Ears;
use super::failsafe::{Failsafe, Known, PAUSE_AFTER_FAILURE};
use super::holding::Holding;
use super::neighbourhood::{LOOKS_A_BEAT, away_after};
use super::orders::{Forget, Orders};
use super::prover::Prover;
use super::surroundings::Neighbours;
use super::view::ClusterView;
use crate::actors::alerts::Alerts;
use crate::actors::fatal::{Fatal, FatalSender, Vital};
use crate::clock::Clock;
use crate::domain::alert::{AlertKind, DATABASE};
use crate::domain::ids::Term;
use crate::domain::leadership::{
    Admission, AdmissionStep, FailsafeMember, Fitness, LeaderFacts, LeadershipLimits,
    MemberConcerns, MemberRow, MemberWatch, REPLICATION_LOOK, ReplicationConcern, SeenMember,
    StartFreeze, SteadyTime, is_promoted,
};
use crate::store::{Leadership, Renewal, StoreError};

/// Everything that renewing works with.
#[derive(Debug)]
pub(in crate::actors) struct Renewals {
    pub(in crate::actors) row: Arc<dyn Leadership>,
    pub(in crate::actors) limits: LeadershipLimits,
    pub(in crate::actors) prover: Prover,
    pub(in crate::actors) view: ClusterView,
    pub(in crate::actors) clock: Clock,
    pub(in crate::actors) alerts: Alerts,
    pub(in crate::actors) fatal: FatalSender,
    /// The way to the other orchestrators; none: none of them is asked.
    pub(super) calls: Option<Rc<dyn FailsafeCalls>>,
    /// How the other orchestrators are asked; none: they cannot be.
    pub(in crate::actors) neighbours: Option<Arc<dyn Neighbours>>,
    pub(in crate::actors) holding: Holding,
    pub(in crate::actors) freeze: StartFreeze,
    pub(super) ears: Ears,
    pub(super) orders: Orders,
}

/// Renews until another process leads, and carries out orders between two renewals.
pub(super) async fn renew(renewals: Renewals, mut orders: mpsc::Receiver<Forget>) {
    let _vital = Vital::new("leadership renewals", renewals.fatal.clone());
    let mut state = State {
        admission: Admission::new(
            away_after(&renewals.limits),
            renewals.view.horizon(),
            &[],
            renewals.clock.since_made(),
        ),
        members: MemberWatch::new(away_after(&renewals.limits)),
        concerns: MemberConcerns::default(),
        fitness: Fitness::new(renewals.clock.since_made(), renewals.ears.pause),
        // Until the members were read, one may be admitted since an earlier term.
        are_members_known: false,
        proven_members: None,
        last_renewal: renewals.prover.moment(),
        failsafe: Failsafe {
            limits: renewals.limits,
            prover: renewals.prover.clone(),
            view: renewals.view.clone(),
            alerts: renewals.alerts.clone(),
            calls: renewals.calls.clone(),
            is_silent: false,
            is_unproven: false,
        },
        system: None,
        until_members: 0,
        replication: ReplicationConcern::default(),
        replication_seen: None,
        is_after_loss: renewals.freeze != StartFreeze::NONE,
    };
    loop {
        let pause = match renewals.renew_once(&mut state).await {
            Outcome::Renewed => Duration::ZERO,
            Outcome::Failed => PAUSE_AFTER_FAILURE,
            Outcome::Deposed => return,
        };
        tokio::time::sleep(pause).await;
        let interval = renewals.limits.renewal_interval.saturating_sub(pause);
        tokio::select! {
            biased;
            // First, because answers may want a proof after each renewal. One whose caller has gone is dropped.
            Some(order) = orders.recv() => if !order.reply.is_closed() {
                renewals.forget(&mut state, order).await;
            },
            () = tokio::time::sleep(interval) => {}
            () = renewals.prover.wanted() => {}
        }
    }
}

pub(super) struct State {
    pub(super) admission: Admission,
    members: MemberWatch,
    concerns: MemberConcerns,
    fitness: Fitness,
    are_members_known: bool,
    /// The orchestrators that may take over, as they were read before the newest renewal that succeeded.
    pub(super) proven_members: Option<Vec<FailsafeMember>>,
    /// When the newest renewal that was answered was sent.
    last_renewal: SteadyTime,
    failsafe: Failsafe,
    /// Which database answered the first renewal.
    system: Option<i64>,
    /// Renewals until the members are read again.
    until_members: u32,
    replication: ReplicationConcern,
    /// Whether the row still has the mark of a loss.
    pub(super) is_after_loss: bool,
    /// When the primary was last asked for its standbys.
    replication_seen: Option<Duration>,
}

impl State {
    fn known(&self) -> Known {
        let are_known = self.are_members_known;
        Known {
            members: are_known.then(|| self.admission.entitled()),
            last_renewal: self.last_renewal,
        }
    }
}

pub(super) enum Outcome {
    Renewed,
    Failed,
    Deposed,
}

impl Renewals {
    async fn renew_once(&self, state: &mut State) -> Outcome {
        let sent = self.prover.moment();
        let run = self.view.me().run;
        let term = self.prover.term();
        let call = self.row.renew(term, run);
        let call = tokio::time::timeout(self.limits.statement_limit, call);
        let renewed = if state.failsafe.is_silent {
            let known = state.known();
            state.failsafe.proving_meanwhile(&known, call).await
        } else {
            call.await
        };
        let renewed = renewed.unwrap_or_else(|_| {
            Err(StoreError::Unavailable(
                "the renewal was not answered in time".to_owned(),
            ))
        });
        match renewed {
            Ok(Renewal::Proven { origin, .. })
                if state.system.is_some_and(|system| system != origin.system) =>
            {
                let (found, expected) = (origin.system, state.system.unwrap_or_default());
                error!(found, expected;
                    "another database answers under the same address: its system identifier is \
                     {found}, and was {expected}");
                self.fatal.send(Fatal::OtherDatabase);
                Outcome::Deposed
            }
            Ok(Renewal::Proven { origin, .. }) if is_promoted(term, origin.timeline) => {
                self.prover.set_alone_until(None);
                let outcome = self.promoted(state).await;
                if matches!(outcome, Outcome::Failed) {
                    let known = state.known();
                    state.failsafe.found_promoted(&known);
                }
                outcome
            }
            Ok(Renewal::Proven { origin, .. }) => {
                state.system = Some(origin.system);
                state.last_renewal = sent;
                state.proven_members = state.known().members;
                self.prover.confirm(sent);
                self.view
                    .change(|known| known.timeline = Some(origin.timeline));
                state.failsafe.renewed();
                self.end_loss(state).await;
                self.look_after_members(state).await;
                Outcome::Renewed
            }
            Ok(Renewal::Deposed(row)) => {
                let error = StoreError::Deposed {
                    ours: term,
                    current: row.term,
                };
                let node = row.node.as_str();
                let fatal = if error.went_back() {
                    error!(error:%, node; "{error}");
                    Fatal::WentBack
                } else {
                    // If the process ends for it, the end has an error of its own.
                    warn!(error:%, node; "{error}");
                    Fatal::Deposed
                };
                self.view.saw(row);
                self.fatal.send(fatal);
                Outcome::Deposed
            }
            Err(error) => {
                let known = state.known();
                state.failsafe.renewal_failed(&known, &error).await;
                Outcome::Failed
            }
        }
    }

    /// Reads the members once in a while, and writes who may take over.
    async fn look_after_members(&self, state: &mut State) {
        if state.until_members > 0 {
            state.until_members -= 1;
            return;
        }
        let read = self.row.members();
        let Ok(Ok(rows)) = tokio::time::timeout(self.limits.statement_limit, read).await else {
            return;
        };
        state.until_members = LOOKS_A_BEAT;
        let now = self.clock.since_made();
        let me = &self.view.me().node;
        let others: Vec<MemberRow> = rows.into_iter().filter(|row| row.node != *me).collect();
        let steps = state.admission.observe(&others, now);
        state.are_members_known = true;
        for step in steps {
            let (what, node) = match &step {
                AdmissionStep::Admit(node, _) => ("may take over from now on", node.clone()),
                AdmissionStep::Dismiss(node, _) => (
                    "has not been seen for a while and may not take over",
                    node.clone(),
                ),
            };
            let write = self
                .row
                .admit(self.prover.term(), self.view.me().run, &step);
            let written = tokio::time::timeout(self.limits.statement_limit, write).await;
            if let Ok(Ok(true)) = written {
                info!(node = node.as_str(); "the orchestrator `{node}` {what}");
                state.admission.written(&step, self.clock.since_made());
            } else {
                debug!(node = node.as_str(); "not written yet that `{node}` {what}");
            }
        }
        let facts = self.view.facts();
        let seen = state.members.observe(others, &facts.schema, now);
        let leader = LeaderFacts {
            release: env!("CARGO_PKG_VERSION").to_owned(),
            settings: facts.settings.clone(),
        };
        for news in state.concerns.judge(&leader, &seen, now) {
            self.alerts.update(news);
        }
        self.view.change(|known| known.members = seen.clone());
        self.compare_hearing(state, &seen, now).await;
        self.look_at_replication(state, now).await;
    }

    /// Hands over to a standby that hears much more and is not reached from here.
    async fn compare_hearing(&self, state: &mut State, members: &[SeenMember], now: Duration) {
        if !state.fitness.is_concerned(members) {
            return;
        }
        let window = self.view.hearing_window;
        let own = self.ears.count(&self.clock, window);
        let Some(fitter) = state.fitness.look(members, own, now) else {
            return;
        };
        let confirmed = self.ears.heard_elsewhere(window).await;
        if !own.is_surpassed_by(confirmed) {
            let (node, hears) = (fitter.node.as_str(), fitter.hears);
            info!(node, hears, confirmed;
                "`{node}` hears {hears} instances, of which {confirmed} are known here: this leader leads on");
        } else if self.orders.successor().is_none() {
            // First, because the process ends with the hand-over.
            let limit = self.limits.statement_limit;
            let me = &self.view.me().node;
            self.ears.note(me, &fitter, &self.clock, limit).await;
            self.orders.hand_over_to(&fitter);
        }
    }

    /// Removes the mark of a loss once streams may start again.
    async fn end_loss(&self, state: &mut State) {
        if !state.is_after_loss || self.freeze.left(self.clock.now()).is_some() {
            return;
        }
        self.remove_mark(state, self.prover.term()).await;
        if !state.is_after_loss && self.freeze != StartFreeze::NONE {
            info!("all leases from before the loss are over: streams start again");
            self.alerts.clear(AlertKind::DatabaseWentBack, DATABASE);
        }
    }

    /// Removes the mark of a loss from the row, now or with a later renewal.
    pub(super) async fn remove_mark(&self, state: &mut State, term: Term) {
        let end = self.row.end_loss(term, self.view.me().run);
        let ended = tokio::time::timeout(self.limits.statement_limit, end).await;
        state.is_after_loss = !matches!(ended, Ok(Ok(true)));
    }

    /// Asks the primary for its standbys once in a while.
    async fn look_at_replication(&self, state: &mut State, now: Duration) {
        let seen = state.replication_seen;
        if seen.is_some_and(|seen| now.saturating_sub(seen) < REPLICATION_LOOK) {
            return;
        }
        let read = self.row.replication();
        let Ok(Ok(found)) = tokio::time::timeout(self.limits.statement_limit, read).await else {
            return;
        };
        state.replication_seen = Some(now);
        self.view.change(|known| known.replication = Some(found));
        if let Some(news) = state.replication.judge(found) {
            self.alerts.update(news);
        }
    }

    /// Deletes the row of a member. It stays in the set of those that may take over for as long as a
    /// dismissed one, because it may have sent a claim before.
    async fn forget(&self, state: &mut State, order: Forget) {
        let Forget { member, reply } = order;
        let write = self
            .row
            .forget(self.prover.term(), self.view.me().run, &member);
        let written = tokio::time::timeout(self.limits.statement_limit, write).await;
        let written = written.unwrap_or_else(|_| {
            Err(StoreError::InDoubt(
                "the row of the member was not deleted in time".to_owned(),
            ))
        });
        if matches!(written, Ok(true)) {
            let node = member.node.as_str();
            info!(node; "the orchestrator `{node}` is forgotten, as ordered");
            let dismissed = AdmissionStep::Dismiss(member.node.clone(), member.run);
            state.admission.written(&dismissed, self.clock.since_made());
            self.view
                .change(|known| known.members.retain(|known| known.row.node != member.node));
        }
        // The next read shows whether the row is gone, also after a statement in doubt. Then its alert closes.
        state.until_members = 0;
        let _ = reply.send(written);
    }
}
