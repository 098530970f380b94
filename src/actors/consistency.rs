//! The consistency check: the saved fleet by itself, and against the store.
//!
//! The store is read apart from the FleetActor, which goes on working meanwhile; then the two are
//! paired by their version. A fleet that has moved on is read again, a bounded number of times.
//!
//! An invariant that does not hold is an alert, whatever the reason for the check; it is over when a later check finds that it
//! holds. The sweep checks when its own count differs, and while such an alert is open.

use std::time::Duration;

use actix::Addr;
use log::error;

use super::alerts::Alerts;
use super::archive::StoreReader;
use super::fleet::{Ask, CompareAtVersion, FleetActor};
use super::refusal::Refusal;
use crate::domain::alert::{AlertKind, Severity};
use crate::domain::consistency::{Consistency, Incomparable};
use crate::domain::invariants::Check;
use crate::domain::queries::InspectFleet;
use crate::store::StoreError;

/// How often the store is read at the most.
const READINGS: u32 = 5;

/// The wait between two readings: long enough for a transaction that was under way to end.
const PAUSE: Duration = Duration::from_millis(100);

/// The check itself, for other actors.
pub(super) async fn check(
    fleet: &Addr<FleetActor>,
    archive: &StoreReader,
    alerts: &Alerts,
) -> Result<Consistency, Refusal> {
    let found = look(fleet, archive).await?;
    for check in found.checks() {
        let subject = check.invariant.name();
        if check.holds {
            alerts.clear(AlertKind::InvariantBroken, subject);
        } else {
            let detail = broken(check);
            alerts.raise(
                AlertKind::InvariantBroken,
                Severity::Critical,
                subject,
                detail,
            );
        }
    }
    Ok(found)
}

/// The first violation as an example, and how many there are.
fn broken(check: &Check) -> String {
    let (invariant, text) = (check.invariant, check.invariant.text());
    let example = check.violations.first().map_or("", String::as_str);
    let more = match check.violations.len() {
        0 | 1 => String::new(),
        _ => " and more".to_owned(),
    };
    format!(
        "Invariant {invariant} does not hold (\u{201c}{text}\u{201d}): {example}{more}. \
         `orchestrator consistency` lists it."
    )
}

async fn look(fleet: &Addr<FleetActor>, archive: &StoreReader) -> Result<Consistency, Refusal> {
    for reading in 0..READINGS {
        if reading > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let stored = match archive.fleet().await {
            Ok(stored) => stored,
            Err(StoreError::Unusable(reason)) => {
                error!(invariant = "I7"; "the store cannot be compared with memory: {reason}");
                return inspected(fleet, Incomparable::StoreUnreadable).await;
            }
            Err(_) => return inspected(fleet, Incomparable::StoreUnavailable).await,
        };
        let paired = fleet.send(CompareAtVersion(stored)).await;
        if let Some(found) = paired.map_err(|_| Refusal::ShuttingDown)? {
            return Ok(found);
        }
    }
    inspected(fleet, Incomparable::KeptChanging).await
}

/// The fleet by itself, when the store could not be compared.
async fn inspected(fleet: &Addr<FleetActor>, reason: Incomparable) -> Result<Consistency, Refusal> {
    let inspected = fleet.send(Ask(InspectFleet)).await;
    Ok(Consistency {
        fleet: inspected.map_err(|_| Refusal::ShuttingDown)?,
        store: Err(reason),
    })
}
