//! A leased worker: the real machine of the worker library, a clock of its own, and what really
//! runs. It does what `crates/client/src/keeper.rs` does, in virtual time and one step after the other.
//!
//! ```text
//!   asleep ──wakes──▶ up to a check period later: what it missed, then the machine is asked
//!   machine ──Start, Stop──▶ a call that takes a while   ──Send──▶ an errand on the network
//!           ──End──▶ the process is gone, and started anew a while later
//! ```

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use orchestrator_client::machine::{Action, Answer, Beat, Machine, Outcome, Request, Ticket};
use orchestrator_client::{StopReason, StreamId};
use resilient_orchestrator::domain::time::WallTime;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::network::carry;
use crate::scene::{Mutation, Weather};
use crate::watch::{CHECK_PERIOD, LONGEST_STOP};
use crate::wire::serve;
use crate::worker::Link;
use crate::world::World;

/// No wait is shorter: what is due in less is due now.
const TICK: Duration = Duration::from_millis(1);

/// The machine it lives on, and the process if there is one.
#[derive(Debug)]
pub(crate) struct Host {
    /// What its clock showed at `born`, and how many of its seconds are in one.
    offset: Duration,
    rate: f64,
    born: WallTime,
    process: Option<Process>,
    restart_at: WallTime,
    /// Counts processes.
    life: u32,
    is_suspended: bool,
    pub(crate) bell: Rc<Notify>,
}

#[derive(Debug)]
struct Process {
    machine: Machine,
    /// What it runs, and under which epoch.
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
    outcome: Outcome,
}

/// A request to be sent.
#[derive(Debug)]
pub(crate) struct Errand {
    life: u32,
    ticket: Ticket,
    request: Request,
    limit: Duration,
    sent_at: WallTime,
}

enum Next {
    Wait(WallTime),
    Send(Errand),
}

impl Host {
    pub(crate) fn new(rng: &mut fastrand::Rng, weather: Weather, born: WallTime) -> Self {
        let rate = match weather {
            Weather::Foul | Weather::Fair | Weather::OneIsBroken => 0.95 + rng.f64() * 0.1,
            Weather::AtTheEdge => 0.81,
        };
        Self {
            offset: Duration::from_secs(rng.u64(0..1_000_000)),
            rate,
            born,
            process: None,
            restart_at: born,
            life: 0,
            is_suspended: false,
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

    pub(crate) fn kill(&mut self) {
        self.process = None;
        self.is_suspended = false;
    }

    pub(crate) fn suspend(&mut self) {
        self.is_suspended = true;
    }

    /// What it runs, ascending.
    pub(crate) fn runs(&self) -> Vec<i64> {
        let runs = self.process.iter().flat_map(|process| process.runs.keys());
        runs.copied().collect()
    }

    pub(crate) fn leave(&mut self) {
        if let Some(process) = &mut self.process {
            process.machine.leave();
            self.bell.notify_one();
        }
    }

    /// It hears that its set may be another by now.
    pub(crate) fn hear_news(&mut self, version: i64) {
        if let Some(process) = &mut self.process
            && let Some((incarnation, _)) = process.machine.known()
        {
            process.machine.news(incarnation, version);
            self.bell.notify_one();
        }
    }

    pub(crate) fn give_back(&mut self, stream: StreamId) {
        if let Some(process) = &mut self.process {
            process.machine.give_back(stream);
            self.bell.notify_one();
        }
    }
}

impl Link {
    /// Lives until the runtime ends. Whatever was under way then has failed.
    pub(crate) async fn host(self) {
        lose_errand(&mut self.world.borrow_mut(), self.number);
        loop {
            let next = {
                let mut world = self.world.borrow_mut();
                let now = world.now();
                step(&mut world, self.number, now)
            };
            match next {
                Next::Send(errand) => {
                    actix::spawn(self.clone().talk(errand));
                }
                Next::Wait(until) => {
                    let (wait, bell) = {
                        let mut world = self.world.borrow_mut();
                        let wait = until.since(world.now()).max(TICK);
                        (wait, self.host_of(&mut world).bell.clone())
                    };
                    let _ = timeout(wait, bell.notified()).await;
                }
            }
        }
    }

    /// Does beforehand what it will do in a time in which the orchestrator stands still, and hears
    /// nothing. What it sends then waits in the sockets.
    pub(crate) fn go_on_alone(&self, gap: Duration) {
        if self.world.borrow().workers[self.number].host.is_none() {
            return;
        }
        let mut now = self.world.borrow().now();
        let end = now + gap;
        while now < end {
            let next = step(&mut self.world.borrow_mut(), self.number, now);
            match next {
                Next::Send(errand) => {
                    actix::spawn(self.clone().talk(errand));
                }
                Next::Wait(until) => now = until.max(now + TICK),
            }
        }
        // It waits for something else now.
        let mut world = self.world.borrow_mut();
        self.host_of(&mut world).bell.notify_one();
    }

    fn host_of<'w>(&self, world: &'w mut World) -> &'w mut Host {
        let host = world.workers[self.number].host.as_mut();
        host.expect("only leased workers have a host")
    }

