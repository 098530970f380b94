//! From an open database to a term of its own: a process waits as a standby for as long as another
//! one leads.
//!
//! ```text
//!   join ──▶ look ──wait──▶ look …
//!              ├─ ask address ──▶ the process behind it: refused, silent, or its run
//!              ├─ take over ──lost──▶ look
//!              │       └──won──▶ leads
//!              └─ an earlier process of this node lives ──▶ ends
//! ```
//!
//! The decisions are those of `domain/leadership/watch`. A look that fails is no verdict: the database
//! is waited for.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use log::{debug, info, warn};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::ahead::Ahead;
use super::neighbourhood::{LOOKS_A_BEAT, Neighbourhood};
use super::notices::Notice;
use super::surroundings::{CandidacyError, Surroundings, Won};
use super::view::{Claimed, ClusterView, TakeOverOrder};
use super::witnesses;
use crate::domain::commands::Recorded;
use crate::domain::events::Event;
use crate::domain::ids::Term;
use crate::domain::leadership::{
    AddressAnswer, AheadLook, Candidacy, Claim, ClaimRight, Eligibility, LeaderWatch, LeadersWord,
    LeadershipLimits, LeadershipRow, NodeName, ReleaseCause, Role, RowState, SteadyTime,
    TakeOverCause, WatchDecision,
};
use crate::store::{Guard, Leadership, Look, Store, StoreError, TakeOver, Taken};

/// A process that wants to lead.
#[derive(Debug)]
pub struct Candidate<'a> {
    row: &'a Arc<dyn Leadership>,
    view: &'a ClusterView,
    surroundings: &'a dyn Surroundings,
    limits: LeadershipLimits,
    watch: LeaderWatch,
    neighbourhood: Neighbourhood,
    candidacy: Candidacy,
    ahead: Ahead,
    /// Which database answered the first look.
    system: Option<i64>,
    /// What was said last about who leads.
    said: Option<NodeName>,
    /// The row's address is being asked.
    asking: Option<Asking>,
    /// The order to take over that was heard last.
    order: Option<TakeOverOrder>,
}

/// A question to the address of the row with this term and beat.
type Asking = JoinHandle<(Term, i64, AddressAnswer)>;

impl<'a> Candidate<'a> {
    /// A process that has not looked at the row yet.
    pub fn new(
        row: &'a Arc<dyn Leadership>,
        view: &'a ClusterView,
        surroundings: &'a dyn Surroundings,
        limits: LeadershipLimits,
    ) -> Self {
        let (node, run) = (view.me().node.clone(), view.me().run);
        let neighbourhood = Neighbourhood::new(view, limits);
        Self {
            row,
            view,
            surroundings,
            limits,
            watch: LeaderWatch::new(node, run, limits),
            candidacy: neighbourhood.candidacy(),
            neighbourhood,
            ahead: Ahead::never(),
            system: None,
            said: None,
            asking: None,
            order: None,
        }
    }

    /// Reads the fleet ahead from this store while the leader is silent, each time for at most `limit`.
    #[must_use]
    pub fn reading_ahead(self, store: Arc<dyn Store>, limit: Duration) -> Self {
        Self {
            ahead: Ahead::of(store, limit),
            ..self
        }
    }

    /// Returns once this process leads.
    ///
    /// # Errors
    /// If the database cannot be used, or if it did not answer the first look; a later look that
    /// fails is repeated. If another process of this node lives.
    pub async fn lead(mut self) -> Result<Won, CandidacyError> {
        self.row.join(&self.view.member(None)).await?;
        self.view.joined();
        let mut has_looked = false;
        let mut looks: u32 = 0;
        loop {
            if looks.is_multiple_of(LOOKS_A_BEAT) {
                // A database that stands still is waited for once, so that the look comes soon.
                let is_reached = self.write_own_row(has_looked).await
                    && self.neighbourhood.read(self.row, self.view).await;
                if !is_reached {
                    self.view.look_failed();
                }
            }
            looks = looks.wrapping_add(1);
            let decision = match self.look().await {
                Ok(decision) => {
                    has_looked = true;
                    decision
                }
                Err(error) if has_looked && error.is_passing() => {
                    self.view.look_failed();
                    self.watch.look_failed();
                    self.ahead.look_failed(self.moment());
                    debug!(error:%; "the leadership row could not be read: {error}");
                    WatchDecision::Wait
                }
                Err(error) => return Err(error.into()),
            };
            if let Some(won) = self.follow(decision).await? {
                return Ok(won);
            }
            witnesses::write(self.row, self.view, self.limits.statement_limit).await;
            if let Some(won) = self.wait_for_news().await? {
                return Ok(won);
            }
        }
    }

