//! The way of a request through the gate: to its handler, to the leader, or back with an answer.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Extensions, Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header::HeaderValue;
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError};
use futures_util::{Stream, StreamExt};
use log::debug;

use super::cluster;
use super::failsafe;
use super::forwarding::{Outcome, carry, take_handed_on};
use super::gate::{Gate, Phase, UnderWay};
use super::handing_over;
use super::held_body::HeldBody;
use super::member_headers::{Carriage, NOT_TAKEN};
use super::problem::Problem;
use super::state::AppState;

/// Why a carried request was not looked at: this process has handed over.
const REPLACED: HeaderValue = HeaderValue::from_static("replaced");

/// Bodies up to this size are written together with the head; longer ones in pieces.
const WRITTEN_AT_ONCE: u64 = 32 * 1024;

/// Middleware, the outermost: answers itself if the phase has no handler for a request.
pub(super) async fn through_the_gate(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(gate) = request.app_data::<Gate>().cloned() else {
        return next.call(request).await;
    };
    let under_way = gate.enter();
    let forwarder = gate.forwarder();
    let came = forwarder.moment();
    let secret = gate.cluster().secret();
    let carriage = Carriage::take(request.headers_mut(), &secret);
    let was_cut = limit_body(&mut request, &gate);
    if failsafe::is_asked(carriage.as_ref(), &request) {
        let answer = failsafe::answer(gate.cluster(), &mut request).await;
        return Ok(finish(request.into_response(answer), &gate, under_way));
    }
    if is_order(&request) {
        forwarder.thawed().await;
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    // A leader that stands by waits for the calls that found the fleet.
    let mut at_the_fleet = (!is_read).then(|| gate.approach_the_fleet());
    let mut phase = gate.phase();
    let is_own =
        is_own_page(request.path()) || (!forwarder.carries() && is_about_caller(request.path()));
    if !matches!(phase, Phase::Serving(_)) && !is_own {
        drop(at_the_fleet.take());
        let answer = match (&carriage, phase) {
            (Some(carriage), _)
                if carriage.is_handed_on && handing_over::is_notice(request.path()) =>
            {
                Some(notice(&mut request, &gate).await)
            }
            (Some(_), _) => {
                let mut answer = cluster::standby(gate.cluster());
                if forwarder.has_handed_over() {
                    // It waits for the next leader where it came from.
                    answer.headers_mut().insert(NOT_TAKEN, REPLACED);
                }
                Some(answer)
            }
            (None, Phase::Starting(starting)) if !forwarder.carries() => {
                Some(starting.answer(request.path(), gate.cluster().clock()))
            }
            (None, _) if request.path() == "/ready" => {
                let is_ready = forwarder.reaches_proven_leader() && !gate.is_closing();
                Some(cluster::standby_ready(gate.cluster(), is_ready))
            }
            (None, _) if request.path() == "/health" => Some(cluster::standby_health(
                gate.cluster(),
                forwarder.answers_heartbeats(),
            )),
            (None, _) => {
                let limits = gate.client_limits();
                match carry(forwarder, &mut request, limits, came).await {
                    Outcome::Answer(answer) => Some(answer),
                    Outcome::ServeHere => None,
                }
            }
        };
        if let Some(answer) = answer {
            return Ok(finish(request.into_response(answer), &gate, under_way));
        }
        at_the_fleet = (!is_read).then(|| gate.approach_the_fleet());
        phase = gate.phase();
    }
    let mut data = Extensions::new();
    data.insert(Data::new(gate.cluster().clone()));
    if let Phase::Serving(state) = phase {
        if let Some(carriage) = carriage {
            if let Some(answer) = refusal(&gate, &carriage, &request) {
                return Ok(finish(request.into_response(answer), &gate, under_way));
            }
            if carriage.is_handed_on {
                return handed_on(request, &state, &gate, under_way).await;
            }
            let node = carriage.node.as_str();
            let caller = carriage.caller.map(|caller| caller.to_string());
            debug!(node, caller; "`{node}` carried a request here");
            request.extensions_mut().insert(carriage);
        }
        data.insert(Data::new(state.orchestrator().prover().clone()));
        data.insert(Data::new(state));
    }
    request.add_data_container(Rc::new(data));
    let answer = next.call(request).await;
    drop(at_the_fleet);
    let mut answer = answer?;
    if was_cut.get() {
        answer = answer.into_response(Problem::shutting_down().error_response());
    }
    Ok(finish(answer, &gate, under_way))
}

/// Returns the answer to a carried request that is not looked at: this process ends, or the worker has
/// given the request up and may have said something else since.
fn refusal(gate: &Gate, carriage: &Carriage, request: &ServiceRequest) -> Option<HttpResponse> {
    if gate.is_closing() {
        let mut answer = Problem::shutting_down().error_response();
        let headers = answer.headers_mut();
        headers.insert(NOT_TAKEN, HeaderValue::from_static("closing"));
        return Some(answer);
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_read || carriage.is_handed_on {
        return None;
    }
    let forwarder = gate.forwarder();
    let run = gate.cluster().me().run;
    let moment = carriage.moment?;
    let age = moment.age(run, forwarder.moment());
    (!forwarder.limits().is_in_time(age)).then(|| {
            Problem::standby(format!(
                "`{}` carried this request for longer than a worker's request may take. Nothing was changed; \
                 try again.",
                carriage.node
            ))
            .error_response()
        })
}

/// Answers the leader that is about to hand over.
async fn notice(request: &mut ServiceRequest, gate: &Gate) -> HttpResponse {
    let path = request.path().to_owned();
    match handing_over::notice_of(request).await {
        Some(body) => handing_over::heed(gate.cluster(), &path, &body).await,
        None => Problem::malformed("The body could not be read to its end.").error_response(),
    }
}

/// Returns whether a request may change the fleet. Heartbeats go on while a leader hands over.
fn is_order(request: &ServiceRequest) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD) && request.path() != "/heartbeat"
}

