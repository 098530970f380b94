//! Silences that are due: before an instance fails for one, other orchestrators are asked what they heard.
//!
//! ```text
//!   timeout ─┐             gathered                 all that are late
//!   sweep ───┼─▶ due ── GATHERING_TIME ──▶ WitnessReader ──▶ witnesses noted ──▶ still silent? ──▶ brake, recovery
//!   brake ───┘                             one statement                            └─ no: nothing to do
//! ```
//!
//! The statement names every instance that is late, not only those that are due, so that the mass-failure brake
//! counts who is silent for all orchestrators. An orchestrator that has its store for itself asks no other one. A database
//! that does not answer delays the recovery by the limit of one statement.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::info;
use tokio::time::sleep;

use super::actor::RecoveryActor;
use super::due::DueSilence;
use super::links::RecoveryLinks;
use super::walk::{PAUSE, SLICE};
use crate::actors::instance_link::{FenceAfter, StandingChanged};
use crate::actors::registry::Entry;
use crate::domain::ids::InstanceId;
use crate::domain::leadership::{Life, Witness};
use crate::domain::time::Timestamp;

/// How long silences are gathered. It bounds the number of statements while a large fleet falls silent.
const GATHERING_TIME: Duration = Duration::from_millis(200);

/// The lives of those that are past the warning threshold.
async fn late_lives(links: &RecoveryLinks, warning: Duration) -> Vec<Life> {
    let now = links.clock.now();
    let life = |entry: Arc<Entry>| {
        if now.since(entry.last_sign()) < warning {
            return None;
        }
        let standing = entry.standing();
        (standing.status.is_serving() && !entry.is_fenced()).then(|| Life {
            id: entry.id().clone(),
            incarnation: standing.incarnation,
        })
    };
    let mut lives = Vec::new();
    let mut after = None;
    loop {
        let page = links.registry.page(after.as_ref(), SLICE);
        let is_last = page.len() < SLICE;
        after = page.last().map(|entry| entry.id().clone());
        lives.extend(page.into_iter().filter_map(life));
        if is_last {
            return lives;
        }
        sleep(PAUSE).await;
    }
}

impl RecoveryActor {
    /// An instance is to be recovered for its silence, unless another orchestrator heard it.
    pub(super) fn silence_is_due(
        &mut self,
        id: &InstanceId,
        silence: DueSilence,
        ctx: &mut Context<Self>,
    ) {
        if !self.links.witnesses.may_find() {
            return self.begin_silence(id, silence, ctx);
        }
        let known = self.silences.due.entry(id.clone()).or_insert(silence);
        known.incarnation = silence.incarnation;
        known.is_released |= silence.is_released;
        if !self.silences.is_asking {
            self.silences.is_asking = true;
            ctx.run_later(GATHERING_TIME, Self::ask_witnesses);
        }
    }

    fn ask_witnesses(&mut self, ctx: &mut Context<Self>) {
        let due = std::mem::take(&mut self.silences.due);
        let (links, warning) = (self.links.clone(), self.settings.thresholds.warning);
        let asked_at = self.links.clock.now();
        let answer = async move {
            let lives = late_lives(&links, warning).await;
            links.witnesses.of(&lives).await
        };
        ctx.spawn(
            answer
                .into_actor(self)
                .map(move |witnesses, actor: &mut Self, ctx| {
                    actor.note(witnesses, asked_at);
                    for (id, silence) in due {
                        actor.begin_silence(&id, silence, ctx);
                    }
                    actor.silences.is_asking = !actor.silences.due.is_empty();
                    if actor.silences.is_asking {
                        ctx.run_later(GATHERING_TIME, Self::ask_witnesses);
                    }
                }),
        );
    }

    fn note(&self, witnesses: Vec<Witness>, asked_at: Timestamp) {
        let timeout = self.settings.thresholds.timeout;
        let now = self.links.clock.now();
        let mut spared = 0_usize;
        for witness in witnesses {
            let Some(entry) = self.links.registry.get(&witness.id) else {
                continue;
            };
            if !witness.is_of(entry.standing().incarnation) {
                continue;
            }
            let before = entry.last_sign();
            entry.witness(asked_at - witness.age);
            let sign = entry.last_sign();
            if sign == before {
                continue;
            }
            if now.since(before) >= timeout && now.since(sign) < timeout {
                spared += 1;
                self.links.telemetry.cluster_witnesses_used.inc();
            }
            if let Some(actor) = entry.actor() {
                let fence = FenceAfter::Stays;
                actor.adopt.do_send(StandingChanged { fence });
            }
        }
        if spared > 0 {
            info!(instances = spared;
                "{spared} instances do not fail: this leader does not hear them, another orchestrator does");
        }
    }

    /// Begins the recovery of an instance, if it is silent for every orchestrator.
    fn begin_silence(&mut self, id: &InstanceId, silence: DueSilence, ctx: &mut Context<Self>) {
        let DueSilence {
            incarnation,
            is_released,
        } = silence;
        let entry = self.links.registry.get(id);
        if self.links.witnesses.may_find()
            && let Some(entry) = &entry
            && self.links.clock.now().since(entry.last_sign()) < self.settings.thresholds.timeout
        {
            return;
        }
        if is_released {
            self.begin_held(id, incarnation, ctx);
        } else {
            self.begin_detected(id, incarnation, entry.as_deref(), ctx);
        }
    }
}
