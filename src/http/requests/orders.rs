//! Orders of operators: to the mass-failure brake and the circuit breakers.

use std::time::Duration;

use super::limits::NODE_LENGTH;
use super::reading::{Record, Refused, required_types as required};
use super::request::request;
use super::rules::{interval, order, text};
use super::why::{Why, why};
use crate::actors::db_breaker::ForceBreaker;
use crate::actors::recovery::OrderBrake;
use crate::domain::brake::{MAX_PROLONGATION, Order};
use crate::domain::breaker::{BreakerName, Force};
use crate::domain::commands::ReleaseQuarantine;
use crate::domain::ids::StreamId;

/// The action on a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum BrakeAction {
    /// The hold ends now.
    Release,
    /// The hold lasts longer.
    Prolong,
    /// Another word; `brake_action` refuses it.
    Unknown,
}

/// The word by which a breaker is forced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum ForceWord {
    /// No call is let through.
    Open,
    /// Every call is let through.
    Closed,
    /// The breaker decides by itself again.
    None,
}
required!(BrakeAction, ForceWord);

request! {
    /// `POST /resilience/brake`: an order to the mass-failure brake.
    pub(in crate::http) struct BrakeRequest {
        /// `release` or `prolong`.
        action: BrakeAction = order(&["release", "prolong"], |word| Ok(match word {
            "release" => BrakeAction::Release,
            "prolong" => BrakeAction::Prolong,
            _ => BrakeAction::Unknown,
        })),
        /// Why, 1 to 1,000 characters.
        reason: String = text(1..=1_000),
        /// How much longer the hold lasts, for `prolong`: seconds as a number, or a text like `10m`, from
        /// 1ms to 1h.
        duration: Option<Duration> = interval(MAX_PROLONGATION),
    }
    check brake_action
}

fn brake_action(draft: &<BrakeRequest as Record>::Draft) -> Refused {
    let mut refused = Refused::default();
    match draft.action {
        Some(Ok(BrakeAction::Prolong)) if draft.duration.is_none() => {
            refused.note("duration", "is missing: how much longer?");
        }
        Some(Ok(BrakeAction::Unknown)) => {
            refused.note("action", "must be \"release\" or \"prolong\"");
        }
        Some(_) | None => {}
    }
    refused
}

impl From<BrakeRequest> for OrderBrake {
    fn from(request: BrakeRequest) -> Self {
        let order = match (request.action, request.duration) {
            (BrakeAction::Prolong, Some(duration)) => Order::Prolong(duration),
            (BrakeAction::Prolong | BrakeAction::Release | BrakeAction::Unknown, _) => {
                Order::Release
            }
        };
        Self {
            order,
            reason: request.reason,
        }
    }
}

request! {
    /// `POST /cluster/step-down`: the leader hands its term over.
    pub(in crate::http) struct StepDownRequest {
        /// Who takes over, 1 to 128 characters; the ready orchestrator with the newest release if absent.
        to: Option<String> = text(NODE_LENGTH),
        /// Why, 1 to 1,000 characters.
        reason: String = text(1..=1_000),
    }
}

request! {
    /// `POST /resilience/breakers/{name}`: forces a circuit breaker.
    pub(in crate::http) struct ForceRequest {
        /// `open`, `closed` or `none`.
        force: ForceWord = order(&["open", "closed", "none"], |word| match word {
            "open" => Ok(ForceWord::Open),
            "closed" => Ok(ForceWord::Closed),
            "none" => Ok(ForceWord::None),
            _ => Err("must be \"open\", \"closed\" or \"none\""),
        }),
        /// Why, 1 to 1,000 characters.
        reason: String = text(1..=1_000),
    }
}

request! {
    /// `POST /streams/{id}/release-quarantine`: releases a stream; the body may be left out.
    pub(in crate::http) struct ReleaseQuarantineRequest {
        /// Why, at most 512 characters.
        reason: Why = why(),
    }
}

impl ReleaseQuarantineRequest {
    /// Returns the command for the stream of that id.
    pub(in crate::http) fn command(self, stream: StreamId) -> ReleaseQuarantine {
        ReleaseQuarantine {
            stream,
            reason: self.reason.0.map(Into::into),
        }
    }
}

impl ForceRequest {
    /// Returns the order to the breaker of that name.
    pub(in crate::http) fn order(self, name: BreakerName) -> ForceBreaker {
        ForceBreaker {
            name,
            force: match self.force {
                ForceWord::Open => Some(Force::Open),
                ForceWord::Closed => Some(Force::Closed),
                ForceWord::None => None,
            },
            reason: self.reason,
        }
    }
}
