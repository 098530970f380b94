//! The consistency check: the saved fleet by itself, and against the store.
//!
//! The store is read apart from the FleetActor, which goes on working meanwhile; then the two are
//! paired by their version. A fleet that has moved on is read again, a bounded number of times.

use std::time::Duration;

use actix::Addr;
use log::error;

use super::archive::Archive;
use super::fleet::{Ask, CompareAtVersion, FleetActor, Refusal};
use super::orchestrator::Orchestrator;
use crate::domain::consistency::{Consistency, Incomparable};
use crate::domain::queries::InspectFleet;
use crate::store::StoreError;

/// How often the store is read at the most.
const READINGS: u32 = 5;

/// The wait between two readings: long enough for a transaction that was under way to end.
const PAUSE: Duration = Duration::from_millis(100);

impl Orchestrator {
    /// Checks the invariants of the saved fleet, and that the store holds the same.
    ///
    /// # Errors
    /// Only while the system ends. A store that could not be read is told of in the report.
    pub async fn consistency(&self) -> Result<Consistency, Refusal> {
        check(&self.fleet, &self.archive).await
    }
}

/// The check itself, for whoever needs it inside.
pub(super) async fn check(
    fleet: &Addr<FleetActor>,
    archive: &Archive,
) -> Result<Consistency, Refusal> {
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
