//! All clients: the measured ones, one that only asks the member that stands by, and the rest of the fleet.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client::Client;
use super::fleet::{Size, name};
use super::members::{now, pause};
use super::modes::Mode;
use super::shared::{Answered, Patience, Shared};

/// How many clients are measured.
const CLIENTS: usize = 100;

/// How many of them are classic, and hold no lease.
const CLASSIC: usize = 2;

/// The first instance that no client here speaks for: workers of the library do.
pub(super) const FIRST_WORKER: usize = CLIENTS + 1;

/// How many workers of the library there are.
pub(super) const WORKERS: usize = 100;

/// Between an answer and the next heartbeat of a client.
const BEAT: Duration = Duration::from_millis(250);

/// Between two heartbeats at the member that stands by.
const PROBE: Duration = Duration::from_millis(5);

/// How many threads send the heartbeats of all other instances.
const HERD: usize = 4;

/// No client.
const NONE: usize = usize::MAX;

/// What one round showed.
#[derive(Debug)]
pub(super) struct Round {
    /// From the fault to the first 200 at the member that was the standby.
    pub(super) first: Option<Duration>,
    /// The same, of a leader with a later term, and with a lease.
    pub(super) first_of_next: Option<Duration>,
    /// The longest time that a client waited for a 200.
    pub(super) longest_wait: Option<Duration>,
}

/// All clients. They end when it is dropped.
#[derive(Debug)]
pub(super) struct Clients {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    /// Starts them; the first instances are the measured ones.
    pub(super) fn start(urls: Vec<String>, size: Size, mode: Mode) -> Self {
        let shared = Arc::new(Shared {
            urls,
            patience: Patience::of(mode.timeout()),
            room: size.room,
            is_over: AtomicBool::new(false),
            homes: AtomicUsize::new(0),
            ended: AtomicUsize::new(NONE),
            answers: (0..CLIENTS).map(|_| Mutex::default()).collect(),
            probed: Mutex::default(),
            probes: AtomicUsize::new(1),
            stopped: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        });
        let mut threads = Vec::new();
        for number in 0..CLIENTS {
            let shared = shared.clone();
            threads.push(thread::spawn(move || run(&shared, number)));
        }
        let probing = shared.clone();
        threads.push(thread::spawn(move || probe(&probing)));
        let first = FIRST_WORKER + WORKERS;
        let last = usize::try_from(size.instances).unwrap_or(first);
        for part in 0..HERD {
            let shared = shared.clone();
            let numbers: Vec<usize> = (first + part..last).step_by(HERD).collect();
            let period = mode.timeout() / 5;
            threads.push(thread::spawn(move || herd(&shared, &numbers, period)));
        }
        Self { shared, threads }
    }

    /// Returns whether each client was answered since a moment, but for one that has ended.
    pub(super) fn are_answered(&self, since: Instant) -> bool {
        let ended = self.shared.ended.load(Ordering::Relaxed);
        let mut answers = self.shared.answers.iter().enumerate();
        answers.all(|(number, answers)| {
            number == ended || locked(answers).last().is_some_and(|last| last.came > since)
        })
    }

    /// Sends one half of the clients to either member, as at their start.
    pub(super) fn go_home(&self) {
        self.shared.homes.fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets the answers of the round before; `other` is the member that stands by.
    pub(super) fn begin_round(&self, other: usize) {
        for answers in &self.shared.answers {
            let mut answers = locked(answers);
            let last = answers.last().copied();
            *answers = last.into_iter().collect();
        }
        self.shared.probes.store(other, Ordering::Relaxed);
        locked(&self.shared.probed).clear();
    }

    /// Ends the worker of a round, in the way of a crash; returns its number.
    pub(super) fn end_one(&self, round: usize) -> usize {
        let number = CLASSIC + round % (CLIENTS - CLASSIC);
        self.shared.ended.store(number, Ordering::Relaxed);
        number
    }

    /// When a client sent the last heartbeat that was answered.
    pub(super) fn last_beat(&self, number: usize) -> Option<Instant> {
        locked(&self.shared.answers[number])
            .last()
            .map(|it| it.sent)
    }

    /// Starts the worker that has ended again.
    pub(super) fn start_again(&self) {
        self.shared.ended.store(NONE, Ordering::Relaxed);
    }

    /// Reads what came of a fault in a term.
    pub(super) fn end_round(&self, fault: Instant, term: i64) -> Round {
        let probed = locked(&self.shared.probed);
        let after: Vec<&Answered> = probed.iter().filter(|it| it.sent >= fault).collect();
        let since = |answered: &&Answered| answered.came.duration_since(fault);
        let of_next = |it: &&&Answered| it.has_lease && it.term > Some(term);
        let waits = self.shared.answers.iter().flat_map(|answers| {
            let answers = locked(answers);
            let pairs = answers.windows(2);
            let waits = pairs.map(|pair| pair[1].came.duration_since(pair[0].came));
            waits.collect::<Vec<_>>()
        });
        Round {
            first: after.first().map(since),
            first_of_next: after.iter().find(of_next).map(since),
            longest_wait: waits.max(),
        }
    }

    /// How many exclusive streams leased clients had to stop, since their lease was over.
    pub(super) fn stopped(&self) -> usize {
        self.shared.stopped.load(Ordering::Relaxed)
    }

    /// How many heartbeats of clients got no 200.
    pub(super) fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends the heartbeats of a measured client.
fn run(shared: &Shared, number: usize) {
    let mut client = Client::new(shared, number, number < CLASSIC);
    while !client.is_over() {
        if shared.ended.load(Ordering::Relaxed) == number {
            client.forget();
            pause(BEAT);
            continue;
        }
        client.go_home();
        client.register();
        let Some((answered, body)) = client.beat() else {
            shared.refused.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let has_changed = client.follow(answered, &body);
        locked(&shared.answers[number]).push(answered);
        if !has_changed {
            pause(BEAT);
        }
    }
}

/// Sends heartbeats to the member that stands by, one after the other.
fn probe(shared: &Shared) {
    let mut client = Client::new(shared, CLIENTS, false);
    client.register();
    while !client.is_over() {
        client.at = shared.probes.load(Ordering::Relaxed);
        if let Ok((answered, body)) = client.try_beat() {
            client.follow(answered, &body);
            locked(&shared.probed).push(answered);
        }
        pause(PROBE);
    }
}

/// Sends a heartbeat of each of these instances in each period.
fn herd(shared: &Shared, numbers: &[usize], period: Duration) {
    let (Some(first), Ok(count)) = (numbers.first(), u32::try_from(numbers.len())) else {
        return;
    };
    let mut next = now();
    let mut client = Client::new(shared, *first, true);
    for number in numbers.iter().cycle() {
        client.go_home();
        client.id = name(*number);
        while !client.is_over() && client.beat().is_none() {}
        if client.is_over() {
            return;
        }
        next += period / count;
        pause(next.saturating_duration_since(now()));
    }
}
