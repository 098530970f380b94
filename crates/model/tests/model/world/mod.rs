//! The rules of leases and hand-overs in the small: one stream, two workers, one orchestrator.
//!
//! All times are ticks, and relative ("so long ago", "so much left"), so that the states are few
//! although time has no end.

mod orchestrator;
mod setting;
mod worker;

use std::collections::BTreeSet;

pub(crate) use setting::{Mutation, Setting};

/// Lease, margin, timeout and the worker's own stop, in ticks. `STOP` < `LEASE`, and
/// `LEASE + MARGIN <= TIMEOUT`, as the configuration demands.
pub(crate) const LEASE: u8 = 4;
pub(crate) const MARGIN: u8 = 1;
pub(crate) const TIMEOUT: u8 = 5;
pub(crate) const STOP: u8 = 3;

/// By how much a lease lasts longer on the clock of a worker: its drift is within what stop and
/// margin leave of it.
const DRIFT: [u8; 2] = [0, LEASE + MARGIN - STOP];

/// Beyond this a message's age makes no difference: no lease comes of it.
const OLD: u8 = LEASE + MARGIN + 1;

pub(crate) const WORKERS: usize = 2;

/// A heartbeat, or its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Message {
    Beat {
        from: usize,
        life: u8,
        /// How long ago it was sent.
        age: u8,
        version: u8,
    },
    Answer {
        to: usize,
        life: u8,
        /// How long ago the heartbeat was sent that it answers.
        age: u8,
        /// None: a newer life is served.
        told: Option<Told>,
    },
}

/// What a heartbeat is answered: always the whole set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Told {
    grants: bool,
    version: u8,
    /// The epoch under which the stream is to be run, if it is.
    runs: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    pub(crate) is_alive: bool,
    life: u8,
    version: u8,
    /// The epoch under which it runs the stream.
    pub(crate) running: Option<u8>,
    /// What it was told to stop and has not (a mutation).
    stopping: bool,
    /// For how long it may run, on its own clock as seen from outside.
    lease_left: u8,
    /// How long ago it sent the heartbeat it waits for.
    waiting: Option<u8>,
    highest_epoch: u8,
    drift: u8,
}

/// What is saved about an instance, and what is only remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Instance {
    life: u8,
    version: u8,
    has_failed: bool,
    is_withdrawn: bool,
    /// Remembered: how long it has been silent, and how long its lease lasts, margin included.
    silent_for: u8,
    lease_left: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    is_up: bool,
    pub(crate) owner: Option<usize>,
    pub(crate) epoch: u8,
    /// The owner is to let go, and has once its worker has this version.
    releasing: Option<u8>,
    /// Who runs it until its owner does, under which epoch.
    former: Option<(usize, u8)>,
    instances: [Instance; WORKERS],
    pub(crate) workers: [Worker; WORKERS],
    network: BTreeSet<Message>,
    silences: u8,
    moves: u8,
    reports: u8,
    worker_crashes: u8,
    orchestrator_crashes: u8,
    duplicates: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Tick,
    Send(usize),
    Deliver(Message),
    /// The network delivers it and keeps a copy.
    Duplicate(Message),
    Lose(Message),
    /// The orchestrator looks at the time.
    Look,
    Report(usize),
    Move,
    Stop(usize),
    CrashWorker(usize),
    RestartWorker(usize),
    CrashOrchestrator,
    RestartOrchestrator,
}

impl World {
    /// Worker 0 owns the stream and was told nothing yet.
    pub(crate) fn beginnings() -> Vec<Self> {
        let mut all = Vec::new();
        for first in DRIFT {
            for second in DRIFT {
                let worker = |drift| Worker {
                    is_alive: true,
                    life: 1,
                    version: 0,
                    running: None,
                    stopping: false,
                    lease_left: 0,
                    waiting: None,
                    highest_epoch: 0,
                    drift,
                };
                let instance = Instance {
                    life: 1,
                    version: 1,
                    has_failed: false,
                    is_withdrawn: false,
                    silent_for: 0,
                    lease_left: 0,
                };
                all.push(Self {
                    is_up: true,
                    owner: Some(0),
                    epoch: 1,
                    releasing: None,
                    former: None,
                    instances: [instance; WORKERS],
                    workers: [worker(first), worker(second)],
                    network: BTreeSet::new(),
                    silences: 0,
                    moves: 0,
                    reports: 0,
                    worker_crashes: 0,
                    orchestrator_crashes: 0,
                    duplicates: 0,
                });
            }
        }
        all
    }

    /// How many workers run the stream.
    pub(crate) fn runners(&self) -> usize {
        let runs = |worker: &&Worker| worker.running.is_some();
        self.workers.iter().filter(runs).count()
    }