    /// Waits until the next look is due. An answer of the row's address, an order, or a notice of the leader comes
    /// sooner.
    async fn wait_for_news(&mut self) -> Result<Option<Won>, CandidacyError> {
        let mut next_look = pin!(tokio::time::sleep(self.limits.renewal_interval));
        loop {
            let decision = tokio::select! {
                biased;
                () = &mut next_look => return Ok(None),
                (term, beat, answer) = answered(&mut self.asking) => {
                    self.asking = None;
                    self.watch.address_answered(term, beat, &answer, self.candidacy)
                }
                order = self.view.ordered() => {
                    let reason = order.reason.as_str();
                    info!(reason; "taking over, as ordered: {reason}");
                    self.order = Some(order);
                    self.watch.order(self.candidacy)
                }
                () = self.ahead.ended() => continue,
                notice = self.view.notices().next() => match notice {
                    Notice::Released => return Ok(None),
                    Notice::Prepare { fleet, reply } => {
                        let now = self.moment();
                        self.ahead.ordered(fleet, reply, now);
                        continue;
                    }
                }
            };
            if let Some(won) = self.follow(decision).await? {
                return Ok(Some(won));
            }
        }
    }

    /// The leader admits a process whose row goes on changing. Returns whether the database answered.
    async fn write_own_row(&self, has_looked: bool) -> bool {
        if !has_looked {
            return true;
        }
        let member = self.view.member(self.ahead.prepared());
        let joined = timeout(self.limits.statement_limit, self.row.join(&member)).await;
        if let Ok(Err(error)) = &joined {
            debug!(error:%; "this standby could not write its row: {error}");
        }
        matches!(joined, Ok(Ok(())))
    }

    async fn look(&mut self) -> Result<WatchDecision, StoreError> {
        let asked = self.moment();
        let look = timeout(self.limits.statement_limit, self.row.look()).await;
        let look = look.unwrap_or_else(|_| {
            let reason = "the leadership row was not read in time".to_owned();
            Err(StoreError::Unavailable(reason))
        })?;
        let answered = self.moment();
        let look = look.ok_or_else(|| {
            let reason = "the database has lost its row in `leadership`; it cannot be used";
            StoreError::Unusable(reason.to_owned())
        })?;
        self.refuse_another_database(look.origin.system)?;
        self.view.looked(&look.row);
        self.view.saw(look.row.clone());
        self.neighbourhood.saw(&look, self.view);
        self.candidacy = self.neighbourhood.candidacy();
        self.watch.on_timeline(look.origin.timeline);
        let decision = self.watch.look(&look.row, asked, answered, self.candidacy);
        self.note_silence(&look, answered);
        if decision == WatchDecision::Wait {
            self.wait_as_standby(&look.row);
        }
        Ok(decision)
    }

    /// A term of another database is not the one that was waited for.
    fn refuse_another_database(&mut self, found: i64) -> Result<(), StoreError> {
        let expected = *self.system.get_or_insert(found);
        if expected == found {
            return Ok(());
        }
        Err(StoreError::Unusable(format!(
            "another database answers under DATABASE_URL than at the start of this standby: its system \
             identifier is {found}, and was {expected}; if that is meant, start the orchestrator again"
        )))
    }

    fn note_silence(&mut self, look: &Look, answered: SteadyTime) {
        let is_silent = self.watch.is_silent();
        let candidacy = self.candidacy;
        let ahead_look = AheadLook {
            is_silent,
            goes_first: candidacy.eligibility == Eligibility::Admitted && candidacy.rank == 0,
            found: look.moment(),
        };
        self.ahead.looked(ahead_look, answered);
        let leaderless_for = self.watch.leaderless_for();
        self.neighbourhood
            .note_silence(leaderless_for, &look.row, self.view);
    }

    fn wait_as_standby(&mut self, row: &LeadershipRow) {
        self.view.change(|known| known.role = Role::Standby);
        self.surroundings.stand_by();
        if self.said.as_ref() != Some(&row.node) {
            self.said = Some(row.node.clone());
            let (node, term) = (row.node.as_str(), row.term.get());
            let url = row.public_url.as_str();
            info!(node, term, url;
                "standby: `{node}` leads this database at {url}; this orchestrator takes over if it ends");
        }
    }

