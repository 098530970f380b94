//! A worker: the real machine of the worker library, a clock of its own, what really runs, and a list of
//! both orchestrators. After a failure, an answer without a lease or a 503 it asks the other one.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use orchestrator_client::StreamId;
use orchestrator_client::machine::{Action, Answer, Machine, Outcome, Request, Ticket};
use resilient_orchestrator::domain::time::WallTime;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::network::{Letter, carry};
use crate::watch::{CHECK_PERIOD, LONGEST_STOP, MOST_STREAMS};
use crate::world::{Shared, World};

/// No wait is shorter: what is due in less is due now.
const TICK: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: String,
    pub(crate) max: u32,
    /// By orchestrator.
    pub(crate) is_cut_off: Vec<bool>,
    pub(crate) asleep_until: Option<WallTime>,
    /// What its clock showed at `born`, and how many of its seconds are in one.
    offset: Duration,
    rate: f64,
    born: WallTime,
    process: Option<Machinery>,
    restart_at: WallTime,
    /// Counts processes.
    life: u32,
    is_suspended: bool,
    /// The orchestrator it asks.
    asks: usize,
    bell: Rc<Notify>,
}

/// One process of it.
#[derive(Debug)]
struct Machinery {
    machine: Machine,
    runs: BTreeMap<StreamId, i64>,
    call: Option<Call>,
    /// It has woken, and looks at the clock only then.
    looks_at: WallTime,
    /// The request under way, and when it gives up on it by its own clock.
    errand: Option<(Ticket, Duration)>,
    inbox: Vec<(Ticket, Answer)>,
    is_woken: bool,
}

/// Its runner is starting or stopping a stream.
#[derive(Debug, Clone, Copy)]
struct Call {
    stream: StreamId,
    is_stop: bool,
    ends_at: WallTime,
}

/// A request to be sent.
#[derive(Debug)]
struct Errand {
    life: u32,
    ticket: Ticket,
    node: usize,
    request: Request,
    sent: WallTime,
}

enum Next {
    Wait(WallTime),
    Send(Errand),
}

impl Worker {
    /// One that knows so many orchestrators.
    pub(crate) fn new(
        number: usize,
        orchestrators: usize,
        rng: &mut fastrand::Rng,
        born: WallTime,
    ) -> Self {
        Self {
            id: format!("worker-{number}"),
            max: rng.u32(2..=MOST_STREAMS),
            is_cut_off: vec![false; orchestrators],
            asleep_until: None,
            offset: Duration::from_secs(rng.u64(0..1_000_000)),
            rate: 0.97 + rng.f64() * 0.06,
            born,
            process: None,
            restart_at: born,
            life: 0,
            is_suspended: false,
            asks: rng.usize(0..orchestrators),
            bell: Rc::new(Notify::new()),
        }
    }

    fn own_time(&self, now: WallTime) -> Duration {
        self.offset + now.since(self.born).mul_f64(self.rate)
    }

    /// When its own clock shows `time`.
    fn when(&self, time: Duration) -> WallTime {
        self.born + time.saturating_sub(self.offset).div_f64(self.rate) + Duration::from_micros(1)
    }

    /// What it runs, ascending.
    pub(crate) fn runs(&self) -> Vec<i64> {
        let runs = self.process.iter().flat_map(|process| process.runs.keys());
        runs.copied().collect()
    }

    pub(crate) fn give_back(&mut self, stream: StreamId) {
        if let Some(process) = &mut self.process {
            process.machine.give_back(stream);
            self.bell.notify_one();
        }
    }
}

impl World {
    /// The process of a worker dies, and everything in it.
    pub(crate) fn crash(&mut self, number: usize) {
        let now = self.now();
        let worker = &mut self.workers[number];
        worker.process = None;
        worker.is_suspended = false;
        self.watch.clear(now, number);
    }

    /// The process of a worker stands still.
    pub(crate) fn suspend(&mut self, number: usize) {
        let now = self.now();
        self.workers[number].is_suspended = true;
        self.watch.suspend(now, number);
    }
}

/// Lives until the runtime ends.
pub(crate) async fn work(world: Shared, number: usize) {
    loop {
        let next = step(&mut world.borrow_mut(), number);
        match next {
            Next::Send(errand) => {
                actix::spawn(talk(world.clone(), number, errand));
            }
            Next::Wait(until) => {
                let (wait, bell) = {
                    let world = world.borrow();
                    let wait = until.since(world.now()).max(TICK);
                    (wait, world.workers[number].bell.clone())
                };
                let _ = timeout(wait, bell.notified()).await;
            }
        }
    }
}

async fn talk(world: Shared, number: usize, errand: Errand) {
    let letter = Letter {
        worker: number,
        node: errand.node,
        sent: errand.sent,
        request: errand.request,
    };
    let Some(answer) = carry(&world, letter).await else {
        return;
    };
    let mut world = world.borrow_mut();
    let worker = &mut world.workers[number];
    if worker.life == errand.life
        && let Some(process) = &mut worker.process
    {
        process.inbox.push((errand.ticket, answer));
        worker.bell.notify_one();
    }
}

