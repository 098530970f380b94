//! What becomes of the answer to a request.

use std::time::Duration;

use super::super::stream::{Ending, StopReason, StreamAssignment, StreamId};
use super::words::{Answer, Beat, Changes, Ticket};
use super::{
    FALLBACK_LEASE, FAREWELLS, FIRST_WAIT, Kind, LONGEST_RETRY_AFTER, Machine, REGISTER_WAITS,
    SHORTEST_WAIT,
};

impl Machine {
    /// Takes the answer to the request with this number, if it is the one under way. `jitter` is
    /// any number in 0..=1.
    pub fn answered(&mut self, ticket: Ticket, now: Duration, answer: Answer, jitter: f64) {
        let under_way = self.under_way.take_if(|(number, ..)| *number == ticket);
        let Some((_, kind, sent_at)) = under_way else {
            return;
        };
        self.is_planned = false;
        match (kind, answer) {
            (Kind::Leave, Answer::Left | Answer::Unknown | Answer::OtherProcess(_)) => {
                self.is_done = true;
            }
            (_, Answer::OtherProcess(detail)) => self.end(Ending::OtherProcess(detail)),
            (Kind::Register, Answer::Refused(detail)) => self.end(Ending::Refused(detail)),
            (
                Kind::Register,
                Answer::Registered {
                    incarnation,
                    interval,
                    request_limit,
                },
            ) => {
                self.interval = interval;
                self.request_limit = request_limit;
                self.begin_life(incarnation);
                self.next_beat = now;
            }
            (Kind::Heartbeat, Answer::Beaten(beat)) => self.beaten(sent_at, beat, jitter),
            (Kind::List, Answer::Listed(ids)) => {
                self.errand_failures = 0;
                self.adopt_list(ids);
            }
            (Kind::Release, Answer::Released) => {
                self.errand_failures = 0;
                for id in std::mem::take(&mut self.releasing) {
                    self.give_back.remove(&id);
                    self.reasons.remove(&id);
                    self.assigned.remove(&id);
                }
            }
            (Kind::Heartbeat | Kind::List | Kind::Release, Answer::Unknown) => {
                self.forget(now, jitter);
            }
            (_, Answer::Failed { retry_after }) => self.failed(kind, now, retry_after, jitter),
            _ => self.failed(kind, now, None, jitter),
        }
    }

    fn end(&mut self, ending: Ending) {
        self.ending = Some(ending);
        self.is_done = true;
        self.stop_at = Duration::ZERO;
    }

    fn begin_life(&mut self, incarnation: i64) {
        // Lives and epochs are numbered by one counter of the orchestrator. If that has not
        // grown, it is another one: it lost its memory, and what was heard before says nothing.
        if incarnation <= self.last_incarnation {
            self.epochs.clear();
        }
        self.last_incarnation = incarnation;
        self.incarnation = Some(incarnation);
        self.version = 0;
        self.names_all = false;
    }

    fn beaten(&mut self, sent_at: Duration, beat: Beat, jitter: f64) {
        self.failures = 0;
        self.loss = StopReason::Revoked;
        self.renew(sent_at, &beat);
        self.next_beat = sent_at + self.pace().mul_f64(1.0 - 0.1 * jitter.clamp(0.0, 1.0));
        match beat.changes {
            Some(Changes::Difference { assign, revoke }) => {
                for id in revoke {
                    self.assigned.remove(&id);
                    self.give_back.remove(&id);
                }
                for stream in assign {
                    self.accept(stream);
                }
            }
            Some(Changes::Full(assign)) => {
                self.names_all |= self.version > 0 && beat.version == Some(self.version);
                self.adopt(assign);
            }
            // A version without the changes that lead to it is none: it is asked for again. A
            // lower one leads nowhere from here: everything is asked for.
            None if beat.version.is_some_and(|version| version != self.version) => {
                if beat.version < Some(self.version) {
                    self.version = 0;
                }
                return;
            }
            None => {}
        }
        self.asks_for_list = beat.version.is_none();
        self.version = beat.version.unwrap_or(0);
    }

