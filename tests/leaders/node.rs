//! An orchestrator: from a new process to a term, and to the end of that process.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry as Metrics;
use resilient_orchestrator::actors::leadership::{
    Candidate, ClusterView, Identity, Office, Surroundings,
};
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::telemetry::Telemetry;
use resilient_orchestrator::clock::testing::VirtualTime;
use resilient_orchestrator::domain::ids::Term;
use resilient_orchestrator::domain::leadership::{AddressAnswer, MemberSecret, NodeName, RunId};
use resilient_orchestrator::domain::settings::{
    BalanceSettings, BreakerSettings, QuarantineSettings,
};
use resilient_orchestrator::store::{Leadership, Store};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::cables::Cables;
use crate::database::Row;
use crate::faults::{Committed, FaultyStore, Flaw};
use crate::process::Process;
use crate::scene::Mutation;
use crate::world::{HORIZON, Shared, World, leadership_limits, limits, thresholds};

/// How long a load may take.
const LOAD_LIMIT: Duration = Duration::from_secs(5);

/// One orchestrator, through all of its processes.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: NodeName,
    /// By how much its machine's clock shows something else.
    skew: Duration,
    /// The process that lives, and everything that belongs to it.
    pub(crate) life: Option<Life>,
    /// The views of the database of all its processes: what they sent may still arrive.
    stores: Vec<FaultyStore>,
}

/// One process and what it uses.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) process: Rc<Process>,
    pub(crate) clock: VirtualTime,
    pub(crate) view: ClusterView,
    pub(crate) row: Row,
    pub(crate) store: FaultyStore,
    pub(crate) leads: Option<Leads>,
    /// It was told to end.
    leaves: Rc<Notify>,
}

/// A term it holds, or believes to hold.
#[derive(Debug, Clone)]
pub(crate) struct Leads {
    pub(crate) term: Term,
    pub(crate) orchestrator: Orchestrator,
}

impl Node {
    pub(crate) fn new(number: usize, rng: &mut fastrand::Rng) -> Self {
        Self {
            name: NodeName::new(format!("node-{number}")),
            skew: Duration::from_secs(rng.u64(0..100_000)),
            life: None,
            stores: Vec::new(),
        }
    }

    /// The fleet transactions of its processes that happened since this was last asked.
    pub(crate) fn committed(&self) -> impl Iterator<Item = Committed> {
        let stores = self.stores.iter();
        stores.flat_map(FaultyStore::take_committed)
    }

    pub(crate) fn leads(&self) -> Option<&Leads> {
        self.life.as_ref()?.leads.as_ref()
    }
}

impl Life {
    /// Ends it as a signal does: it gives its term up.
    pub(crate) fn leave(&self) {
        self.leaves.notify_one();
    }
}

impl World {
    fn begin_life(&mut self, number: usize) -> Life {
        let now = self.now();
        let node = &self.nodes[number];
        let clock = VirtualTime::starting_at(now + node.skew);
        let me = Identity {
            node: node.name.clone(),
            run: RunId::new(self.rng.i64(1..1 << 53)),
            address: node.name.as_str().to_owned(),
            public_url: format!("http://{}", node.name.as_str()),
            secret: MemberSecret::of_bits(self.rng.u128(..)),
        };
        let store = FaultyStore::over(self.database.clone(), self.clock.clock(), self.rng.u64(..));
        if self.scene.breaks(Mutation::ForgetsLeases) {
            store.set_flaw(Flaw::HidesLeases);
        }
        let life = Life {
            process: Rc::new(Process::new()),
            view: ClusterView::new(me, HORIZON, clock.clock())
                .hearing_every(limits().heartbeat_interval),
            clock,
            row: Row::new(
                self.database.clone(),
                self.truth.clone(),
                self.clock.clock(),
                leadership_limits().statement_limit,
                self.rng.u64(..),
            ),
            store: store.clone(),
            leads: None,
            leaves: Rc::new(Notify::new()),
        };
        life.row.misread(self.scene.mutation);
        if self.scene.breaks(Mutation::UsesAnyCopy) {
            life.row.believe_copies_of(store.clone());
        }
        let node = &mut self.nodes[number];
        node.stores.push(store);
        node.life = Some(life.clone());
        life
    }

    fn settings(&mut self) -> SystemSettings {
        let mut thresholds = thresholds();
        if self.scene.breaks(Mutation::CarriesAllSilence) {
            // What is carried over is at most the timeout less this.
            thresholds.warning /= 3;
        }
        SystemSettings {
            balance: BalanceSettings {
                automatic: false,
                ..SystemSettings::default().balance
            },
            thresholds,
            worker_limits: limits(),
            breaker: BreakerSettings {
                max_probe_interval: Duration::from_secs(8),
                ..SystemSettings::default().breaker
            },
            // Streams are tried one at a time, and each trial lasts as long.
            quarantine: QuarantineSettings {
                window: thresholds.timeout * 2,
                ..SystemSettings::default().quarantine
            },
            sweep_interval: Duration::from_secs(3),
            flush_interval: Duration::from_secs(1),
            jitter_seed: self.rng.u64(..),
            ..SystemSettings::default()
        }
    }
}

/// What lies around a process that wants to lead.
struct Around {
    world: Shared,
}

impl std::fmt::Debug for Around {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Around")
    }
}

impl Surroundings for Around {
    fn stand_by(&self) {}

