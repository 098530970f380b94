//! Every rule of the program, and nothing else.
//!
//! All of it is pure: it takes the time as an argument, does no I/O, knows no actor, no database and
//! no log, and walks only ordered collections. So the same input gives the same result on every
//! machine. Actors, the store and HTTP are shells around it. It may use `std` and `serde`, and for
//! the description of the API the schemas of `utoipa`.
//!
//! # The forms of a rule
//!
//! | form | what it does | example |
//! | --- | --- | --- |
//! | command | drafts a change of the fleet, or is rejected | [`commands`] |
//! | query | answers a question about the fleet, and changes nothing | [`queries`] |
//! | machine | keeps the state of one concern; its calls get the time and return effects | [`liveness`] |
//! | plan, score | arithmetic without state | [`fleet`], [`patterns`], [`backoff`] |
//! | event | a fact in the past tense, saved with the change it describes | [`events`] |
//!
//! A machine has `handle_deadline(now)` and `next_deadline()`, so its shell needs one timer. Calls
//! that come early, late or twice change nothing they should not.
//!
//! # Where things live
//!
//! | question | module |
//! | --- | --- |
//! | what is there | [`instance`], [`stream`], [`fleet`], [`ledger`] (its saved copy and its draft), [`ids`] |
//! | which instance gets a stream | [`placement`] (rules and policies), [`fleet`], [`constraints`], [`balance`] (what moves so that each instance has its share), [`returns`] and [`return_timer`] (streams that are given back), [`quarantine`] and [`trial_timer`] (streams whose owners fail), [`stream_timer`], [`reason`] |
//! | is an instance alive | [`liveness`], [`probation`], [`heartbeat`], [`sweep`] |
//! | may another worker run a stream | [`lease`], [`withdrawal`], [`handover`], [`release_watch`] |
//! | what is planned for an instance | [`planned`], [`planned_timer`], [`pace`] (how fast its moves go) |
//! | what happens after a failure | [`recovery`], [`incident`], [`incident_story`] (its whole chain), [`endings`], [`backoff`], [`brake`] |
//! | does a worker run what it should | [`reconciliation`], [`digest`], [`identity`] |
//! | does the database answer | [`breaker`], [`startup`] |
//! | may this orchestrator decide | [`leadership`] |
//! | how is the whole | [`health`], [`headroom`], [`unowned`], [`alert`], [`patterns`], [`invariants`], [`consistency`] |
//! | what happened | [`events`], [`request`] (which request led to it), [`event_filter`], [`event_tail`] (when new ones are read for followers), [`movements`], [`explain`] (why a stream was placed) |
//! | who may call what | [`access`] (keys, roles, addresses behind proxies) |
//! | who outside is notified | [`webhook`] |
//! | when does a certificate end | [`certificate`] |
//! | what time is it | [`time`], [`running_time`] (without standstills), [`timeline`] (the wall clock's past) |
//! | what happens to an actor that ends | [`supervision`] |
//! | texts and numbers | [`settings`], [`masked_url`], [`stream_url`], [`spelling`], [`wording`] |

#![deny(clippy::wildcard_enum_match_arm)]

pub mod access;
pub mod alert;
pub mod backoff;
pub mod balance;
pub mod brake;
pub mod breaker;
pub mod certificate;
pub mod cleartext;
pub mod commands;
pub mod consistency;
pub mod constraints;
#[cfg(feature = "openapi")]
mod described;
pub mod digest;
pub mod endings;
pub mod event_filter;
pub mod event_tail;
pub mod events;
pub mod explain;
pub mod fleet;
pub mod handover;
pub mod headroom;
pub mod health;
pub mod heartbeat;
pub mod heartbeat_outcome;
pub mod identity;
pub mod ids;
pub mod incident;
pub mod incident_story;
pub mod instance;
pub mod invariants;
pub mod labels;
pub mod leadership;
pub mod lease;
pub mod ledger;
pub mod liveness;
pub mod masked_url;
pub mod movements;
pub mod outbox;
pub mod pace;
pub mod patterns;
pub mod placement;
pub mod planned;
pub mod planned_timer;
pub mod probation;
pub mod quarantine;
pub mod queries;
pub mod reason;
pub mod reconciliation;
pub mod recovery;
pub mod release_watch;
pub mod request;
pub mod return_timer;
pub mod returns;
pub mod running_time;
#[cfg(test)]
mod sample;
#[cfg(feature = "openapi")]
mod schemas;
pub mod series;
pub mod settings;
pub mod spelling;
pub mod startup;
pub mod stream;
pub mod stream_timer;
pub mod stream_url;
mod string_enum;
pub mod supervision;
pub mod sweep;
pub mod time;
pub mod timeline;
pub mod trial_timer;
pub mod unowned;
pub mod webhook;
pub mod withdrawal;
pub mod wording;
