//! The patterns of recurring failures.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Time;
use super::pieces::{self, Nothing, Rows};
use super::problem::Problem;
use super::requests::{PatternsQuery, read_query};
use super::state::{AppState, Load};
use crate::domain::ids::{IncidentId, InstanceId};
use crate::domain::patterns::{Pattern, PatternKind, Shared, Trait};

/// How many days are searched by default.
const DEFAULT_DAYS: i64 = 7;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PatternAnswer {
    kind: &'static str,
    /// The pattern as a sentence.
    summary: String,
    first_seen: Time,
    last_seen: Time,
    #[serde(flatten)]
    common: Common,
    instances: Vec<InstanceId>,
    incidents: Vec<IncidentId>,
}

/// What the failures have in common.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Common {
    Instance { server_id: InstanceId },
    Hour { hour_utc: u32 },
    Shared { shared: Vec<SharedAnswer> },
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum SharedAnswer {
    Network {
        network: String,
        failed_instances: usize,
        registered_instances: usize,
    },
    Label {
        label: String,
        value: String,
        failed_instances: usize,
        registered_instances: usize,
    },
}

impl From<Shared> for SharedAnswer {
    fn from(shared: Shared) -> Self {
        let (failed_instances, registered_instances) = (shared.by, shared.carriers);
        match shared.what {
            Trait::Network(network) => Self::Network {
                network,
                failed_instances,
                registered_instances,
            },
            Trait::Label { key, value } => Self::Label {
                label: key,
                value,
                failed_instances,
                registered_instances,
            },
        }
    }
}

impl From<Pattern> for PatternAnswer {
    fn from(pattern: Pattern) -> Self {
        let shared = |shared: Vec<Shared>| Common::Shared {
            shared: shared.into_iter().map(SharedAnswer::from).collect(),
        };
        let (kind, common) = match pattern.kind {
            PatternKind::SameInstance(server_id) => {
                ("same_instance", Common::Instance { server_id })
            }
            PatternKind::SameHour(hour_utc) => ("same_hour", Common::Hour { hour_utc }),
            PatternKind::SameLabel(label) => ("same_label", shared(vec![label])),
            PatternKind::SeveralAtOnce(all) => ("several_at_once", shared(all)),
        };
        Self {
            kind,
            summary: pattern.sentence,
            first_seen: Time(pattern.first),
            last_seen: Time(pattern.last),
            common,
            instances: pattern.instances,
            incidents: pattern.incidents,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PatternsAnswer {
    since: Time,
    incidents_looked_at: usize,
}

/// `GET /resilience/patterns`
pub(super) async fn patterns(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query: PatternsQuery = read_query(&request)?;
    let days = query.days.unwrap_or(DEFAULT_DAYS);
    let _permit = state.admit(Load::List)?;
    let orchestrator = state.orchestrator();
    let days = Duration::from_secs(u64::try_from(days).unwrap_or(1) * 86_400);
    let since = orchestrator.clock().wall() - days;
    let (patterns, incidents_looked_at) = orchestrator.patterns(days).await?;
    let head = PatternsAnswer {
        since: Time(since),
        incidents_looked_at,
    };
    let rows = patterns.into_iter().map(PatternAnswer::from);
    pieces::answer(Rows::of(&head, "patterns", rows, &Nothing {})?).await
}
