//! Workers. Two kinds are in the field, as their source shows them; the third one, leased, is in
//! `leased.rs`.
//!
//! A: after any failed heartbeat it registers again; every interval it reads what the
//! orchestrator says it holds, and adopts it. B: any failed request puts it into local mode, in
//! which it only asks for health; it never reads what it holds and never removes duplicates.

use std::time::Duration;

use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::domain::commands::{AssignOutcome, AssignStreams, ReleaseStreams};
use resilient_orchestrator::domain::heartbeat::Heartbeat;
use resilient_orchestrator::domain::ids::{InstanceId, StreamId};
use resilient_orchestrator::domain::time::WallTime;
use tokio::time::sleep;

use crate::checks::Whole;
use crate::leased::Host;
use crate::network::{Network, carry};
use crate::orders::registration;
use crate::world::{INTERVAL, REQUEST_LIMIT, Shared, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    A,
    B,
    Leased,
}

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) max: u32,
    pub(crate) network: Network,
    /// Until when it does nothing (crashed, hung) and its network is bad.
    pub(crate) asleep_until: Option<WallTime>,
    pub(crate) bad_until: Option<WallTime>,
    /// Grows when it crashes: what was under way then is nobody's any more.
    pub(crate) life: u32,
    pub(crate) is_registered: bool,
    pub(crate) is_local: bool,
    /// What a classic one believes to run, and runs.
    pub(crate) list: Vec<i64>,
    /// Of a leased one.
    pub(crate) host: Option<Host>,
}

impl Worker {
    pub(crate) fn new(id: String, kind: Kind, max: u32) -> Self {
        Self {
            id,
            kind,
            max,
            network: Network::Fine,
            asleep_until: None,
            bad_until: None,
            life: 0,
            is_registered: false,
            is_local: false,
            list: Vec::new(),
            host: None,
        }
    }

    /// What it runs, ascending.
    pub(crate) fn runs(&self) -> Vec<i64> {
        let mut runs = match &self.host {
            Some(host) => host.runs(),
            None => self.list.clone(),
        };
        runs.sort_unstable();
        runs
    }

    fn crash(&mut self) {
        if let Some(host) = &mut self.host {
            host.kill();
        }
        self.life += 1;
        self.is_registered = false;
        self.is_local = false;
        self.list.clear();
    }

    fn requested(&self) -> i64 {
        i64::from(self.max) - i64::try_from(self.list.len()).unwrap()
    }
}

impl World {
    /// The process of a worker dies, and everything in it.
    pub(crate) fn crash(&mut self, number: usize) {
        let now = self.now();
        self.workers[number].crash();
        self.watch.clear(now, number);
    }

    /// The process of a worker stands still. A classic one hangs: its runners go on.
    pub(crate) fn suspend(&mut self, number: usize) {
        let now = self.now();
        if let Some(host) = &mut self.workers[number].host {
            host.suspend();
            self.watch.suspend(now, number);
        }
    }
}

/// One worker's connection, for as long as one orchestrator lives.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) world: Shared,
    pub(crate) number: usize,
    pub(crate) orchestrator: Option<Orchestrator>,
}

impl Link {
    fn with<T>(&self, look: impl FnOnce(&mut Worker) -> T) -> T {
        let mut world = self.world.borrow_mut();
        let now = world.now();
        let World { workers, watch, .. } = &mut *world;
        let worker = &mut workers[self.number];
        let outcome = look(worker);
        if worker.host.is_none() {
            watch.sync(now, self.number, &worker.list);
        }
        outcome
    }

    pub(crate) fn id(&self) -> InstanceId {
        InstanceId::new(self.with(|worker| worker.id.clone()))
    }

    /// Works until the runtime ends.
    pub(crate) async fn work(self) {
        if self.with(|worker| worker.kind) == Kind::Leased {
            return self.host().await;
        }
        loop {
            let jitter = self.world.borrow_mut().rng.u64(0..200);
            sleep(INTERVAL + Duration::from_millis(jitter)).await;
            let now = self.world.borrow().now();
            if self.with(|worker| worker.asleep_until.is_some_and(|until| until > now)) {
                continue;
            }
            match self.with(|worker| worker.kind) {
                Kind::A => self.work_as_a().await,
                Kind::B => self.work_as_b().await,
                Kind::Leased => return,
            }
        }
    }

    async fn work_as_a(&self) {
        if !self.with(|worker| worker.is_registered) && !self.register().await {
            return;
        }
        if !self.beat().await {
            self.with(|worker| worker.is_registered = false);
            self.register().await;
        }
        self.ask().await;
        self.give_back_broken().await;
        self.adopt().await;
    }

    async fn work_as_b(&self) {
        if self.with(|worker| worker.is_local) {
            let is_healthy = self.call(|_, _| async { Some(()) }).await.is_some();
            if !is_healthy {
                return;
            }
            self.with(|worker| {
                worker.is_local = false;
                worker.is_registered = false;
            });
        }
        if !self.with(|worker| worker.is_registered) && !self.register().await {
            return self.with(|worker| worker.is_local = true);
        }
        let has_asked = self.beat().await && self.ask().await;
        if !has_asked || !self.give_back_broken().await || !self.release_some().await {
            self.with(|worker| worker.is_local = true);
        }
    }

