//! The routes of the mass-failure brake.

use std::time::Duration;

use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Seconds, Time, Told, seconds};
use super::body::Body;
use super::problem::Problem;
use super::requests::BrakeRequest;
use super::state::{AppState, Load};
use crate::actors::recovery::{BrakeReport, GivenOrder, OrderBrake};
use crate::domain::brake::Phase;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BrakeAnswer {
    state: &'static str,
    since: Option<Time>,
    until: Option<Time>,
    /// How many instances were late when it engaged, and of how many.
    mass_size: usize,
    active_instances: usize,
    /// How many instances are held and not recovered yet.
    waiting: usize,
    why: Option<String>,
    prolonged: bool,
    /// Whether streams of lost instances are moved within a minute.
    promise: Promise,
    last_order: Option<OrderAnswer>,
    settings: BrakeSettings,
}

/// A longer hold and the release after it take more than a minute.
const LONGEST_PROMISED_HOLD: Duration = Duration::from_secs(40);

#[derive(Debug, Serialize, ToSchema)]
struct Promise {
    suspended: bool,
    text: &'static str,
}

impl Promise {
    const KEPT: Self = Self {
        suspended: false,
        text: "Streams of a lost instance are moved within 60 s of its failure.",
    };
    const LATE: Self = Self {
        suspended: true,
        text: "MASS_FAILURE_HOLD is more than 40 s: streams of the instances that are held may be \
               moved later than 60 s after their failure.",
    };
    const SUSPENDED: Self = Self {
        suspended: true,
        text: "An operator prolonged the hold: until it is over, nothing is promised about how \
               soon streams of lost instances are moved.",
    };
}

#[derive(Debug, Serialize, ToSchema)]
struct OrderAnswer {
    action: &'static str,
    reason: String,
    at: Time,
}

#[derive(Debug, Serialize, ToSchema)]
struct BrakeSettings {
    min: u32,
    ratio: f64,
    hold_seconds: Seconds,
}

impl From<BrakeReport> for BrakeAnswer {
    fn from(report: BrakeReport) -> Self {
        let settings = report.settings;
        let census = report.engagement.map(|held| held.census);
        Self {
            state: match report.phase {
                Phase::Open => "open",
                Phase::Held => "held",
                Phase::Releasing => "releasing",
            },
            since: report.times.map(|(since, _)| Time(since)),
            until: report.times.map(|(_, until)| Time(until)),
            mass_size: census.map_or(0, |census| census.late),
            active_instances: census.map_or(0, |census| census.active),
            waiting: report.engagement.map_or(0, |held| held.waiting),
            why: census.map(|census| {
                format!(
                    "{} of {} instances were silent at once: at least {}, and more than {} of them",
                    census.late,
                    census.active,
                    settings.min,
                    settings.ratio.as_f64()
                )
            }),
            prolonged: report.engagement.is_some_and(|held| held.is_prolonged),
            promise: match report.engagement {
                Some(held) if held.is_prolonged => Promise::SUSPENDED,
                Some(_) if settings.hold > LONGEST_PROMISED_HOLD => Promise::LATE,
                Some(_) | None => Promise::KEPT,
            },
            last_order: report.last_order.map(OrderAnswer::from),
            settings: BrakeSettings {
                min: settings.min,
                ratio: settings.ratio.as_f64(),
                hold_seconds: seconds(settings.hold),
            },
        }
    }
}

impl From<GivenOrder> for OrderAnswer {
    fn from(given: GivenOrder) -> Self {
        Self {
            action: given.order.action().as_str(),
            reason: given.reason,
            at: Time(given.at),
        }
    }
}

/// `GET /resilience/brake`
pub(super) async fn report(state: Data<AppState>) -> Result<Json<Told<BrakeAnswer>>, Problem> {
    let _permit = state.admit(Load::Read)?;
    let report = state.orchestrator().brake().await?;
    Ok(Json(state.told(report.into())))
}

/// `POST /resilience/brake`
pub(super) async fn order(state: Data<AppState>, body: Body) -> Result<Json<BrakeAnswer>, Problem> {
    let _permit = state.admit(Load::Write)?;
    let order = OrderBrake::from(body.read::<BrakeRequest>().await?);
    let report = state.orchestrator().order_brake(order).await??;
    Ok(Json(report.into()))
}
