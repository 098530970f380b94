//! Planned moves of streams.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::pieces::{self, Nothing, Rows};
use super::problem::Problem;
use super::requests::MoveRequest;
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
}

/// `POST /streams/move`
pub(super) async fn begin(state: Data<AppState>, body: Body) -> Result<HttpResponse, Problem> {
    let _permit = state.admit(Load::Write)?;
    let command = MoveStreams::from(body.read::<MoveRequest>().await?);
    let moves = state.orchestrator().execute(command).await?;
    let head = MovesAnswer { status: "accepted" };
    let rows = moves.into_iter().map(MoveLine::of);
    pieces::answer(Rows::of(&head, "moves", rows, &Nothing {})?).await
}
