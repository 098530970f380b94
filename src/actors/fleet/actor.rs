//! The actor that decides, saves and then notifies.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::{debug, error, warn};
use tokio::sync::oneshot;

use super::committed::Committed;
use super::copying::Copying;
use super::queue::{PendingCommand, Queue, refuse_all};
use crate::actors::alarm::Alarm;
use crate::actors::archive::IncidentMemory;
use crate::actors::db_breaker::StoreAccess;
use crate::actors::fatal::{Fatal, FatalSender, Vital};
use crate::actors::leadership::{Held, Prover};
use crate::actors::refusal::Refusal;
use crate::actors::registry::Registry;
use crate::actors::store_calls::StoreOp;
use crate::actors::telemetry::{MemoryQueue, Telemetry};
use crate::clock::Clock;
use crate::domain::fleet::{FillTimer, Filling};
use crate::domain::leadership::RecentChanges;
use crate::domain::ledger::{Batch, Ledger};
use crate::domain::pace::MovePace;
use crate::domain::planned_timer::PlannedTimer;
use crate::domain::request::RequestContext;
use crate::domain::return_timer::ReturnTimer;
use crate::domain::trial_timer::TrialTimer;
use crate::domain::unowned::Unowned;
use crate::store::{Guard, Save, Settlement, Store, StoreError};

/// How many commands one transaction takes at the most: it bounds how long it can last.
const MAX_BATCH_COMMANDS: usize = 2_000;

/// A batch is closed once it holds this many single changes.
const MAX_BATCH_CHANGES: usize = 20_000;

/// What the FleetActor works with.
#[derive(Debug, Clone)]
pub struct FleetLinks {
    pub(in crate::actors) clock: Clock,
    pub(in crate::actors) registry: Arc<Registry>,
    /// Who hears of every change.
    pub(in crate::actors) listeners: Vec<Recipient<Committed>>,
    pub(in crate::actors) access: StoreAccess,
    pub(in crate::actors) incidents: Arc<IncidentMemory>,
    pub(in crate::actors) telemetry: Arc<Telemetry>,
    pub(in crate::actors) fatal: FatalSender,
    /// How many planned moves may be under way.
    pub(in crate::actors) pace: MovePace,
    /// How old the readings of a machine may be.
    pub(in crate::actors) oldest_reading: Duration,
    /// How long a start waits for a worker whose reservation ended while no orchestrator ran.
    pub(in crate::actors) first_hearing: Duration,
    /// A saved transaction proves the term as a renewal does.
    pub(in crate::actors) prover: Prover,
}

pub(super) enum State {
    Idle,
    Saving {
        batch: Batch,
        callers: Vec<Box<dyn PendingCommand>>,
    },
    InDoubt {
        batch: Batch,
    },
    /// Deposed, or parted ways with the store: nothing is decided any more.
    Ended,
}

/// Decides, saves, then answers.
pub struct FleetActor {
    pub(super) ledger: Ledger,
    pub(super) guard: Guard,
    pub(super) links: FleetLinks,
    pub(super) queue: Queue,
    /// Commands of a refused batch, to be tried in smaller and smaller groups.
    pub(super) retry_singly: Queue,
    /// How many of them are tried together next.
    pub(super) retry_groups: VecDeque<usize>,
    pub(super) state: State,
    expiry: Alarm<Self>,
    pub(super) is_settling: bool,
    pub(super) settling: Alarm<Self>,
    /// Callers of the transaction in doubt that have no answer yet.
    pub(super) awaiting_settlement: Vec<Box<dyn PendingCommand>>,
    pub(super) draining: Vec<oneshot::Sender<()>>,
    pub(super) is_draining: bool,
    /// Whether no transaction begins, because the term has to be taken anew; and who waits for that.
    pub(super) is_held: bool,
    pub(super) holders: Vec<oneshot::Sender<Held>>,
    /// The changes that were acknowledged last.
    pub(super) recent: RecentChanges<Arc<Save>>,
    /// Copies of the saved fleet that were asked for; the first one is under way.
    pub(super) copies: VecDeque<Copying>,
    /// Streams that were given back.
    pub(super) returned: ReturnTimer,
    /// Streams against which something speaks.
    pub(super) suspected: TrialTimer,
    /// Armed for the first deadline of both.
    pub(super) continuing: Alarm<Self>,
    /// When unclaimed streams have waited for company long enough.
    pub(super) fill: FillTimer,
    pub(super) filling: Alarm<Self>,
    /// When the readings of the machines are collected again, if the policy uses them.
    pub(super) weighing: Alarm<Self>,
    /// What is planned and comes by itself.
    pub(super) planned: PlannedTimer,
    /// Armed for the first of that.
    pub(super) planning: Alarm<Self>,
    _vital: Vital,
}

