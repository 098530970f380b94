//! What a process shows in `/metrics` of itself among the orchestrators of its database, read for each
//! scrape. A standby shows it too: a figure that only leaders have would be missing when it is needed.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::actors::leadership::{Cluster, ClusterView, Prover};
use crate::domain::leadership::{MemberStanding, Role, TakeOverCause};

/// Reads the view of one process.
#[derive(Debug)]
pub(super) struct ClusterFigures {
    view: ClusterView,
    /// On the leader.
    prover: Option<Prover>,
}

impl ClusterFigures {
    pub(super) const fn new(view: ClusterView, prover: Option<Prover>) -> Self {
        Self { view, prover }
    }

    /// On a standby, how long ago the leader was seen alive.
    fn proof_age(&self, cluster: &Cluster) -> f64 {
        let seen = cluster.leader.as_ref().map(|(_, since)| *since);
        let age = match &self.prover {
            Some(prover) => Some(prover.age()),
            None => seen.map(|since| self.view.clock().since_made().saturating_sub(since)),
        };
        age.unwrap_or_default().as_secs_f64()
    }

    fn term(&self, cluster: &Cluster) -> i64 {
        let seen = cluster.leader.as_ref().map(|(row, _)| row.term);
        let own = self.prover.as_ref().map(Prover::term);
        own.or(seen).unwrap_or_default().get()
    }
}

type Encoder<'e> = DescriptorEncoder<'e>;

fn gauge(encoder: &mut Encoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    family.encode_gauge(&value)
}

/// A gauge for each value of one label.
fn gauges(
    encoder: &mut Encoder<'_>,
    (name, help): (&str, &str),
    label: &str,
    values: impl Iterator<Item = (&'static str, usize)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (word, value) in values {
        ConstGauge::new(value as f64).encode(family.encode_family(&[(label, word)])?)?;
    }
    Ok(())
}

impl Collector for ClusterFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let cluster = self.view.now();
        let role = (
            "orchestrator_cluster_role",
            "Whether this orchestrator is a leader, a standby, loading the fleet, or joining the others.",
        );
        let roles = [Role::Joining, Role::Standby, Role::Loading, Role::Leading];
        let roles = roles.map(Role::as_str).into_iter();
        let own = cluster.role.as_str();
        let roles = roles.map(|word| (word, usize::from(word == own)));
        gauges(&mut encoder, role, "role", roles)?;
        gauge(
            &mut encoder,
            "orchestrator_cluster_term",
            "The newest term that this orchestrator knows.",
            self.term(&cluster) as f64,
        )?;
        gauge(
            &mut encoder,
            "orchestrator_cluster_proof_age_seconds",
            "How old the leader's newest proof is; on a standby, how long ago the leader was seen alive.",
            self.proof_age(&cluster),
        )?;
        gauge(
            &mut encoder,
            "orchestrator_cluster_failsafe_active",
            "1 while this orchestrator leads on although its database does not answer.",
            f64::from(u8::from(cluster.failsafe.is_some())),
        )?;
        let members = (
            "orchestrator_cluster_members",
            "The other orchestrators on the database that do not lead, by their state.",
        );
        let leader = cluster.leader.as_ref().map(|(row, _)| &row.node);
        let others = cluster.members.iter();
        let others: Vec<MemberStanding> = others
            .filter(|member| Some(&member.row.node) != leader)
            .map(|member| member.standing)
            .collect();
        let by_state = MemberStanding::ALL.into_iter().map(|standing| {
            let count = others.iter().filter(|found| **found == standing).count();
            (standing.as_str(), count)
        });
        gauges(&mut encoder, members, "state", by_state)?;
        let mut family = encoder.encode_descriptor(
            "orchestrator_cluster_takeovers",
            "Terms that this process took, by the reason.",
            None,
            MetricType::Counter,
        )?;
        for cause in TakeOverCause::ALL {
            let took = cluster.took_over.filter(|took| took.cause == cause);
            let count = u64::from(took.is_some());
            ConstCounter::new(count).encode(family.encode_family(&[("cause", cause.as_str())])?)?;
        }
        let took = cluster.took_over.and_then(|took_over| took_over.took);
        gauge(
            &mut encoder,
            "orchestrator_cluster_takeover_seconds",
            "How long the take-over of this process took, from its claim until the fleet was served; 0 before.",
            took.unwrap_or_default().as_secs_f64(),
        )
    }
}
