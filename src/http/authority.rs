//! Which answers a deposed orchestrator must not give.
//!
//! Two orchestrators may believe at the same time that they lead: the newer one does, and the older
//! one has not heard of it. An answer of the older one does harm if it denies a worker (404 and 409
//! make a worker stop everything), hands streams out, judges a claim or confirms an order from
//! memory. Each of these answers needs a [`Proof`](crate::domain::leadership::Proof) that was sent
//! after the request came: if a newer orchestrator had taken over before the request, then the proof
//! would not exist, because the same row of the database gives it. Without a proof the answer is 503
//! (`src/http/withholding.rs`).
//!
//! | kind of route | which answers need a proof |
//! | --- | --- |
//! | `Own` | none: it is about this process |
//! | `Shown` | none |
//! | `ShownToWorker` | 404 and 409; others say since when they may be stale |
//! | `Beat` | 404 and 409; the handler looks after the rest |
//! | `Told` | 2xx, 404 and 409 |
//! | `Judged` | 2xx |
//! | `Ordered` | 2xx, 404 and 409 |

use actix_web::http::StatusCode;

use crate::actors::leadership::{NotProven, Prover};
use crate::domain::leadership::SteadyTime;

/// What the answers of a route do to those who get them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// They are about the process that answers.
    Own,
    /// They show people the fleet.
    Shown,
    /// They show a worker what it is to run.
    ShownToWorker,
    /// They answer a heartbeat.
    Beat,
    /// They tell a worker what to run, or that it is registered.
    Told,
    /// They judge claims to streams.
    Judged,
    /// They confirm what an operator ordered.
    Ordered,
}

/// When the proof of an answer must have been sent at the earliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    /// The answer needs no proof.
    Nothing,
    /// After the request came.
    AfterRequest,
    /// After the answer was decided. A long poll may have come half a minute before.
    AfterVerdict,
}

impl Authority {
    /// What an answer with this status needs.
    pub fn needs(self, status: StatusCode) -> Needed {
        let is_denial = [StatusCode::NOT_FOUND, StatusCode::CONFLICT].contains(&status);
        match self {
            Self::Own | Self::Shown => Needed::Nothing,
            Self::ShownToWorker | Self::Beat if is_denial => Needed::AfterVerdict,
            Self::ShownToWorker | Self::Beat => Needed::Nothing,
            Self::Told | Self::Ordered if is_denial => Needed::AfterVerdict,
            Self::Told | Self::Judged | Self::Ordered if status.is_success() => {
                Needed::AfterRequest
            }
            Self::Told | Self::Judged | Self::Ordered => Needed::Nothing,
        }
    }
}

impl Needed {
    /// Returns once an answer may leave that was just decided, to a request that came at `came`.
    ///
    /// # Errors
    /// If the database does not prove in time that this orchestrator leads.
    pub async fn met(self, prover: &Prover, came: SteadyTime) -> Result<(), NotProven> {
        let since = match self {
            Self::Nothing => return Ok(()),
            Self::AfterRequest => came,
            Self::AfterVerdict => prover.moment(),
        };
        prover.after(since).await.map(|_proof| ())
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_denial_of_a_worker_needs_a_proof_of_its_own() {
        for status in [StatusCode::NOT_FOUND, StatusCode::CONFLICT] {
            for authority in [Authority::ShownToWorker, Authority::Beat, Authority::Told] {
                assert_eq!(authority.needs(status), Needed::AfterVerdict);
            }
        }
    }

    #[test]
    fn bad_input_and_outages_need_no_proof() {
        let harmless = [
            StatusCode::BAD_REQUEST,
            StatusCode::UNPROCESSABLE_ENTITY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::INTERNAL_SERVER_ERROR,
        ];
        for status in harmless {
            for authority in [
                Authority::Beat,
                Authority::Told,
                Authority::Judged,
                Authority::Ordered,
            ] {
                assert_eq!(authority.needs(status), Needed::Nothing, "{status}");
            }
        }
    }

    #[test]
    fn a_judgement_and_an_order_need_a_proof_after_their_request() {
        for authority in [Authority::Told, Authority::Judged, Authority::Ordered] {
            assert_eq!(authority.needs(StatusCode::OK), Needed::AfterRequest);
        }
        assert_eq!(Authority::Beat.needs(StatusCode::OK), Needed::Nothing);
        assert_eq!(Authority::Shown.needs(StatusCode::OK), Needed::Nothing);
    }
}
