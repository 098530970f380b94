//! The state of the model, and its steps.
//!
//! All times are ticks, and relative ("so long ago", "so much left"), so that the states are few
//! although time has no end.

use super::setting::{Mutation, Setting};

/// The lease, counted from the moment the heartbeat was sent.
pub(crate) const LEASE: u8 = 2;

/// What a leader adds to a lease. The clock of each worker is as slow as that allows: a lease of
/// two ticks lasts three. (The worker's own stop is not modelled; without it the rules have less
/// room.)
pub(crate) const MARGIN: u8 = 1;

/// A leader with an older proof grants nothing.
pub(crate) const HALF_LEASE: u8 = LEASE / 2;

/// Beyond this the age of a message makes no difference: no lease comes of it.
const OLD: u8 = LEASE + MARGIN;

/// Beyond this the age of a proof makes no difference.
const STALE: u8 = HALF_LEASE + 1;

pub(crate) const WORKERS: usize = 2;

/// What a worker asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Ask {
    Register,
    Beat {
        version: u8,
    },
    /// A command that hands out again what is assigned already: it changes nothing.
    List,
    /// The worker has stopped the stream that it ran under this epoch.
    Release {
        epoch: u8,
    },
}

/// What a worker is answered. Answers that change nothing at the worker (503, "no lease, your own
/// version") are no messages here: a lost request has the same effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Answer {
    Registered {
        life: u8,
    },
    /// 404 or 409.
    Denied,
    /// The version is the newest; no list.
    Renewed {
        lease: u8,
    },
    /// The whole set.
    Told {
        version: u8,
        runs: Option<u8>,
        lease: u8,
    },
    /// The whole set, without a lease and without a version.
    Listed {
        runs: Option<u8>,
    },
    Released,
}

/// A request on its way to either orchestrator, or its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Message {
    pub(crate) worker: usize,
    /// The life of the process that sent the request; 0: it has none yet.
    pub(crate) life: u8,
    /// How long ago the request was sent.
    pub(crate) age: u8,
    /// Whether the worker still waits for the answer.
    pub(crate) is_awaited: bool,
    pub(crate) body: Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Body {
    Request(Ask),
    Answer(Answer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    /// 0: a process that is not registered yet.
    pub(crate) life: u8,
    pub(crate) version: u8,
    /// The epoch under which it was told to run the stream.
    pub(crate) set: Option<u8>,
    /// For how long it may run, as seen from outside.
    pub(crate) lease_left: u8,
    /// The epoch that it released, until that is answered.
    pub(crate) released: Option<u8>,
}

impl Worker {
    pub(crate) const UNREGISTERED: Self = Self {
        life: 0,
        version: 0,
        set: None,
        lease_left: 0,
        released: None,
    };

    pub(crate) fn runs(&self) -> bool {
        self.set.is_some() && self.lease_left > 0
    }
}

/// What is saved about the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Fleet {
    pub(crate) owner: usize,
    pub(crate) epoch: u8,
    /// Whether the owner is to release the stream.
    pub(crate) is_releasing: bool,
    pub(crate) versions: [u8; WORKERS],
    /// The life that each worker is served in.
    pub(crate) lives: [u8; WORKERS],
    /// The newest number that a registration gave.
    pub(crate) given: [u8; WORKERS],
}

/// What an orchestrator has in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Orchestrator {
    /// The term it believes to lead; 0: none.
    pub(crate) term: u8,
    pub(crate) fleet: Fleet,
    /// How long the lease of each worker lasts, margin included, as far as it knows.
    pub(crate) lease_left: [u8; WORKERS],
    /// How long ago its newest proof was sent.
    pub(crate) proof_age: u8,
    /// How long ago a renewal was sent that succeeded, and whose answer has not arrived.
    pub(crate) renewal: Option<u8>,
}

/// The database: the leadership row and the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Database {
    pub(crate) term: u8,
    pub(crate) leader: usize,
    pub(crate) fleet: Fleet,
}

