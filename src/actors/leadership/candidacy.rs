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

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use log::{debug, info, warn};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::view::{Claimed, ClusterView, SeenMember};
use crate::domain::ids::Term;
use crate::domain::leadership::{
    AddressAnswer, Candidacy, Claim, ClaimRight, Eligibility, LeaderWatch, LeadershipLimits,
    LeadershipRow, NodeName, Role, RowState, RunId, SteadyTime, TakeOverCause, WatchDecision,
};
use crate::store::{Guard, Leadership, Member, StoreError, TakeOver};

/// The version of what members say to each other.
const PROTOCOL: i64 = 1;

/// How many looks pass between two times at which a standby writes its row.
const LOOKS_A_BEAT: u32 = 4;

/// What lies around a candidate: the processes at other addresses, and the callers of this one.
pub trait Surroundings: fmt::Debug {
    /// Callers learn that another process leads and this one waits.
    fn stand_by(&self);

    /// Asks which process listens at an address, for at most `limit`.
    fn ask(&self, address: String, limit: Duration)
    -> Pin<Box<dyn Future<Output = AddressAnswer>>>;
}

/// Why a candidate gives up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CandidacyError {
    /// The database cannot be used.
    Store(StoreError),
    /// Another living process has the name of this one.
    DuplicateNode {
        /// Its address.
        address: String,
        /// Its run.
        run: RunId,
    },
}

impl From<StoreError> for CandidacyError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A term that was won.
#[derive(Debug)]
pub struct Won {
    /// For the first transaction of the fleet.
    pub guard: Guard,
    /// When the take-over was sent.
    pub sent: SteadyTime,
    /// Whether the leader before may live and be sure of its term.
    pub may_be_doubled: bool,
}

