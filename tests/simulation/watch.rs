//! Who really runs what, at every moment: for how long two ran a stream, and for how long nobody
//! did, by class and by cause; and a sink that stores what they produce.
//!
//! A suspended process runs nothing. When it wakes, its runners go on until its keeper has looked
//! at the clock and stopped them: that time is a class of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use resilient_orchestrator::domain::fleet::Fleet;
use resilient_orchestrator::domain::handover::HandoverMode;
use resilient_orchestrator::domain::ids::{Epoch, StreamId};
use resilient_orchestrator::domain::queries::{Claim, Query, VerifyClaims};
use resilient_orchestrator::domain::stream::Place;
use resilient_orchestrator::domain::time::WallTime;

/// How long a worker that wakes may take to look at the clock.
pub(crate) const CHECK_PERIOD: Duration = Duration::from_millis(100);

/// How long a runner takes to stop at the most.
pub(crate) const LONGEST_STOP: Duration = Duration::from_millis(40);

/// No hand-over leaves a stream without a runner for longer, in seconds: eight timeouts. Most end within
/// one. But the owner may crash in its middle; then its silence is noticed, a mass failure may hold the
/// recovery back, and the lease runs out, while cables are cut.
const LONGEST_HANDOVER: u32 = 240;

/// No worker runs more streams.
pub(crate) const MOST_STREAMS: u32 = 8;

/// Every fourth stream is better run twice than not at all.
pub(crate) fn handoff_of(stream: i64) -> HandoverMode {
    if stream % 4 == 0 {
        HandoverMode::Overlap
    } else {
        HandoverMode::Exclusive
    }
}

/// Why two may run a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// They may not: exclusive, both leased and awake.
    Exclusive,
    /// One of them was suspended and has just woken.
    Woken,
    /// It is an overlap stream.
    Overlap,
    /// One of them is a classic worker.
    Classic,
}

impl Class {
    pub(crate) const ALL: [Self; 4] = [Self::Exclusive, Self::Woken, Self::Overlap, Self::Classic];
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exclusive => "exclusive",
            Self::Woken => "woken",
            Self::Overlap => "overlap",
            Self::Classic => "classic",
        })
    }
}

/// Why nobody runs a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// The orchestrator is gone.
    NoOrchestrator,
    /// Its database is out.
    NoDatabase,
    /// Nobody asked for the stream.
    Unclaimed,
    /// Nobody has room.
    NoRoom,
    /// Its owner is to let go of it, or its lease to run out.
    Handover,
    /// Its owner crashed, sleeps or cannot be reached.
    OwnerAway,
    /// Its owner has not heard of it, or is starting it.
    BeingTold,
}

/// Seconds, by class and by cause.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) doubled: BTreeMap<Class, Vec<f64>>,
    pub(crate) idle: BTreeMap<Cause, f64>,
    pub(crate) run: f64,
    /// The longest hand-over in which no worker ran the stream, in seconds.
    pub(crate) longest_handover: u32,
    pub(crate) writes_accepted: u64,
    pub(crate) writes_refused: u64,
}

impl Tally {
    pub(crate) fn doubled_seconds(&self, class: Class) -> f64 {
        self.doubled.get(&class).map_or(0.0, |all| all.iter().sum())
    }
}

#[derive(Debug, Clone, Copy)]
struct Runner {
    epoch: i64,
    is_leased: bool,
    is_suspended: bool,
    is_woken: bool,
}

/// Watches everybody.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    runners: BTreeMap<i64, BTreeMap<usize, Runner>>,
    doubled: BTreeMap<i64, (Class, WallTime)>,
    sink: BTreeMap<i64, i64>,
    /// For how many seconds no worker has run a stream that its owner is to release.
    handed_over: BTreeMap<i64, u32>,
    pub(crate) tally: Tally,
    pub(crate) violations: Vec<String>,
}

impl Watch {
    pub(crate) fn start(&mut self, now: WallTime, worker: usize, stream: i64, epoch: i64) {
        let runner = Runner {
            epoch,
            is_leased: true,
            is_suspended: false,
            is_woken: false,
        };
        self.runners
            .entry(stream)
            .or_default()
            .insert(worker, runner);
        self.reassess(now, stream);
    }

