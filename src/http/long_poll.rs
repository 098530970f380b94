//! A worker's long poll for changes of its streams.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Sender;
use super::answer::PageEnd;
use super::connection::Connection;
use super::params;
use super::pieces::{self, Both, Rows, closing, opening};
use super::problem::Problem;
use super::requests::{ChangesQuery, read_query};
use super::state::{AppState, Load};
use super::workers::AssignLine;
use crate::actors::long_poll::AssignmentPoll;
use crate::actors::refusal::Refusal;
use crate::domain::ids::{AssignmentVersion, Incarnation, StreamId};
use crate::domain::instance::InstanceStatus;
use crate::domain::queries::{SetUpdate, WorkerUpdate};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangesAnswer {
    status: &'static str,
    incarnation: Incarnation,
    instance_status: InstanceStatus,
    assignment_version: AssignmentVersion,
    #[serde(skip_serializing_if = "Option::is_none")]
    full: Option<bool>,
}

/// `GET /instances/{server_id}/assignments`
pub(super) async fn assignments(
    state: Data<AppState>,
    sender: Sender,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let _permit = state.admit(Load::Poll)?;
    let poll = poll(&request)?;
    sender.may_act_for(&poll.id)?;
    state.may_start()?;
    let update = tokio::select! {
        biased;
        update = await_changes(&state, poll, Connection::of(&request)) => update?,
        () = sender.ended() => return Err(Problem::caller_ended()),
    };
    let WorkerUpdate { standing, update } = update;
    let (full, assign, revoke) = match update {
        SetUpdate::UpToDate => (None, Vec::new(), Vec::new()),
        SetUpdate::Difference { assign, revoke } => (None, assign, revoke),
        SetUpdate::Full { assign } => (Some(true), assign, Vec::new()),
    };
    let head = ChangesAnswer {
        status: "success",
        incarnation: standing.incarnation,
        instance_status: standing.status,
        assignment_version: standing.assignment_version,
        full,
    };
    let end = PageEnd::<StreamId>::new(None, state.stale_since());
    let assign = Rows::between(
        opening(&head, "assign")?,
        assign.into_iter().map(AssignLine::of),
        b"],".to_vec(),
    );
    let revoke = Rows::between(b"\"revoke\":[".to_vec(), revoke, closing(&end)?);
    pieces::answer(Both::new(assign, revoke)).await
}

/// Waits for changes, or until the client has ended its side: it is gone, or wants its answer now.
async fn await_changes(
    state: &AppState,
    poll: AssignmentPoll,
    connection: Option<Connection>,
) -> Result<WorkerUpdate, Refusal> {
    let orchestrator = state.orchestrator();
    let Some(connection) = connection else {
        return orchestrator.await_changes(poll).await;
    };
    let at_once = AssignmentPoll {
        wait: Duration::ZERO,
        ..poll.clone()
    };
    tokio::select! {
        biased;
        changes = orchestrator.await_changes(poll) => changes,
        () = connection.ended() => orchestrator.await_changes(at_once).await,
    }
}

fn poll(request: &HttpRequest) -> Result<AssignmentPoll, Problem> {
    let id = params::server_id(request)?;
    let query: ChangesQuery = read_query(request)?;
    Ok(AssignmentPoll {
        id,
        incarnation: query.incarnation,
        version: query.version,
        wait: query.wait.unwrap_or_default(),
    })
}
