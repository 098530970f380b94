//! What the HTTP layer of an orchestrator makes of a worker's request, without the wire: the gate, the
//! handler, and the rule that withholds answers (`Authority::needs`, `Prover::meets`).

use std::sync::Arc;
use std::time::Duration;

use actix_web::ResponseError;
use actix_web::http::StatusCode;
use orchestrator_client::machine::{Answer, Beat, Changes, Request, Running};
use orchestrator_client::{Handoff, StreamAssignment};
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::domain::commands::{Rejection, ReleaseStreams};
use resilient_orchestrator::domain::handover::HandoverMode;
use resilient_orchestrator::domain::heartbeat::{Heartbeat, ReportedStreams};
use resilient_orchestrator::domain::ids::{
    AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId, Term,
};
use resilient_orchestrator::domain::leadership::{Authority, EchoedBeat};
use resilient_orchestrator::domain::lease::Grant;
use resilient_orchestrator::domain::queries::{ChangesSince, SetUpdate};
use resilient_orchestrator::domain::stream::Stream;
use resilient_orchestrator::http::{Problem, verdict};

use crate::network::Letter;
use crate::node::Leads;
use crate::oracle::{Told, judge_answer};
use crate::orders::self_filling;
use crate::scene::Mutation;
use crate::world::{Shared, World, limits};

/// 503 with `Retry-After: 1`.
const UNAVAILABLE: Answer = Answer::Failed {
    retry_after: Some(Duration::from_secs(1)),
};

/// Carries out a request. It runs in the process of the orchestrator.
pub(crate) async fn serve(world: Shared, letter: Letter) -> Answer {
    let came = world.borrow().now();
    let leads = world.borrow().nodes[letter.node].leads().cloned();
    let Some(Leads { term, orchestrator }) = leads else {
        return echo(&world.borrow(), &letter);
    };
    let request_came = orchestrator.prover().moment();
    let id = InstanceId::new(world.borrow().workers[letter.worker].id.clone());
    let authority = match &letter.request {
        Request::Heartbeat { .. } => Authority::Beat,
        _ => Authority::Told,
    };
    let was_trusted = is_trusted(&orchestrator, &id);
    let result = handle(&world, &orchestrator, &id, &letter).await;
    // The request that makes an instance trusted counts from a moment that cannot be seen here.
    if result.is_ok() && was_trusted && is_trusted(&orchestrator, &id) {
        world.borrow_mut().oracle.hear(term, id.as_str(), came);
    }
    let status = match &result {
        Ok(_) => StatusCode::OK,
        Err(refusal) => Problem::from(refusal.clone()).status_code(),
    };
    let is_told_anyway = {
        let scene = world.borrow().scene;
        let mutation = if status.is_success() {
            Mutation::TellsUnproven
        } else {
            Mutation::DeniesUnproven
        };
        scene.breaks(mutation)
    };
    let needed = authority.needs(verdict(status));
    let proven = orchestrator.prover().meets(needed, request_came);
    if !is_told_anyway && proven.await.is_err() {
        world.borrow_mut().counters.withheld += 1;
        return UNAVAILABLE;
    }
    let answer = result.unwrap_or_else(|refusal| refused(&refusal, status, &letter.request));
    let mut world = world.borrow_mut();
    let told = Told {
        ended: world.truth.ended(term),
        sent: letter.sent,
        came,
        lease: lease_of(&answer),
        decides: decides(&answer),
    };
    world.counters.stale += u32::from(told.ended.is_some());
    if let Some(violation) = judge_answer(&told) {
        world.violations.push(violation);
    }
    answer
}

/// What a standby makes of a request. Here it carries nothing to the leader; if it does not reach that one, it
/// answers heartbeats itself, and keeps them.
fn echo(world: &World, letter: &Letter) -> Answer {
    let Request::Heartbeat {
        incarnation,
        version: Some(version),
        ..
    } = &letter.request
    else {
        return UNAVAILABLE;
    };
    let life = world.nodes[letter.node].life.as_ref();
    let Some(view) = life
        .map(|life| &life.view)
        .filter(|_| world.are_members_apart)
    else {
        return UNAVAILABLE;
    };
    let beat = EchoedBeat {
        id: InstanceId::new(world.workers[letter.worker].id.clone()),
        incarnation: Some(Incarnation::new(*incarnation)),
        came: view.moment(),
    };
    if !view.heard().will_be_known() || !view.echoes().keep(beat) {
        return UNAVAILABLE;
    }
    Answer::Beaten(Beat {
        term: None,
        lease: Some(Duration::ZERO),
        stop_after: Some(Duration::ZERO),
        version: Some(*version),
        changes: None,
        is_unproven: false,
    })
}

/// Whether what is heard of the instance counts as life, and not as a return.
fn is_trusted(orchestrator: &Orchestrator, id: &InstanceId) -> bool {
    let entry = orchestrator.registry().get(id);
    entry.is_some_and(|entry| entry.standing().status.is_serving() && !entry.is_fenced())
}

fn lease_of(answer: &Answer) -> Duration {
    match answer {
        Answer::Beaten(beat) => beat.lease.unwrap_or_default(),
        _ => Duration::ZERO,
    }
}

