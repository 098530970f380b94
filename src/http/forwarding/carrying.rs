//! One request at an orchestrator that does not lead, step by step. `domain/leadership/carry` decides each step.

use std::pin::Pin;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceRequest;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use hyper::body::{Body as _, Incoming};
use hyper::{HeaderMap, Response};
use log::debug;
use tokio::sync::OwnedSemaphorePermit;

use super::super::connection::{ClientLimits, Connection};
use super::super::identify::REQUEST_ID;
use super::super::member_headers::{
    AGE, BETWEEN_MEMBERS, CALLER, CERTIFICATE, FORWARDED, LEADER, MOMENT, NOT_TAKEN, SECRET,
    certificate_text, moment_text, value,
};
use super::super::problem::Problem;
use super::bodies::{CarriedBody, LeaderAnswer, RequestBody};
use super::client::{self, MemberClient};
use super::echo;
use super::figures::Proxied;
use super::forwarder::Forwarder;
use super::refusal;
use crate::domain::access::PeerNames;
use crate::domain::leadership::{
    Carried, CarriedKind, CarryRefusal, CarryStep, LeadershipRow, SendFailure, SteadyTime,
};
use crate::logging;

/// Headers of one connection, which are not passed on, and what the libraries write themselves.
const OF_A_CONNECTION: [header::HeaderName; 9] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::EXPECT,
    header::CONTENT_LENGTH,
];

/// The path of heartbeats.
const BEAT: &str = "/heartbeat";

/// What became of a request.
#[derive(Debug)]
pub(in crate::http) enum Outcome {
    /// This is its answer.
    Answer(HttpResponse<BoxBody>),
    /// This process leads by now; its handlers answer the request, whose body is as it came.
    ServeHere,
}

/// A request on its way to an answer of the leader.
type Sending = Pin<Box<dyn Future<Output = Result<Response<Incoming>, SendFailure>>>>;

/// Carries a request to the leader, or echoes or refuses it. It came at `came`.
pub(in crate::http) async fn carry(
    forwarder: &std::sync::Arc<Forwarder>,
    request: &mut ServiceRequest,
    limits: ClientLimits,
    came: SteadyTime,
) -> Outcome {
    let is_long = is_long(request.request());
    let permit = match is_long.then(|| forwarder.admit_long()) {
        None => None,
        Some(Some(permit)) => Some(permit),
        Some(None) => {
            Proxied::TooManyLong.count();
            let problem = Problem::standby(
                "This orchestrator carries as many long polls and event streams to the leader as it may. Go \
                 on with heartbeats: no change is missed without the poll. Try again soon, or at another \
                 orchestrator.",
            );
            return Outcome::Answer(problem.error_response());
        }
    };
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    let payload = request.take_payload();
    let read = RequestBody::read(payload, request.request(), announced, limits.body).await;
    let body = match read {
        Ok(body) => body,
        Err(problem) => return Outcome::Answer(problem.error_response()),
    };
    let Some(client) = request.app_data::<MemberClient>().cloned() else {
        let refused = refusal::problem(forwarder, CarryRefusal::NoLeader);
        return Outcome::Answer(refused.error_response());
    };
    let carrying = Carrying {
        forwarder,
        request: request.request().clone(),
        client,
        came,
        is_long,
        body,
    };
    let (outcome, answer, payload) = carrying.finished(permit).await;
    outcome.count();
    match (answer, payload) {
        (Some(mut answer), _) => {
            if let Some(leader) = forwarder.leader().filter(|row| !row.public_url.is_empty()) {
                answer
                    .headers_mut()
                    .insert(LEADER, value(&leader.public_url));
            }
            Outcome::Answer(answer)
        }
        (None, payload) => {
            request.set_payload(payload.unwrap_or(actix_web::dev::Payload::None));
            Outcome::ServeHere
        }
    }
}

/// Returns whether a request is a long poll or an event stream.
fn is_long(request: &HttpRequest) -> bool {
    let path = request.path();
    path == "/resilience/events/stream"
        || path.starts_with("/instances/") && path.ends_with("/assignments")
}

struct Carrying<'f> {
    forwarder: &'f std::sync::Arc<Forwarder>,
    request: HttpRequest,
    client: MemberClient,
    came: SteadyTime,
    is_long: bool,
    body: RequestBody,
}

type End = (
    Proxied,
    Option<HttpResponse<BoxBody>>,
    Option<actix_web::dev::Payload>,
);

