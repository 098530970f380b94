//! The echo: the answer to a heartbeat that no leader hears. It says that the heartbeat was heard, grants
//! nothing, and takes nothing back. The next leader hears of it, with its age.

use std::time::Duration;

use actix_web::web::Bytes;
use actix_web::{HttpResponse, ResponseError};
use hyper::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::member_headers::{AGE, FORWARDED, HANDED_ON, SECRET, value};
use super::super::problem::Problem;
use super::super::requests::{HeartbeatRequest, read_json, whole};
use super::bodies::CarriedBody;
use super::client::{self, MemberClient};
use super::forwarder::Forwarder;
use crate::actors::leadership::ClusterView;
use crate::actors::orchestrator::Orchestrator;
use crate::domain::heartbeat::Heartbeat;
use crate::domain::ids::{AssignmentVersion, Incarnation, InstanceId, Term};
use crate::domain::leadership::{EchoedBeat, MemberSecret, SteadyTime};

/// The path of echoed heartbeats. A leader knows them by their header, which no client's request keeps.
const HANDED_ON_PATH: &str = "/cluster/v1/heard";

/// How many heartbeats are handed on at once.
const MOST_AT_ONCE: usize = 1_000;

/// The limit of one request that hands heartbeats on.
const HAND_ON_LIMIT: Duration = Duration::from_secs(5);

/// An echo. Incarnation and version are those that the worker sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct EchoAnswer {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    incarnation: Option<Incarnation>,
    lease_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignment_version: Option<AssignmentVersion>,
}

/// Reads a heartbeat; `None` if it is no valid one.
pub(super) fn heartbeat(body: &Bytes) -> Option<Heartbeat> {
    let read = read_json(body, &whole::<HeartbeatRequest>()).ok()?;
    Some(Heartbeat::from(read.ok()?))
}

/// Echoes a heartbeat that came at `came`, if it can be kept for the next leader.
pub(super) fn answer(
    forwarder: &Forwarder,
    beat: Heartbeat,
    came: SteadyTime,
) -> Option<HttpResponse> {
    let kept = forwarder.echoes().keep(EchoedBeat {
        id: beat.id,
        incarnation: beat.incarnation,
        came,
    });
    kept.then(|| {
        HttpResponse::Ok().json(EchoAnswer {
            status: "heartbeat_updated",
            incarnation: beat.incarnation,
            lease_seconds: 0,
            assignment_version: beat.version,
        })
    })
}

/// A heartbeat that was echoed, as it is handed on.
#[derive(Debug, Serialize, Deserialize)]
struct HandedOn {
    server_id: InstanceId,
    incarnation: Option<Incarnation>,
    age_ms: u64,
}

/// Hands the echoed heartbeats on to the leader that is reached. Those that it does not take are kept.
pub(in crate::http) async fn hand_on(forwarder: &Forwarder, client: &MemberClient) {
    while let Some(leader) = forwarder.reached()
        && !forwarder.echoes().is_empty()
    {
        let mut beats = OnTheirWay {
            forwarder,
            beats: forwarder.echoes().take(MOST_AT_ONCE),
        };
        let now = forwarder.moment();
        let lines: Vec<HandedOn> = beats.beats.iter().map(|beat| line(beat, now)).collect();
        let body = serde_json::to_vec(&lines).unwrap_or_default();
        let headers = members_headers(forwarder.view(), leader.term, &leader.secret);
        let body = CarriedBody::whole(body.into());
        let request = client::request("POST", &leader.address, HANDED_ON_PATH, headers, body);
        let is_taken = match request {
            None => false,
            Some(request) => {
                let answer = tokio::time::timeout(HAND_ON_LIMIT, client.send(request)).await;
                matches!(answer, Ok(Ok(answer)) if answer.status().is_success())
            }
        };
        if !is_taken {
            return;
        }
        beats.beats.clear();
    }
}

/// Heartbeats that are being handed on. Those that the leader has not taken are kept, also if nothing waits for its
/// answer any more.
struct OnTheirWay<'f> {
    forwarder: &'f Forwarder,
    beats: Vec<EchoedBeat>,
}

impl Drop for OnTheirWay<'_> {
    fn drop(&mut self) {
        let mut kept = self.forwarder.echoes();
        for beat in self.beats.drain(..) {
            kept.keep(beat);
        }
    }
}

/// The headers of a request that is the member's own.
pub(in crate::http) fn members_headers(
    view: &ClusterView,
    term: Term,
    secret: &MemberSecret,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let own = format!("{} {}", view.me().node, term.get());
    for (name, text) in [
        (FORWARDED, own.as_str()),
        (AGE, "0"),
        (HANDED_ON, "true"),
        (SECRET, secret.expose()),
    ] {
        headers.extend(client::outgoing(&name, &value(text)));
    }
    headers
}

fn line(beat: &EchoedBeat, now: SteadyTime) -> HandedOn {
    let age = now.since(beat.came);
    HandedOn {
        server_id: beat.id.clone(),
        incarnation: beat.incarnation,
        age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
    }
}

/// Takes heartbeats that another member echoed, as the leader.
pub(in crate::http) fn take_handed_on(orchestrator: &Orchestrator, body: &[u8]) -> HttpResponse {
    let Ok(lines) = serde_json::from_slice::<Vec<HandedOn>>(body) else {
        return Problem::malformed("A list of heartbeats is expected.").error_response();
    };
    for line in lines {
        let age = Duration::from_millis(line.age_ms);
        orchestrator.echoed(&line.server_id, line.incarnation, age);
    }
    HttpResponse::NoContent().finish()
}
