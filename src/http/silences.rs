//! Silences: which open alerts operators know about, until a moment.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Time;
use super::body::Body;
use super::params;
use super::problem::Problem;
use super::requests::{SilenceRequest, future};
use super::state::{AppState, Load};
use crate::actors::alerts::{AddSilence, EndSilence, NotSilenced};
use crate::domain::alert::{Matcher, Silence};
use crate::domain::ids::SilenceId;
use crate::domain::masked_url::with_masked_urls;
use crate::domain::planned::Requester;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SilenceAnswer {
    id: SilenceId,
    matchers: Vec<MatcherAnswer>,
    created_at: Time,
    by: Requester,
    until: Time,
    reason: String,
    status: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct MatcherAnswer {
    name: String,
    value: String,
    is_regex: bool,
}

impl From<Matcher> for MatcherAnswer {
    fn from(matcher: Matcher) -> Self {
        Self {
            name: matcher.name,
            value: matcher.value,
            is_regex: matcher.is_regex,
        }
    }
}

impl SilenceAnswer {
    fn of(silence: Silence, status: &'static str) -> Self {
        Self {
            id: silence.id,
            matchers: silence
                .matchers
                .into_iter()
                .map(MatcherAnswer::from)
                .collect(),
            created_at: Time(silence.created_at),
            by: silence.by,
            until: Time(silence.until),
            reason: silence.reason,
            status,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SilencesAnswer {
    silences: Vec<SilenceAnswer>,
}

/// `GET /resilience/silences`
pub(super) async fn list(state: Data<AppState>) -> Result<Json<SilencesAnswer>, Problem> {
    let _permit = state.admit(Load::List)?;
    let silences = state.orchestrator().silences().await?.into_iter();
    Ok(Json(SilencesAnswer {
        silences: silences
            .map(|one| SilenceAnswer::of(one, "active"))
            .collect(),
    }))
}

/// `POST /resilience/silences`
pub(super) async fn add(state: Data<AppState>, body: Body) -> Result<Json<SilenceAnswer>, Problem> {
    let _permit = state.admit(Load::Write)?;
    let body: SilenceRequest = body.read().await?;
    let now = state.orchestrator().clock().wall();
    let until = match (body.until, body.r#for) {
        (Some(until), _) => future("until", until, now)?,
        (None, Some(span)) => future("for", span, now)?,
        (None, None) => return Err(Problem::internal()),
    };
    let order = AddSilence {
        matchers: body.matchers.iter().map(|entry| entry.matcher()).collect(),
        until,
        reason: with_masked_urls(&body.reason),
        by: Requester::Operator,
    };
    let silence = state
        .orchestrator()
        .silence(order)
        .await?
        .map_err(refused)?;
    Ok(Json(SilenceAnswer::of(silence, "active")))
}

/// `DELETE /resilience/silences/{id}`
pub(super) async fn end(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<Json<SilenceAnswer>, Problem> {
    let id = SilenceId::new(params::number(&request, "id")?);
    let _permit = state.admit(Load::Write)?;
    let order = EndSilence {
        id,
        by: Requester::Operator,
    };
    let ended = state.orchestrator().end_silence(order).await?;
    let silence = ended.map_err(|error| match error {
        NotSilenced::Unknown => Problem::unknown_silence(id),
        other => refused(other),
    })?;
    Ok(Json(SilenceAnswer::of(silence, "expired")))
}

fn refused(error: NotSilenced) -> Problem {
    match error {
        NotSilenced::Refused(refusal) => refusal.into(),
        NotSilenced::Full(most) => Problem::conflict(format!(
            "{most} silences are active, and no more may be. GET /resilience/silences lists them; end \
             some with DELETE /resilience/silences/ID."
        )),
        NotSilenced::Unknown => Problem::internal(),
    }
}