    async fn talk(self, errand: Errand) {
        let answer = if self.orchestrator.is_some() {
            let (link, request) = (self.clone(), errand.request.clone());
            let work = move || serve(link.clone(), request.clone());
            carry(&self.world, self.number, errand.limit, work).await
        } else {
            self.be_refused(errand.limit).await
        };
        let Some(mut answer) = answer else {
            return;
        };
        let counts_from_the_answer =
            self.world.borrow().scene.mutation == Some(Mutation::CountsFromTheAnswer);
        if counts_from_the_answer && matches!(&answer, Answer::Beaten(Beat { changes: None, .. })) {
            // Such a lease is wrong by the answer's way: that one has to be long, while news are told at once.
            let took = self.world.borrow().now().since(errand.sent_at);
            sleep(errand.limit.mul_f64(0.9).saturating_sub(took)).await;
        }
        let mut world = self.world.borrow_mut();
        if counts_from_the_answer
            && let Answer::Beaten(Beat {
                lease: Some(lease),
                stop_after: Some(stop_after),
                ..
            }) = &mut answer
            && !lease.is_zero()
        {
            let took = world.now().since(errand.sent_at);
            *lease += took;
            *stop_after += took;
        }
        let host = self.host_of(&mut world);
        if host.life == errand.life
            && let Some(process) = &mut host.process
        {
            process.inbox.push((errand.ticket, answer));
            host.bell.notify_one();
        }
    }

    /// Nobody listens: that is said at once, or never.
    async fn be_refused(&self, limit: Duration) -> Option<Answer> {
        let is_told = self.world.borrow_mut().rng.bool();
        sleep(if is_told { TICK } else { limit }).await;
        is_told.then_some(Answer::Failed { retry_after: None })
    }
}

fn lose_errand(world: &mut World, number: usize) {
    let host = world.workers[number].host.as_mut();
    let process = host.and_then(|host| host.process.as_mut());
    if let Some(process) = process
        && let Some((errand, _)) = process.errand
    {
        process
            .inbox
            .push((errand, Answer::Failed { retry_after: None }));
    }
}

/// Does what is due.
fn step(world: &mut World, number: usize, now: WallTime) -> Next {
    if let Some(until) = world.workers[number].asleep_until.filter(|at| *at > now) {
        return Next::Wait(until);
    }
    let scene = world.scene;
    let World {
        workers,
        watch,
        rng,
        counters,
        violations,
        is_calm,
        ..
    } = world;
    let worker = &mut workers[number];
    let (name, max) = (&worker.id, worker.max);
    let host = worker.host.as_mut().expect("a leased worker has a host");
    let own_time = host.own_time(now);
    if host.process.is_none() && now < host.restart_at {
        return Next::Wait(host.restart_at);
    }
    let process = host.process.get_or_insert_with(|| {
        host.life += 1;
        Process::new(max, now)
    });
    if std::mem::take(&mut host.is_suspended) {
        counters.wakings += 1;
        watch.wake(now, number);
        process.is_woken = true;
        process.looks_at = now + up_to(rng, CHECK_PERIOD);
    }
    if now < process.looks_at {
        return Next::Wait(process.looks_at);
    }
    if let Some(call) = process.call.take_if(|call| call.ends_at <= now) {
        match call.outcome {
            Outcome::Failed => process.machine.start_failed("no signal"),
            Outcome::Done | Outcome::TooLate => process.machine.done(call.outcome),
        };
        if call.is_stop || call.outcome != Outcome::Done {
            process.runs.remove(&call.stream);
            watch.stop(now, number, call.stream);
        }
    }
    for (ticket, answer) in std::mem::take(&mut process.inbox) {
        process.errand.take_if(|(errand, _)| *errand == ticket);
        let jitter = rng.f64();
        process.machine.answered(ticket, own_time, answer, jitter);
    }
    if let Some((ticket, _)) = process.errand.take_if(|(_, at)| *at <= own_time) {
        let failed = Answer::Failed { retry_after: None };
        process
            .machine
            .answered(ticket, own_time, failed, rng.f64());
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
                let is_broken = scene.broken_stream() == Some(stream.id);
                let fails = !*is_calm && (!scene.is_fair() && rng.u32(0..300) == 0 || is_broken);
                process.call = Some(Call {
                    stream: stream.id,
                    is_stop: false,
                    ends_at: now + up_to(rng, LONGEST_STOP),
                    outcome: if fails {
                        Outcome::Failed
                    } else {
                        Outcome::Done
                    },
                });
                process.runs.insert(stream.id, stream.epoch);
                watch.start(now, number, stream.id, stream.epoch);
                // Who never stops runs on beside what it was given since.
                let counts = scene.mutation != Some(Mutation::NeverStops);
                if counts && process.runs.len() > max as usize {
                    violations.push(format!("I2: {name} runs {:?} of {max}", process.runs));
                }
            }
            Some(Action::Stop(stream, reason)) => {
                let never = scene.mutation == Some(Mutation::NeverStops);
                if never && reason == StopReason::LeaseEnded {
                    process.machine.done(Outcome::Done);
                    continue;
                }
                process.call = Some(Call {
                    stream: stream.id,
                    is_stop: true,
                    ends_at: now + up_to(rng, LONGEST_STOP),
                    outcome: Outcome::Done,
                });
            }
            Some(Action::Bind(..)) => {}
            Some(Action::Send(ticket, request)) => {
                let limit = process.machine.request_limit();
                process.errand = Some((ticket, own_time + limit));
                return Next::Send(Errand {
                    life: host.life,
                    ticket,
                    request,
                    limit: limit.div_f64(host.rate),
                    sent_at: now,
                });
            }
            Some(Action::End(_)) => {
                counters.endings += 1;
                watch.clear(now, number);
                host.process = None;
                host.restart_at = now + up_to(rng, Duration::from_secs(20));
                return Next::Wait(host.restart_at);
            }
            None => {
                let gives_up_at = process.errand.map(|(_, at)| at);
                let call_ends_at = process.call.map(|call| call.ends_at);
                let due = process.machine.next_deadline().into_iter();
                let due = due.chain(gives_up_at).min();
                let due = due.map(|due| host.when(due));
                let due = due.into_iter().chain(call_ends_at).min();
                return Next::Wait(due.unwrap_or(now + Duration::from_secs(60)));
            }
        }
    }
}

impl Process {
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
