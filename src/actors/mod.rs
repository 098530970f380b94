//! The moving parts: thin shells around the machines of `domain/`.
//!
//! Each actor receives a message, lets its machine decide, carries out the effects and arms at
//! most one timer. They know the `Store` trait but no store, and nothing of HTTP. `start` brings
//! them to life; `orchestrator` is what the outside talks to; `archive` and `consistency` are the
//! questions it answers from the store.
//!
//! | actor | one per | does |
//! | --- | --- | --- |
//! | [`supervisor`] | process | creates instance actors, and again when they end |
//! | [`instance`] | registered instance | knows how long its instance has been silent |
//! | [`fleet`] | process | decides, saves and announces every change of the fleet |
//! | [`identity`] | process | reports two processes that live under one name |
//! | [`recovery`] | process | decides whether, when and how fast to recover |
//! | `recovery/brake` | (part of recovery) | holds recovery back when most of the fleet falls silent |
//! | [`balance`] | process | moves streams until each instance has its fair share |
//! | [`rolls`] | process | takes the steps of rolls that are not over |
//! | [`db_breaker`] | process | knows whether the store answers, probes it while it does not |
//! | [`headroom`] | process | knows whether the loss of an instance could be absorbed |
//! | [`health`] | process | judges the whole system, observes the process itself |
//! | [`alerts`] | process | keeps the book of alerts, and the silences |
//! | [`lost`] | process | watches which instances are lost |
//! | [`waiting`] | process | watches for streams that are without an owner for long |
//! | [`certificates`] | process | watches when the certificates in use end |
//! | [`event_outbox`] | process | saves events that no transaction of the fleet carries |
//! | [`heartbeat_log`] | process | saves heartbeats and metrics in batches |
//! | [`clean_up`] | process | deletes what is past its retention |
//! | [`event_feed`] | process | hands events to log, counters and subscribers |
//! | [`event_tail`] | process | announces new events with their numbers to readers that follow them |
//! | [`series`] | process | keeps the recent past in numbers |
//! | [`webhooks`] | process | notifies receivers outside of alerts and events |
//! | [`access`] | process | makes and revokes keys of callers, and watches failed attempts |
//!
//! The floors, from the top. Each imports only from those below it (`tests/house/circles.rs`):
//!
//! ```text
//! orchestrator, start, loaded   what the outside asks; the order in which the actors begin
//! balance, rolls                ask recovery, health, fleet
//! health                        asks recovery, fleet, breakers, alerts
//! recovery                      asks fleet, supervisor, alerts, event_outbox
//! supervisor                    creates instance actors
//! instance, identity,           one listener, or one question, each
//! event_feed, event_tail,
//! consistency, headroom, lost,
//! series, waiting, webhooks, access, certificates
//! alerts, event_outbox               what is saved beside the fleet's transactions
//! fleet, clean_up               announces what it saved (`Committed`) to a list of listeners
//! incident_events               reads the chain of an incident
//! archive, heartbeat_log,       past the breakers to the store; past the registry to who waits
//! long_poll
//! db_breaker, registry          whether the store answers; where an instance is found
//! refusal, fatal, telemetry,    messages and handles that every actor may hold
//! instance_link, exit_notice, batch, address, alarm,
//! store_calls, event_fields, timings
//! ```

pub mod access;
mod address;
mod alarm;
pub mod alerts;
pub mod archive;
pub mod balance;
mod batch;
pub mod certificates;
pub mod clean_up;
mod consistency;
pub mod db_breaker;
pub mod event_feed;
pub mod event_fields;
pub mod event_outbox;
pub mod event_tail;
pub mod exit_notice;
pub mod fatal;
pub mod fleet;
pub mod headroom;
pub mod health;
pub mod heartbeat_log;
pub mod identity;
mod incident_events;
pub mod instance;
pub mod instance_link;
pub mod leadership;
mod loaded;
pub mod long_poll;
pub mod lost;
mod on_behalf;
pub mod orchestrator;
pub mod recovery;
pub mod refusal;
pub mod registry;
pub mod rolls;
pub mod series;
pub mod start;
pub mod store_calls;
pub mod supervisor;
pub mod telemetry;
pub mod timings;
pub mod waiting;
pub mod webhooks;
