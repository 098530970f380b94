//! Streams are moved on purpose.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Serialize;

use super::body::Body;
use super::fields::{Fields, MAX_SAFE_INTEGER, read};
use super::pieces::{self, Nothing, Rows};
use super::problem::Problem;
use super::state::{AppState, Load};
use crate::domain::commands::{MoveProgress, MoveStreams, Relocated, Relocation};
use crate::domain::ids::{InstanceId, StreamId};

/// How many streams one request moves at the most: they are one plan and one transaction.
const MAX_MOVED: usize = 10_000;

#[derive(Debug, Serialize)]
struct MoveLine {
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

#[derive(Debug, Serialize)]
struct MovesAnswer {
    status: &'static str,
}

/// `POST /streams/move`
pub(super) async fn begin(state: Data<AppState>, body: Body) -> Result<HttpResponse, Problem> {
    let _permit = state.admit(Load::Write)?;
    let command = read(&body.object().await?, |fields| {
        let moves = fields.objects("moves", MAX_MOVED, |entry| Relocation {
            stream: StreamId::new(entry.integer("stream_id", 1..=MAX_SAFE_INTEGER)),
            to: entry.optional_text("to", 1..=128).map(InstanceId::new),
        });
        refuse_repetitions(fields, &moves);
        MoveStreams { moves }
    })?;
    let moves = state.orchestrator().execute(command).await?;
    let head = MovesAnswer { status: "accepted" };
    let rows = moves.into_iter().map(MoveLine::of);
    pieces::answer(Rows::of(&head, "moves", rows, &Nothing {})?).await
}

/// Two places for one stream are a mistake of the sender.
fn refuse_repetitions(fields: &mut Fields<'_>, moves: &[Relocation]) {
    let mut seen: BTreeMap<StreamId, usize> = BTreeMap::new();
    for (index, entry) in moves.iter().enumerate() {
        let first = *seen.entry(entry.stream).or_insert(index);
        if first != index {
            let reason = format!("is the same as moves[{first}].stream_id");
            fields.refuse(&format!("moves[{index}].stream_id"), reason);
        }
    }
}
