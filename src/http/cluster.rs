//! The pages that each orchestrator answers for itself: who leads, and who else is there.

use actix_web::http::header;
use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Seconds, Time, milliseconds, seconds};
use super::member_headers::{MOMENT, moment_text};
use super::problem::Problem;
use crate::actors::leadership::{Cluster, ClusterView, Prover};
use crate::domain::ids::Term;
use crate::domain::leadership::{
    ECHO_HORIZON, LeaderMoment, LeadershipRow, Replication, Role, SeenMember, SteadyTime,
    WalTimeline,
};

/// Seconds after which a caller that found no proven leader asks again.
const RETRY_SOON: &str = "1";

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LeaderAnswer {
    /// Whether this process leads and has proven it lately.
    leader: bool,
    role: &'static str,
    node: String,
    /// The process: another one each time that the orchestrator is started.
    run: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<i64>,
    /// The highest term that this orchestrator has seen: a promoted database may have a lower one.
    #[serde(skip_serializing_if = "Option::is_none")]
    highest_term: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof_age_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    led_by: Option<LedBy>,
    detail: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct LedBy {
    node: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    url: String,
    since: Time,
}

impl From<&LeadershipRow> for LedBy {
    fn from(row: &LeadershipRow) -> Self {
        Self {
            node: row.node.to_string(),
            url: row.public_url.clone(),
            since: Time(row.since),
        }
    }
}

/// One sentence about who leads, for a caller that came to the wrong place.
pub(super) fn who_leads(view: &ClusterView, cluster: &Cluster) -> String {
    let me = &view.me().node;
    match (cluster.role, &cluster.leader) {
        (Role::Leading, _) => format!("`{me}` leads."),
        (Role::Loading, _) => format!("`{me}` has taken over and loads the fleet."),
        (Role::Standby | Role::Candidate, Some((row, since))) => {
            let unchanged = view.clock().since_made().saturating_sub(*since);
            format!(
                "`{me}` is a standby: `{}` leads at {}, and was seen alive {:.1} s ago.",
                row.node,
                shown(&row.public_url),
                unchanged.as_secs_f64()
            )
        }
        (Role::Standby | Role::Candidate | Role::Joining, _) => {
            format!("`{me}` is starting and has not seen yet who leads.")
        }
    }
}

fn shown(url: &str) -> &str {
    if url.is_empty() {
        "an unknown address"
    } else {
        url
    }
}

/// `GET /leader`: 200 on the orchestrator that leads and has proven it lately.
pub(super) async fn leader(view: Data<ClusterView>, prover: Option<Data<Prover>>) -> HttpResponse {
    let cluster = view.now();
    let age = prover.as_ref().map(|prover| prover.age());
    let leads =
        cluster.role == Role::Leading && prover.as_ref().is_some_and(|prover| prover.is_proven());
    let row = cluster.leader.as_ref().map(|(row, _)| row);
    let answer = LeaderAnswer {
        leader: leads,
        role: cluster.role.as_str(),
        node: view.me().node.to_string(),
        run: view.me().run.get(),
        term: row.map(|row| row.term.get()),
        highest_term: view.highest_term().map(Term::get),
        proof_age_ms: age.map(milliseconds),
        led_by: row.map(LedBy::from),
        detail: if cluster.role == Role::Leading && !leads {
            format!(
                "`{}` leads, but the database has not confirmed it lately.",
                view.me().node
            )
        } else {
            who_leads(&view, &cluster)
        },
    };
    let now = SteadyTime::new(view.clock().since_made());
    let moment = moment_text(LeaderMoment::of(view.me().run, now));
    if leads {
        HttpResponse::Ok()
            .insert_header((MOMENT, moment))
            .json(answer)
    } else {
        HttpResponse::ServiceUnavailable()
            .insert_header((header::RETRY_AFTER, RETRY_SOON))
            .insert_header((MOMENT, moment))
            .json(answer)
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StandbyReady {
    status: &'static str,
    timestamp: Time,
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    led_by: Option<LedBy>,
    detail: String,
}

/// What a standby answers to a request that another orchestrator carried to it.
pub(super) fn standby(view: &ClusterView) -> HttpResponse {
    let detail = who_leads(view, &view.now());
    Problem::standby(format!("{detail} Send this request to the leader.")).error_response()
}

/// What a standby answers to `GET /ready`.
pub(super) fn standby_ready(view: &ClusterView, is_ready: bool) -> HttpResponse {
    let cluster = view.now();
    let mut response = if is_ready {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    if !is_ready {
        response.insert_header((header::RETRY_AFTER, RETRY_SOON));
    }
    response.json(StandbyReady {
        status: if is_ready { "ready" } else { "standby" },
        timestamp: Time(view.clock().wall()),
        role: cluster.role.as_str(),
        led_by: cluster.leader.as_ref().map(|(row, _)| LedBy::from(row)),
        detail: who_leads(view, &cluster),
    })
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StandbyHealth {
    status: &'static str,
    timestamp: Time,
    database: &'static str,
    version: &'static str,
    detail: String,
}

/// What a standby answers to `GET /health`.
pub(super) fn standby_health(view: &ClusterView, is_healthy: bool) -> HttpResponse {
    let heard = view.database_silent_for();
    let mut response = if is_healthy {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    if !is_healthy {
        response.insert_header((header::RETRY_AFTER, RETRY_SOON));
    }
    response.json(StandbyHealth {
        status: if is_healthy { "healthy" } else { "unhealthy" },
        timestamp: Time(view.clock().wall()),
        database: match heard {
            Some(silence) if silence <= ECHO_HORIZON => "available",
            Some(_) | None => "unavailable",
        },
        version: env!("CARGO_PKG_VERSION"),
        detail: who_leads(view, &view.now()),
    })
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClusterAnswer {
    node: String,
    /// The process: another number after a restart.
    run: i64,
    role: &'static str,
    term: Option<i64>,
    leader: Option<LeaderLine>,
    /// On a standby: whether no orchestrator leads, and this one does not take over by itself.
    no_leader: bool,
    /// Why this orchestrator may not lead; absent if it may.
    #[serde(skip_serializing_if = "Option::is_none")]
    barred: Option<String>,
    members: Vec<MemberLine>,
    database: DatabaseLine,
    failsafe: FailsafeLine,
}

#[derive(Debug, Serialize, ToSchema)]
struct LeaderLine {
    node: String,
    run: i64,
    address: String,
    url: String,
    since: Time,
    state: &'static str,
    /// How old the newest proof is; on a standby, how long ago the leader was seen alive.
    proof_age_ms: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct MemberLine {
    node: String,
    run: i64,
    address: String,
    release: String,
    role: &'static str,
    /// `new`, `waiting`, `ready`, `outdated` or `away`; absent for the leader, which writes no row of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    admitted: bool,
    /// Whether it reaches the leader, as it wrote in its row; absent for the leader.
    #[serde(skip_serializing_if = "Option::is_none")]
    reaches_leader: Option<bool>,
    /// How many instances it heard within two intervals of heartbeats and answered by itself, because it did not reach
    /// the leader; absent for the leader.
    #[serde(skip_serializing_if = "Option::is_none")]
    hears: Option<u64>,
    seen_ms: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct DatabaseLine {
    timeline: Option<u32>,
    /// `none`, `synchronous` or `asynchronous`, as the leader saw it in the last minute; null on a standby.
    replication: Option<&'static str>,
}

#[derive(Debug, Serialize, ToSchema)]
struct FailsafeLine {
    horizon_seconds: Seconds,
    /// Whether this orchestrator leads on although its database does not answer.
    active: bool,
    /// When the database confirmed the term for the last time; absent if failsafe is not active.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
    /// When failsafe ends at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
}

/// `GET /cluster`
pub(super) async fn cluster(
    view: Data<ClusterView>,
    prover: Option<Data<Prover>>,
) -> Json<ClusterAnswer> {
    let cluster = view.now();
    let now = view.clock().since_made();
    let leader = cluster.leader.as_ref().map(|(row, since)| LeaderLine {
        node: row.node.to_string(),
        run: row.run.get(),
        address: row.address.clone(),
        url: row.public_url.clone(),
        since: Time(row.since),
        state: row.state.as_str(),
        proof_age_ms: milliseconds(match &prover {
            Some(prover) => prover.age(),
            None => now.saturating_sub(*since),
        }),
    });
    let me = view.me();
    let leads = |member: &SeenMember| {
        let leader = cluster.leader.as_ref();
        leader.is_some_and(|(row, _)| row.node == member.row.node)
    };
    let line = |member: &SeenMember| MemberLine {
        node: member.row.node.to_string(),
        run: member.row.run.get(),
        address: member.row.address.clone(),
        release: member.row.release.clone(),
        role: if leads(member) {
            Role::Leading.as_str()
        } else {
            Role::Standby.as_str()
        },
        state: (!leads(member)).then(|| member.standing.as_str()),
        admitted: member.row.is_admitted,
        reaches_leader: (!leads(member)).then_some(member.row.reach.reaches_leader),
        hears: (!leads(member)).then_some(member.row.reach.hears),
        seen_ms: milliseconds(member.unchanged_for),
    };
    Json(ClusterAnswer {
        node: me.node.to_string(),
        run: me.run.get(),
        role: cluster.role.as_str(),
        term: cluster.leader.as_ref().map(|(row, _)| row.term.get()),
        leader,
        no_leader: cluster.no_leader,
        barred: cluster.barred.as_ref().map(ToString::to_string),
        members: cluster.members.iter().map(line).collect(),
        database: DatabaseLine {
            timeline: cluster.timeline.map(WalTimeline::get),
            replication: cluster.replication.map(Replication::as_str),
        },
        failsafe: FailsafeLine {
            horizon_seconds: seconds(view.horizon()),
            active: cluster.failsafe.is_some(),
            since: cluster.failsafe.map(|span| Time(span.since)),
            until: cluster.failsafe.map(|span| Time(span.until)),
        },
    })
}

/// The URLs of this orchestrator and of those that may take over; none if there is no such one.
pub(super) fn orchestrators(view: &ClusterView) -> Vec<String> {
    let members = view.now().members.into_iter().map(|member| member.row);
    let others = members.filter(|row| row.is_admitted && !row.public_url.is_empty());
    let mut all: Vec<String> = others.map(|row| row.public_url).collect();
    if !all.is_empty() {
        all.insert(0, view.me().public_url.clone());
    }
    all
}
