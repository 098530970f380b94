//! Planned work that operators ask for.

use std::time::Duration;

use super::collections::ServerIds;
use super::reading::{Record, Refused, Slot};
use super::request::request;
use super::rules::{flag, integer, interval, word};
use super::texts::{When, label, moment};
use super::why::{Why, why};
use crate::domain::ids::InstanceId;
use crate::domain::planned::RollWait;
use crate::domain::time::WallTime;
use crate::http::problem::Problem;

request! {
    /// An order that needs only a reason.
    pub(in crate::http) struct ReasonRequest {
        /// Why, at most 512 characters.
        reason: Why = why(),
    }
}

request! {
    /// `POST /instances/{server_id}/cordon`.
    pub(in crate::http) struct CordonRequest {
        /// Why, at most 512 characters.
        reason: Why = why(),
        /// When the cordon ends by itself: an RFC 3339 time, or a duration such as `30m`.
        until: Option<When> = moment(),
    }
}

request! {
    /// `POST /instances/{server_id}/drain`.
    pub(in crate::http) struct DrainRequest {
        /// When the drain ends at the latest: an RFC 3339 time, or a duration such as `30m`.
        deadline: Option<When> = moment(),
        /// Why, at most 512 characters.
        reason: Why = why(),
        /// Whether streams that fit nowhere are left without an owner at the deadline.
        force: Option<bool> = flag(),
    }
}

request! {
    /// `POST /instances/{server_id}/maintenance`: one of `until` and `for`.
    pub(in crate::http) struct MaintenanceRequest {
        /// Until when silence is expected: an RFC 3339 time.
        until: Option<When> = moment(),
        /// For how long silence is expected: seconds, or a text like `30m`.
        r#for: Option<When> = moment(),
        /// Why, at most 512 characters.
        reason: Why = why(),
    }
    check one_moment
}

fn one_moment(draft: &<MaintenanceRequest as Record>::Draft) -> Refused {
    one_end(&draft.until, &draft.r#for)
}

/// Refuses two ends, and none.
pub(super) fn one_end(until: &Slot<When>, span: &Slot<When>) -> Refused {
    let mut refused = Refused::default();
    match (until, span) {
        (None, None) => refused.note(
            "until",
            "is missing, and so is `for`: one of them is needed",
        ),
        (Some(_), Some(_)) => refused.note("for", "must not be given together with `until`"),
        (Some(_), None) | (None, Some(_)) => {}
    }
    refused
}

request! {
    /// `POST /rolls`: a drain of a selection, one batch after the other.
    pub(in crate::http) struct RollRequest {
        /// Only instances with this label, `key:value`.
        label: Option<String> = label(),
        /// Only these instances, in this order; at most 10,000.
        instances: Option<Vec<InstanceId>> = ServerIds,
        /// How many may be empty at a time, 1 to 10,000; 1 if absent.
        max_unavailable: Option<u32> = integer(1..=10_000, |most| {
            u32::try_from(most).unwrap_or(1)
        }),
        /// `healthy` or `drained`.
        wait: Option<RollWait> = word(RollWait::ALL, RollWait::as_str),
        /// How long the drain of one instance may take: seconds, or a text like `30m`.
        deadline: Option<Duration> = interval(Duration::from_secs(30 * 86_400)),
        /// Why, at most 512 characters.
        reason: Why = why(),
    }
    check selection
}

fn selection(draft: &<RollRequest as Record>::Draft) -> Refused {
    let mut refused = Refused::default();
    if draft.label.is_some() && draft.instances.is_some() {
        refused.note("instances", "must not be given together with `label`");
    }
    refused
}

/// Returns the moment that a field means.
///
/// # Errors
/// Returns 422 if it is not after `now`.
pub(in crate::http) fn future(
    field: &'static str,
    when: When,
    now: WallTime,
) -> Result<WallTime, Problem> {
    match when {
        When::In(Duration::ZERO) => {}
        When::In(duration) => return Ok(now + duration),
        When::At(moment) if moment > now => return Ok(moment),
        When::At(_) => {}
    }
    Err(Problem::invalid_field(field, "must be in the future"))
}
