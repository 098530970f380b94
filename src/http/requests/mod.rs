//! The bodies of requests, one struct each. A field's comment says what it means and which values
//! it may have, and the rule behind its `=` checks exactly that. The comment is shown to callers, beside the
//! schema of the rule, by the description of the API.
//!
//! Rules: unknown fields are ignored; `null` is the same as absent; an integer is a number without a
//! fraction, however it is written (`3`, `3.0`, `3e0`), because languages that know only one kind of
//! number write it so; texts have a longest length in characters and no control characters, because
//! they are shown in logs and lists.
//!
//! A body is read straight from its bytes (`reading`), a query as an object of texts (`query`). Every
//! bad field is named at once, in the order in which the struct has them. Only a query is refused for
//! its unknown fields.

mod access;
mod alerts;
mod catalogue;
mod collections;
mod heartbeat;
mod limits;
mod listed;
mod orders;
mod planned;
mod queries;
mod query;
mod reading;
mod request;
mod rules;
mod schema;
#[cfg(test)]
mod tests;
mod texts;
mod webhooks;
mod why;
mod workers;

pub(super) use access::{KeyRequest, KeysQuery, SessionRequest};
pub(super) use alerts::{AcknowledgeRequest, SilenceRequest};
pub(super) use catalogue::{MoveRequest, SaveRequest, VerifyRequest};
pub(super) use collections::whole;
pub(super) use heartbeat::HeartbeatRequest;
pub(super) use limits::{MAX_SAFE_INTEGER, NODE_LENGTH, SERVER_ID_LENGTH, check_text};
pub(super) use orders::{BrakeRequest, ForceRequest, ReleaseQuarantineRequest, StepDownRequest};
pub(super) use planned::{
    CordonRequest, DrainRequest, MaintenanceRequest, ReasonRequest, RollRequest, future,
};
pub(super) use queries::{
    AlertsQuery, AssignmentsQuery, ChangesQuery, DryRunQuery, EmergencyQuery, EventsQuery,
    FollowQuery, HistoryQuery, IncidentsQuery, InstancesQuery, LogsQuery, LossQuery, MetricsQuery,
    PatternsQuery, ReasonQuery, RebalanceQuery, RemovalQuery, RollsQuery, SeriesQuery, StoryQuery,
    StreamQuery, StreamsQuery, TakeOverQuery,
};
pub(super) use query::{read_query, refuse_any};
pub(super) use reading::{DescribedField, Record, read_json};
pub(super) use schema::{
    integer as integer_schema, object_of as object_schema, server_id as server_id_schema,
    webhook_name as webhook_name_schema,
};
pub(super) use texts::parse_integer;
pub(super) use webhooks::{DeliveriesQuery, RedeliverRequest, WebhookRequest};
pub(super) use workers::{AssignRequest, DiagnosticRequest, RegisterRequest, ReleaseRequest};