impl std::fmt::Debug for FleetActor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetActor")
            .field("guard", &self.guard)
            .field("queue", &self.queue)
            .finish()
    }
}

impl FleetActor {
    /// Starts with what was loaded from the store under the guard.
    pub fn new(mut ledger: Ledger, guard: Guard, links: FleetLinks) -> Self {
        let settle = ledger.saved().placement().settle;
        ledger.set_filling(Filling::new(!settle.is_zero()));
        let vital = Vital::new("FleetActor", links.fatal.clone());
        let unowned = Unowned::of(ledger.saved());
        links.telemetry.note_unowned(links.clock.now(), unowned);
        Self {
            ledger,
            guard,
            links,
            queue: Queue::default(),
            retry_singly: Queue::default(),
            retry_groups: VecDeque::new(),
            state: State::Idle,
            expiry: Alarm::of_waits(|actor| &mut actor.expiry, Self::expire_waiting),
            is_settling: false,
            settling: Alarm::of_waits(|actor| &mut actor.settling, Self::settle_again),
            awaiting_settlement: Vec::new(),
            draining: Vec::new(),
            is_draining: false,
            is_held: false,
            holders: Vec::new(),
            recent: RecentChanges::default(),
            copies: VecDeque::new(),
            returned: ReturnTimer::default(),
            suspected: TrialTimer::default(),
            continuing: Alarm::new(|actor| &mut actor.continuing, Self::continue_streams),
            fill: FillTimer::new(settle),
            filling: Alarm::new(|actor| &mut actor.filling, Self::fill),
            weighing: Alarm::new(|actor| &mut actor.weighing, Self::weigh),
            planned: PlannedTimer::default(),
            planning: Alarm::new(|actor| &mut actor.planning, Self::continue_planned),
            _vital: vital,
        }
    }

    /// Decides what waits and saves it, unless something is being saved already.
    pub(super) fn proceed(&mut self, ctx: &mut Context<Self>) {
        if !self.links.access.gate().writes().lets_through() {
            self.refuse_queued();
        }
        while matches!(self.state, State::Idle) && !self.is_held {
            let callers = self.decide_next();
            if callers.is_empty() {
                break;
            }
            let batch = self.ledger.take_batch();
            if batch.is_empty() {
                callers.into_iter().for_each(PendingCommand::tell);
                continue;
            }
            let save = Save::from(&batch);
            self.save(batch, save, callers, ctx);
        }
        self.show_queues();
        self.arm_expiry(ctx);
        self.arm_continuing(ctx);
        self.arm_filling(ctx);
        self.arm_planned(ctx);
        self.tell_holders();
        if matches!(self.state, State::Idle | State::Ended) && self.queue.len() == 0 {
            self.draining.drain(..).for_each(|waiter| {
                let _ = waiter.send(());
            });
        }
    }

    fn show_queues(&self) {
        let telemetry = &self.links.telemetry;
        telemetry.show_waiting(MemoryQueue::Commands, self.queue.len());
        telemetry.show_waiting(MemoryQueue::Retries, self.retry_singly.len());
    }