    pub(crate) fn stop(&mut self, now: WallTime, worker: usize, stream: i64) {
        if let Some(runners) = self.runners.get_mut(&stream) {
            runners.remove(&worker);
        }
        self.reassess(now, stream);
    }

    /// What a classic worker runs now.
    pub(crate) fn sync(&mut self, now: WallTime, worker: usize, list: &[i64]) {
        for stream in self.of(worker) {
            if !list.contains(&stream) {
                self.stop(now, worker, stream);
            }
        }
        for stream in list {
            let runners = self.runners.entry(*stream).or_default();
            if runners.contains_key(&worker) {
                continue;
            }
            let runner = Runner {
                epoch: 0,
                is_leased: false,
                is_suspended: false,
                is_woken: false,
            };
            runners.insert(worker, runner);
            self.reassess(now, *stream);
        }
    }

    /// A worker crashed or ended.
    pub(crate) fn clear(&mut self, now: WallTime, worker: usize) {
        for stream in self.of(worker) {
            self.stop(now, worker, stream);
        }
    }

    pub(crate) fn suspend(&mut self, now: WallTime, worker: usize) {
        self.mark(now, worker, |runner| runner.is_suspended = true);
    }

    /// It is executed again, and has not yet looked at the clock.
    pub(crate) fn wake(&mut self, now: WallTime, worker: usize) {
        self.mark(now, worker, |runner| {
            runner.is_suspended = false;
            runner.is_woken = true;
        });
        // Whoever does not ask its permit writes what it had in hand.
        self.write(worker);
    }

    /// It has looked at the clock and stopped what had to be stopped.
    pub(crate) fn settle(&mut self, now: WallTime, worker: usize) {
        self.mark(now, worker, |runner| runner.is_woken = false);
    }

    fn of(&self, worker: usize) -> Vec<i64> {
        let is_run = |runners: &BTreeMap<usize, Runner>| runners.contains_key(&worker);
        let run = self.runners.iter().filter(|(_, runners)| is_run(runners));
        run.map(|(stream, _)| *stream).collect()
    }

    fn mark(&mut self, now: WallTime, worker: usize, mark: impl Fn(&mut Runner)) {
        for stream in self.of(worker) {
            if let Some(runner) = self
                .runners
                .get_mut(&stream)
                .and_then(|all| all.get_mut(&worker))
            {
                mark(runner);
            }
            self.reassess(now, stream);
        }
    }

    fn executing(&self, stream: i64) -> impl Iterator<Item = (&usize, &Runner)> {
        let runners = self.runners.get(&stream).into_iter().flatten();
        runners.filter(|(_, runner)| !runner.is_suspended)
    }

    fn class_of(&self, stream: i64) -> Option<Class> {
        let runners: Vec<&Runner> = self.executing(stream).map(|(_, runner)| runner).collect();
        let bound = |runner: &&&Runner| runner.is_leased && !runner.is_woken;
        if runners.len() < 2 {
            None
        } else if handoff_of(stream) == HandoverMode::Overlap {
            Some(Class::Overlap)
        } else if runners.iter().filter(bound).count() > 1 {
            Some(Class::Exclusive)
        } else if runners.iter().any(|runner| !runner.is_leased) {
            Some(Class::Classic)
        } else {
            Some(Class::Woken)
        }
    }

    fn reassess(&mut self, now: WallTime, stream: i64) {
        let class = self.class_of(stream);
        let known = self.doubled.get(&stream).copied();
        if known.map(|(class, _)| class) == class {
            return;
        }
        if let Some((class, since)) = known {
            self.doubled.remove(&stream);
            let lasted = now.since(since);
            self.note(class, lasted);
        }
        if let Some(class) = class {
            self.doubled.insert(stream, (class, now));
            if class == Class::Exclusive {
                let runners: Vec<_> = self.executing(stream).collect();
                let violation =
                    format!("lease: two run the exclusive stream {stream}: {runners:?}");
                self.violations.push(violation);
            }
        }
    }

    fn note(&mut self, class: Class, lasted: Duration) {
        let bound = CHECK_PERIOD + LONGEST_STOP * MOST_STREAMS;
        if class == Class::Woken && lasted > bound {
            let violation = format!("lease: two ran a stream for {lasted:?} after one had woken");
            self.violations.push(violation);
        }
        let seconds = lasted.as_secs_f64();
        self.tally.doubled.entry(class).or_default().push(seconds);
    }

