//! A leader that is alone goes on without the database, until it hears that it is not.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry as Metrics;
use resilient_orchestrator::actors::leadership::{Candidate, ClusterView, Identity, Office};
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::telemetry::Telemetry;
use resilient_orchestrator::clock::testing::VirtualTime;
use resilient_orchestrator::domain::heartbeat::Heartbeat;
use resilient_orchestrator::domain::ids::Term;
use resilient_orchestrator::domain::leadership::{MemberSecret, NodeName, RunId};
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::store::{Leadership, MemoryStore};
use tokio::time::sleep;

use crate::database::{Row, Truth};
use crate::node::Deserted;
use crate::orders::self_filling;
use crate::run::in_a_runtime;
use crate::world::{HORIZON, leadership_limits};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn being_alone_proves_nothing_once_a_worker_has_named_a_higher_term() {
    in_a_runtime(async {
        let clock = VirtualTime::starting_at(WallTime::default()).clock();
        let me = Identity {
            node: NodeName::new("node-0"),
            run: RunId::new(7),
            address: "node-0".to_owned(),
            public_url: String::new(),
            secret: MemberSecret::default(),
        };
        let limits = leadership_limits();
        let view = ClusterView::new(me, HORIZON, clock.clone());
        let (database, truth) = (MemoryStore::new(), Truth::default());
        let limit = limits.statement_limit;
        let cable = Row::new(database.clone(), truth, clock.clone(), limit, 1);
        let row: Arc<dyn Leadership> = Arc::new(cable.clone());
        let candidate = Candidate::new(&row, &view, &Deserted, limits);
        let won = candidate.lead().await.expect("nobody else leads");
        let term = won.guard.term;
        let office = Office::held(row, term, limits, won.sent, view);
        let loaded = Loaded::prepared(Arc::new(database), won.guard, won.prepared, SECOND).await;
        let loaded = loaded.expect("the store answers");
        let (orchestrator, _fatal) = start(
            loaded.led_by(office, Duration::ZERO),
            &SystemSettings::default(),
            clock,
            Telemetry::new(&mut Metrics::default()),
            &Placement::Here,
        );
        let registered = orchestrator.register(self_filling("worker-0", 2)).await;
        let registered = registered.expect("the store answers");
        sleep(5 * SECOND).await;
        cable.cut(true);
        sleep(10 * SECOND).await;
        let prover = orchestrator.prover();
        assert!(prover.age() < 2 * SECOND, "it is alone: {:?}", prover.age());
        let heartbeat = Heartbeat {
            incarnation: Some(registered.instance.incarnation),
            term: Some(Term::new(term.get() + 1)),
            ..Heartbeat::of(registered.instance.id)
        };
        let answered = orchestrator.heartbeat(heartbeat).await;
        answered.expect("the worker is registered");
        sleep(5 * SECOND).await;
        assert!(prover.age() > 4 * SECOND, "it is not: {:?}", prover.age());
    });
}
