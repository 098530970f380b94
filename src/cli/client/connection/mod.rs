//! Requests to a running orchestrator, or to one of several, and the sentence to print if none answers.
//!
//! `calls` has the requests. `turns` decides which orchestrator is asked, `agents` has the clients that send, `exposure` warns of a
//! key that is not encrypted, `reading` reads an
//! answer, and `sentences` says why there is none.

mod agents;
mod calls;
mod exposure;
mod reading;
mod sentences;
mod turns;

pub(super) use calls::{Answer, Connection, Stream, Unanswered};
pub(super) use reading::Refusal;
pub(super) use turns::Act;
