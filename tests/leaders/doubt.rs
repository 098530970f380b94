//! A take-over whose answer is lost: the row says later that this process leads.

use std::sync::Arc;
use std::time::Duration;

use resilient_orchestrator::actors::leadership::{Candidate, ClusterView, Identity, Won};
use resilient_orchestrator::clock::testing::VirtualTime;
use resilient_orchestrator::domain::leadership::{MemberSecret, NodeName, RunId, SteadyTime};
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::store::{Leadership, MemoryStore};
use tokio::time::advance;

use crate::database::{Row, Truth};
use crate::node::Deserted;
use crate::world::leadership_limits;

/// How long the process stands still before it hears that it leads.
const STANDSTILL: Duration = Duration::from_secs(60);

/// A process that took the term, did not hear of it, and read it in the row a minute later.
async fn lead_after_doubt(view: &ClusterView, row: Row) -> Won {
    row.lose_answers_of_claims();
    let row: Arc<dyn Leadership> = Arc::new(row);
    let candidate = Candidate::new(&row, view, &Deserted, leadership_limits());
    candidate.lead().await.expect("nobody else leads")
}

#[tokio::test(start_paused = true)]
async fn a_take_over_in_doubt_proves_nothing_after_it_was_sent() {
    tokio::task::LocalSet::new()
        .run_until(async {
            let clock = VirtualTime::starting_at(WallTime::default()).clock();
            let me = Identity {
                node: NodeName::new("node-0"),
                run: RunId::new(7),
                address: "node-0".to_owned(),
                public_url: String::new(),
                secret: MemberSecret::default(),
            };
            let view = ClusterView::new(me, Duration::from_secs(40), clock.clone());
            let (database, truth) = (MemoryStore::new(), Truth::default());
            let limit = leadership_limits().statement_limit;
            let row = Row::new(database, truth.clone(), clock.clone(), limit, 1);
            let standstill = async {
                while truth.count() == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                advance(STANDSTILL).await;
            };
            let (won, ()) = tokio::join!(lead_after_doubt(&view, row), standstill);
            let now = SteadyTime::new(clock.since_made());
            assert!(
                now.since(won.sent) >= STANDSTILL,
                "another process may have taken over meanwhile: {won:?} at {now:?}"
            );
        })
        .await;
}
