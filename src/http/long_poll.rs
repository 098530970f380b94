//! A worker waits to be told of changes.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::answer::{Told, list as answer_list};
use super::fields::MAX_SAFE_INTEGER;
use super::params::{self, Query, parse_integer};
use super::problem::Problem;
use super::state::{AppState, Load};
use super::workers::AssignLine;
use crate::actors::long_poll::AssignmentPoll;
use crate::domain::ids::{AssignmentVersion, Incarnation, StreamId};
use crate::domain::instance::InstanceStatus;
use crate::domain::queries::{SetUpdate, WorkerUpdate};

/// The longest wait; a longer one is cut to it. Proxies and clients give up on requests that
/// take much longer, and a worker that went away without a word holds its place no longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

#[derive(Debug, Serialize)]
struct ChangesAnswer {
    status: &'static str,
    incarnation: Incarnation,
    instance_status: InstanceStatus,
    assignment_version: AssignmentVersion,
    #[serde(skip_serializing_if = "Option::is_none")]
    full: Option<bool>,
    assign: Vec<AssignLine>,
    revoke: Vec<StreamId>,
}

/// `GET /instances/{server_id}/assignments`
pub(super) async fn assignments(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let _permit = state.admit(Load::Poll)?;
    let poll = poll(&request)?;
    let update = state.orchestrator().await_changes(poll).await?;
    let rows = match &update.update {
        SetUpdate::UpToDate => 0,
        SetUpdate::Difference { assign, revoke } => assign.len() + revoke.len(),
        SetUpdate::Full { assign } => assign.len(),
    };
    let stale_since = state.stale_since();
    answer_list(rows, move || Told::new(answer(update), stale_since)).await
}

fn poll(request: &HttpRequest) -> Result<AssignmentPoll, Problem> {
    let id = params::server_id(request)?;
    let mut query = Query::of(request);
    let number = |text: &str| parse_integer(text, 0, MAX_SAFE_INTEGER);
    let poll = AssignmentPoll {
        id,
        incarnation: query.get("incarnation", number).map(Incarnation::new),
        version: AssignmentVersion::new(query.required("version", 0, number)),
        wait: query.wait("wait", LONGEST_WAIT).unwrap_or_default(),
    };
    query.finish()?;
    Ok(poll)
}

fn answer(WorkerUpdate { standing, update }: WorkerUpdate) -> ChangesAnswer {
    let (full, assign, revoke) = match update {
        SetUpdate::UpToDate => (None, Vec::new(), Vec::new()),
        SetUpdate::Difference { assign, revoke } => (None, assign, revoke),
        SetUpdate::Full { assign } => (Some(true), assign, Vec::new()),
    };
    ChangesAnswer {
        status: "success",
        incarnation: standing.incarnation,
        instance_status: standing.status,
        assignment_version: standing.assignment_version,
        full,
        assign: assign.into_iter().map(AssignLine::of).collect(),
        revoke,
    }
}
