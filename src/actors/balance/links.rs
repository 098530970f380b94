//! What the BalanceActor works with.

use actix::Addr;

use crate::actors::fleet::FleetActor;
use crate::actors::health::HealthActor;
use crate::actors::recovery::RecoveryActor;
use crate::clock::Clock;

/// What the BalanceActor works with.
#[derive(Debug, Clone)]
pub struct BalanceLinks {
    pub(in crate::actors) clock: Clock,
    pub(in crate::actors) fleet: Addr<FleetActor>,
    pub(in crate::actors) recovery: Addr<RecoveryActor>,
    pub(in crate::actors) health: Addr<HealthActor>,
}