/// What an orchestrator reaches while it handles a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Not the database: it answers from memory.
    Memory,
    /// The database: it sends a proof after the request came, and can save.
    Database,
    /// Not the database, but the other orchestrator, which confirms the leader after the request came. Nothing can
    /// be saved.
    Other,
    /// Not the database, but the answer of a renewal that was sent before the request came
    /// arrives now. Only a broken rule takes that for a proof of now.
    LateRenewal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Tick,
    Send(usize, Ask),
    /// An orchestrator handles a request.
    Handle(Message, usize, Reach),
    /// A worker hears an answer.
    Hear(Message),
    Lose(Message),
    /// An orchestrator renews the row; the answer arrives at once, or may be late.
    Renew(usize),
    HearRenewal(usize),
    TakeOver(usize),
    /// The same in two steps: it is carried out, and its process hears of it.
    Claim(usize),
    Learn,
    /// A leader asks the other orchestrator instead of the database.
    AskOther(usize),
    /// The leader asks the owner to release the stream.
    Move(usize),
    /// The lease of the owner is over in the eyes of the leader: it loses the stream.
    Fail(usize),
    Crash,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) orchestrators: [Orchestrator; 2],
    pub(crate) workers: [Worker; WORKERS],
    /// Without order: it is sorted.
    pub(crate) network: Vec<Message>,
    /// The process that leads in the database does not know of it yet.
    pub(crate) is_in_doubt: bool,
    take_overs: u8,
    moves: u8,
    silences: u8,
    crashes: u8,
    releases: u8,
    lists: u8,
}

impl World {
    /// Orchestrator 0 leads term 1. Worker 0 owns the stream and was told nothing yet.
    pub(crate) fn beginning() -> Self {
        let fleet = Fleet {
            owner: 0,
            epoch: 1,
            is_releasing: false,
            versions: [1; WORKERS],
            lives: [1; WORKERS],
            given: [1; WORKERS],
        };
        let leader = Orchestrator {
            term: 1,
            fleet,
            ..Orchestrator::default()
        };
        let worker = Worker {
            life: 1,
            ..Worker::UNREGISTERED
        };
        Self {
            database: Database {
                term: 1,
                leader: 0,
                fleet,
            },
            orchestrators: [leader, Orchestrator::default()],
            workers: [worker; WORKERS],
            network: Vec::new(),
            is_in_doubt: false,
            take_overs: 0,
            moves: 0,
            silences: 0,
            crashes: 0,
            releases: 0,
            lists: 0,
        }
    }

    /// How many workers run the stream.
    pub(crate) fn runners(&self) -> usize {
        self.workers.iter().filter(|worker| worker.runs()).count()
    }

    /// What may happen next.
    pub(crate) fn steps(&self, setting: &Setting) -> Vec<Step> {
        let mut steps = Vec::from_iter(setting.time_passes.then_some(Step::Tick));
        for message in &self.network {
            steps.push(Step::Lose(*message));
            match message.body {
                Body::Answer(_) => steps.push(Step::Hear(*message)),
                Body::Request(_) => steps.extend(self.handlings(*message, setting)),
            }
        }
        if self.network.len() < setting.in_flight {
            for who in 0..WORKERS {
                let asks = self.asks(who, setting);
                steps.extend(asks.into_iter().map(|ask| Step::Send(who, ask)));
            }
        }
        for (at, orchestrator) in self.orchestrators.iter().enumerate() {
            if orchestrator.term == 0 {
                if self.take_overs < setting.take_overs && !self.is_in_doubt {
                    let step = if setting.failsafe {
                        Step::Claim(at)
                    } else {
                        Step::TakeOver(at)
                    };
                    steps.push(step);
                }
                continue;
            }
            if setting.failsafe {
                steps.push(Step::AskOther(at));
            }
            steps.push(Step::Renew(at));
            if orchestrator.renewal.is_some() {
                steps.push(Step::HearRenewal(at));
            }
            if self.moves < setting.moves {
                steps.push(Step::Move(at));
            }
            let owner = orchestrator.fleet.owner;
            if self.silences < setting.silences && orchestrator.lease_left[owner] == 0 {
                steps.push(Step::Fail(at));
            }
        }
        if self.is_in_doubt {
            steps.push(Step::Learn);
        }
        if self.crashes < setting.crashes && self.workers[0].life > 0 {
            steps.push(Step::Crash);
        }
        steps
    }

    /// Who may handle a request, and what is reached meanwhile.
    fn handlings(&self, message: Message, setting: &Setting) -> Vec<Step> {
        let mut steps = Vec::new();
        for (at, orchestrator) in self.orchestrators.iter().enumerate() {
            if orchestrator.term == 0 {
                continue;
            }
            steps.push(Step::Handle(message, at, Reach::Memory));
            steps.push(Step::Handle(message, at, Reach::Database));
            if setting.failsafe {
                steps.push(Step::Handle(message, at, Reach::Other));
            }
            let is_broken = setting.mutation == Mutation::ProofFromAnswer;
            if is_broken && orchestrator.renewal.is_some() {
                steps.push(Step::Handle(message, at, Reach::LateRenewal));
            }
        }
        steps
    }

