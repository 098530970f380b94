//! A standby that reads the fleet ahead: which copy it uses, and when it reads again.

use std::sync::Arc;
use std::time::Duration;

use resilient_orchestrator::actors::leadership::{Candidate, ClusterView, Identity, TakeOverOrder};
use resilient_orchestrator::actors::start::Loaded;
use resilient_orchestrator::clock::testing::VirtualTime;
use resilient_orchestrator::domain::leadership::{
    AdmissionStep, Claim, ClaimRight, FleetMoment, JudgingSettings, LeadersWord, MemberSecret,
    NodeName, Reach, ReleaseCause, Role, RunId, SavedFleet, SchemaVersion,
};
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::store::{
    Guard, Leadership, Member, MemoryStore, Release, Store, TakeOver,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::faults::FaultyStore;
use crate::fleets::{Draft, instance};
use crate::node::Deaf;
use crate::run::in_a_runtime;
use crate::world::{HORIZON, leadership_limits};

const LEADER: RunId = RunId::new(1);
const STANDBY: RunId = RunId::new(2);

fn member(node: &str, run: RunId) -> Member {
    Member {
        node: NodeName::new(node),
        run,
        address: node.to_owned(),
        public_url: format!("http://{node}"),
        release: "0.1.0".to_owned(),
        schema: SchemaVersion::default(),
        settings: JudgingSettings::default(),
        prepared: None,
        reach: Reach::default(),
        protocol: 1,
        seen_at: WallTime::default(),
    }
}

/// A leader in the database that is no process: what it does is done by hand.
struct Ground {
    database: MemoryStore,
    guard: Guard,
    /// The standby's view of the database, and of the cluster.
    store: FaultyStore,
    view: ClusterView,
}

impl Ground {
    async fn new() -> Self {
        let database = MemoryStore::new();
        database
            .join(&member("a", LEADER))
            .await
            .expect("it answers");
        database
            .join(&member("b", STANDBY))
            .await
            .expect("it answers");
        let look = database.look().await.expect("it answers").expect("a row");
        let claim = Claim {
            node: NodeName::new("a"),
            run: LEADER,
            address: "a".to_owned(),
            public_url: "http://a".to_owned(),
            secret: MemberSecret::default(),
            since: WallTime::default(),
            seen_term: look.row.term,
            seen_beat: look.row.beat,
            right: ClaimRight::Tables,
            word: LeadersWord::Nothing,
            known: look.row.version,
        };
        let won = database.take_over(&claim).await.expect("it answers");
        let TakeOver::Won(taken) = won else {
            panic!("a free row is taken: {won:?}");
        };
        let clock = VirtualTime::starting_at(WallTime::default()).clock();
        let me = Identity {
            node: NodeName::new("b"),
            run: STANDBY,
            address: "b".to_owned(),
            public_url: "http://b".to_owned(),
            secret: MemberSecret::default(),
        };
        let admit = AdmissionStep::Admit(me.node.clone(), STANDBY);
        let admitted = database.admit(taken.guard.term, LEADER, &admit).await;
        assert_eq!(admitted, Ok(true));
        Self {
            store: FaultyStore::over(database.clone(), clock.clone(), 1),
            view: ClusterView::new(me, HORIZON, clock),
            database,
            guard: taken.guard,
        }
    }

    /// The leader saves a change.
    async fn change(&mut self, name: &str, epoch: i64) {
        let counter = self.database.census().await.expect("it answers").counter;
        let draft = Draft::default()
            .instance(instance(name))
            .decided(epoch, counter.get());
        let saved = self.database.save(self.guard, draft).await;
        saved.expect("the leader writes");
        self.guard = self.guard.after_save();
    }

    /// The leader renews its row for so long.
    async fn renew_for(&self, time: Duration) {
        let interval = leadership_limits().renewal_interval;
        let renewing = async {
            loop {
                let renewed = self.database.renew(self.guard.term, LEADER).await;
                renewed.expect("it answers");
                sleep(interval).await;
            }
        };
        let _ = timeout(time, renewing).await;
    }

    /// Waits until the standby has read the fleet so often.
    async fn wait_for_reads(&self, count: usize) {
        let waited = timeout(Duration::from_secs(120), async {
            while self.store.reads().len() < count {
                sleep(Duration::from_millis(1)).await;
            }
        });
        waited.await.expect("the standby reads the fleet");
    }

    /// The same ground, for a task of its own.
    fn again(&self) -> Self {
        Self {
            database: self.database.clone(),
            guard: self.guard,
            store: self.store.clone(),
            view: self.view.clone(),
        }
    }

    /// The standby, on a task of its own. Returns once it waits.
    async fn begin_standby(&self) -> JoinHandle<Loaded> {
        let ground = self.again();
        let standby = actix::spawn(async move { ground.stand_by().await });
        while self.view.now().role != Role::Standby {
            sleep(Duration::from_millis(1)).await;
        }
        standby
    }

    /// The leader has the standby read the fleet ahead.
    async fn prepare(&self) -> Option<FleetMoment> {
        let fleet = SavedFleet {
            term: self.guard.term,
            version: self.guard.version,
        };
        self.view
            .notices()
            .prepare(fleet)
            .await
            .expect("few notices")
    }

    /// The leader releases its term to the standby.
    async fn release(&self) {
        let to = NodeName::new("b");
        let released = self
            .database
            .release(self.guard.term, LEADER, Some(&to), ReleaseCause::Ended)
            .await;
        assert!(
            matches!(released, Ok(Release::Released { .. })),
            "{released:?}"
        );
    }

    /// The standby, until it has the fleet.
    async fn stand_by(&self) -> Loaded {
        let limits = leadership_limits();
        let row: Arc<dyn Leadership> = Arc::new(self.database.clone());
        let store: Arc<dyn Store> = Arc::new(self.store.clone());
        let limit = Duration::from_secs(5);
        let candidate = Candidate::new(&row, &self.view, &Deaf, limits);
        let won = candidate.reading_ahead(store.clone(), limit).lead().await;
        let won = won.expect("the leader is silent");
        let loaded = Loaded::prepared(store, won.guard, won.prepared, limit).await;
        loaded.expect("the store answers")
    }

    /// What the standby has is what the database has.
    async fn compare(&self, loaded: &Loaded) {
        let saved = self.database.load().await.expect("it answers");
        let saved = resilient_orchestrator::domain::fleet::Fleet::from_snapshot(&saved);
        assert!(saved.expect("a fleet") == *loaded.fleet());
    }
}

#[test]
fn a_fleet_that_does_not_change_is_read_once_before_the_take_over() {
    in_a_runtime(async {
        let mut ground = Ground::new().await;
        ground.change("x", 1).await;
        let loaded = ground.stand_by().await;
        assert_eq!(ground.store.reads(), [ground.guard]);
        assert_eq!(loaded.fleet().instance_count(), 1);
        ground.compare(&loaded).await;
    });
}

#[test]
fn a_fleet_that_changes_between_the_copy_and_the_take_over_is_read_again() {
    in_a_runtime(async {
        let mut ground = Ground::new().await;
        ground.change("x", 1).await;
        let before = ground.guard;
        let standby = {
            let ground = ground.again();
            actix::spawn(async move { ground.stand_by().await })
        };
        ground.wait_for_reads(1).await;
        sleep(Duration::from_millis(1)).await;
        ground.change("y", 2).await;
        // At once: no look comes between the change and the take-over.
        ground.view.order_take_over(TakeOverOrder {
            reason: "an exercise".to_owned(),
            origin: None,
        });
        let loaded = standby.await.expect("the standby leads");
        let reads = ground.store.reads();
        assert_eq!(reads[0], before);
        assert_eq!(reads.len(), 2, "{reads:?}");
        assert_eq!(loaded.fleet().instance_count(), 2);
        ground.compare(&loaded).await;
    });
}

#[test]
fn a_copy_is_given_back_when_the_leader_renews_its_row_again() {
    in_a_runtime(async {
        let mut ground = Ground::new().await;
        ground.change("x", 1).await;
        let leader = async {
            ground.wait_for_reads(1).await;
            // Longer than a copy is kept, and shorter than the pause between two loads.
            ground.renew_for(Duration::from_secs(8)).await;
        };
        let (loaded, ()) = tokio::join!(ground.stand_by(), leader);
        let reads = ground.store.reads();
        assert_eq!(reads.len(), 2, "the copy was gone: {reads:?}");
        ground.compare(&loaded).await;
    });
}

#[test]
fn a_copy_is_used_if_the_leader_falls_silent_again_soon() {
    in_a_runtime(async {
        let mut ground = Ground::new().await;
        ground.change("x", 1).await;
        let leader = async {
            ground.wait_for_reads(1).await;
            ground.renew_for(Duration::from_secs(3)).await;
        };
        let (loaded, ()) = tokio::join!(ground.stand_by(), leader);
        assert_eq!(ground.store.reads().len(), 1);
        ground.compare(&loaded).await;
    });
}

/// The time on the runtime, which is virtual.
#[expect(clippy::disallowed_methods, reason = "the runtime's virtual time")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn a_released_term_is_taken_at_once_with_the_copy_that_the_leader_asked_for() {
    in_a_runtime(async {
        let mut ground = Ground::new().await;
        ground.change("x", 1).await;
        let standby = ground.begin_standby().await;
        let copied = ground.prepare().await.expect("the standby reads");
        assert_eq!(copied.version, ground.guard.version);
        ground.release().await;
        let released = now();
        ground.view.notices().released();
        let loaded = standby.await.expect("the standby leads");
        assert!(now() - released < leadership_limits().renewal_interval / 2);
        assert_eq!(ground.store.reads().len(), 1);
        ground.compare(&loaded).await;
    });
}

