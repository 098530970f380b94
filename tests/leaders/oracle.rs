//! What must hold, judged by true time: of silence that was listened to, of the transactions, and of
//! each answer.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::FutureExt;
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::fleet::Fleet;
use resilient_orchestrator::domain::ids::{Term, Version};
use resilient_orchestrator::domain::incident::FailureCause;
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::store::{Guard, MemoryStore, Store};

use crate::faults::Committed;
use crate::world::{limits, thresholds};

/// Clocks show whole microseconds, and timers fire a millisecond late.
const TICK: Duration = Duration::from_millis(5);

/// What one leader heard.
#[derive(Debug)]
struct Office {
    began: WallTime,
    /// The silences of instances that the leaders before heard, as they were saved.
    carried: BTreeMap<String, Duration>,
    /// When it heard each instance, and trusted it.
    heard: BTreeMap<String, Vec<WallTime>>,
    /// When its process was stopped.
    stops: Vec<(WallTime, WallTime)>,
}

impl Office {
    /// How long it listened since `since`.
    fn listened(&self, since: WallTime, until: WallTime) -> Duration {
        let since = since.max(self.began);
        let deaf = self.stops.iter().map(|(from, to)| {
            let (from, to) = ((*from).max(since), (*to).min(until));
            to.since(from)
        });
        until.since(since).saturating_sub(deaf.sum())
    }
}

/// An answer of an orchestrator, by true time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// When the term after it was taken, if it was.
    pub(crate) ended: Option<WallTime>,
    /// When the worker sent its request, and when it came.
    pub(crate) sent: WallTime,
    pub(crate) came: WallTime,
    pub(crate) lease: Duration,
    /// Whether it makes the worker start, stop or end something.
    pub(crate) decides: bool,
}

/// I9 and I10.
pub(crate) fn judge_answer(told: &Told) -> Option<String> {
    let ended = told.ended?;
    let lease_ends = told.sent + told.lease;
    if !told.lease.is_zero() && lease_ends > ended + limits().lease {
        return Some(format!(
            "I9: a lease lasts until {lease_ends:?}, and the term ended at {ended:?}: {told:?}"
        ));
    }
    (told.decides && told.came > ended)
        .then(|| format!("I10: an answer decides on authority that had ended: {told:?}"))
}

/// What was found in the transactions since the last look.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) violations: Vec<String>,
    pub(crate) failures: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Oracle {
    offices: BTreeMap<Term, Office>,
    gathered: Vec<Committed>,
    newest: Option<(Version, Term)>,
    highest_epoch: i64,
    /// Fleets that leaders began with and that were not the database's.
    differences: Vec<String>,
}

impl Oracle {
    /// A leader has loaded the fleet and listens from now on.
    pub(crate) fn begin_office(&mut self, term: Term, now: WallTime, database: &MemoryStore) {
        let loaded = database.load_guarded().now_or_never();
        let (_, saved) = loaded
            .and_then(Result::ok)
            .expect("the memory store answers");
        let through = saved.watermark.map(|watermark| watermark.through);
        let carried = saved.last_beats.into_iter().filter_map(|(id, beat)| {
            let through = through.filter(|through| *through >= beat)?;
            Some((id.to_string(), through.since(beat)))
        });
        let office = Office {
            began: now,
            carried: carried.collect(),
            heard: BTreeMap::new(),
            stops: Vec::new(),
        };
        self.offices.insert(term, office);
    }

    /// What a leader begins with is what the database has, if no newer leader has written since.
    pub(crate) fn compare(&mut self, guard: Guard, fleet: &Fleet, database: &MemoryStore) {
        let loaded = database.load_guarded().now_or_never();
        let (found, saved) = loaded
            .and_then(Result::ok)
            .expect("the memory store answers");
        let saved = Fleet::from_snapshot(&saved).expect("the database has a fleet");
        if found == guard && saved != *fleet {
            self.differences.push(format!(
                "I13: the leader of term {} began with a fleet that is not the one of version {}",
                guard.term, guard.version
            ));
        }
    }

    pub(crate) fn hear(&mut self, term: Term, instance: &str, at: WallTime) {
        if let Some(office) = self.offices.get_mut(&term) {
            let heard = office.heard.entry(instance.to_owned());
            heard.or_default().push(at);
        }
    }

    pub(crate) fn stop(&mut self, term: Term, from: WallTime, until: WallTime) {
        if let Some(office) = self.offices.get_mut(&term) {
            office.stops.push((from, until));
        }
    }

    pub(crate) fn gather(&mut self, committed: impl Iterator<Item = Committed>) {
        self.gathered.extend(committed);
    }

    pub(crate) fn judge(&mut self) -> Judged {
        let mut judged = Judged {
            violations: std::mem::take(&mut self.differences),
            ..Judged::default()
        };
        let mut committed = std::mem::take(&mut self.gathered);
        committed.sort_by_key(|committed| committed.guard.version);
        for Committed { at, guard, save } in committed {
            if let Some((version, term)) = self.newest
                && (guard.version <= version || guard.term < term)
            {
                judged.violations.push(format!(
                    "I13: version {} was written under term {}, after {version} under {term}",
                    guard.version, guard.term
                ));
            }
            self.newest = Some((guard.version, guard.term));
            for event in &save.events {
                judged.violations.extend(self.follow(guard.term, at, event));
                judged.failures += u32::from(matches!(event, Event::InstanceFailed { .. }));
            }
        }
        judged
    }

    fn follow(&mut self, term: Term, at: WallTime, event: &Event) -> Option<String> {
        match event {
            Event::StreamAssigned { stream, epoch, .. } => {
                let is_old = epoch.get() <= self.highest_epoch;
                self.highest_epoch = self.highest_epoch.max(epoch.get());
                is_old.then(|| format!("I12: stream {stream} got the old epoch {epoch}"))
            }
            Event::InstanceFailed {
                instance,
                cause: FailureCause::HeartbeatTimeout | FailureCause::EmergencyThreshold,
                ..
            } => self.judge_failure(term, at, instance.as_str()),
            _ => None,
        }
    }

    /// I11.
    fn judge_failure(&self, term: Term, at: WallTime, instance: &str) -> Option<String> {
        let Some(office) = self.offices.get(&term) else {
            return Some(format!(
                "I11: {instance} failed under {term}, which never began"
            ));
        };
        let thresholds = thresholds();
        let heard = office.heard.get(instance).into_iter().flatten();
        // What comes in the same moment came too late, and counts as a return.
        let heard = heard.filter(|heard| **heard < at).max().copied();
        let own = office.listened(heard.unwrap_or_default(), at) + TICK;
        let carried = match heard {
            Some(_) => Duration::ZERO,
            None => office.carried.get(instance).copied().unwrap_or_default(),
        };
        let is_early = own < thresholds.warning || own + carried < thresholds.timeout;
        is_early.then(|| {
            format!(
                "I11: {instance} failed under {term} after {own:?} of silence and {carried:?} of \
                 earlier leaders"
            )
        })
    }
}