/// Whether the worker asks another orchestrator after this answer.
fn sends_elsewhere(answer: &Answer) -> bool {
    match answer {
        Answer::Beaten(beat) => beat.lease.is_none_or(|lease| lease.is_zero()),
        Answer::Failed { .. } => true,
        _ => false,
    }
}

/// Does what is due.
fn step(world: &mut World, number: usize) -> Next {
    let now = world.now();
    let World {
        workers,
        watch,
        rng,
        violations,
        ..
    } = world;
    let worker = &mut workers[number];
    if let Some(until) = worker.asleep_until.filter(|at| *at > now) {
        return Next::Wait(until);
    }
    let own_time = worker.own_time(now);
    if worker.process.is_none() {
        if now < worker.restart_at {
            return Next::Wait(worker.restart_at);
        }
        worker.life += 1;
    }
    let max = worker.max;
    let mut process = worker
        .process
        .take()
        .unwrap_or_else(|| Machinery::new(max, now));
    if std::mem::take(&mut worker.is_suspended) {
        watch.wake(now, number);
        process.is_woken = true;
        process.looks_at = now + up_to(rng, CHECK_PERIOD);
    }
    if now < process.looks_at {
        let looks_at = process.looks_at;
        worker.process = Some(process);
        return Next::Wait(looks_at);
    }
    if let Some(call) = process.call.take_if(|call| call.ends_at <= now) {
        process.machine.done(Outcome::Done);
        if call.is_stop {
            process.runs.remove(&call.stream);
            watch.stop(now, number, call.stream);
        }
    }
    let mut answers = std::mem::take(&mut process.inbox);
    if let Some((ticket, _)) = process.errand.filter(|(_, at)| *at <= own_time) {
        answers.push((ticket, Answer::Failed { retry_after: None }));
    }
    for (ticket, answer) in answers {
        let errand = process.errand.take_if(|(errand, _)| *errand == ticket);
        if errand.is_some() && sends_elsewhere(&answer) {
            worker.asks = (worker.asks + 1) % worker.is_cut_off.len();
        }
        let jitter = rng.f64();
        process.machine.answered(ticket, own_time, answer, jitter);
    }
    loop {
        let action = process.machine.next(own_time);
        let still_stops = matches!(action, Some(Action::Stop(..)))
            || process.call.is_some_and(|call| call.is_stop);
        if process.is_woken && !still_stops {
            process.is_woken = false;
            watch.settle(now, number);
        }
        match action {
            Some(Action::Start(stream)) => {
                process.call = Some(Call {
                    stream: stream.id,
                    is_stop: false,
                    ends_at: now + up_to(rng, LONGEST_STOP),
                });
                process.runs.insert(stream.id, stream.epoch);
                watch.start(now, number, stream.id, stream.epoch);
                if process.runs.len() > max as usize {
                    let (name, runs) = (&worker.id, &process.runs);
                    violations.push(format!("I2: {name} runs {runs:?} of {max}"));
                }
            }
            Some(Action::Stop(stream, _)) => {
                process.call = Some(Call {
                    stream: stream.id,
                    is_stop: true,
                    ends_at: now + up_to(rng, LONGEST_STOP),
                });
            }
            Some(Action::Bind(..)) => {}
            Some(Action::Send(ticket, request)) => {
                process.errand = Some((ticket, own_time + process.machine.request_limit()));
                worker.process = Some(process);
                return Next::Send(Errand {
                    life: worker.life,
                    ticket,
                    node: worker.asks,
                    request,
                    sent: now,
                });
            }
            Some(Action::End(_)) => {
                watch.clear(now, number);
                worker.restart_at = now + up_to(rng, Duration::from_secs(10));
                return Next::Wait(worker.restart_at);
            }
            None => {
                let gives_up_at = process.errand.map(|(_, at)| at);
                let due = process.machine.next_deadline().into_iter();
                let due = due.chain(gives_up_at).min();
                let due = due.map(|due| worker.when(due)).into_iter();
                let due = due.chain(process.call.map(|call| call.ends_at)).min();
                worker.process = Some(process);
                return Next::Wait(due.unwrap_or(now + Duration::from_secs(60)));
            }
        }
    }
}

impl Machinery {
    fn new(max: u32, now: WallTime) -> Self {
        Self {
            machine: Machine::new(max as usize),
            runs: BTreeMap::new(),
            call: None,
            looks_at: now,
            errand: None,
            inbox: Vec::new(),
            is_woken: false,
        }
    }
}

fn up_to(rng: &mut fastrand::Rng, most: Duration) -> Duration {
    Duration::from_micros(rng.u64(0..u64::try_from(most.as_micros()).unwrap_or(1)))
}
