//! Commands of a recovery to the fleet.

use actix::Addr;

use crate::actors::fleet::{Execute, ExecuteFor, FleetActor};
use crate::actors::refusal::Refusal;
use crate::domain::commands::{Command, DryRun, PlaceWaiting};
use crate::logging;

/// Has a command carried out, on behalf of the request that is being served, if one is; returns once it is
/// saved.
pub(super) async fn execute<C: Command>(
    fleet: &Addr<FleetActor>,
    command: C,
) -> Result<C::Reply, Refusal> {
    let answer = match logging::current() {
        Some(request) => fleet.send(ExecuteFor(command, request)).await,
        None => fleet.send(Execute(command)).await,
    };
    answer.unwrap_or(Err(Refusal::ShuttingDown))
}

/// Has a command carried out, or only tried.
pub(super) async fn execute_or_try<C: Command>(
    fleet: &Addr<FleetActor>,
    command: C,
    is_dry_run: bool,
) -> Result<C::Reply, Refusal> {
    if is_dry_run {
        execute(fleet, DryRun(command)).await
    } else {
        execute(fleet, command).await
    }
}

/// Returns once no transaction is in doubt any more: commands are decided only then, and this one
/// changes nothing.
pub(super) async fn settle(fleet: &Addr<FleetActor>) -> Result<(), Refusal> {
    execute(fleet, PlaceWaiting).await
}
