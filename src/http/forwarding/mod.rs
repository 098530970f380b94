//! A standby answers by proxy: it carries requests to the leader.
//!
//! ```text
//!   gate ─▶ carrying ── domain/leadership/carry decides ──▶ client ─▶ the leader
//!              │ ▲                                            ▲
//!              │ └──── forwarder: link, echoes, counts ◀── leader_watch (asks the leader, hands echoes on)
//!              └─▶ echo, or 503
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `forwarder` | what all requests of the process share |
//! | `carrying` | one request, step by step |
//! | `client` | the connections to other orchestrators |
//! | `bodies` | bodies in both directions, piece by piece |
//! | `echo` | the answer to a heartbeat that no leader hears, and how the next leader hears of it |
//! | `refusal` | the answers to requests that no leader answers |
//! | `figures` | the counters |
//!
//! A body of up to 256 KiB is read before it is sent, so that it can be sent again; a larger one is passed on
//! while it comes. An answer is passed on while it comes, whatever its length, so lists, long polls and event
//! streams work through any member. Failures: a leader that refuses a connection is not asked again before
//! `leader_watch` has reached it; an answer that breaks off breaks off for the client too.

mod bodies;
mod carrying;
mod client;
mod echo;
mod figures;
mod forwarder;
mod refusal;

pub(super) use bodies::{body_of, collected, no_body};
pub(super) use carrying::{Outcome, carry};
pub(super) use client::{MemberClient, closes, outgoing, request};
pub(super) use echo::{EchoAnswer, hand_on, members_headers, take_handed_on};
pub(super) use figures::ForwardingFigures;
pub(super) use forwarder::Forwarder;
