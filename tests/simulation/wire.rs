//! What the worker library and the HTTP layer make of each other's words, without the wire
//! between them: as in `crates/client/src/wire.rs` and `src/http/workers.rs`.

use std::time::Duration;

use orchestrator_client::machine::{Answer, Beat, Changes, Request, Running};
use orchestrator_client::{Handoff as ClientHandoff, StreamAssignment};
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::recovery::Remove;
use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::domain::commands::{AssignStreams, Rejection, ReleaseStreams};
use resilient_orchestrator::domain::handover::HandoverMode;
use resilient_orchestrator::domain::heartbeat::{Heartbeat, ReportedStreams};
use resilient_orchestrator::domain::ids::StreamId;
use resilient_orchestrator::domain::ids::{
    AssignmentVersion, Epoch, Incarnation, InstanceId, Term,
};
use resilient_orchestrator::domain::lease::Grant;
use resilient_orchestrator::domain::queries::SetUpdate;
use resilient_orchestrator::domain::settings::{LivenessThresholds, WorkerLimits};
use resilient_orchestrator::domain::stream::Stream;

use crate::checks::Whole;
use crate::orders::self_filling;
use crate::scene::Mutation;
use crate::worker::Link;
use crate::world::TIMEOUT;

/// What workers are told of their limits.
pub(crate) fn limits() -> WorkerLimits {
    WorkerLimits::from_thresholds(&LivenessThresholds::from_timeout(TIMEOUT))
}

/// Carries out a request; there is always an answer.
pub(crate) async fn serve(link: Link, request: Request) -> Option<Answer> {
    let orchestrator = link.orchestrator.clone()?;
    let answer = match request {
        Request::Register => register(&link, &orchestrator).await,
        Request::Heartbeat {
            incarnation,
            version,
            running,
            term,
            resuming,
        } => {
            let running: Vec<StreamId> = match running {
                Running::Streams(ids) => ids.into_iter().map(StreamId::new).collect(),
                Running::Digest { .. } => return None,
            };
            let said = Heartbeat {
                incarnation: Some(Incarnation::new(incarnation)),
                version: version.map(AssignmentVersion::new),
                current_streams: i64::try_from(running.len()).unwrap_or(0),
                streams: Some(ReportedStreams::listed(running)),
                term: term.map(Term::new),
                resuming,
                ..Heartbeat::of(link.id())
            };
            heartbeat(&link, &orchestrator, said).await
        }
        Request::List {
            incarnation,
            requested,
        } => {
            let incarnation = Incarnation::new(incarnation);
            list(link.id(), &orchestrator, incarnation, requested).await
        }
        Request::Release {
            incarnation,
            streams,
            epochs,
            reason,
        } => {
            let incarnation = Incarnation::new(incarnation);
            let streams = (streams, epochs);
            release(link.id(), &orchestrator, incarnation, streams, reason).await
        }
        Request::Leave {
            incarnation,
            streams,
            epochs,
            ..
        } => {
            let incarnation = Incarnation::new(incarnation);
            let streams = (streams, epochs);
            leave(link.id(), &orchestrator, incarnation, streams).await
        }
    };
    Some(answer.unwrap_or_else(|refusal| refused(&refusal)))
}

fn refused(refusal: &Refusal) -> Answer {
    match refusal {
        Refusal::Rejected(rejection) => rejected(rejection),
        // The HTTP layer answers 409, which a worker takes for another process of its name.
        Refusal::RefusedByStore => Answer::OtherProcess("the store refuses it".to_owned()),
        Refusal::StoreUnavailable
        | Refusal::DatabaseReplaced
        | Refusal::OutcomeUnknown
        | Refusal::Overloaded
        | Refusal::ShuttingDown => Answer::Failed {
            retry_after: Some(Duration::from_secs(1)),
        },
    }
}

fn rejected(rejection: &Rejection) -> Answer {
    match rejection {
        Rejection::UnknownInstance(_) => Answer::Unknown,
        Rejection::OtherIncarnation { .. } => Answer::OtherProcess(format!("{rejection:?}")),
        _ => Answer::Failed { retry_after: None },
    }
}

async fn register(link: &Link, orchestrator: &Orchestrator) -> Result<Answer, Refusal> {
    let id = link.id();
    orchestrator
        .sign_of_life(&id, None)
        .map_err(Refusal::Rejected)?;
    link.note_sign_of_life(orchestrator, &id);
    let max_streams = {
        let world = link.world.borrow();
        let lie = world.scene.mutation == Some(Mutation::ClaimsTooMuchRoom);
        world.workers[link.number].max + if lie { 2 } else { 0 }
    };
    let command = self_filling(id.clone(), max_streams);
    let registered = orchestrator.execute(command).await?;
    let incarnation = registered.instance.incarnation.get();
    let mut world = link.world.borrow_mut();
    world.follow();
    if !world.history.has_registered(id.as_str(), incarnation) {
        world.violation(format!("{id} was told of a registration that is not saved"));
    }
    Ok(Answer::Registered {
        incarnation,
        interval: limits().heartbeat_interval,
        request_limit: Some(limits().request_timeout),
    })
}