    fn ask(
        &self,
        address: String,
        limit: Duration,
    ) -> Pin<Box<dyn Future<Output = AddressAnswer>>> {
        let world = self.world.clone();
        Box::pin(async move {
            let (answer, way) = {
                let mut world = world.borrow_mut();
                let way = world.millis(1..50);
                let is_lost = world.chance(10);
                let node = world
                    .nodes
                    .iter()
                    .find(|node| node.name.as_str() == address);
                let life = node.and_then(|node| node.life.as_ref());
                let answer = match life {
                    None => AddressAnswer::Refused,
                    Some(life) if is_lost || life.process.is_stopped() => AddressAnswer::Silent,
                    Some(life) => AddressAnswer::Process {
                        node: life.view.me().node.clone(),
                        run: life.view.me().run,
                    },
                };
                (answer, way)
            };
            let is_silent = answer == AddressAnswer::Silent;
            sleep(if is_silent { limit } else { way }).await;
            answer
        })
    }
}

/// The leader's address does not answer.
#[derive(Debug)]
pub(crate) struct Deaf;

impl Surroundings for Deaf {
    fn stand_by(&self) {}

    fn ask(&self, _: String, limit: Duration) -> Pin<Box<dyn Future<Output = AddressAnswer>>> {
        Box::pin(async move {
            sleep(limit).await;
            AddressAnswer::Silent
        })
    }
}

/// No other process is anywhere.
#[derive(Debug)]
pub(crate) struct Deserted;

impl Surroundings for Deserted {
    fn stand_by(&self) {}

    fn ask(&self, _: String, _: Duration) -> Pin<Box<dyn Future<Output = AddressAnswer>>> {
        Box::pin(async { AddressAnswer::Refused })
    }
}

/// Starts the node's process again and again.
pub(crate) async fn supervise(world: Shared, number: usize) {
    loop {
        let life = world.borrow_mut().begin_life(number);
        life.process
            .run(live(world.clone(), number, life.clone()))
            .await;
        let pause = {
            let mut world = world.borrow_mut();
            world.nodes[number].life = None;
            let longest = if world.is_calm { 1_000 } else { 20_000 };
            world.millis(100..longest)
        };
        drop(life);
        sleep(pause).await;
    }
}

/// The program, until it ends itself.
async fn live(world: Shared, number: usize, life: Life) {
    let (clock, limits) = (life.clock.clock(), leadership_limits());
    clock.stop_listening();
    let row: Arc<dyn Leadership> = Arc::new(life.row.clone());
    let around = Around {
        world: world.clone(),
    };
    let store: Arc<dyn Store> = Arc::new(life.store.clone());
    let candidate =
        Candidate::new(&row, &life.view, &around, limits).reading_ahead(store.clone(), LOAD_LIMIT);
    let Ok(won) = candidate.lead().await else {
        return;
    };
    let term = won.guard.term;
    let calls = Rc::new(Cables {
        world: world.clone(),
        from: number,
    });
    let office = Office::held(row, term, limits, won.sent, life.view.clone()).asking(calls);
    let keeper = office.keep();
    let reads = life.store.reads().len();
    let (guard, may_be_doubled) = (won.guard, won.may_be_doubled);
    let loaded = Loaded::prepared(store, guard, won.prepared, LOAD_LIMIT).await;
    keeper.abort();
    let Ok(loaded) = loaded else {
        return;
    };
    {
        let mut world = world.borrow_mut();
        world.counters.ahead += u32::from(life.store.reads().len() == reads);
        // Its fleet lacks the leases on purpose.
        if !world.scene.breaks(Mutation::ForgetsLeases) {
            let database = world.database.clone();
            world.oracle.compare(guard, loaded.fleet(), &database);
        }
    }
    let hold = if may_be_doubled {
        HORIZON
    } else {
        Duration::ZERO
    };
    let settings = world.borrow_mut().settings();
    let telemetry = Telemetry::new(&mut Metrics::default());
    let (orchestrator, mut fatal) = start(
        loaded.led_by(office, hold),
        &settings,
        clock.clone(),
        telemetry,
        &Placement::Here,
    );
    clock.start_listening();
    let now = life.view.moment();
    for beat in life.view.echoes().take(usize::MAX) {
        orchestrator.echoed(&beat.id, beat.incarnation, now.since(beat.came));
    }
    {
        let mut world = world.borrow_mut();
        let now = world.now();
        let database = world.database.clone();
        world.oracle.begin_office(term, now, &database);
        if world.scene.breaks(Mutation::AnchoredAtTheAnswer) {
            actix::spawn(anchor_at_answers(life.row.clone(), orchestrator.clone()));
        }
        if let Some(life) = &mut world.nodes[number].life {
            life.leads = Some(Leads {
                term,
                orchestrator: orchestrator.clone(),
            });
        }
    }
    tokio::select! {
        biased;
        fatal = fatal.recv() => if fatal.is_some_and(|fatal| fatal.is_hand_over()) {
            leave(&world, number, &orchestrator).await;
        },
        () = life.leaves.notified() => leave(&world, number, &orchestrator).await,
    }
}

/// As the program ends after a signal.
async fn leave(world: &Shared, number: usize, orchestrator: &Orchestrator) {
    orchestrator.clock().stop_listening();
    if let Some(life) = &mut world.borrow_mut().nodes[number].life {
        life.leads = None;
    }
    orchestrator.drain().await;
    orchestrator.flush().await;
    orchestrator.release_leadership(None).await;
}

/// A broken rule: a proof counts from its answer.
async fn anchor_at_answers(row: Row, orchestrator: Orchestrator) {
    let mut renewals = row.renewals();
    while renewals.changed().await.is_ok() {
        let prover = orchestrator.prover();
        prover.confirm(prover.moment());
    }
}
