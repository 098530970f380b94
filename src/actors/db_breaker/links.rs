//! Who is notified by the breakers, and of what.

use actix::prelude::*;

use crate::domain::breaker::{BreakerName, BreakerState, Force};

/// Find out whether the store takes writes: by what is under way, or by a transaction that changes
/// nothing. Its outcome is reported like any other.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct ProbeWrites;

/// The store answers again.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct StoreReturned;

/// A breaker is in another state, or was forced or released.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct BreakerChanged {
    /// Which.
    pub name: BreakerName,
    /// Its state, as it is in force.
    pub state: BreakerState,
    /// What a person has decided.
    pub forced: Option<Force>,
    /// Why, in that person's words.
    pub reason: Option<String>,
    /// Whether it fails because the file of the store is not where it was opened.
    pub file_replaced: bool,
}

/// Adds a listener from outside the system. The system's own are known before the breakers
/// ([`BreakerLinks`]).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ListenToBreakers(pub Recipient<BreakerChanged>);

/// Who is notified by the breakers.
#[derive(Debug)]
pub struct BreakerLinks {
    /// Hear of every change.
    pub(in crate::actors) listeners: Vec<Recipient<BreakerChanged>>,
    /// Probes writes.
    pub(in crate::actors) writer: Recipient<ProbeWrites>,
    /// Is woken when the store takes writes again.
    pub(in crate::actors) wakes: Recipient<StoreReturned>,
}