    /// Decides the next commands: a group of those under suspicion, else as many as fit.
    fn decide_next(&mut self) -> Vec<Box<dyn PendingCommand>> {
        let now = self.links.clock.wall();
        let mut callers = Vec::new();
        // Some may have waited too long meanwhile: then groups are smaller than they were to be.
        let group = self.retry_groups.pop_front().unwrap_or(1);
        while callers.len() < group
            && let Some(mut suspect) = self.retry_singly.pop()
        {
            suspect.decide(&mut self.ledger, now, &self.links.clock);
            callers.push(suspect);
        }
        if !callers.is_empty() {
            return callers;
        }
        self.retry_groups.clear();
        while callers.len() < MAX_BATCH_COMMANDS
            && self.ledger.open_changes() < MAX_BATCH_CHANGES
            && let Some(mut waiting) = self.queue.pop()
        {
            waiting.decide(&mut self.ledger, now, &self.links.clock);
            callers.push(waiting);
        }
        callers
    }

    /// A transaction whose outcome was unknown was carried out.
    pub(super) fn commit_in_doubt(&mut self, batch: Batch) {
        let save = Arc::new(Save::from(&batch));
        self.commit(batch, &save);
    }

    pub(super) fn save(
        &mut self,
        batch: Batch,
        save: Save,
        callers: Vec<Box<dyn PendingCommand>>,
        ctx: &mut Context<Self>,
    ) {
        let save = Arc::new(save);
        self.links
            .telemetry
            .batch_commands
            .observe(callers.len() as f64);
        self.state = State::Saving { batch, callers };
        let (guard, rows) = (self.guard, save.clone());
        let sent = self.links.prover.moment();
        let call = move |store: Arc<dyn Store>| async move { store.save(guard, rows).await };
        let outcome = self.links.access.write_unasked(StoreOp::SaveFleet, call);
        ctx.spawn(outcome.into_actor(self).map(move |result, actor, ctx| {
            if result.is_ok() {
                // Before the callers are answered: their answers need this proof.
                actor.links.prover.confirm(sent);
            }
            actor.saved(&save, result, ctx);
        }));
    }

    fn saved(&mut self, save: &Arc<Save>, result: Result<(), StoreError>, ctx: &mut Context<Self>) {
        self.count(&result);
        let State::Saving { batch, callers } = std::mem::replace(&mut self.state, State::Idle)
        else {
            return;
        };
        match result {
            Ok(()) => {
                self.guard = self.guard.after_save();
                self.commit(batch, save);
                callers.into_iter().for_each(PendingCommand::tell);
            }
            Err(StoreError::Refused(reason)) => {
                self.ledger.undo(batch);
                self.refused(callers, &reason);
            }
            Err(
                StoreError::Unavailable(reason)
                | StoreError::Unusable(reason)
                | StoreError::InUse(reason),
            ) => {
                warn!(reason; "a change of the fleet could not be saved: {reason}");
                self.ledger.undo(batch);
                refuse_all(callers, &Refusal::StoreUnavailable);
            }
            // The breaker says so once, and not for every change.
            Err(StoreError::FileReplaced(reason)) => {
                debug!(reason; "a change of the fleet could not be saved: {reason}");
                self.ledger.undo(batch);
                refuse_all(callers, &Refusal::DatabaseReplaced);
            }
            Err(StoreError::InDoubt(reason)) => {
                warn!(reason; "the outcome of a change is unknown; settling it: {reason}");
                self.state = State::InDoubt { batch };
                self.settle_first(callers, ctx);
            }
            Err(error @ (StoreError::Deposed { .. } | StoreError::VersionMismatch { .. })) => {
                self.ledger.undo(batch);
                refuse_all(callers, &Refusal::ShuttingDown);
                self.end(&error);
            }
        }
        self.proceed(ctx);
    }

    /// Finds the culprits: commands that were refused together are tried by halves, so that one
    /// among two thousand costs its neighbours a few transactions.
    fn refused(&mut self, mut callers: Vec<Box<dyn PendingCommand>>, reason: &str) {
        if callers.len() == 1 {
            if let Some(culprit) = callers.pop() {
                let request_id = culprit.request().map(RequestContext::id);
                warn!(reason, request_id; "the store refused {:?}", culprit.name());
                culprit.refuse(Refusal::RefusedByStore);
            }
        } else {
            let half = callers.len() / 2;
            self.retry_groups.extend([half, callers.len() - half]);
            let now = self.links.clock.awake();
            for caller in callers {
                self.retry_singly.push_again(caller, now);
            }
        }
    }