    /// What lasts still, lasted until now.
    pub(crate) fn finish(&mut self, now: WallTime) {
        for (class, since) in std::mem::take(&mut self.doubled).into_values() {
            self.note(class, now.since(since));
        }
    }

    /// A worker's leased runners write what they have produced, with their epochs.
    fn write(&mut self, worker: usize) {
        for stream in self.of(worker) {
            let runner = self.runners.get(&stream).and_then(|all| all.get(&worker));
            let Some(runner) = runner.copied() else {
                continue;
            };
            if !runner.is_leased || runner.is_suspended {
                continue;
            }
            let highest = self.sink.entry(stream).or_default();
            if runner.epoch >= *highest {
                *highest = runner.epoch;
                self.tally.writes_accepted += 1;
                continue;
            }
            self.tally.writes_refused += 1;
            if !runner.is_woken && handoff_of(stream) == HandoverMode::Exclusive {
                let violation = format!(
                    "lease: worker {worker} still wrote to stream {stream} under epoch {} \
                     after a write under {highest}",
                    runner.epoch
                );
                self.violations.push(violation);
            }
        }
    }

    /// Everybody writes.
    pub(crate) fn write_all(&mut self, workers: usize) {
        (0..workers).for_each(|worker| self.write(worker));
    }

    /// A claim is good only for the owner, or for who overlaps with it.
    pub(crate) fn claims_hold(&self, fleet: &Fleet, names: &[String]) -> Result<(), String> {
        let mut claims = Vec::new();
        let mut claimants = Vec::new();
        for (stream, runners) in &self.runners {
            for (worker, runner) in runners.iter().filter(|(_, runner)| runner.is_leased) {
                claims.push(Claim {
                    stream: StreamId::new(*stream),
                    epoch: Epoch::new(runner.epoch),
                });
                claimants.push(names[*worker].as_str());
            }
        }
        let judgements = VerifyClaims { claims }.answer(fleet);
        for (judgement, claimant) in judgements.iter().zip(claimants) {
            let slot = fleet.stream(judgement.claim.stream);
            let assignment = slot.and_then(|slot| slot.place().assignment());
            let may = assignment.is_some_and(|assignment| {
                assignment.instance.as_str() == claimant
                    || assignment
                        .former()
                        .is_some_and(|former| former.as_str() == claimant)
            });
            if judgement.is_current() && !may {
                return Err(format!(
                    "lease: the claim of {claimant} is good although it is not the owner: \
                     {judgement:?}"
                ));
            }
        }
        Ok(())
    }

    /// One second in which no worker runs a stream: a hand-over is over, or given up, within its patience.
    fn watch_hand_over(&mut self, stream: i64, cause: Cause) {
        if cause != Cause::Handover {
            self.handed_over.remove(&stream);
            return;
        }
        let seconds = self.handed_over.entry(stream).or_default();
        *seconds += 1;
        self.tally.longest_handover = self.tally.longest_handover.max(*seconds);
        if *seconds > LONGEST_HANDOVER {
            self.violations.push(format!(
                "hand-over: no worker runs stream {stream} for {seconds} s, and its owner is still to \
                 release it"
            ));
        }
    }

    /// One second of every stream that is to be run.
    pub(crate) fn sample(
        &mut self,
        fleet: &Fleet,
        outside: Option<Cause>,
        is_away: impl Fn(&str) -> bool,
    ) {
        for slot in fleet.streams().filter(|slot| slot.stream().enabled) {
            let id = slot.stream().id.get();
            if self.executing(id).next().is_some() {
                self.tally.run += 1.0;
                self.handed_over.remove(&id);
                continue;
            }
            let cause = match (slot.place(), outside) {
                (_, Some(outside)) => outside,
                (Place::Unclaimed { .. }, _) => Cause::Unclaimed,
                (Place::Orphaned { .. }, _) => Cause::NoRoom,
                (Place::Assigned(assignment), _) if assignment.is_releasing() => Cause::Handover,
                (Place::Assigned(assignment), _) if is_away(assignment.instance.as_str()) => {
                    Cause::OwnerAway
                }
                (Place::Assigned(_) | Place::Disabled, _) => Cause::BeingTold,
            };
            *self.tally.idle.entry(cause).or_default() += 1.0;
            self.watch_hand_over(id, cause);
        }
    }
}