    /// What may happen next.
    pub(crate) fn steps(&self, setting: &Setting) -> Vec<Step> {
        let mut steps = vec![Step::Tick];
        for message in &self.network {
            steps.push(Step::Deliver(*message));
            steps.push(Step::Lose(*message));
            if self.duplicates < setting.duplicates {
                steps.push(Step::Duplicate(*message));
            }
        }
        for (who, worker) in self.workers.iter().enumerate() {
            let has_room = self.network.len() < setting.in_flight;
            if worker.is_alive && has_room && worker.waiting != Some(0) {
                steps.push(Step::Send(who));
            }
            if worker.stopping {
                steps.push(Step::Stop(who));
            }
            if worker.is_alive && self.worker_crashes < setting.worker_crashes {
                steps.push(Step::CrashWorker(who));
            }
            // Registering is a request the orchestrator answers.
            if !worker.is_alive && self.is_up {
                steps.push(Step::RestartWorker(who));
            }
            let is_reportable = self.is_up && !self.instances[who].has_failed;
            if is_reportable && self.reports < setting.reports {
                steps.push(Step::Report(who));
            }
        }
        if self.is_up {
            steps.push(Step::Look);
            if self.moves < setting.moves {
                steps.push(Step::Move);
            }
            if self.orchestrator_crashes < setting.orchestrator_crashes {
                steps.push(Step::CrashOrchestrator);
            }
        } else {
            steps.push(Step::RestartOrchestrator);
        }
        steps
    }

    pub(crate) fn take(&mut self, step: Step, setting: &Setting) {
        match step {
            Step::Tick => self.tick(setting),
            Step::Send(who) => self.send(who),
            Step::Deliver(message) => {
                self.network.remove(&message);
                self.deliver(message, setting);
            }
            Step::Duplicate(message) => {
                self.duplicates += 1;
                self.deliver(message, setting);
            }
            Step::Lose(message) => {
                self.network.remove(&message);
            }
            Step::Look => self.look(setting),
            Step::Report(who) => {
                self.reports += 1;
                self.withdraw(who, setting);
            }
            Step::Move => {
                self.moves += 1;
                self.begin_move(setting);
            }
            Step::Stop(who) => {
                self.workers[who].stopping = false;
                self.workers[who].running = None;
            }
            Step::CrashWorker(who) => {
                self.worker_crashes += 1;
                let Worker { life, drift, .. } = self.workers[who];
                self.workers[who] = Worker {
                    is_alive: false,
                    life,
                    version: 0,
                    running: None,
                    stopping: false,
                    lease_left: 0,
                    waiting: None,
                    highest_epoch: 0,
                    drift,
                };
            }
            Step::RestartWorker(who) => self.register(who, setting),
            Step::CrashOrchestrator => {
                self.orchestrator_crashes += 1;
                self.is_up = false;
            }
            Step::RestartOrchestrator => self.start(setting),
        }
    }

    fn tick(&mut self, setting: &Setting) {
        for worker in &mut self.workers {
            worker.lease_left = worker.lease_left.saturating_sub(1);
            worker.waiting = worker.waiting.map(|age| (age + 1).min(OLD));
            let stops = setting.mutation != Mutation::NeverStops && !setting.overlap;
            if worker.lease_left == 0 && stops {
                worker.running = None;
                worker.stopping = false;
            }
        }
        // While it is down its running time stands still; what it remembers is gone anyway.
        for instance in &mut self.instances {
            instance.silent_for = (instance.silent_for + 1).min(TIMEOUT);
            instance.lease_left = instance.lease_left.saturating_sub(1);
        }
        let older = |message: &Message| match *message {
            Message::Beat {
                from,
                life,
                age,
                version,
            } => Message::Beat {
                from,
                life,
                age: (age + 1).min(OLD),
                version,
            },
            Message::Answer {
                to,
                life,
                age,
                told,
            } => Message::Answer {
                to,
                life,
                age: (age + 1).min(OLD),
                told,
            },
        };
        self.network = self.network.iter().map(older).collect();
    }

    fn deliver(&mut self, message: Message, setting: &Setting) {
        match message {
            Message::Beat {
                from,
                life,
                age,
                version,
            } => {
                if self.is_up {
                    let told = self.beat(from, life, version, setting);
                    self.network.insert(Message::Answer {
                        to: from,
                        life,
                        age,
                        told,
                    });
                }
            }
            Message::Answer {
                to,
                life,
                age,
                told,
            } => self.hear(to, life, age, told, setting),
        }
    }

    /// Whether the stream is run once nothing goes wrong any more: everybody lives, every message
    /// arrives, and time passes.
    pub(crate) fn comes_to_run(&self, setting: &Setting) -> bool {
        let calm = Setting {
            silences: u8::MAX,
            ..*setting
        };
        let mut world = self.clone();
        world.network.clear();
        if !world.is_up {
            world.start(&calm);
        }
        for _ in 0..6 * TIMEOUT {
            for who in 0..WORKERS {
                if !world.workers[who].is_alive {
                    world.register(who, &calm);
                }
                world.send(who);
                while let Some(message) = world.network.pop_first() {
                    world.deliver(message, &calm);
                }
                world.workers[who].stopping &= world.workers[who].running.is_some();
                if world.workers[who].stopping {
                    world.take(Step::Stop(who), &calm);
                }
            }
            world.look(&calm);
            let owner = world.owner.map(|owner| world.workers[owner].running);
            if owner == Some(Some(world.epoch)) && world.runners() == 1 {
                return true;
            }
            world.tick(&calm);
        }
        false
    }
}
