//! A planned change of the leader, between two members: the leader says what it is about to do.
//!
//! ```text
//!   leader                                            standby
//!     │ POST /cluster/v1/prepare {term, version} ─────▶ reads the fleet ahead
//!     │ ◀───────── 200 {timeline, term, version} ────── the copy is there
//!     │ (releases the row)
//!     │ POST /cluster/v1/released ────────────────────▶ looks at the row at once
//! ```
//!
//! Both have the headers between members, with the members' secret. Neither decides anything: the row names the leader,
//! and the take-over says whether the copy is the fleet. A standby that had to give its copy up, because the fleet changed
//! meanwhile, answers 409. One of an earlier release answers 503, and a request that is lost costs the time that it would
//! have saved.

use std::time::Duration;

use actix_web::web::Bytes;
use actix_web::{HttpResponse, ResponseError};
use hyper::{HeaderMap, StatusCode};
use log::debug;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::forwarding::{MemberClient, body_of, collected, members_headers, request};
use super::problem::Problem;
use crate::actors::leadership::ClusterView;
use crate::domain::ids::{Term, Version};
use crate::domain::leadership::{FleetMoment, Role, SavedFleet, WalTimeline};
use crate::tls::Tls;

const PREPARE: &str = "/cluster/v1/prepare";
const RELEASED: &str = "/cluster/v1/released";

/// The limit of a notice that is not waited for.
const NOTICE_LIMIT: Duration = Duration::from_millis(500);

/// Why the successor has no copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCopy {
    /// It is not reached, or does not read ahead for a leader.
    #[error("it does not read ahead for this orchestrator")]
    Unable,
    /// The fleet changed while it was read, or the database did not answer in time.
    #[error("the fleet changed while it was read, or could not be read")]
    GivenUp,
}

/// A fleet at a moment, as it is sent.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct SentMoment {
    #[serde(default)]
    timeline: u32,
    term: i64,
    version: i64,
}

/// The way of a leader to the orchestrator that gets its term.
#[derive(Debug)]
pub struct SuccessorLink {
    client: MemberClient,
    view: ClusterView,
    term: Term,
    address: String,
}

impl SuccessorLink {
    /// The way to this address, of a leader in its `term`.
    pub fn new(tls: Option<&Tls>, view: ClusterView, term: Term, address: String) -> Self {
        Self {
            client: MemberClient::new(tls, &view),
            view,
            term,
            address,
        }
    }

    /// Has the successor read the fleet ahead, which has this version. Returns the moment of its copy.
    /// Takes as long as the successor reads.
    ///
    /// # Errors
    /// If the successor is not reached, or does not read.
    pub async fn prepare(&self, version: Version) -> Result<FleetMoment, NoCopy> {
        let wanted = SentMoment {
            timeline: 0,
            term: self.term.get(),
            version: version.get(),
        };
        let body = serde_json::to_vec(&wanted).unwrap_or_default();
        let (status, answer) = self.send(PREPARE, body).await.ok_or(NoCopy::Unable)?;
        if status == StatusCode::CONFLICT {
            return Err(NoCopy::GivenUp);
        }
        let copied: SentMoment = Some(answer)
            .filter(|_| status.is_success())
            .and_then(|answer| serde_json::from_slice(&answer).ok())
            .ok_or(NoCopy::Unable)?;
        Ok(FleetMoment {
            timeline: WalTimeline::new(copied.timeline),
            term: Term::new(copied.term),
            version: Version::new(copied.version),
        })
    }

    /// Notifies the successor that the row is released.
    pub async fn released(&self) {
        let sent = self.send(RELEASED, Vec::new());
        let sent = timeout(NOTICE_LIMIT, sent).await.ok().flatten();
        if !sent.is_some_and(|(status, _)| status.is_success()) {
            debug!("the successor was not notified of the release; it looks at its usual time");
        }
    }

    async fn send(&self, path: &str, body: Vec<u8>) -> Option<(StatusCode, Vec<u8>)> {
        let headers: HeaderMap = members_headers(&self.view, self.term, &self.view.secret());
        let sent = request("POST", &self.address, path, headers, body_of(body))?;
        let (head, body) = self.client.send(sent).await.ok()?.into_parts();
        Some((head.status, collected(body).await?))
    }
}

/// Returns whether a path is a notice of the leader.
pub(super) fn is_notice(path: &str) -> bool {
    matches!(path, PREPARE | RELEASED)
}

/// Answers a notice of the leader, as a standby.
pub(super) async fn heed(view: &ClusterView, path: &str, body: &[u8]) -> HttpResponse {
    if view.now().role != Role::Standby {
        return Problem::standby("This orchestrator is no standby.").error_response();
    }
    if path == RELEASED {
        view.notices().released();
        return HttpResponse::NoContent().finish();
    }
    let Ok(wanted) = serde_json::from_slice::<SentMoment>(body) else {
        return Problem::malformed("A term and a version are expected.").error_response();
    };
    let wanted = SavedFleet {
        term: Term::new(wanted.term),
        version: Version::new(wanted.version),
    };
    match view.notices().prepare(wanted).await {
        Ok(Some(copied)) => HttpResponse::Ok().json(SentMoment {
            timeline: copied.timeline.get(),
            term: copied.term.get(),
            version: copied.version.get(),
        }),
        Ok(None) => Problem::conflict("The fleet changed while it was read, or could not be read.")
            .error_response(),
        Err(_) => {
            Problem::standby("Too many notices of a leader wait at this standby.").error_response()
        }
    }
}

/// Reads the body of a notice.
pub(super) async fn notice_of(request: &mut actix_web::dev::ServiceRequest) -> Option<Bytes> {
    request.extract::<Bytes>().await.ok()
}