    /// Does what was decided; the term, once it is won.
    async fn follow(&mut self, decision: WatchDecision) -> Result<Option<Won>, CandidacyError> {
        match decision {
            WatchDecision::Wait => Ok(None),
            WatchDecision::AskAddress {
                term,
                beat,
                address,
            } => {
                // Looks go on meanwhile: an address that does not answer must not stop the clock.
                let limit = self.limits.statement_limit;
                let answer = self.surroundings.ask(address, limit);
                self.asking = Some(actix::spawn(async move { (term, beat, answer.await) }));
                Ok(None)
            }
            WatchDecision::EndDuplicate { run, address } => {
                Err(CandidacyError::DuplicateNode { address, run })
            }
            WatchDecision::Lead { .. } => {
                let row = self.view.now().leader.map(|(row, _)| row);
                // The row names this process only after a claim of it.
                let (Some(row), Some(claimed)) = (row, self.view.claimed()) else {
                    return Ok(None);
                };
                let guard = Guard {
                    term: row.term,
                    version: row.version,
                };
                let taken = Taken {
                    guard,
                    fleet: None,
                    after_loss: row.after_loss,
                };
                Ok(Some(self.won(taken, claimed)))
            }
            WatchDecision::TakeOver { term, beat, cause } => {
                let claim = self.claim(term, beat, cause);
                let claimed = Claimed {
                    sent: self.moment(),
                    cause,
                    from: term,
                    may_be_doubled: cause.needs_workers_word(self.candidacy.eligibility),
                };
                let claimed = self.view.claims(claimed, (term, beat));
                self.view.change(|known| known.role = Role::Candidate);
                match self.row.take_over(&claim).await {
                    Ok(TakeOver::Won(taken)) => {
                        let term = taken.guard.term.get();
                        info!(term, cause:? = cause; "taking over: {}", cause.reason());
                        Ok(Some(self.won(taken, claimed)))
                    }
                    Ok(TakeOver::Lost(row)) => {
                        let node = row.node.as_str();
                        debug!(node; "the row was taken or renewed meanwhile");
                        self.view.claims_nothing();
                        self.view.saw(row);
                        self.view.change(|known| known.role = Role::Standby);
                        Ok(None)
                    }
                    Err(error) if error.is_passing() => {
                        warn!(error:%; "the take-over was not confirmed: {error}");
                        Ok(None)
                    }
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    fn won(&mut self, taken: Taken, claimed: Claimed) -> Won {
        let Taken {
            guard,
            fleet,
            after_loss,
        } = taken;
        let me = self.view.me();
        let ordered = self.carried_out(guard.term, claimed);
        self.view.saw(LeadershipRow {
            term: guard.term,
            node: me.node.clone(),
            run: me.run,
            beat: 0,
            state: RowState::Held,
            successor: None,
            release_cause: ReleaseCause::Ended,
            address: me.address.clone(),
            public_url: me.public_url.clone(),
            secret: self.view.secret(),
            since: self.view.clock().wall(),
            after_loss,
            version: guard.version,
        });
        self.view.took_over(claimed.cause, claimed.sent);
        let ahead = std::mem::replace(&mut self.ahead, Ahead::never());
        Won {
            guard,
            sent: claimed.sent,
            may_be_doubled: claimed.may_be_doubled,
            after_loss,
            ordered,
            // After a loss the take-over has moved the versions of the instances.
            prepared: ahead.win(fleet.filter(|_| after_loss.is_none())),
        }
    }

    /// Returns the event about the order that was carried out with this claim, if it was one.
    fn carried_out(&mut self, to_term: Term, claimed: Claimed) -> Option<Recorded> {
        let order = self.order.take();
        let TakeOverOrder { reason, origin } =
            order.filter(|_| claimed.cause == TakeOverCause::Ordered)?;
        let event = Event::TakeoverOrdered {
            node: self.view.me().node.to_string(),
            from_term: claimed.from,
            to_term,
            reason,
        };
        Some(Recorded { event, origin })
    }

    fn claim(&self, term: Term, beat: i64, cause: TakeOverCause) -> Claim {
        let me = self.view.me();
        let is_newcomer = matches!(self.candidacy.eligibility, Eligibility::Newcomer { .. });
        Claim {
            node: me.node.clone(),
            run: me.run,
            address: me.address.clone(),
            public_url: me.public_url.clone(),
            secret: me.secret.clone(),
            since: self.view.clock().wall(),
            seen_term: term,
            seen_beat: beat,
            right: match cause {
                TakeOverCause::Ordered => ClaimRight::Order,
                TakeOverCause::Unchanged if is_newcomer => ClaimRight::Horizon,
                TakeOverCause::Unchanged
                | TakeOverCause::Released
                | TakeOverCause::Fitness
                | TakeOverCause::LeaderRefused
                | TakeOverCause::OwnRow
                | TakeOverCause::OwnRowSilent => ClaimRight::Tables,
            },
            word: LeadersWord::Nothing,
            known: self.view.highest_version(),
        }
    }

    fn moment(&self) -> SteadyTime {
        SteadyTime::new(self.view.clock().since_made())
    }
}

/// Returns the answer of an address that is being asked; never, if none is.
async fn answered(asking: &mut Option<Asking>) -> (Term, i64, AddressAnswer) {
    match asking {
        Some(task) => match task.await {
            Ok(answer) => answer,
            Err(_) => {
                *asking = None;
                std::future::pending().await
            }
        },
        None => std::future::pending().await,
    }
}