    /// Asks the store what became of a transaction in doubt, until it answers. The callers
    /// that wait are answered after the first try, whatever its result.
    pub(super) fn settle(
        &mut self,
        callers: Vec<Box<dyn PendingCommand>>,
        ctx: &mut Context<Self>,
    ) {
        self.is_settling = true;
        let guard = self.guard;
        let call = move |store: Arc<dyn Store>| async move { store.settle(guard).await };
        let settlement = self.links.access.write_unasked(StoreOp::SettleFleet, call);
        ctx.spawn(settlement.into_actor(self).map(|result, actor, ctx| {
            actor.settled(result, callers, ctx);
        }));
    }

    fn settled(
        &mut self,
        result: Result<Settlement, StoreError>,
        callers: Vec<Box<dyn PendingCommand>>,
        ctx: &mut Context<Self>,
    ) {
        self.is_settling = false;
        let State::InDoubt { batch } = std::mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        let callers = callers
            .into_iter()
            .chain(std::mem::take(&mut self.awaiting_settlement));
        match result {
            Ok(Settlement::Committed) => {
                self.guard = self.guard.after_save();
                self.commit_in_doubt(batch);
                callers.for_each(PendingCommand::tell);
            }
            Ok(Settlement::Defeated) => {
                self.guard = self.guard.after_defeat();
                self.ledger.undo(batch);
                refuse_all(callers, &Refusal::StoreUnavailable);
            }
            Err(error @ (StoreError::Deposed { .. } | StoreError::VersionMismatch { .. })) => {
                self.ledger.undo(batch);
                refuse_all(callers, &Refusal::ShuttingDown);
                self.end(&error);
            }
            Err(
                StoreError::Unavailable(reason)
                | StoreError::InDoubt(reason)
                | StoreError::Refused(reason)
                | StoreError::Unusable(reason)
                | StoreError::InUse(reason)
                | StoreError::FileReplaced(reason),
            ) => {
                debug!(reason; "the change in doubt is not settled yet: {reason}");
                self.state = State::InDoubt { batch };
                self.tell_unknown(callers.collect());
                self.settle_later(ctx);
            }
        }
        self.proceed(ctx);
    }

    pub(super) fn end(&mut self, error: &StoreError) {
        let fatal = if error.went_back() {
            Fatal::WentBack
        } else if matches!(error, StoreError::Deposed { .. }) {
            Fatal::Deposed
        } else {
            Fatal::PartedWays
        };
        // If the process ends for it, the end has an error of its own.
        if fatal.another_leads() {
            warn!(error:%; "{error}");
        } else {
            error!(error:%; "{error}");
        }
        self.state = State::Ended;
        self.queue.clear(&Refusal::ShuttingDown);
        self.retry_singly.clear(&Refusal::ShuttingDown);
        self.links.fatal.send(fatal);
    }

    /// One timer for the command that has waited longest.
    fn arm_expiry(&mut self, ctx: &mut Context<Self>) {
        let deadlines = [
            self.queue.next_deadline(),
            self.retry_singly.next_deadline(),
        ];
        if let Some(deadline) = deadlines.into_iter().flatten().min() {
            self.expiry.set_by(deadline, &self.links.clock, ctx);
        }
    }

    fn expire_waiting(&mut self, ctx: &mut Context<Self>) {
        // Whatever is waited for, it is not that too many wait: all of them are decided at once,
        // as soon as the transaction before them is saved.
        let refusal = match self.state {
            State::InDoubt { .. } | State::Saving { .. } => {
                self.links.access.gate().writes().refusal()
            }
            State::Idle | State::Ended => Refusal::Overloaded,
        };
        let now = self.links.clock.awake();
        self.queue.expire(now, &refusal);
        self.retry_singly.expire(now, &refusal);
        self.arm_expiry(ctx);
    }
}

impl Actor for FleetActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.follow_all();
        self.plan_all();
        self.arm_continuing(ctx);
        self.weigh(ctx);
        self.arm_planned(ctx);
    }
}
