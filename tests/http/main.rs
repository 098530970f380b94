//! The real routes over real actors, in virtual time: what is answered, to good and to bad input.

mod access;
mod alerts;
mod authority;
mod bad_input;
mod brake;
mod breakers;
#[path = "../support/cable.rs"]
mod cable;
mod capacity;
mod catalogue;
mod classic;
mod console;
mod description;
mod docs;
mod epochs;
mod events;
mod explain;
mod follow;
mod health;
mod long_poll;
mod metrics;
mod outage;
mod planned;
mod quarantine;
mod rebalance;
mod reconcile;
mod recovery;
mod request_ids;
mod resilience;
mod returning;
mod rolls;
mod series;
mod streams;
#[path = "../support_http/mod.rs"]
mod support_http;
mod tls;
mod webhooks;
