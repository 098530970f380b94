//! The consistency check: the saved fleet by itself, and against the store.
//!
//! The store is read apart from the FleetActor, which goes on working meanwhile; then it copies the
//! saved fleet, if that has the same version, and the two are compared on another thread. A fleet
//! that has moved on is read again, a bounded number of times.
//!
//! An invariant that does not hold is an alert, whatever the reason for the check; it is over when a later check finds that it
//! holds. The sweep checks when its own count differs, and while such an alert is open.

use std::time::Duration;

use actix::Addr;
use log::error;

use super::alerts::Alerts;
use super::archive::{BUILT_AT_ONCE, StoreReader, Stored};
use super::fleet::{CopySaved, FleetActor, SavedCopy};
use super::refusal::Refusal;
use crate::domain::alert::AlertKind;
use crate::domain::consistency::{Consistency, Incomparable};
use crate::domain::invariants::{Check, Invariant, check_fleet, compare};
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
            alerts.raise(AlertKind::InvariantBroken, subject, detail);
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
        let under = Some(stored.guard);
        let saved = fleet.send(CopySaved { under }).await;
        if let Some(saved) = saved.map_err(|_| Refusal::ShuttingDown)? {
            return apart(saved.rows.len(), move || paired(saved, &stored)).await;
        }
    }
    inspected(fleet, Incomparable::KeptChanging).await
}

/// The saved fleet beside what the store held under the same guard.
fn paired(saved: SavedCopy, stored: &Stored) -> Consistency {
    let fleet = saved.rows.into_fleet();
    let agrees = if stored.guard.term != saved.guard.term {
        violated("another orchestrator has taken over the database".to_owned())
    } else {
        match &stored.fleet {
            Ok(stored) => compare(&fleet, stored),
            Err(reason) => violated(format!("the store does not hold a fleet: {reason}")),
        }
    };
    Consistency {
        fleet: check_fleet(&fleet),
        store: Ok(agrees),
    }
}

fn violated(violation: String) -> Check {
    Check {
        invariant: Invariant::MemoryEqualsStore,
        holds: false,
        violations: vec![violation],
    }
}

/// The fleet by itself, when the store could not be compared.
async fn inspected(fleet: &Addr<FleetActor>, reason: Incomparable) -> Result<Consistency, Refusal> {
    let saved = fleet.send(CopySaved { under: None }).await;
    let saved = saved.ok().flatten().ok_or(Refusal::ShuttingDown)?;
    apart(saved.rows.len(), move || Consistency {
        fleet: check_fleet(&saved.rows.into_fleet()),
        store: Err(reason),
    })
    .await
}

/// Does work that takes as long as a fleet has rows: on another thread, unless they are few.
async fn apart<T: Send + 'static>(
    rows: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    if rows <= BUILT_AT_ONCE {
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Refusal::ShuttingDown)
}
