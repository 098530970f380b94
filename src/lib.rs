//! Keeps every stream running on exactly one healthy server.
//!
//! Workers register over HTTP, send heartbeats and are assigned streams. If a worker falls silent,
//! its streams move to other workers. Every decision is saved before any worker learns of it.
//!
//! # The words
//!
//! | word | meaning | rules |
//! | --- | --- | --- |
//! | worker | a program that runs streams; it calls the orchestrator over HTTP | `docs/WORKERS.md` |
//! | instance | what the orchestrator knows of one worker, under its `server_id` | [`domain::instance`] |
//! | stream | a unit of continuous work, such as a radio channel to fingerprint | [`domain::stream`] |
//! | owner | the instance to which a stream is assigned; a stream has one or none | [`domain::stream`] |
//! | orphaned, unclaimed | without an owner: after a loss, or because it is new or was released | [`domain::fleet`] |
//! | incarnation | one life of an instance, from a registration to the next | [`domain::ids`] |
//! | epoch | the number of one assignment; it only grows, so a sink can refuse a former owner | `docs/FENCING.md` |
//! | lease | the time for which a worker may run its exclusive streams without a further answer | [`domain::lease`] |
//! | leased, classic | an instance whose heartbeats name its incarnation, so that it holds leases; one whose heartbeats do not | [`domain::lease`] |
//! | hand-over | a planned move of a stream: `exclusive` (stop first) or `overlap` (start first) | [`domain::handover`] |
//! | suspect, failed | late with a heartbeat; silent for the whole timeout | [`domain::liveness`] |
//! | recovery | moves the streams of a failed instance to others, in one transaction | [`domain::recovery`] |
//! | fence | from here on the heartbeats of an instance count as a return, not as life | [`domain::liveness`] |
//! | incident | the record of one recovery, with its steps | [`domain::incident`] |
//! | probation, flap | the steady time an instance must show after a failure; a failure during it | [`domain::probation`] |
//! | brake | holds recoveries back while most of the fleet is silent | [`domain::brake`] |
//! | breaker | stops calls to a database that fails, and probes it | [`domain::breaker`] |
//! | term | one life of the orchestrator: only the newest may write | [`domain::ids`] |
//! | sweep | the periodic comparison of actors, memory and database | [`domain::sweep`] |
//! | invariant | a condition that holds of the fleet at all times (I1 to I8) | [`domain::invariants`] |
//!
//! # Where things live
//!
//! Imports point down this table; a test checks it.
//!
//! | room | holds |
//! | --- | --- |
//! | [`cli`] | arguments, subcommands, output, exit codes |
//! | [`app`] | the order of start and stop |
//! | [`http`] | routes, requests, answers, errors as HTTP |
//! | [`actors`] | messages, timers, the order of saving |
//! | [`store`] | one trait; memory, SQLite, PostgreSQL |
//! | [`domain`] | every rule, as a package of its own: `crates/domain` |
//!
//! Beside them, `catalogue` reads and writes files with streams for [`cli`], [`config`] is the only reader of the environment and [`clock`] the only reader of
//! time; [`outbound`] sends requests to receivers outside, [`tls`] reads certificates and keys, and [`logging`] has the form of a log line and its way to standard error. The library for authors of workers, `crates/client`, is a package of its own too; of the
//! domain it uses only the masking of URLs. `docs/ARCHITECTURE.md` follows four stories through
//! the code.

pub mod actors;
pub mod app;
mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod http;
pub mod logging;
pub mod outbound;
pub mod store;
pub mod tls;

pub use orchestrator_domain as domain;
