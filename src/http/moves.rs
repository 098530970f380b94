//! Planned moves of streams.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::pieces::{self, Nothing, Rows};
use super::problem::Problem;
use super::requests::{DryRunQuery, MoveRequest, read_query};
use super::state::{AppState, Load};
use crate::domain::commands::{MoveProgress, MoveStreams, Relocated};
use crate::domain::ids::{InstanceId, StreamId};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AcceptedMove)]
pub(super) struct MoveLine {
    stream_id: StreamId,
    to: InstanceId,
    state: &'static str,
}

impl MoveLine {
    fn of(relocated: Relocated) -> Self {
        Self {
            stream_id: relocated.stream,
            to: relocated.to,
            state: match relocated.progress {
                MoveProgress::Moved => "moved",
                MoveProgress::Releasing => "releasing",
                MoveProgress::Overlapping => "overlapping",
                MoveProgress::Unchanged => "unchanged",
            },
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MovesAnswer {
    status: &'static str,
    /// Set if nothing was changed: the moves are those that would be made.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
}

/// `POST /streams/move`
pub(super) async fn begin(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let dry_run = read_query::<DryRunQuery>(&request)?.is_asked();
    let _permit = state.admit(Load::Write)?;
    let command = MoveStreams::from(body.read::<MoveRequest>().await?);
    let orchestrator = state.orchestrator();
    let moves = orchestrator.execute_or_try(command, dry_run).await?;
    let head = MovesAnswer {
        status: "accepted",
        dry_run,
    };
    let rows = moves.into_iter().map(MoveLine::of);
    pieces::answer(Rows::of(&head, "moves", rows, &Nothing {})?).await
}
