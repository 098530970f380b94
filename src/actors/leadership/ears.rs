//! How much this leader hears, compared with the other orchestrators.
//!
//! The rule is that of `domain/leadership/fitness.rs`. Instances are counted only while a standby that does not reach
//! this leader hears some. A standby knows no fleet: it counts each name that a heartbeat gives. So before the leader
//! hands over, it counts those of its own instances that a standby heard, by the table `witnessed`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::time::timeout;

use super::witnesses::WitnessReader;
use crate::actors::registry::{Entry, Registry};
use crate::clock::Clock;
use crate::domain::events::Event;
use crate::domain::ids::InstanceId;
use crate::domain::leadership::{FitterMember, Life, NodeName, OwnHearing};

/// The leader hands over for this reason; it is saved for the audit trail.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct HandsOver(pub Event);

/// What this leader hears, and where it notes that another one hears more.
#[derive(Debug)]
pub(in crate::actors) struct Ears {
    pub(in crate::actors) registry: Arc<Registry>,
    pub(in crate::actors) outbox: Recipient<HandsOver>,
    pub(in crate::actors) witnesses: WitnessReader,
    /// The time between two hand-overs at least: after it each instance that lives was heard.
    pub(in crate::actors) pause: Duration,
}

impl Ears {
    /// Counts the instances that serve, and those of them that were heard within the window.
    pub(super) fn count(&self, clock: &Clock, window: Duration) -> OwnHearing {
        let now = clock.now();
        let heard = |entry: &Entry| {
            let is_serving = entry.standing().status.is_serving();
            is_serving.then(|| now.since(entry.last_beat()) <= window)
        };
        let serving: Vec<bool> = self.registry.map(heard).into_iter().flatten().collect();
        let hears = serving.iter().filter(|is_heard| **is_heard).count();
        OwnHearing {
            hears: hears as u64,
            serving: serving.len() as u64,
        }
    }

    /// Counts the instances that serve and that another orchestrator heard within the window.
    pub(super) async fn heard_elsewhere(&self, window: Duration) -> u64 {
        let serving = |entry: &Entry| {
            let standing = entry.standing();
            standing.status.is_serving().then(|| Life {
                id: entry.id().clone(),
                incarnation: standing.incarnation,
            })
        };
        let lives: Vec<Life> = self.registry.map(serving).into_iter().flatten().collect();
        let witnesses = self.witnesses.of(&lives).await;
        let heard = witnesses.into_iter().filter(|heard| heard.age <= window);
        let heard: BTreeSet<InstanceId> = heard.map(|heard| heard.id).collect();
        heard.len() as u64
    }

    /// Saves the hand-over for the audit trail, unless that takes longer than `limit`.
    pub(super) async fn note(
        &self,
        from: &NodeName,
        fitter: &FitterMember,
        clock: &Clock,
        limit: Duration,
    ) {
        let saved = self.outbox.send(HandsOver(Event::LeaderHandedOver {
            from: from.to_string(),
            to: fitter.node.to_string(),
            hears: fitter.hears,
            leader_hears: fitter.own.hears,
            serving: fitter.own.serving,
            at: clock.wall(),
        }));
        // The hand-over does not depend on it, and is in the log.
        let _ = timeout(limit, saved).await;
    }
}