/// Answers another member that hands on heartbeats it has echoed.
async fn handed_on(
    mut request: ServiceRequest,
    state: &AppState,
    gate: &Gate,
    under_way: UnderWay,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let body = request.extract::<Bytes>().await;
    let answer = match body {
        Ok(body) => take_handed_on(state.orchestrator(), &body),
        Err(_) => Problem::malformed("The body could not be read to its end.").error_response(),
    };
    Ok(finish(request.into_response(answer), gate, under_way))
}

/// Returns whether an orchestrator answers a path for itself, also while another one leads.
fn is_own_page(path: &str) -> bool {
    matches!(
        path,
        "/" | "/livez"
            | "/leader"
            | "/cluster"
            | "/cluster/take-over"
            | "/metrics"
            | "/logs"
            | "/settings"
            | "/openapi.json"
            | "/docs"
    ) || path.starts_with("/docs/")
        || path.starts_with("/console/")
}

/// Returns whether a path is about the caller's key and session. The leader answers where requests are carried, because
/// it has the sessions.
fn is_about_caller(path: &str) -> bool {
    matches!(path, "/whoami" | "/session")
}

fn finish(
    mut answer: ServiceResponse<BoxBody>,
    gate: &Gate,
    under_way: UnderWay,
) -> ServiceResponse<BoxBody> {
    if gate.is_closing() {
        let head = answer.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    match answer.response().body().size() {
        BodySize::None => answer,
        BodySize::Sized(size) if size <= WRITTEN_AT_ONCE => answer,
        BodySize::Sized(_) | BodySize::Stream => {
            answer.map_body(|_, body| BoxBody::new(HeldBody::new(body, under_way)))
        }
    }
}

/// Ends the body of a request that does not arrive while the gate closes; the flag says whether
/// that happened.
fn limit_body(request: &mut ServiceRequest, gate: &Gate) -> Rc<Cell<bool>> {
    let was_cut = Rc::new(Cell::new(false));
    match request.take_payload() {
        Payload::None => {}
        payload => request.set_payload(Payload::Stream {
            payload: Box::pin(LimitedBody {
                payload,
                gate: gate.clone(),
                end_of_patience: None,
                was_cut: was_cut.clone(),
            }),
        }),
    }
    was_cut
}

struct LimitedBody {
    payload: Payload,
    gate: Gate,
    /// Created on the first wait: most bodies arrive with their head.
    end_of_patience: Option<Pin<Box<dyn Future<Output = ()>>>>,
    was_cut: Rc<Cell<bool>>,
}

impl Stream for LimitedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(piece) = self.payload.poll_next_unpin(cx) {
            return Poll::Ready(piece);
        }
        let Self {
            gate,
            end_of_patience,
            was_cut,
            ..
        } = &mut *self;
        let over = end_of_patience.get_or_insert_with(|| gate.end_of_patience());
        over.as_mut().poll(cx).map(|()| {
            was_cut.set(true);
            Some(Err(PayloadError::Incomplete(None)))
        })
    }
}