/// A process that wants to lead.
#[derive(Debug)]
pub struct Candidate<'a> {
    row: &'a Arc<dyn Leadership>,
    view: &'a ClusterView,
    surroundings: &'a dyn Surroundings,
    limits: LeadershipLimits,
    /// How long a row must be unchanged before a process takes it that no leader has admitted.
    newcomer_wait: Duration,
    watch: LeaderWatch,
    candidacy: Candidacy,
    /// What was said last about who leads.
    said: Option<NodeName>,
    /// The row's address is being asked.
    asking: Option<Asking>,
    is_ordered: bool,
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
        let newcomer_wait = view.horizon() + view.horizon() / 10;
        Self {
            row,
            view,
            surroundings,
            limits,
            newcomer_wait,
            watch: LeaderWatch::new(node, run, limits),
            candidacy: Candidacy {
                eligibility: Eligibility::Newcomer {
                    after: newcomer_wait,
                },
                rank: 0,
            },
            said: None,
            asking: None,
            is_ordered: false,
        }
    }

    /// Returns once this process leads.
    ///
    /// # Errors
    /// If the database cannot be used, or if it did not answer the first look; a later look that
    /// fails is repeated. If another process of this node lives.
    pub async fn lead(mut self) -> Result<Won, CandidacyError> {
        self.row.join(&self.member()).await?;
        let mut has_looked = false;
        let mut looks: u32 = 0;
        loop {
            if looks.is_multiple_of(LOOKS_A_BEAT) {
                self.write_own_row(has_looked).await;
                self.read_members().await;
            }
            looks = looks.wrapping_add(1);
            let decision = match self.look().await {
                Ok(decision) => {
                    has_looked = true;
                    decision
                }
                Err(error) if has_looked && error.is_passing() => {
                    self.watch.look_failed();
                    debug!(error:%; "the leadership row could not be read: {error}");
                    WatchDecision::Wait
                }
                Err(error) => return Err(error.into()),
            };
            if let Some(won) = self.follow(decision).await? {
                return Ok(won);
            }
            if let Some(won) = self.wait_for_news().await? {
                return Ok(won);
            }
        }
    }

    /// Waits until the next look is due. An answer of the row's address, or an order, comes sooner.
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
                reason = self.view.ordered(), if !self.is_ordered => {
                    info!(reason; "taking over, as ordered: {reason}");
                    self.is_ordered = true;
                    self.watch.order(self.candidacy)
                }
            };
            if let Some(won) = self.follow(decision).await? {
                return Ok(Some(won));
            }
        }
    }

    fn member(&self) -> Member {
        let me = self.view.me();
        Member {
            node: me.node.clone(),
            run: me.run,
            address: me.address.clone(),
            public_url: me.public_url.clone(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            seen_at: self.view.clock().wall(),
        }
    }

    /// The leader admits a process whose row goes on changing.
    async fn write_own_row(&self, has_looked: bool) {
        if !has_looked {
            return;
        }
        let joined = timeout(self.limits.statement_limit, self.row.join(&self.member())).await;
        if let Ok(Err(error)) = joined {
            debug!(error:%; "this standby could not write its row: {error}");
        }
    }

    async fn read_members(&mut self) {
        let read = timeout(self.limits.statement_limit, self.row.members()).await;
        let Ok(Ok(rows)) = read else {
            return;
        };
        let me = &self.view.me().node;
        let leader = self.view.now().leader.map(|(row, _)| row.node);
        let is_admitted = rows.iter().any(|row| row.node == *me && row.is_admitted);
        let goes_first = |node: &NodeName| node < me && Some(node) != leader.as_ref();
        let admitted = rows.iter().filter(|row| row.is_admitted);
        let before = admitted.filter(|row| goes_first(&row.node)).count();
        self.candidacy = Candidacy {
            eligibility: if is_admitted {
                Eligibility::Admitted
            } else {
                Eligibility::Newcomer {
                    after: self.newcomer_wait,
                }
            },
            rank: u32::try_from(before).unwrap_or(u32::MAX),
        };
        let others = rows.into_iter().filter(|row| row.node != *me);
        let others = others.map(|row| SeenMember {
            row,
            unchanged_for: Duration::ZERO,
        });
        let others = others.collect();
        self.view.change(|known| known.members = others);
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
        self.view.saw(look.row.clone());
        self.view
            .change(|known| known.timeline = Some(look.origin.timeline));
        let decision = self.watch.look(&look.row, asked, answered, self.candidacy);
        if decision == WatchDecision::Wait {
            self.wait_as_standby(&look.row);
        }
        Ok(decision)
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
                Ok(Some(self.won(guard, claimed.sent, claimed.may_be_doubled)))
            }
            WatchDecision::TakeOver { term, beat, cause } => {
                let claim = self.claim(term, beat, cause);
                let claimed = Claimed {
                    sent: self.moment(),
                    may_be_doubled: cause.needs_workers_word(self.candidacy.eligibility),
                };
                let claimed = self.view.claims(claimed);
                self.view.change(|known| known.role = Role::Candidate);
                match self.row.take_over(&claim).await {
                    Ok(TakeOver::Won(guard)) => {
                        let term = guard.term.get();
                        info!(term, cause:? = cause; "taking over: {}", cause.reason());
                        Ok(Some(self.won(guard, claimed.sent, claimed.may_be_doubled)))
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

    fn won(&self, guard: Guard, sent: SteadyTime, may_be_doubled: bool) -> Won {
        let me = self.view.me();
        self.view.saw(LeadershipRow {
            term: guard.term,
            node: me.node.clone(),
            run: me.run,
            beat: 0,
            state: RowState::Held,
            successor: None,
            address: me.address.clone(),
            public_url: me.public_url.clone(),
            since: self.view.clock().wall(),
            version: guard.version,
        });
        self.view.change(|known| known.role = Role::Loading);
        Won {
            guard,
            sent,
            may_be_doubled,
        }
    }

    fn claim(&self, term: Term, beat: i64, cause: TakeOverCause) -> Claim {
        let me = self.view.me();
        let is_newcomer = matches!(self.candidacy.eligibility, Eligibility::Newcomer { .. });
        Claim {
            node: me.node.clone(),
            run: me.run,
            address: me.address.clone(),
            public_url: me.public_url.clone(),
            since: self.view.clock().wall(),
            seen_term: term,
            seen_beat: beat,
            right: match cause {
                TakeOverCause::Ordered => ClaimRight::Order,
                TakeOverCause::Unchanged if is_newcomer => ClaimRight::Horizon,
                TakeOverCause::Unchanged
                | TakeOverCause::Released
                | TakeOverCause::LeaderRefused
                | TakeOverCause::OwnRow
                | TakeOverCause::OwnRowSilent => ClaimRight::Tables,
            },
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
