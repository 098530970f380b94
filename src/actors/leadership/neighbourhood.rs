//! What a standby knows of the others on its database, and so of its own candidacy.
//!
//! It reads the rows of the members as often as it writes its own. Two conditions are reported here,
//! because a standby raises no alerts: that it may not lead, and that no orchestrator does.

use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};
use tokio::time::timeout;

use super::view::{Barred, ClusterView};
use crate::domain::leadership::{
    Candidacy, Eligibility, LeadershipLimits, LeadershipRow, MemberWatch, SchemaVersion, rank,
};
use crate::store::{Leadership, Look};

/// How many looks pass between two times at which a standby writes its row.
pub(super) const LOOKS_A_BEAT: u32 = 4;

/// How many times in a row a member may leave its row as it is before it is away.
const BEATS_MISSED: u32 = 5;

/// How long a member's row is unchanged once it is away.
pub(super) fn away_after(limits: &LeadershipLimits) -> Duration {
    limits.renewal_interval * LOOKS_A_BEAT * BEATS_MISSED
}

/// The others, as a standby sees them.
#[derive(Debug)]
pub(super) struct Neighbourhood {
    limits: LeadershipLimits,
    members: MemberWatch,
    /// The newest migration that the database has.
    schema: SchemaVersion,
    candidacy: Candidacy,
    is_barred: bool,
    /// How long a row must be unchanged before a process takes it that no leader has admitted.
    newcomer_wait: Duration,
}

impl Neighbourhood {
    pub(super) fn new(view: &ClusterView, limits: LeadershipLimits) -> Self {
        let newcomer_wait = view.horizon() + view.horizon() / 10;
        Self {
            limits,
            members: MemberWatch::new(away_after(&limits)),
            schema: SchemaVersion::default(),
            candidacy: Candidacy {
                eligibility: Eligibility::Newcomer {
                    after: newcomer_wait,
                },
                rank: 0,
            },
            is_barred: false,
            newcomer_wait,
        }
    }

    /// Whether and in which turn this process takes over.
    pub(super) fn candidacy(&self) -> Candidacy {
        if self.is_barred {
            Candidacy {
                eligibility: Eligibility::Barred,
                ..self.candidacy
            }
        } else {
            self.candidacy
        }
    }

    /// Reads the rows of the members. Returns whether the database answered.
    pub(super) async fn read(&mut self, row: &Arc<dyn Leadership>, view: &ClusterView) -> bool {
        let read = timeout(self.limits.statement_limit, row.members()).await;
        let Ok(Ok(rows)) = read else {
            return false;
        };
        let me = &view.me().node;
        let leader = view.now().leader.map(|(row, _)| row.node);
        let is_admitted = rows.iter().any(|row| row.node == *me && row.is_admitted);
        let others = rows.into_iter().filter(|row| row.node != *me);
        let now = view.clock().since_made();
        let others = self.members.observe(others.collect(), &self.schema, now);
        self.candidacy = Candidacy {
            eligibility: if is_admitted {
                Eligibility::Admitted
            } else {
                Eligibility::Newcomer {
                    after: self.newcomer_wait,
                }
            },
            rank: rank(&others, me, leader.as_ref()),
        };
        view.change(|known| known.members = others);
        true
    }

    /// A look was answered.
    pub(super) fn saw(&mut self, look: &Look, view: &ClusterView) {
        self.schema = look.schema.clone();
        let own = &view.facts().schema;
        let is_barred = own.is_too_old_for(&look.schema);
        let barred = is_barred.then(|| Barred {
            own: own.clone(),
            database: look.schema.clone(),
        });
        if let Some(barred) = barred.as_ref().filter(|_| !self.is_barred) {
            warn!("this standby does not take over: {barred}");
        }
        self.is_barred = is_barred;
        view.change(|known| {
            known.timeline = Some(look.origin.timeline);
            known.barred = barred;
        });
    }

    /// No orchestrator has led for so long; `None`: one may lead.
    pub(super) fn note_silence(
        &self,
        leaderless_for: Option<Duration>,
        row: &LeadershipRow,
        view: &ClusterView,
    ) {
        // Otherwise this process would lead by now.
        let is_leaderless = leaderless_for.is_some();
        let was_leaderless = view.now().no_leader;
        let node = row.node.as_str();
        if is_leaderless && !was_leaderless {
            let reason = match self.candidacy().eligibility {
                Eligibility::Admitted => "the row could not be taken",
                Eligibility::Newcomer { .. } => "no leader has admitted it",
                Eligibility::Barred => "its release is too old for the database",
            };
            let seconds = leaderless_for.unwrap_or_default().as_secs();
            warn!(node, reason;
                "no orchestrator leads: `{node}` has not renewed its row for {seconds} s, and this standby \
                 does not take over, because {reason}; `orchestrator cluster take-over --reason TEXT` \
                 orders it");
        }
        if was_leaderless && !is_leaderless {
            info!(node; "an orchestrator leads again: `{node}`");
        }
        view.change(|known| known.no_leader = is_leaderless);
    }
}