#[test]
fn a_standby_that_does_not_hear_of_the_release_takes_the_term_at_its_next_look() {
    in_a_runtime(async {
        let mut ground = Ground::new().await;
        ground.change("x", 1).await;
        let standby = ground.begin_standby().await;
        ground.prepare().await.expect("the standby reads");
        ground.release().await;
        let released = now();
        let loaded = standby.await.expect("the standby leads");
        let limits = leadership_limits();
        assert!(now() - released <= limits.renewal_interval + limits.statement_limit);
        assert_eq!(ground.store.reads().len(), 1);
        ground.compare(&loaded).await;
    });
}

#[test]
fn a_leader_whose_fleet_changed_has_it_read_again_before_it_hands_over() {
    in_a_runtime(async {
        let mut ground = Ground::new().await;
        ground.change("x", 1).await;
        let standby = ground.begin_standby().await;
        ground.prepare().await.expect("the standby reads");
        ground.change("y", 2).await;
        let copied = ground.prepare().await.expect("the standby reads again");
        assert_eq!(copied.version, ground.guard.version);
        ground.release().await;
        ground.view.notices().released();
        let loaded = standby.await.expect("the standby leads");
        assert_eq!(ground.store.reads().len(), 2);
        assert_eq!(loaded.fleet().instance_count(), 2);
        ground.compare(&loaded).await;
    });
}

#[test]
fn a_leader_that_ends_between_the_copy_and_the_release_is_replaced_with_the_copy() {
    in_a_runtime(async {
        let mut ground = Ground::new().await;
        ground.change("x", 1).await;
        let standby = ground.begin_standby().await;
        ground.prepare().await.expect("the standby reads");
        // No release, no renewal.
        let loaded = standby.await.expect("the standby leads");
        assert_eq!(ground.store.reads().len(), 1);
        ground.compare(&loaded).await;
    });
}
