//! A planned change of the leader: a stop that leaves the fleet to another orchestrator.
//!
//! ```text
//!   prepare ──▶ freeze ──▶ prepare again, if ──▶ stand by ──▶ actors end ──▶ release ──▶ notify
//!   leads on    no order   the fleet changed    heartbeats    last ones
//!               is taken   heartbeats go on     wait          are saved
//! ```
//!
//! Until it stands by, this process answers heartbeats as before. So workers wait from there to the first answer of the
//! next leader, which has the fleet already. Orders wait from the freeze on, because a change after the copy was read
//! would make the copy useless.
//!
//! Each step may fail, and none is undone: the row is released, or the successor finds it unchanged.
//!
//! | failure | consequence |
//! | --- | --- |
//! | the successor does not answer, or is of an earlier release | after the limit the term is released without a copy; the successor loads the fleet |
//! | the successor ends | another orchestrator takes the row a second after it was released |
//! | a transaction does not come to an end | no hand-over: the process stops as without a standby |
//! | this process ends before the release | a standby takes over as after a crash, with the copy if it is the fleet |
//! | the notice of the release is lost | the successor takes the row at its next look |

use std::time::Duration;

use actix::Arbiter;
use log::{info, warn};
use tokio::time::timeout;

use super::hearing::Hearing;
use super::stop_limits::{BEATS_LIMIT, COPY_AGAIN_LIMIT, FLUSH_LIMIT, FREEZE_LIMIT};
use crate::actors::orchestrator::Orchestrator;
use crate::domain::ids::{Term, Version};
use crate::domain::leadership::{MemberRow, Role, SavedFleet};
use crate::http::{Gate, NoCopy, Phase, SuccessorLink};

/// How many times the successor reads the fleet once it does not change any more.
const MOST_COPIES: u32 = 3;

/// A hand-over under way.
#[derive(Debug)]
pub(super) struct HandOver {
    orchestrator: Orchestrator,
    gate: Gate,
    heir: MemberRow,
    term: Term,
    link: SuccessorLink,
    /// The fleet that the heir has read.
    copy: Option<SavedFleet>,
    /// Whether the heir reads again if it is asked.
    can_copy: bool,
}

impl HandOver {
    /// Begins to hand over to the orchestrator that was ordered, or to the best one; `None` if there is none. Until this
    /// returns, the process leads as before.
    pub(super) async fn prepare(
        orchestrator: &Orchestrator,
        gate: &Gate,
        limit: Duration,
    ) -> Option<Self> {
        let mut this = Self::begin(orchestrator, gate)?;
        // The heartbeats are saved once now, so that few are left for the end.
        let flush = timeout(FLUSH_LIMIT, orchestrator.flush());
        let (_, ()) = tokio::join!(flush, this.have_it_copied(limit));
        Some(this)
    }

    /// Begins to hand over to an orchestrator that is not reached from here; `None` if it is not ready any more.
    pub(super) fn by_the_row(orchestrator: &Orchestrator, gate: &Gate) -> Option<Self> {
        Self::begin(orchestrator, gate)
    }

    fn begin(orchestrator: &Orchestrator, gate: &Gate) -> Option<Self> {
        let heir = orchestrator.heir()?;
        let term = orchestrator.prover().term();
        let view = orchestrator.cluster().clone();
        let link = SuccessorLink::new(gate.tls(), view, term, heir.address.clone());
        Some(Self {
            orchestrator: orchestrator.clone(),
            gate: gate.clone(),
            heir,
            term,
            link,
            copy: None,
            can_copy: false,
        })
    }

    async fn have_it_copied(&mut self, limit: Duration) {
        let Some(version) = self.orchestrator.saved_version().await else {
            return;
        };
        let node = self.heir.node.as_str();
        match timeout(limit, self.link.prepare(version)).await {
            Ok(Ok(moment)) => {
                info!(node, moment:%; "`{node}` has read the fleet ahead ({moment})");
                self.can_copy = true;
                self.copy = Some(SavedFleet {
                    term: moment.term,
                    version: moment.version,
                });
            }
            Ok(Err(reason)) => {
                info!(node, reason:%; "`{node}` has not read the fleet ahead: {reason}");
                self.can_copy = reason == NoCopy::GivenUp;
            }
            Err(_) => {
                info!(node; "`{node}` has not read the fleet ahead in time");
            }
        }
    }

    fn is_copied(&self, version: Version) -> bool {
        let fleet = SavedFleet {
            term: self.term,
            version,
        };
        self.copy == Some(fleet)
    }

    /// Takes no order any more, and has the heir copy the fleet again if it changed. Returns whether everything that was
    /// acknowledged is saved.
    pub(super) async fn freeze(&mut self, hearing: &Hearing) -> bool {
        // From here on a silence may be this program's own.
        hearing.end();
        self.gate.freeze();
        if timeout(FREEZE_LIMIT, self.orchestrator.drain())
            .await
            .is_err()
        {
            warn!("a transaction is under way for long; the term is not handed over");
            return false;
        }
        let Some(version) = self.orchestrator.saved_version().await else {
            return false;
        };
        let shown = version.get();
        info!(version = shown; "takes no more changes, at version {shown}");
        let again = async {
            // A load that was under way may turn out to be of an earlier fleet.
            for _ in 0..MOST_COPIES {
                if self.can_copy && !self.is_copied(version) {
                    self.have_it_copied(COPY_AGAIN_LIMIT).await;
                }
            }
        };
        let _ = timeout(COPY_AGAIN_LIMIT, again).await;
        true
    }

    /// Saves the last heartbeats, ends the actors, and releases the term. Returns whether it is released; then the next
    /// leader is reached, or was not within `follow`.
    pub(super) async fn release(&self, arbiters: [Arbiter; 3], follow: Duration) -> bool {
        let view = self.orchestrator.cluster();
        view.change(|known| known.role = Role::Standby);
        self.gate.set(Phase::Standby);
        self.orchestrator.end_polls();
        // Heartbeats that came before are answered by the actors, and saved with the others.
        let _ = timeout(BEATS_LIMIT, self.gate.left_the_fleet()).await;
        let flushed = timeout(FLUSH_LIMIT, self.orchestrator.flush()).await;
        if flushed.is_err() {
            warn!("the last heartbeats could not be saved before the shutdown");
        }
        end(arbiters).await;
        // A database that hangs takes no release either.
        if flushed.is_err() {
            return false;
        }
        let heir = self.can_copy.then_some(&self.heir.node);
        if !self.orchestrator.release_leadership(heir).await {
            return false;
        }
        tokio::join!(
            self.link.released(),
            self.orchestrator.see_next_leader(follow)
        );
        true
    }
}

/// Ends the actors. They go on for a moment after their arbiters were asked to end.
pub(super) async fn end(arbiters: [Arbiter; 3]) {
    let ended = tokio::task::spawn_blocking(move || {
        for arbiter in &arbiters {
            arbiter.stop();
        }
        arbiters.map(Arbiter::join)
    });
    let _ = ended.await;
}