impl Carrying<'_> {
    async fn finished(mut self, permit: Option<OwnedSemaphorePermit>) -> End {
        let forwarder = self.forwarder;
        let connection = Connection::of(&self.request);
        let mut news = forwarder.view().news();
        let mut carried = Carried::new(self.kind(), self.came, forwarder.limits());
        let mut sending: Option<Sending> = None;
        let mut held = None;
        let mut is_gone = false;
        let mut breaks = 0_u32;
        loop {
            news.borrow_and_update();
            let around = forwarder.circumstances(held.is_some(), is_gone);
            let mut step = carried.next(&around, forwarder.moment());
            if !matches!(step, CarryStep::Send(_) | CarryStep::Serve) && self.is_heartbeat() {
                // Whether it may be echoed is read only where it matters.
                carried.is_a(self.heartbeat_kind());
                step = carried.next(&around, forwarder.moment());
            }
            let until = match step {
                CarryStep::Serve => {
                    drop(sending.take());
                    return match self.body.restored() {
                        Some(payload) => (Proxied::ServedHere, None, Some(payload)),
                        None => self.refused(CarryRefusal::NoLeader),
                    };
                }
                CarryStep::Send(term) => {
                    let leader = forwarder.reached().filter(|leader| leader.term == term);
                    let Some(leader) = leader else {
                        continue;
                    };
                    carried.sent(term, forwarder.moment());
                    match self.send(&leader) {
                        Some(begun) => sending = Some(begun),
                        None => return self.refused(CarryRefusal::NoLeader),
                    }
                    // The next decision says how long the answer is waited for.
                    continue;
                }
                CarryStep::Hold(until) => {
                    sending = None;
                    held.get_or_insert_with(|| forwarder.hold());
                    Some(until)
                }
                CarryStep::Await(until) => until,
                CarryStep::Echo => {
                    let beat = self.body.whole().and_then(echo::heartbeat);
                    let echoed = beat.and_then(|beat| echo::answer(forwarder, beat, self.came));
                    return match echoed {
                        Some(answer) => (Proxied::Echoed, Some(answer), None),
                        None => self.refused(CarryRefusal::NoLeader),
                    };
                }
                CarryStep::Refuse(refusal) => return self.refused(refusal),
                CarryStep::Drop => {
                    let (_, answer, payload) = self.refused(CarryRefusal::NoLeader);
                    return (Proxied::Gone, answer, payload);
                }
            };
            let now = forwarder.moment();
            let wait = until.map(|until| until.since(now));
            let listens = !is_gone && (self.is_long || sending.is_none());
            tokio::select! {
                biased;
                answered = answer_of(&mut sending) => match answered {
                    Ok(answer) if !answer.headers().contains_key(NOT_TAKEN.as_str()) => {
                        return (Proxied::Answered, Some(self.answer(answer, permit)), None);
                    }
                    // It ends, and took nothing.
                    Ok(_) => {
                        forwarder.link().broke();
                        sending = None;
                        carried.failed(SendFailure::NotSent);
                    }
                    Err(failure) => {
                        breaks += 1;
                        // One connection may break for a reason of its own.
                        if failure == SendFailure::NotSent || breaks > 1 {
                            forwarder.link().broke();
                        }
                        sending = None;
                        carried.failed(failure);
                    }
                },
                _ = news.changed() => {}
                () = pause(wait) => {}
                () = ended(connection.as_ref()), if listens => is_gone = true,
            }
        }
    }

    fn is_heartbeat(&self) -> bool {
        self.request.path() == BEAT && self.request.method() == Method::POST
    }

    fn kind(&self) -> CarriedKind {
        if self.is_heartbeat() {
            CarriedKind::Beat {
                may_be_echoed: false,
            }
        } else if matches!(*self.request.method(), Method::GET | Method::HEAD) {
            CarriedKind::Read
        } else {
            CarriedKind::Order
        }
    }

    /// A worker that names its life and no version would take an echo for an answer without a list, and forget
    /// what it has.
    fn heartbeat_kind(&self) -> CarriedKind {
        let beat = self.body.whole().and_then(echo::heartbeat);
        let may_be_echoed =
            beat.is_some_and(|beat| beat.incarnation.is_none() || beat.version.is_some());
        CarriedKind::Beat { may_be_echoed }
    }

    /// Begins to send it; `None` if that is not possible.
    fn send(&mut self, leader: &LeadershipRow) -> Option<Sending> {
        let body = self.body.outgoing(&self.request)?;
        let headers = self.headers(leader);
        let path = self.request.uri().path_and_query()?.as_str();
        let method = self.request.method().as_str();
        let request: hyper::Request<CarriedBody> =
            client::request(method, &leader.address, path, headers, body)?;
        let client = self.client.clone();
        Some(Box::pin(async move { client.send(request).await }))
    }

    fn headers(&self, leader: &LeadershipRow) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let named: Vec<String> = self
            .request
            .headers()
            .get_all(header::CONNECTION)
            .filter_map(|value| value.to_str().ok())
            .flat_map(|names| names.split(','))
            .map(|name| name.trim().to_ascii_lowercase())
            .collect();
        for (name, value) in self.request.headers() {
            let is_of_the_connection = OF_A_CONNECTION.contains(name)
                || name.as_str() == "keep-alive"
                || named.iter().any(|named| named == name.as_str());
            if is_of_the_connection || BETWEEN_MEMBERS.contains(name) {
                continue;
            }
            if let Some((name, value)) = client::outgoing(name, value) {
                headers.append(name, value);
            }
        }
        let forwarder = self.forwarder;
        let node = &forwarder.view().me().node;
        let age = forwarder.moment().since(self.came).as_millis();
        let moment = forwarder.link().stamp(self.came);
        let caller = self.request.peer_addr();
        let id = logging::current();
        let own = [
            (FORWARDED, Some(format!("{node} {}", leader.term.get()))),
            (AGE, Some(age.to_string())),
            (MOMENT, moment.map(moment_text)),
            (CALLER, caller.map(|address| address.to_string())),
            (SECRET, Some(leader.secret.expose().to_owned())),
            (REQUEST_ID, id.map(|request| request.id().to_owned())),
        ];
        for (name, text) in own {
            let Some(text) = text else { continue };
            if let Some((name, value)) = client::outgoing(&name, &value(&text)) {
                headers.insert(name, value);
            }
        }
        let names = self
            .request
            .conn_data::<PeerNames>()
            .and_then(certificate_text);
        if let Some((name, value)) = names.and_then(|names| client::outgoing(&CERTIFICATE, &names))
        {
            headers.insert(name, value);
        }
        headers
    }

    /// The leader's answer, as the client gets it.
    fn answer(
        &self,
        answer: Response<Incoming>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> HttpResponse<BoxBody> {
        let (head, incoming) = answer.into_parts();
        let status = StatusCode::from_u16(head.status.as_u16());
        let mut response = HttpResponse::new(status.unwrap_or(StatusCode::BAD_GATEWAY));
        if client::closes(&head.headers) && self.body.whole().is_some() {
            // The leader ends: nothing more is sent before it was asked again. A body that it did not read to
            // its end is another reason to close a connection.
            self.forwarder.link().broke();
        }
        let announced = head.headers.get(hyper::header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
        for (name, value) in &head.headers {
            let Some((name, value)) = client::incoming(name, value) else {
                continue;
            };
            if !OF_A_CONNECTION.contains(&name) && name.as_str() != "keep-alive" {
                response.headers_mut().append(name, value);
            }
        }
        let is_bare = matches!(head.status.as_u16(), 204 | 304);
        let size = match announced.or_else(|| incoming.size_hint().exact()) {
            _ if is_bare => BodySize::None,
            Some(length) => BodySize::Sized(length),
            None => BodySize::Stream,
        };
        let is_stream = self.is_long && size == BodySize::Stream;
        let forwarder = self.forwarder.clone();
        let body = LeaderAnswer {
            incoming,
            size,
            ends: is_stream.then(|| Box::pin(closing(forwarder)) as Pin<Box<_>>),
            _permit: permit,
        };
        response.map_body(|_, _| body.boxed())
    }

    fn refused(&self, refusal: CarryRefusal) -> End {
        let path = self.request.path();
        debug!(path; "a request could not be carried to a leader: {refusal:?}");
        let outcome = Proxied::Refused(refusal);
        let answer = refusal::problem(self.forwarder, refusal).error_response();
        (outcome, Some(answer), None)
    }
}

/// Returns once the process ends.
async fn closing(forwarder: std::sync::Arc<Forwarder>) {
    let mut news = forwarder.view().news();
    while !forwarder.is_closing() {
        if news.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Returns the answer of the leader; never, if nothing was sent.
async fn answer_of(sending: &mut Option<Sending>) -> Result<Response<Incoming>, SendFailure> {
    match sending {
        Some(sending) => sending.await,
        None => std::future::pending().await,
    }
}

async fn pause(wait: Option<std::time::Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

async fn ended(connection: Option<&Connection>) {
    match connection {
        Some(connection) => connection.ended().await,
        None => std::future::pending().await,
    }
}