    /// What a worker may ask now. Its request before is given up.
    fn asks(&self, who: usize, setting: &Setting) -> Vec<Ask> {
        let worker = self.workers[who];
        if worker.life == 0 {
            // Once more than it crashed: the answer to one registration may be lost, or late.
            let may_register = self.database.fleet.given[who] <= self.crashes + 1;
            return Vec::from_iter(may_register.then_some(Ask::Register));
        }
        let version = worker.version;
        let mut asks = vec![Ask::Beat { version }];
        if self.lists < setting.lists {
            asks.push(Ask::List);
        }
        if let Some(epoch) = worker.released {
            asks.push(Ask::Release { epoch });
        } else if let Some(epoch) = worker.set
            && self.releases < setting.releases
        {
            asks.push(Ask::Release { epoch });
        }
        asks
    }

    pub(crate) fn take(&mut self, step: Step, setting: &Setting) {
        self.apply(step, setting);
        self.tidy(setting);
    }

    fn apply(&mut self, step: Step, setting: &Setting) {
        match step {
            Step::Tick => self.tick(),
            Step::Send(who, ask) => self.send(who, ask, setting),
            Step::Handle(message, at, reach) => {
                self.remove(message);
                let answer = self.handle(message, at, reach, setting);
                let heeds_late = setting.mutation == Mutation::LateAnswerHeeded;
                let is_heeded = message.is_awaited || heeds_late;
                if let Some(answer) = answer.filter(|_| is_heeded) {
                    self.network.push(answer);
                }
            }
            Step::Hear(message) => {
                self.remove(message);
                self.hear(message);
            }
            Step::Lose(message) => self.remove(message),
            Step::Renew(at) => self.renew(at, setting),
            Step::HearRenewal(at) => self.hear_renewal(at, setting),
            Step::TakeOver(at) => {
                self.take_overs += 1;
                self.take_over(at, setting);
            }
            Step::Claim(at) => {
                self.take_overs += 1;
                self.claim(at);
            }
            Step::Learn => self.learn(setting),
            Step::AskOther(at) => {
                self.prove_by_the_other(at, setting);
            }
            Step::Move(at) => {
                if self.prove(at) {
                    self.moves += 1;
                    self.begin_move(at);
                }
            }
            Step::Fail(at) => {
                if self.prove(at) {
                    self.silences += 1;
                    self.take_from_owner(at);
                }
            }
            Step::Crash => {
                self.crashes += 1;
                self.workers[0] = Worker::UNREGISTERED;
                self.give_up(0, setting);
            }
        }
    }

    fn tick(&mut self) {
        for worker in &mut self.workers {
            worker.lease_left = worker.lease_left.saturating_sub(1);
        }
        for orchestrator in self.orchestrators.iter_mut().filter(|one| one.term > 0) {
            for left in &mut orchestrator.lease_left {
                *left = left.saturating_sub(1);
            }
            orchestrator.proof_age = (orchestrator.proof_age + 1).min(STALE);
            orchestrator.renewal = orchestrator.renewal.map(|age| (age + 1).min(STALE));
        }
        for message in &mut self.network {
            message.age = (message.age + 1).min(OLD);
        }
    }

    fn remove(&mut self, message: Message) {
        if let Some(at) = self.network.iter().position(|other| *other == message) {
            self.network.remove(at);
        }
    }

    /// States that differ in nothing that matters are made the same.
    fn tidy(&mut self, setting: &Setting) {
        let heeds_late = setting.mutation == Mutation::LateAnswerHeeded;
        for message in &mut self.network {
            let may_grant = match message.body {
                Body::Request(ask) => matches!(ask, Ask::Beat { .. }),
                Body::Answer(Answer::Renewed { lease } | Answer::Told { lease, .. }) => lease > 0,
                Body::Answer(_) => false,
            };
            // Nothing is counted from the moment it was sent.
            if !may_grant || !(message.is_awaited || heeds_late) {
                message.age = 0;
            }
        }
        self.network.sort_unstable();
        self.network.dedup();
        for orchestrator in &mut self.orchestrators {
            // Only a leader that can save goes by them.
            if orchestrator.term < self.database.term {
                orchestrator.lease_left = [0; WORKERS];
            }
        }
    }

    fn send(&mut self, who: usize, ask: Ask, setting: &Setting) {
        self.give_up(who, setting);
        match ask {
            Ask::List => self.lists += 1,
            Ask::Release { epoch } if self.workers[who].released.is_none() => {
                self.releases += 1;
                // It has stopped the stream, and does not run it again before it is answered.
                self.workers[who].set = None;
                self.workers[who].released = Some(epoch);
            }
            Ask::Release { .. } | Ask::Register | Ask::Beat { .. } => {}
        }
        self.network.push(self.request(who, ask));
    }