    /// The last word counts, also when it is a shorter lease than the one before: the orchestrator
    /// will not wait for a longer one that it has forgotten.
    fn renew(&mut self, sent_at: Duration, beat: &Beat) {
        let lease = beat.lease.or(self.lease).unwrap_or(FALLBACK_LEASE);
        // Who let a lease end may have lost streams, and has to be told before it has one again.
        let had_ended = sent_at >= self.stop_at && !self.names_version;
        if lease.is_zero() || had_ended {
            return;
        }
        let told = beat.stop_after;
        let told = told.filter(|told| !told.is_zero() && *told < lease);
        let stop_after = told.unwrap_or(lease / 10 * 9);
        self.lease = Some(lease);
        self.stop_after = Some(stop_after);
        self.stop_at = sent_at.saturating_add(stop_after);
    }

    fn adopt(&mut self, set: Vec<StreamAssignment>) {
        self.assigned.clear();
        for stream in set {
            self.accept(stream);
        }
        self.give_back.retain(|id| self.assigned.contains_key(id));
    }

    /// Takes a list without epochs: who is there already stays what it is.
    fn adopt_list(&mut self, ids: Vec<StreamId>) {
        let set = ids
            .into_iter()
            .map(|id| match self.assigned.get(&id) {
                Some(stream) => stream.clone(),
                None => StreamAssignment {
                    epoch: self.epochs.get(&id).copied().unwrap_or(0),
                    ..StreamAssignment::new(id)
                },
            })
            .collect();
        self.adopt(set);
    }

    fn accept(&mut self, stream: StreamAssignment) {
        let highest = self.epochs.entry(stream.id).or_insert(stream.epoch);
        if stream.epoch < *highest {
            return;
        }
        if stream.epoch > *highest {
            // Assigned anew: what was to be given back was an earlier assignment.
            self.give_back.remove(&stream.id);
        }
        *highest = stream.epoch;
        // What is worse, two runners or none, may change while it runs.
        if let Some(running) = self.running.get_mut(&stream.id)
            && running.epoch == stream.epoch
            && running.handoff != stream.handoff
        {
            running.handoff = stream.handoff;
            self.bindings.push_back((stream.id, stream.handoff));
        }
        self.assigned.insert(stream.id, stream);
    }

    /// The orchestrator knows nothing of this worker: its streams are somebody else's.
    fn forget(&mut self, now: Duration, jitter: f64) {
        self.incarnation = None;
        self.assigned.clear();
        self.give_back.clear();
        self.asks_for_list = false;
        self.owes_word = false;
        self.stop_at = Duration::ZERO;
        self.loss = StopReason::Unregistered;
        if self.ending.is_some() {
            self.is_done = true;
        } else if self.failures > 0 {
            // Forgotten, registered, forgotten …: not as fast as possible.
            self.failed(Kind::Register, now, None, jitter);
        } else {
            self.failures = 1;
        }
    }

    fn failed(&mut self, kind: Kind, now: Duration, retry_after: Option<Duration>, jitter: f64) {
        let is_errand = matches!(kind, Kind::List | Kind::Release);
        let (first, longest) = match self.incarnation {
            Some(_) => {
                let first = (self.pace() / 8).clamp(SHORTEST_WAIT, FIRST_WAIT);
                (first, self.pace().max(first))
            }
            None => REGISTER_WAITS,
        };
        let (failures, quiet_until) = if is_errand {
            (&mut self.errand_failures, &mut self.errands_quiet_until)
        } else {
            (&mut self.failures, &mut self.quiet_until)
        };
        let wait = first
            .saturating_mul(1 << (*failures).min(16))
            .min(longest)
            .mul_f64(1.0 - 0.5 * jitter.clamp(0.0, 1.0));
        // Somebody's wish for patience must not cost the lease.
        let most = match kind {
            Kind::Heartbeat | Kind::Leave => longest,
            Kind::Register | Kind::List | Kind::Release => LONGEST_RETRY_AFTER,
        };
        let asked = retry_after.unwrap_or_default().min(most);
        *quiet_until = now + wait.max(asked);
        *failures += 1;
        let is_last = kind == Kind::Leave && self.failures >= FAREWELLS;
        if self.ending.is_some() && (self.incarnation.is_none() || is_last) {
            self.is_done = true;
        }
    }
}
