//! Whether the fleet could absorb the loss of an instance, and what would be lost.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::requests::{LossQuery, read_query};
use super::state::{AppState, Load};
use crate::actors::refusal::Refusal;
use crate::domain::commands::Rejection;
use crate::domain::headroom::{InstanceLoss, LabelLoss, LossScope, Unplaced};
use crate::domain::ids::{InstanceId, StreamId};

/// How many streams the answer about one loss names.
const MOST_NAMED: usize = 100;

/// How many streams the overview names for its worst losses.
const MOST_NAMED_OF_WORST: usize = 20;

/// The overview names the streams of a loss of so many streams at the most: naming those of a larger one takes
/// a visit to each stream.
const MOST_VISITED_OF_WORST: usize = 20_000;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CapacityAnswer {
    /// Streams that the instances which take streams may own.
    max_streams: u64,
    assigned: usize,
    free: usize,
    waiting: Waiting,
    survives_one_instance: bool,
    /// How many more streams the fleet could take and still absorb the loss of any one instance;
    /// negative: so many have no home if the worst instance is lost now.
    headroom_streams: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    worst_instance: Option<WorstInstance>,
    by_label: Vec<LabelAnswer>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Waiting {
    unclaimed: usize,
    orphaned: usize,
}

#[derive(Debug, Serialize, ToSchema)]
struct WorstInstance {
    server_id: InstanceId,
    streams: usize,
    streams_without_home: usize,
    /// The streams without a home, ascending, at most 20; absent if there is none, or the instance owns more than
    /// 20,000 streams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    stream_ids: Vec<StreamId>,
}

impl WorstInstance {
    fn of(loss: &InstanceLoss, stream_ids: Vec<StreamId>) -> Self {
        Self {
            server_id: loss.instance.clone(),
            streams: loss.streams,
            streams_without_home: loss.homeless,
            stream_ids,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct LabelAnswer {
    label: String,
    value: String,
    streams: usize,
    streams_without_home: usize,
    /// Of the value with most streams without a home: those streams, ascending, at most 20; absent if its
    /// instances own more than 20,000 streams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    stream_ids: Vec<StreamId>,
}

impl From<&LabelLoss> for LabelAnswer {
    fn from(loss: &LabelLoss) -> Self {
        Self {
            label: loss.label.clone(),
            value: loss.value.clone(),
            streams: loss.streams,
            streams_without_home: loss.homeless,
            stream_ids: Vec::new(),
        }
    }
}

/// `GET /capacity`
pub(super) async fn show(state: Data<AppState>) -> Result<Json<CapacityAnswer>, Problem> {
    let _permit = state.admit(Load::Read)?;
    let headroom = state.orchestrator().headroom().await?;
    let totals = state.orchestrator().totals().await?;
    let mut by_label: Vec<LabelAnswer> = headroom.by_label.iter().map(LabelAnswer::from).collect();
    let labels = headroom.by_label.iter().zip(&mut by_label);
    if let Some((loss, answer)) = labels.max_by_key(|(loss, _)| loss.homeless) {
        let scope = LossScope::Labels(vec![format!("{}:{}", loss.label, loss.value)]);
        answer.stream_ids = named(&state, scope, loss.streams, &loss.unplaced).await?;
    }
    let worst_instance = match headroom.worst.as_ref() {
        Some(loss) => {
            let scope = LossScope::Instance(loss.instance.clone());
            let ids = named(&state, scope, loss.streams, &loss.unplaced).await?;
            Some(WorstInstance::of(loss, ids))
        }
        None => None,
    };
    Ok(Json(CapacityAnswer {
        max_streams: headroom.max_streams,
        assigned: headroom.assigned,
        free: headroom.free,
        waiting: Waiting {
            unclaimed: totals.streams.unclaimed,
            orphaned: totals.streams.orphaned,
        },
        survives_one_instance: headroom.survives_one_instance(),
        headroom_streams: headroom.spare,
        worst_instance,
        by_label,
    }))
}

/// Names the streams without a home of a loss that is not too large.
async fn named(
    state: &AppState,
    scope: LossScope,
    streams: usize,
    unplaced: &Unplaced,
) -> Result<Vec<StreamId>, Refusal> {
    if streams > MOST_VISITED_OF_WORST {
        return Ok(Vec::new());
    }
    let orchestrator = state.orchestrator();
    orchestrator
        .homeless(scope, unplaced.clone(), MOST_NAMED_OF_WORST)
        .await
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LossAnswer {
    /// How many instances are lost.
    instances: usize,
    /// How many streams they own.
    streams: usize,
    streams_without_home: usize,
    /// The streams without a home, ascending, at most 100: those that a recovery would place last.
    stream_ids: Vec<StreamId>,
}

/// `GET /capacity/loss`
pub(super) async fn loss(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<Json<LossAnswer>, Problem> {
    let _permit = state.admit(Load::Check)?;
    let query: LossQuery = read_query(&request)?;
    let scope = LossScope::from(query);
    let orchestrator = state.orchestrator();
    let Some(loss) = orchestrator.loss(scope.clone()).await? else {
        return Err(match scope {
            LossScope::Instance(id) => Rejection::UnknownInstance(id).into(),
            LossScope::Labels(_) => {
                Problem::invalid_field("label", "is not a label of any instance")
            }
        });
    };
    let homeless = loss.homeless();
    let ids = orchestrator.homeless(scope, loss.unplaced, MOST_NAMED);
    Ok(Json(LossAnswer {
        instances: loss.instances,
        streams: loss.streams,
        streams_without_home: homeless,
        stream_ids: ids.await?,
    }))
}