    fn request(&self, who: usize, ask: Ask) -> Message {
        Message {
            worker: who,
            life: self.workers[who].life,
            age: 0,
            is_awaited: true,
            body: Body::Request(ask),
        }
    }

    /// The worker waits for no answer any more. Answers that it would not heed are dropped here.
    fn give_up(&mut self, who: usize, setting: &Setting) {
        let heeds_late = setting.mutation == Mutation::LateAnswerHeeded;
        for message in self.network.iter_mut().filter(|one| one.worker == who) {
            message.is_awaited = false;
        }
        self.network.retain(|message| {
            message.is_awaited
                || heeds_late
                || matches!(message.body, Body::Request(_))
                || message.worker != who
        });
    }

    /// A worker hears an answer. Those that it does not wait for were dropped, if the rules hold.
    fn hear(&mut self, message: Message) {
        let worker = &mut self.workers[message.worker];
        let Body::Answer(answer) = message.body else {
            return;
        };
        if worker.life != message.life {
            return;
        }
        let left = |lease: u8| match lease {
            0 => 0,
            lease => (lease + MARGIN).saturating_sub(message.age),
        };
        let released = worker.released;
        let without_released = |runs: Option<u8>| runs.filter(|epoch| released != Some(*epoch));
        match answer {
            Answer::Registered { life } => worker.life = life,
            Answer::Denied => *worker = Worker::UNREGISTERED,
            Answer::Renewed { lease } => worker.lease_left = worker.lease_left.max(left(lease)),
            Answer::Told {
                version,
                runs,
                lease,
            } => {
                worker.version = version;
                worker.set = without_released(runs);
                worker.lease_left = worker.lease_left.max(left(lease));
            }
            Answer::Listed { runs } => worker.set = without_released(runs),
            Answer::Released => worker.released = None,
        }
    }

    /// Whether the stream is run once nothing goes wrong any more: every message arrives, the
    /// database is reached, and time passes.
    pub(crate) fn comes_to_run(&self, setting: &Setting) -> bool {
        let mut world = self.clone();
        world.network.clear();
        if world.is_in_doubt {
            world.learn(setting);
        }
        for _ in 0..=2 * (LEASE + MARGIN) {
            for who in 0..WORKERS {
                let worker = world.workers[who];
                let ask = match worker.released {
                    _ if worker.life == 0 => Ask::Register,
                    Some(epoch) => Ask::Release { epoch },
                    None => Ask::Beat {
                        version: worker.version,
                    },
                };
                let request = world.request(who, ask);
                let leader = world.database.leader;
                if let Some(answer) = world.handle(request, leader, Reach::Database, setting) {
                    world.hear(answer);
                }
            }
            let owner = world.database.fleet.owner;
            if world.workers[owner].runs() && world.runners() == 1 {
                return true;
            }
            world.tick();
        }
        false
    }

    /// Lemma 2: no lease, held or on its way, outlasts what the newest leader waits for.
    pub(crate) fn leases_end_in_time(&self) -> bool {
        // The newest leader waits for them from the moment it knows that it leads.
        if self.is_in_doubt {
            return true;
        }
        let leader = &self.orchestrators[self.database.leader];
        let held = self.workers.iter().map(|worker| worker.lease_left);
        let mut held = held.zip(leader.lease_left);
        let on_the_way = self.network.iter().all(|message| {
            let lease = match message.body {
                Body::Answer(Answer::Renewed { lease } | Answer::Told { lease, .. }) => lease,
                Body::Answer(_) | Body::Request(_) => 0,
            };
            lease == 0
                || (lease + MARGIN).saturating_sub(message.age) <= leader.lease_left[message.worker]
        });
        on_the_way && held.all(|(worker, leader)| worker <= leader)
    }

    /// Lemma 3: only the owner of the newest fleet runs the stream.
    pub(crate) fn only_the_owner_runs(&self) -> bool {
        let owner = self.database.fleet.owner;
        let mut workers = self.workers.iter().enumerate();
        workers.all(|(who, worker)| who == owner || !worker.runs())
    }

    /// Lemma 4: no process is denied that is the newest of its worker.
    pub(crate) fn denials_are_true(&self) -> bool {
        self.network.iter().all(|message| {
            let is_denial = message.body == Body::Answer(Answer::Denied);
            !is_denial || self.workers[message.worker].life != message.life
        })
    }
}
