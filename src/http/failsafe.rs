//! The question of a leader that does not reach its database, from one orchestrator to another.
//!
//! `POST /cluster/v1/failsafe` with `{"term", "node", "run"}` of the leader is answered by the gate itself, in each
//! phase, because the member has no fleet and no database then. It is no route: without the members' secret the path
//! is an unknown one. A standby removes the header that marks a question from what clients send, so no client asks
//! through a standby.
//!
//! | answer | means |
//! | --- | --- |
//! | `{"node", "run", "confirms": true}` | the process confirms (`domain/leadership/failsafe`) |
//! | `{"node", "run", "confirms": false, "reason", "term"?}` | it does not |
//! | anything else, or none in time | no confirmation |
//!
//! Where TLS is spoken, it is spoken here, too: a member whose certificate is not accepted does not confirm
//! (`tls/members.rs`).

use std::fmt;
use std::pin::Pin;

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, ResponseError};
use hyper::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::forwarding::{MemberClient, body_of, collected, outgoing, request};
use super::gate::Gate;
use super::member_headers::{AGE, Carriage, FORWARDED, HANDED_ON, SECRET, value};
use super::problem::Problem;
use crate::actors::leadership::{ClusterView, FailsafeCalls};
use crate::domain::ids::Term;
use crate::domain::leadership::{
    FailsafeAnswer, FailsafeMember, FailsafeQuestion, FailsafeRefusal, NodeName, RunId,
};

const PATH: &str = "/cluster/v1/failsafe";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    term: i64,
    node: String,
    run: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    node: String,
    run: i64,
    confirms: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<i64>,
}

impl From<FailsafeAnswer> for Answer {
    fn from(answer: FailsafeAnswer) -> Self {
        let refusal = answer.verdict.err();
        let term = refusal.as_ref().and_then(FailsafeRefusal::higher_term);
        Self {
            node: answer.node.to_string(),
            run: answer.run.get(),
            confirms: refusal.is_none(),
            reason: refusal.map(|refusal| refusal.as_str().to_owned()),
            term: term.map(Term::get),
        }
    }
}

impl Answer {
    /// `None` if it says nothing that is known.
    fn read(self) -> Option<FailsafeAnswer> {
        let verdict = if self.confirms {
            Ok(())
        } else {
            let reason = self.reason?;
            Err(FailsafeRefusal::parse(&reason, self.term.map(Term::new))?)
        };
        Some(FailsafeAnswer {
            node: NodeName::new(self.node),
            run: RunId::new(self.run),
            verdict,
        })
    }
}

/// Returns whether a request is the question of a leader.
pub(super) fn is_asked(carriage: Option<&Carriage>, request: &ServiceRequest) -> bool {
    request.path() == PATH
        && *request.method() == Method::POST
        && carriage.is_some_and(|carriage| carriage.is_handed_on)
}

/// Answers a leader.
pub(super) async fn answer(view: &ClusterView, request: &mut ServiceRequest) -> HttpResponse {
    let Ok(body) = request.extract::<Bytes>().await else {
        return Problem::malformed("The body could not be read to its end.").error_response();
    };
    match serde_json::from_slice::<Question>(&body) {
        Ok(question) => {
            let answer = view.confirm_leader(&FailsafeQuestion {
                term: Term::new(question.term),
                node: NodeName::new(question.node),
                run: RunId::new(question.run),
            });
            HttpResponse::Ok().json(Answer::from(answer))
        }
        Err(error) => {
            let detail = format!("`term`, `node` and `run` of a leader are expected: {error}.");
            Problem::malformed(detail).error_response()
        }
    }
}

/// Asks the other orchestrators of the database over HTTP.
pub struct MembersByHttp {
    gate: Gate,
    client: MemberClient,
}

impl fmt::Debug for MembersByHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MembersByHttp").finish_non_exhaustive()
    }
}

impl MembersByHttp {
    /// Asks as the process behind this gate.
    pub fn new(gate: Gate) -> Self {
        let client = MemberClient::new(gate.tls(), gate.cluster());
        Self { gate, client }
    }
}

impl FailsafeCalls for MembersByHttp {
    fn ask(
        &self,
        member: FailsafeMember,
        question: FailsafeQuestion,
    ) -> Pin<Box<dyn Future<Output = Option<FailsafeAnswer>>>> {
        let client = self.client.clone();
        let secret = self.gate.cluster().secret();
        Box::pin(async move {
            let own = format!("{} {}", question.node, question.term);
            let mut headers = HeaderMap::new();
            for (name, text) in [
                (FORWARDED, own.as_str()),
                (AGE, "0"),
                (HANDED_ON, "true"),
                (SECRET, secret.expose()),
            ] {
                headers.extend(outgoing(&name, &value(text)));
            }
            let body = serde_json::to_vec(&Question {
                term: question.term.get(),
                node: question.node.to_string(),
                run: question.run.get(),
            });
            let body = body_of(body.ok()?);
            let request = request("POST", &member.address, PATH, headers, body)?;
            let answer = client.send(request).await.ok()?;
            let (head, body) = answer.into_parts();
            if head.status != StatusCode::OK {
                return None;
            }
            let body = collected(body).await?;
            serde_json::from_slice::<Answer>(&body).ok()?.read()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_is_written() {
        use FailsafeRefusal::{Claims, HigherTerm, ReachesDatabase};
        for verdict in [
            Ok(()),
            Err(Claims),
            Err(ReachesDatabase),
            Err(HigherTerm(Term::new(9))),
        ] {
            let answer = FailsafeAnswer {
                node: NodeName::new("b"),
                run: RunId::new(7),
                verdict,
            };
            let text = serde_json::to_string(&Answer::from(answer.clone())).unwrap();
            let read: Answer = serde_json::from_str(&text).unwrap();
            assert_eq!(read.read(), Some(answer), "{text}");
        }
    }

    #[test]
    fn an_answer_that_is_not_understood_is_none() {
        for text in [
            r#"{"node": "b", "run": 7, "confirms": false}"#,
            r#"{"node": "b", "run": 7, "confirms": false, "reason": "asleep"}"#,
            r#"{"node": "b", "run": 7, "confirms": false, "reason": "higher_term"}"#,
        ] {
            let read: Answer = serde_json::from_str(text).unwrap();
            assert_eq!(read.read(), None, "{text}");
        }
        assert!(serde_json::from_str::<Answer>(r#"{"status": "ok"}"#).is_err());
    }
}