/// Whether it makes the worker start, stop or end something.
fn decides(answer: &Answer) -> bool {
    match answer {
        Answer::Beaten(beat) => beat.changes.is_some(),
        Answer::Failed { .. } | Answer::Elsewhere | Answer::Refused(_) => false,
        Answer::Registered { .. }
        | Answer::Listed(_)
        | Answer::Released
        | Answer::Left
        | Answer::Unknown
        | Answer::OtherProcess(_) => true,
    }
}

/// What the worker library makes of a problem.
fn refused(refusal: &Refusal, status: StatusCode, request: &Request) -> Answer {
    let own = match request {
        Request::Heartbeat { incarnation, .. } | Request::Release { incarnation, .. } => {
            *incarnation
        }
        _ => 0,
    };
    let has_forgotten = matches!(
        refusal,
        Refusal::Rejected(Rejection::OtherIncarnation { current, .. }) if current.get() < own
    );
    match status {
        StatusCode::NOT_FOUND => Answer::Unknown,
        StatusCode::CONFLICT if has_forgotten => Answer::Unknown,
        StatusCode::CONFLICT => Answer::OtherProcess(format!("{refusal:?}")),
        _ => UNAVAILABLE,
    }
}

async fn handle(
    world: &Shared,
    orchestrator: &Orchestrator,
    id: &InstanceId,
    letter: &Letter,
) -> Result<Answer, Refusal> {
    match letter.request.clone() {
        Request::Register => {
            let max_streams = world.borrow().workers[letter.worker].max;
            let rejected = Refusal::Rejected;
            orchestrator.sign_of_life(id, None).map_err(rejected)?;
            let command = self_filling(id.clone(), max_streams);
            let registered = orchestrator.register(command).await?;
            Ok(Answer::Registered {
                incarnation: registered.instance.incarnation.get(),
                interval: limits().heartbeat_interval,
                request_limit: Some(limits().request_timeout),
            })
        }
        Request::Heartbeat {
            incarnation,
            version,
            running,
            term,
            resuming,
        } => {
            let Running::Streams(running) = running else {
                return Err(Refusal::RefusedByStore);
            };
            let said = Heartbeat {
                incarnation: Some(Incarnation::new(incarnation)),
                version: version.map(AssignmentVersion::new),
                current_streams: i64::try_from(running.len()).unwrap_or(0),
                streams: Some(ReportedStreams::listed(
                    running.into_iter().map(StreamId::new).collect(),
                )),
                term: term.map(Term::new),
                resuming,
                ..Heartbeat::of(id.clone())
            };
            heartbeat(world, orchestrator, said).await
        }
        Request::Release {
            incarnation,
            streams,
            epochs,
            reason,
        } => {
            let incarnation = Some(Incarnation::new(incarnation));
            let rejected = Refusal::Rejected;
            orchestrator
                .sign_of_life(id, incarnation)
                .map_err(rejected)?;
            let command = ReleaseStreams {
                epochs: Some(epochs.into_iter().map(Epoch::new).collect()),
                id: id.clone(),
                incarnation,
                streams: streams.into_iter().map(StreamId::new).collect(),
                reason: reason.map(Into::into),
            };
            orchestrator.execute(command).await?;
            Ok(Answer::Released)
        }
        // Who speaks of versions needs no list, and nobody leaves for good here.
        Request::List { .. } | Request::Leave { .. } => Err(Refusal::RefusedByStore),
    }
}

async fn heartbeat(
    world: &Shared,
    orchestrator: &Orchestrator,
    said: Heartbeat,
) -> Result<Answer, Refusal> {
    let scene = world.borrow().scene;
    let unproven = ChangesSince {
        id: said.id.clone(),
        incarnation: said.incarnation,
        version: said.version.unwrap_or_default(),
    };
    let outcome = orchestrator.heartbeat(said).await;
    let outcome = outcome.map_err(Refusal::Rejected)?;
    let told = |time: fn(Grant) -> Duration| outcome.granted.map_or(Duration::ZERO, time);
    let mut beat = Beat {
        term: Some(orchestrator.prover().term().get()),
        lease: Some(told(|granted| granted.lease)),
        stop_after: Some(told(|granted| granted.stop_after)),
        version: Some(outcome.version.get()),
        changes: changes(outcome.update),
        is_unproven: false,
    };
    if scene.breaks(Mutation::LeaseNotShortened) && outcome.granted.is_some() {
        beat.lease = Some(limits().lease);
        beat.stop_after = Some(limits().worker_stop);
    }
    if scene.breaks(Mutation::TellsUnproven)
        && let Some(update) = orchestrator.ask(unproven).await?
    {
        beat.version = Some(update.standing.assignment_version.get());
        beat.changes = changes(update.update);
    }
    Ok(Answer::Beaten(beat))
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

fn line((stream, epoch): (Arc<Stream>, Epoch)) -> StreamAssignment {
    StreamAssignment {
        epoch: epoch.get(),
        handoff: match stream.handoff {
            HandoverMode::Exclusive => Handoff::Exclusive,
            HandoverMode::Overlap => Handoff::Overlap,
        },
        ..StreamAssignment::new(stream.id.get())
    }
}
