//! What the FleetActor announces after each transaction that is saved.

use std::sync::Arc;

use actix::prelude::*;

use crate::actors::registry::Entry;
use crate::domain::events::DatedEvent;
use crate::domain::ids::InstanceId;
use crate::domain::request::RequestContext;

/// A change of the fleet is saved, and the registry shows it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Committed {
    /// The instances that were not known before.
    pub added: Arc<[InstanceId]>,
    /// The entries of those that are gone for good.
    pub removed: Arc<[Arc<Entry>]>,
    /// What happened, in order.
    pub events: Arc<[DatedEvent]>,
    /// The request that led to each of them; empty if none did.
    pub requests: Arc<[Option<RequestContext>]>,
}
