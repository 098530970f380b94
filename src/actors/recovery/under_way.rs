//! Says whether a recovery is under way, for work that must not get in its way.

use actix::prelude::*;

use super::actor::RecoveryActor;
use crate::domain::balance::Blocked;
use crate::domain::brake::Phase;

/// Asks whether balance has to wait for a recovery.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<Blocked>")]
pub struct AskUnderWay;

impl Handler<AskUnderWay> for RecoveryActor {
    type Result = MessageResult<AskUnderWay>;

    fn handle(&mut self, _: AskUnderWay, _: &mut Self::Context) -> Self::Result {
        if self.brake.report().phase != Phase::Open {
            return MessageResult(Some(Blocked::MassFailure));
        }
        let instance = self.recoveries.first();
        MessageResult(instance.map(|instance| Blocked::Recovery {
            instance: instance.clone(),
            count: self.recoveries.len(),
        }))
    }
}
