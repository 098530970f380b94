//! HTTP: requests of workers and operators are read, checked and sent on as messages; the replies
//! are written as the contract says.
//!
//! ```text
//!   bytes ─ body ─▶ request ─▶ command or query ─▶ actors ─▶ answer
//!              └───────┴──────────────┴──────────────┴─────▶ problem
//! ```
//!
//! `route_table` lists every route once; serving, the README's table and the tests follow from it.
//! One file a group of routes: `workers` (the calls of every worker), `instances`, `long_poll`,
//! `fleet_table`, `streams`, `moves`, `diagnostic`, `brake`, `breakers`, `recovery`, `resilience`, `events`, `follow` (with `figures`),
//! `health`,
//! `alerts`, `patterns`, `status`. `requests` has a struct for every body; `body` and `params` read
//! input by its rules. `problem` is the only file that knows how errors look (`retry` adds when to
//! repeat the request). `gate` answers while the fleet is not loaded, and counts requests under
//! way; `passage` leads requests through it. `forwarding` carries requests to the leader while this process stands by, `leader_watch` asks that
//! leader, `handing_over` has what a leader says before it hands over, and `member_headers` has the headers between the two. `identify` gives each request its id; `measuring` counts answers, and logs those to orders. `withholding` answers 503 instead of what needs a proof that this process leads, if there is
//! none. `cluster`, `logs` and `shown_settings` have the pages that a standby answers too, `docs` those
//! about the API, `console` those for people, and `description` describes each route. `pieces` writes long lists while the
//! client reads them, `connection` bounds every wait on a client, `socket` speaks TLS, `server` runs it all.
//!
//! A handler decides nothing. It may use the actors' messages and domain types; no store, no
//! configuration (`src/app` fills `HttpSettings`).

mod access;
mod alerts;
mod answer;
mod assignments;
mod body;
mod brake;
mod breakers;
mod capacity;
mod cluster;
mod cluster_figures;
mod cluster_orders;
mod connection;
mod console;
mod description;
mod diagnostic;
mod docs;
mod events;
mod explain;
mod exposition;
mod failsafe;
mod figures;
mod fleet_table;
mod follow;
mod forwarding;
mod gate;
mod gauges;
mod handing_over;
mod health;
mod held_body;
mod identify;
mod instance_series;
mod instances;
mod kept;
mod keys;
mod leader_watch;
mod logs;
mod long_poll;
mod measuring;
mod member_headers;
mod moves;
mod own_figures;
mod panics;
mod params;
mod passage;
mod patterns;
mod pieces;
mod planned;
mod problem;
mod quarantine;
mod rebalance;
mod recovery;
mod recovery_plan;
mod requests;
mod resilience;
mod retry;
mod rolls;
mod route_table;
mod series;
mod server;
mod sessions;
mod setting_list;
mod shown_settings;
mod shown_url;
mod silences;
mod socket;
mod state;
mod status;
mod streams;
mod webhooks;
mod withholding;
mod workers;

pub use access::Access;
pub use body::MAX_BODY;
pub use connection::ClientLimits;
pub use console::console_file;
pub use description::api_description;
pub use failsafe::MembersByHttp;
pub use gate::{Awaited, Gate, Phase, Starting};
pub use handing_over::{NoCopy, SuccessorLink};
pub use leader_watch::accompany;
pub use problem::{FieldError, Problem};
pub use route_table::{Contract, Parameters, Route, configure, markdown_route_table, route_table};
pub use server::{app, bind, serve};
pub use setting_list::ShownSetting;
pub use state::{AppState, HttpSettings, Readiness, RequestLimits};
pub use withholding::verdict;
