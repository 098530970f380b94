//! Accompanies the leader while this process stands by: asks it who it is, and hands it the heartbeats that
//! were echoed. The answers say whether the leader is reached, and what time its clock shows.

use std::time::Duration;

use hyper::body::Incoming;
use hyper::{HeaderMap, Response};
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::forwarding::{Forwarder, MemberClient, closes, collected, hand_on, request};
use super::gate::{Gate, Phase};
use super::member_headers::{MOMENT, moment_of};
use crate::domain::ids::Term;
use crate::domain::leadership::{LeaderMoment, LeadershipRow, Role};

/// What `GET /leader` says, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Said {
    leader: bool,
    role: String,
    term: Option<i64>,
}

/// An answer of the leader that was asked.
#[derive(Debug, Clone, Copy)]
struct Answered {
    moment: LeaderMoment,
    is_proven: bool,
}

/// Accompanies the leader until it is dropped.
pub async fn accompany(gate: Gate) {
    let client = MemberClient::new(gate.tls(), gate.cluster());
    let forwarder = gate.forwarder().clone();
    let mut news = forwarder.view().news();
    loop {
        news.borrow_and_update();
        let pause = match gate.phase() {
            Phase::Serving(state) => {
                let orchestrator = state.orchestrator();
                let now = forwarder.moment();
                for beat in forwarder.echoes().take(usize::MAX) {
                    let age = now.since(beat.came);
                    orchestrator.echoed(&beat.id, beat.incarnation, age);
                }
                // An echo that was decided a moment before may still come.
                Duration::from_secs(1)
            }
            Phase::Starting(_) | Phase::Standby => {
                if let Some(leader) = forwarder.leader() {
                    ask(&forwarder, &client, &leader).await;
                }
                hand_on(&forwarder, &client).await;
                forwarder.limits().ask_interval
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            _ = news.changed() => {}
        }
    }
}

/// Asks the leader of a row who it is.
async fn ask(forwarder: &Forwarder, client: &MemberClient, leader: &LeadershipRow) {
    let body = super::forwarding::no_body();
    let Some(question) = request("GET", &leader.address, "/leader", HeaderMap::new(), body) else {
        return;
    };
    let asked = async {
        let answer = client.send(question).await.map_err(|_failure| ())?;
        read(answer, leader.term).await.ok_or(())
    };
    // One that is silent is waited for a while longer, by the age of its last answer.
    let Ok(answered) = timeout(forwarder.limits().ask_limit, asked).await else {
        return;
    };
    let now = forwarder.moment();
    let is_news = match answered {
        Err(()) => {
            forwarder.link().broke();
            false
        }
        Ok(Answered { moment, is_proven }) => {
            let mut link = forwarder.link();
            let was_reached = link.reaches(leader.term, now);
            link.answered(leader.term, moment, is_proven, now);
            !was_reached
        }
    };
    if is_news {
        forwarder.view().announce();
    }
}

/// Reads an answer; `None` if it is not that of the leader of this term, or the leader ends.
async fn read(answer: Response<Incoming>, term: Term) -> Option<Answered> {
    let (head, body) = answer.into_parts();
    if closes(&head.headers) {
        return None;
    }
    let moment = head.headers.get(MOMENT.as_str())?.to_str().ok();
    let moment = moment.and_then(moment_of)?;
    let said: Said = serde_json::from_slice(&collected(body).await?).ok()?;
    let leads = said.role == Role::Leading.as_str() && said.term == Some(term.get());
    leads.then_some(Answered {
        moment,
        is_proven: said.leader,
    })
}