    /// Sends a request; `None` if it failed, or its answer was lost, or the worker crashed.
    async fn call<T, F>(&self, serve: impl Fn(Self, Orchestrator) -> F + 'static) -> Option<T>
    where
        T: 'static,
        F: Future<Output = Option<T>> + 'static,
    {
        let life = self.with(|worker| worker.life);
        let (link, orchestrator) = (self.clone(), self.orchestrator.clone()?);
        let serve = move || serve(link.clone(), orchestrator.clone());
        let answer = carry(&self.world, self.number, REQUEST_LIMIT, serve).await;
        answer.filter(|_| self.with(|worker| worker.life == life))
    }

    async fn register(&self) -> bool {
        let max_streams = self.with(|worker| worker.max);
        let registered = self.call(move |link, orchestrator| async move {
            let id = link.id();
            orchestrator.sign_of_life(&id, None).ok()?;
            link.note_sign_of_life(&orchestrator, &id);
            let command = registration(id.clone(), max_streams);
            let answer = orchestrator.execute(command).await.ok()?;
            let mut world = link.world.borrow_mut();
            world.follow();
            let incarnation = answer.instance.incarnation.get();
            if !world.history.has_registered(id.as_str(), incarnation) {
                world.violation(format!("{id} was told of a registration that is not saved"));
            }
            Some(())
        });
        let is_registered = registered.await.is_some();
        self.with(|worker| worker.is_registered |= is_registered);
        is_registered
    }

    async fn beat(&self) -> bool {
        let answer =
            self.call(move |link, orchestrator| async move { link.be_heard(&orchestrator).await });
        answer.await.is_some()
    }

    /// A heartbeat arrives.
    pub(crate) async fn be_heard(&self, orchestrator: &Orchestrator) -> Option<()> {
        let id = self.id();
        let heartbeat = Heartbeat {
            current_streams: self.with(|worker| i64::try_from(worker.list.len()).unwrap()),
            ..Heartbeat::of(id.clone())
        };
        orchestrator.heartbeat(heartbeat).await.ok()?;
        self.note_sign_of_life(orchestrator, &id);
        Some(())
    }

    /// A heartbeat that was answered and not fenced must keep the instance from failing.
    pub(crate) fn note_sign_of_life(&self, orchestrator: &Orchestrator, id: &InstanceId) {
        let Some(entry) = orchestrator.registry().get(id) else {
            return;
        };
        let mut world = self.world.borrow_mut();
        world.follow();
        if entry.standing().status.is_serving() && !entry.is_fenced() {
            let beat = entry.last_beat_wall();
            world.history.trusted.insert(id.to_string(), beat);
        }
    }

    async fn ask(&self) -> bool {
        let requested = self.with(|worker| worker.requested());
        let answer = self.call(move |link, orchestrator| async move {
            let id = link.id();
            orchestrator.sign_of_life(&id, None).ok()?;
            let since = {
                let mut world = link.world.borrow_mut();
                world.follow();
                world.history.sequence()
            };
            let command = AssignStreams {
                id: id.clone(),
                incarnation: None,
                requested,
            };
            let outcome = orchestrator.execute(command).await.ok()?;
            let AssignOutcome::Assigned(assignments) = outcome else {
                return Some(Vec::new());
            };
            let streams: Vec<StreamId> = assignments.iter().map(|held| held.stream).collect();
            let mut world = link.world.borrow_mut();
            world.follow();
            for stream in &streams {
                if !world.history.owned_since(stream.get(), id.as_str(), since) {
                    world.violation(format!("{id} was told of {stream}, which it never owned"));
                }
            }
            Some(streams)
        });
        let Some(streams) = answer.await else {
            return false;
        };
        self.with(|worker| {
            worker
                .list
                .extend(streams.iter().map(|stream| stream.get()))
        });
        true
    }

    /// Reads what the orchestrator says it holds.
    async fn adopt(&self) {
        let held = self.call(move |link, orchestrator| async move {
            let id = link.id();
            let fleet = orchestrator.ask(Whole).await.ok()?;
            let slot = fleet.instance(&id)?;
            Some(slot.held().iter().map(|stream| stream.get()).collect())
        });
        if let Some(held) = held.await {
            self.with(|worker| worker.list = held);
        }
    }

    async fn release_some(&self) -> bool {
        let Some(stream) = self.with(|worker| worker.list.last().copied()) else {
            return true;
        };
        if !self.world.borrow_mut().chance(30) {
            return true;
        }
        self.release(stream, None).await
    }

    /// What it cannot start it gives back.
    async fn give_back_broken(&self) -> bool {
        let broken = {
            let world = self.world.borrow();
            let broken = world.scene.broken_stream();
            broken.filter(|_| !world.is_calm)
        };
        match broken {
            Some(stream) if self.with(|worker| worker.list.contains(&stream)) => {
                self.release(stream, Some("no signal")).await
            }
            Some(_) | None => true,
        }
    }

    async fn release(&self, stream: i64, reason: Option<&'static str>) -> bool {
        let released = self.call(move |link, orchestrator| async move {
            let id = link.id();
            orchestrator.sign_of_life(&id, None).ok()?;
            let command = ReleaseStreams {
                epochs: None,
                id,
                incarnation: None,
                streams: vec![StreamId::new(stream)],
                reason: reason.map(Into::into),
            };
            orchestrator.execute(command).await.ok()
        });
        let is_released = released.await.is_some();
        if is_released {
            self.with(|worker| worker.list.retain(|held| *held != stream));
        }
        is_released
    }
}
