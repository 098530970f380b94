//! The check of the invariants that belongs to an emergency recovery.

use std::time::Duration;

use tokio::time::timeout;

use super::links::RecoveryLinks;
use super::stopwatch::Stopwatch;
use crate::actors::consistency;
use crate::domain::consistency::Consistency;
use crate::domain::incident::{StepName, StepResult};
use crate::domain::recovery::{Manner, Progress};

/// How long the check of the invariants may take: who waits wants to know that the streams run.
const CHECK_LIMIT: Duration = Duration::from_secs(3);

/// Checks the invariants over memory and store, and notes what was found. Only what is known to be
/// wrong is a failure. Of many emergencies at once, only those with a waiting caller check.
pub(super) async fn check_consistency(
    links: &RecoveryLinks,
    manner: &Manner,
    progress: &mut Progress,
) {
    let watch = Stopwatch::start(&links.clock);
    let is_awaited = manner.reason().is_some();
    let (result, detail) = if !is_awaited && links.checks.available_permits() == 0 {
        (StepResult::Skipped, "another check is under way".to_owned())
    } else {
        let check = async {
            // Never closed: without a permit there is only more load.
            let _permit = links.checks.acquire().await;
            consistency::check(&links.fleet, &links.archive, &links.alerts).await
        };
        match timeout(CHECK_LIMIT, check).await {
            Ok(Ok(found)) => match (found.verdict(), &found.store) {
                (Some(true), _) => (StepResult::Done, String::new()),
                (Some(false), _) => (StepResult::Failed, violations(&found)),
                (None, Err(reason)) => (StepResult::Skipped, reason.to_string()),
                (None, Ok(_)) => (StepResult::Skipped, String::new()),
            },
            Ok(Err(refusal)) => (StepResult::Skipped, refusal.to_string()),
            Err(_) => (
                StepResult::Skipped,
                format!("it did not end within {} s", CHECK_LIMIT.as_secs()),
            ),
        }
    };
    let at = watch.read(&links.clock);
    progress.note(StepName::VerifyConsistency, result, at, detail);
}

fn violations(found: &Consistency) -> String {
    let violated = found.checks().filter(|check| !check.holds);
    let named: Vec<String> = violated
        .map(|check| format!("{}: {}", check.invariant, check.violations.join("; ")))
        .collect();
    named.join(". ")
}
