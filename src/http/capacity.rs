//! Whether the fleet could absorb the loss of an instance.

use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::state::{AppState, Load};
use crate::domain::headroom::{InstanceLoss, LabelLoss};
use crate::domain::ids::InstanceId;

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
}

impl From<&InstanceLoss> for WorstInstance {
    fn from(loss: &InstanceLoss) -> Self {
        Self {
            server_id: loss.instance.clone(),
            streams: loss.streams,
            streams_without_home: loss.homeless,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct LabelAnswer {
    label: String,
    value: String,
    streams: usize,
    streams_without_home: usize,
}

impl From<&LabelLoss> for LabelAnswer {
    fn from(loss: &LabelLoss) -> Self {
        Self {
            label: loss.label.clone(),
            value: loss.value.clone(),
            streams: loss.streams,
            streams_without_home: loss.homeless,
        }
    }
}

/// `GET /capacity`
pub(super) async fn show(state: Data<AppState>) -> Result<Json<CapacityAnswer>, Problem> {
    let _permit = state.admit(Load::Read)?;
    let headroom = state.orchestrator().headroom().await?;
    let totals = state.orchestrator().totals().await?;
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
        worst_instance: headroom.worst.as_ref().map(WorstInstance::from),
        by_label: headroom.by_label.iter().map(LabelAnswer::from).collect(),
    }))
}
