//! What is sent, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::stream::{StreamAssignment, StreamId};
use super::phase::{Life, Naming, Phase, SHORTEST_WAIT};
use super::words::{Action, Request, Running};
use super::{FALLBACK_LEASE, Kind, Machine, UnderWay, digest};

/// Heartbeats name up to this many streams; a larger set goes as a digest, unless the orchestrator
/// has told all of it again to a worker that had the newest version.
const MOST_NAMED: usize = 100;

impl Machine {
    /// When something may be sent; `None` while an answer is awaited.
    pub(super) fn next_talk(&self) -> Option<Duration> {
        if self.under_way.is_some() {
            return None;
        }
        let quiet_until = self.backoff.quiet_until;
        let life = match &self.phase {
            Phase::Withdrawing | Phase::Ending(_) | Phase::Ended => return None,
            Phase::Registering => return self.is_at_rest().then_some(quiet_until),
            Phase::Leaving(_) if self.is_at_rest() => return Some(quiet_until),
            Phase::Serving(life) | Phase::Leaving(life) => life,
        };
        let beat = life.next_beat.max(quiet_until);
        let hung_at = self.call.as_ref().map_or(Duration::MAX, |call| {
            let patience = self.lease.stop_after().unwrap_or(FALLBACK_LEASE);
            call.since.saturating_add(patience)
        });
        if !self.is_at_rest() {
            return Some(beat).filter(|at| *at < hung_at);
        }
        let is_settled = self.is_settled() && self.backoff.failures == 0;
        let word = (self.owes_word && is_settled).then_some(self.next_word);
        let has_errand = !self.give_back.is_empty() || life.asks_for_list;
        let errand = has_errand.then_some(self.errands.quiet_until);
        let sooner = word.into_iter().chain(errand).min();
        let next = sooner.map_or(beat, |at| at.max(quiet_until).min(beat));
        (next < hung_at).then_some(next)
    }

    /// Whether all that is assigned runs, as far as it may.
    fn is_settled(&self) -> bool {
        self.call.is_none() && self.plan.starts.is_empty()
    }

    pub(super) fn send(&mut self, now: Duration) -> Action {
        let (kind, request) = self.request(now);
        self.last_ticket += 1;
        self.under_way = Some(UnderWay {
            ticket: self.last_ticket,
            kind,
            sent_at: now,
        });
        Action::Send(self.last_ticket, request)
    }

    fn request(&mut self, now: Duration) -> (Kind, Request) {
        let (is_at_rest, is_settled) = (self.is_at_rest(), self.is_settled());
        let is_leaving = matches!(self.phase, Phase::Leaving(_));
        let back_in = self.back_in;
        let Some(life) = self.phase.life_mut() else {
            return (Kind::Register, Request::Register);
        };
        let incarnation = life.incarnation;
        let (term, has_lapsed) = (self.term, self.lease.has_lapsed(now));
        let heartbeat = |life: &Life, version| {
            let running = running(life, &self.running);
            heartbeat(life, running, version, term, has_lapsed)
        };
        if !is_at_rest {
            return heartbeat(life, None);
        }
        if is_leaving {
            let streams = self.assigned.keys().copied().collect();
            let epochs = self.assigned.values().map(|stream| stream.epoch).collect();
            let leave = Request::Leave {
                incarnation,
                streams,
                epochs,
                back_in,
            };
            return (Kind::Leave, leave);
        }
        let says_word = self.owes_word && is_settled && now >= self.next_word;
        if says_word || now >= life.next_beat {
            if says_word {
                self.owes_word = false;
                self.next_word = now + SHORTEST_WAIT;
            }
            return heartbeat(life, Some(life.version));
        }
        if !self.give_back.is_empty() {
            return self.release(incarnation);
        }
        life.asks_for_list = false;
        let requested = self.max_streams.saturating_sub(self.assigned.len());
        let list = Request::List {
            incarnation,
            requested,
        };
        (Kind::List, list)
    }

    /// Gives back what is to be given back for the same reason as the first; the others follow.
    fn release(&self, incarnation: i64) -> (Kind, Request) {
        let reason = self.give_back.values().next().cloned().flatten();
        let same = self.give_back.iter().filter(|(_, why)| **why == reason);
        let streams: BTreeSet<StreamId> = same.map(|(id, _)| *id).collect();
        // A stream that is not assigned any more has no epoch, and none is 0.
        let epoch = |id: &StreamId| self.assigned.get(id).map_or(0, |stream| stream.epoch);
        let release = Request::Release {
            incarnation,
            streams: streams.iter().copied().collect(),
            epochs: streams.iter().map(epoch).collect(),
            reason,
        };
        (Kind::Release(streams), release)
    }
}

/// What a heartbeat says that the worker runs.
fn running(life: &Life, running: &BTreeMap<StreamId, StreamAssignment>) -> Running {
    let ids = running.keys().copied();
    match running.len() {
        count if count > MOST_NAMED && life.naming == Naming::Brief => Running::Digest {
            count,
            digest: digest(ids),
        },
        _ => Running::Streams(ids.collect()),
    }
}

fn heartbeat(
    life: &Life,
    running: Running,
    version: Option<i64>,
    term: Option<i64>,
    resuming: bool,
) -> (Kind, Request) {
    let kind = Kind::Heartbeat {
        names_version: version.is_some(),
    };
    let heartbeat = Request::Heartbeat {
        incarnation: life.incarnation,
        version,
        running,
        term,
        resuming,
    };
    (kind, heartbeat)
}
