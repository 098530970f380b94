//! How an instance's actor is asked, and what it announces.
//!
//! The registry's entry holds an [`InstanceLink`], so every caller that has the entry can ask the actor
//! without knowing its type; the announcements leave through recipients, so the actor does not know
//! who listens.

use std::fmt;
use std::sync::Arc;

use actix::prelude::*;

use crate::domain::heartbeat::Heartbeat;
use crate::domain::ids::{Incarnation, InstanceId};
use crate::domain::lease::Grant;
use crate::domain::liveness::{Effect, FenceAnswer, FenceGround};

/// The way to one instance's actor.
pub struct InstanceLink {
    /// Hears of heartbeats.
    pub beat: Recipient<Beat>,
    /// Fences the instance.
    pub fence: Recipient<Fence>,
    /// Looks at what is saved.
    pub adopt: Recipient<StandingChanged>,
}

impl InstanceLink {
    /// Leads to the actor at `address`.
    pub fn new<A>(address: &Addr<A>) -> Self
    where
        A: Actor<Context = Context<A>> + Handler<Beat> + Handler<Fence> + Handler<StandingChanged>,
    {
        Self {
            beat: address.clone().recipient(),
            fence: address.clone().recipient(),
            adopt: address.clone().recipient(),
        }
    }

    /// Whether the actor still takes messages.
    pub fn is_connected(&self) -> bool {
        self.beat.connected()
    }
}

impl fmt::Debug for InstanceLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstanceLink")
            .field("is_connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

/// The worker of the instance beat, or showed by another request that it lives. The registry's entry
/// is stamped already.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Pulse")]
pub struct Beat(pub Arc<Heartbeat>);

/// What the instance's actor makes of a heartbeat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, MessageResponse)]
pub struct Pulse {
    /// Whether it is a sign of life; not while the instance is fenced or has failed: then it is one
    /// of return.
    pub is_trusted: bool,
    /// The lease that it is granted.
    pub granted: Option<Grant>,
    /// Whether its worker is to be sent its streams again, although it has the newest version.
    pub tells_again: bool,
}

/// Recovery of a life of the instance begins. `None` if it leads another life.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<FenceAnswer>")]
#[expect(missing_docs, reason = "the names say it")]
pub struct Fence {
    /// Which life.
    pub incarnation: Incarnation,
    pub ground: FenceGround,
}

/// What is saved about the instance has changed, or a recovery came to nothing: look again.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct StandingChanged {
    /// Whether a fence ends with it.
    pub fence: FenceAfter,
}

/// What becomes of the fence when the saved state is adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FenceAfter {
    /// A recovery that is under way goes on.
    Stays,
    /// The recovery is over.
    Lifted,
}

/// The instance is gone: so is its actor.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Retire;

/// An instance's actor noticed something.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
#[expect(missing_docs, reason = "the names say it")]
pub struct LivenessChanged {
    /// Of whom.
    pub id: InstanceId,
    pub incarnation: Incarnation,
    pub effect: Effect,
}

/// The worker of an instance whose lease is withdrawn runs nothing exclusive any more.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct StreamsReleased {
    /// Which instance.
    pub id: InstanceId,
}