async fn heartbeat(
    link: &Link,
    orchestrator: &Orchestrator,
    said: Heartbeat,
) -> Result<Answer, Refusal> {
    let id = link.id();
    if link.world.borrow().scene.mutation == Some(Mutation::ConfirmsTooEarly) {
        confirm_too_early(orchestrator, &said).await?;
    }
    let outcome = orchestrator.heartbeat(said).await;
    let outcome = outcome.map_err(Refusal::Rejected)?;
    link.note_sign_of_life(orchestrator, &id);
    let told = |time: fn(Grant) -> Duration| Some(outcome.granted.map_or(Duration::ZERO, time));
    Ok(Answer::Beaten(Beat {
        term: Some(orchestrator.prover().term().get()),
        lease: told(|granted| granted.lease),
        stop_after: told(|granted| granted.stop_after),
        version: Some(outcome.version.get()),
        changes: changes(outcome.update),
        is_unproven: false,
    }))
}

/// The worker says that it has the newest version, of which it has yet to hear.
async fn confirm_too_early(orchestrator: &Orchestrator, said: &Heartbeat) -> Result<(), Refusal> {
    let newest = orchestrator.registry().get(&said.id);
    let lie = Heartbeat {
        version: newest.map(|entry| entry.standing().assignment_version),
        streams: None,
        ..said.clone()
    };
    let outcome = orchestrator.heartbeat(lie).await;
    outcome.map(drop).map_err(Refusal::Rejected)
}

fn changes(update: SetUpdate) -> Option<Changes> {
    match update {
        SetUpdate::UpToDate => None,
        SetUpdate::Difference { assign, revoke } => Some(Changes::Difference {
            assign: assign.into_iter().map(line).collect(),
            revoke: revoke.into_iter().map(StreamId::get).collect(),
        }),
        SetUpdate::Full { assign } => Some(Changes::Full(assign.into_iter().map(line).collect())),
    }
}

fn line((stream, epoch): (std::sync::Arc<Stream>, Epoch)) -> StreamAssignment {
    StreamAssignment {
        epoch: epoch.get(),
        handoff: match stream.handoff {
            HandoverMode::Exclusive => ClientHandoff::Exclusive,
            HandoverMode::Overlap => ClientHandoff::Overlap,
        },
        ..StreamAssignment::new(stream.id.get())
    }
}

async fn list(
    id: InstanceId,
    orchestrator: &Orchestrator,
    incarnation: Incarnation,
    requested: usize,
) -> Result<Answer, Refusal> {
    orchestrator
        .sign_of_life(&id, Some(incarnation))
        .map_err(Refusal::Rejected)?;
    let command = AssignStreams {
        id: id.clone(),
        incarnation: Some(incarnation),
        requested: i64::try_from(requested).unwrap_or(0),
    };
    orchestrator.execute(command).await?;
    let fleet = orchestrator.ask(Whole).await?;
    Ok(match fleet.instance(&id) {
        Some(slot) => Answer::Listed(slot.held().iter().map(|id| id.get()).collect()),
        None => Answer::Unknown,
    })
}

async fn release(
    id: InstanceId,
    orchestrator: &Orchestrator,
    incarnation: Incarnation,
    (streams, epochs): (Vec<i64>, Vec<i64>),
    reason: Option<String>,
) -> Result<Answer, Refusal> {
    orchestrator
        .sign_of_life(&id, Some(incarnation))
        .map_err(Refusal::Rejected)?;
    if streams.is_empty() {
        return Ok(match orchestrator.registry().get(&id) {
            Some(_) => Answer::Released,
            None => Answer::Unknown,
        });
    }
    let command = ReleaseStreams {
        epochs: Some(epochs.into_iter().map(Epoch::new).collect()),
        id,
        incarnation: Some(incarnation),
        streams: streams.into_iter().map(StreamId::new).collect(),
        reason: reason.map(Into::into),
    };
    orchestrator.execute(command).await?;
    Ok(Answer::Released)
}

async fn leave(
    id: InstanceId,
    orchestrator: &Orchestrator,
    incarnation: Incarnation,
    streams: (Vec<i64>, Vec<i64>),
) -> Result<Answer, Refusal> {
    let released = release(id.clone(), orchestrator, incarnation, streams, None).await?;
    if released != Answer::Released {
        return Ok(released);
    }
    orchestrator
        .leave(Remove::by_worker(id), incarnation)
        .await?;
    Ok(Answer::Left)
}
