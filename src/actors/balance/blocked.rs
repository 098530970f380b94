//! Asks whether something is under way that must not wait for balance.

use super::links::BalanceLinks;
use crate::actors::health::AskHealth;
use crate::actors::recovery::AskUnderWay;
use crate::actors::refusal::Refusal;
use crate::domain::balance::Blocked;
use crate::domain::health::SystemHealth;

/// Returns what stands in the way of balance.
///
/// # Errors
/// Only while the system ends.
pub(super) async fn blocked(
    links: BalanceLinks,
    looks_at_health: bool,
) -> Result<Option<Blocked>, Refusal> {
    let recovery = links.recovery.send(AskUnderWay).await;
    let recovery = recovery.map_err(|_| Refusal::ShuttingDown)?;
    if recovery.is_some() || !looks_at_health {
        return Ok(recovery);
    }
    let health = links.health.send(AskHealth).await;
    let health = health.map_err(|_| Refusal::ShuttingDown)?;
    let health = health.map(|report| report.verdict.health);
    let is_bad = health.is_some_and(|health| health >= SystemHealth::Critical);
    Ok(is_bad.then_some(Blocked::Health))
}
