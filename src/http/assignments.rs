//! The assignments: who runs what.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{PageEnd, Time};
use super::pieces::{self, Nothing, Onward, Part, Parts, Walk, closing, json, opening};
use super::problem::Problem;
use super::requests::{AssignmentsQuery, read_query};
use super::state::{AppState, Load};
use crate::domain::ids::{Epoch, InstanceId, StreamId};
use crate::domain::queries::{AssignmentLine, AssignmentList};
use crate::domain::time::WallTime;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AssignmentAnswer {
    stream_id: StreamId,
    server_id: InstanceId,
    assigned_at: Time,
    status: &'static str,
    ip: String,
    port: u16,
    epoch: Epoch,
    reason: &'static str,
    delivered: bool,
}

impl AssignmentAnswer {
    fn of(line: AssignmentLine) -> Self {
        Self {
            stream_id: line.stream,
            server_id: line.assignment.instance,
            assigned_at: Time(line.assignment.assigned_at),
            // What ends is not listed any more.
            status: "active",
            ip: line.owner.ip.clone(),
            port: line.owner.port,
            epoch: line.assignment.epoch,
            reason: line.assignment.reason.as_str(),
            delivered: line.assignment.delivered.is_some(),
        }
    }
}

/// Asks for the assignments part by part.
struct AssignmentParts {
    state: Data<AppState>,
    stale_since: Option<WallTime>,
}

impl Parts for AssignmentParts {
    type Key = StreamId;
    type Line = AssignmentLine;

    async fn ask(
        &self,
        after: Option<StreamId>,
        most: usize,
    ) -> Result<Part<AssignmentLine, StreamId>, Problem> {
        let question = AssignmentList {
            after,
            limit: Some(most),
        };
        let page = self.state.orchestrator().ask(question).await?;
        let onward = if page.more { Onward::More } else { Onward::End };
        let lines = page.items;
        Ok(Part { lines, onward })
    }

    fn key(&self, line: &AssignmentLine) -> StreamId {
        line.stream
    }

    fn row(&self, text: &mut Vec<u8>, line: AssignmentLine) -> Result<(), Problem> {
        json(text, &AssignmentAnswer::of(line))
    }

    fn closing(&self, next: Option<StreamId>) -> Result<Vec<u8>, Problem> {
        closing(&PageEnd::new(next, self.stale_since))
    }
}

/// `GET /streams/assignments`
pub(super) async fn list(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query: AssignmentsQuery = read_query(&request)?;
    let _permit = state.admit(Load::List)?;
    let parts = AssignmentParts {
        stale_since: state.stale_since(),
        state: state.clone(),
    };
    let opening = opening(&Nothing {}, "assignments")?;
    pieces::answer(Walk::new(parts, opening, query.after, query.limit)).await
}
