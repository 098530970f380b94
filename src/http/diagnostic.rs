//! Compares the streams that a worker runs with the streams it should run.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Sender;
use super::answer::{Seconds, Time, Told, list as answer_list, seconds};
use super::body::Body;
use super::problem::Problem;
use super::requests::DiagnosticRequest;
use super::state::{AppState, Load};
use crate::domain::commands::Rejection;
use crate::domain::ids::{InstanceId, StreamId};
use crate::domain::instance::InstanceStatus;
use crate::domain::queries::{Diagnose, Diagnosis};
use crate::domain::stream::Holding;
use crate::domain::time::WallTime;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DiagnosticAnswer {
    server_id: InstanceId,
    timestamp: Time,
    is_synchronized: bool,
    synchronization_status: &'static str,
    local_state: LocalState,
    orchestrator_state: OrchestratorState,
    inconsistencies: Inconsistencies,
    streams_in_sync: Vec<StreamId>,
    instance_info: InstanceInfo,
    recommendations: Vec<String>,
    /// The streams it should run, with their epochs.
    assignments: Vec<Holding>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LocalState {
    stream_count: i64,
    streams: Vec<StreamId>,
}

#[derive(Debug, Serialize, ToSchema)]
struct OrchestratorState {
    stream_count: usize,
    streams: Vec<StreamId>,
    instance_current_streams: usize,
}

#[derive(Debug, Serialize, ToSchema)]
struct Inconsistencies {
    streams_only_in_local: Vec<StreamId>,
    streams_only_in_orchestrator: Vec<StreamId>,
    count_mismatch: bool,
    orchestrator_count_mismatch: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct InstanceInfo {
    status: InstanceStatus,
    max_streams: u32,
    last_heartbeat: Option<Time>,
    heartbeat_age_seconds: Option<Seconds>,
}

/// When the last heartbeat arrived, and its age on running time.
#[derive(Debug, Clone, Copy)]
struct LastBeat {
    at: WallTime,
    age: Duration,
}

/// `POST /diagnostic`
pub(super) async fn compare(
    state: Data<AppState>,
    sender: Sender,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let _permit = state.admit(Load::Read)?;
    let question = Diagnose::from(body.read::<DiagnosticRequest>().await?);
    sender.may_act_for(&question.id)?;
    let orchestrator = state.orchestrator();
    let (id, local_count) = (question.id.clone(), question.local_stream_count);
    let came = orchestrator.prover().moment();
    let diagnosis = orchestrator.ask(question).await?;
    let Some(diagnosis) = diagnosis else {
        return Err(Rejection::UnknownInstance(id).into());
    };
    let now = orchestrator.clock().wall();
    let beat = orchestrator.registry().get(&id).map(|entry| LastBeat {
        at: entry.last_beat_wall(),
        age: entry.silence(orchestrator.clock()),
    });
    let rows = diagnosis.local.len() + diagnosis.owned.len();
    let stale_since = state.unproven_since(came).await;
    answer_list(rows, move || {
        Told::new(answer(diagnosis, local_count, now, beat), stale_since)
    })
    .await
}

fn answer(
    diagnosis: Diagnosis,
    local_count: i64,
    now: WallTime,
    beat: Option<LastBeat>,
) -> DiagnosticAnswer {
    let is_synchronized = diagnosis.is_synchronized();
    DiagnosticAnswer {
        server_id: diagnosis.instance.id.clone(),
        timestamp: Time(now),
        is_synchronized,
        synchronization_status: if is_synchronized {
            "OK"
        } else {
            "INCONSISTENT"
        },
        local_state: LocalState {
            stream_count: local_count,
            streams: diagnosis.local.into_iter().collect(),
        },
        orchestrator_state: OrchestratorState {
            stream_count: diagnosis.owned.len(),
            streams: diagnosis.owned.into_iter().collect(),
            instance_current_streams: diagnosis.counted,
        },
        inconsistencies: Inconsistencies {
            streams_only_in_local: diagnosis.only_local,
            streams_only_in_orchestrator: diagnosis.only_orchestrator,
            count_mismatch: diagnosis.count_mismatch,
            orchestrator_count_mismatch: diagnosis.orchestrator_count_mismatch,
        },
        streams_in_sync: diagnosis.in_sync,
        instance_info: InstanceInfo {
            status: diagnosis.instance.status,
            max_streams: diagnosis.instance.max_streams,
            last_heartbeat: beat.map(|beat| Time(beat.at)),
            heartbeat_age_seconds: beat.map(|beat| seconds(beat.age)),
        },
        recommendations: diagnosis.recommendations,
        assignments: diagnosis.assignments,
    }
}
