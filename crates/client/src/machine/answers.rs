//! What becomes of the answer to a request.

use std::time::Duration;

use super::super::stream::{Ending, StreamAssignment, StreamId};
use super::phase::{Life, Naming, Phase, SHORTEST_WAIT};
use super::words::{Answer, Beat, Changes, Ticket};
use super::{
    FALLBACK_LEASE, FAREWELLS, FIRST_WAIT, Kind, LONGEST_RETRY_AFTER, Lease, Machine,
    REGISTER_WAITS,
};

impl Machine {
    /// Takes the answer to the request with this number, if it is the one under way. `jitter` is
    /// any number in 0..=1.
    pub fn answered(&mut self, ticket: Ticket, now: Duration, answer: Answer, jitter: f64) {
        let Some(sent) = self.under_way.take_if(|sent| sent.ticket == ticket) else {
            return;
        };
        self.plan.discard();
        match (sent.kind, answer) {
            (Kind::Leave, Answer::Left | Answer::Unknown | Answer::OtherProcess(_)) => {
                self.phase = Phase::Ending(Ending::Left);
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
            ) => self.begin_life(Life::new(incarnation, interval, request_limit, now)),
            (Kind::Heartbeat { names_version }, Answer::Beaten(beat)) => {
                self.term = self.term.max(beat.term);
                self.renew(sent.sent_at, &beat, names_version);
                self.beaten(sent.sent_at, beat, jitter);
            }
            (Kind::List, Answer::Listed(ids)) => {
                self.errands.failures = 0;
                self.adopt_list(ids);
            }
            (Kind::Release(streams), Answer::Released) => {
                self.errands.failures = 0;
                for id in streams {
                    self.give_back.remove(&id);
                    self.assigned.remove(&id);
                }
            }
            (Kind::Heartbeat { .. } | Kind::List | Kind::Release(_), Answer::Unknown) => {
                self.forget(now, jitter);
            }
            (kind, Answer::Failed { retry_after }) => {
                self.failed(&kind, now, retry_after, jitter);
            }
            // The same again, at once: the other one may serve. The last words are said a few times only.
            (kind, Answer::Elsewhere)
                if !matches!(kind, Kind::Leave) && !matches!(self.phase, Phase::Withdrawing) =>
            {
                self.backoff.quiet_until = now;
                self.errands.quiet_until = now;
            }
            (kind, _) => self.failed(&kind, now, None, jitter),
        }
    }

    fn end(&mut self, ending: Ending) {
        self.phase = Phase::Ending(ending);
        self.lease.stop_at = Duration::ZERO;
    }

    fn begin_life(&mut self, life: Life) {
        // Lives and epochs are numbered by one counter of the orchestrator. If that has not
        // grown, it is another one: it lost its memory, and what was heard before says nothing.
        if life.incarnation <= self.last_incarnation {
            self.epochs.clear();
        }
        self.last_incarnation = life.incarnation;
        self.phase = self.phase.registered(life);
    }

    fn beaten(&mut self, sent_at: Duration, beat: Beat, jitter: f64) {
        self.backoff.failures = 0;
        let stop_after = self.lease.stop_after();
        let Some(life) = self.phase.life_mut() else {
            return;
        };
        let pace = life.pace(stop_after);
        life.next_beat = sent_at + pace.mul_f64(1.0 - 0.1 * jitter.clamp(0.0, 1.0));
        let known = life.version;
        match &beat.changes {
            // A version without the changes that lead to it is none: it is asked for again. A
            // lower one leads nowhere from here: everything is asked for.
            None if beat.version.is_some_and(|version| version != known) => {
                if beat.version < Some(known) {
                    life.version = 0;
                }
                return;
            }
            Some(Changes::Full(_)) if known > 0 && beat.version == Some(known) => {
                life.naming = Naming::Full;
            }
            Some(_) | None => {}
        }
        life.asks_for_list = beat.version.is_none();
        life.version = beat.version.unwrap_or(0);
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
            Some(Changes::Full(assign)) => self.adopt(assign),
            None => {}
        }
    }

    /// The last word counts, also when it is a shorter lease than the one before: the orchestrator
    /// will not wait for a longer one that it has forgotten.
    fn renew(&mut self, sent_at: Duration, beat: &Beat, names_version: bool) {
        let last = self.lease.terms.map(|(length, _)| length);
        let length = beat.lease.or(last).unwrap_or(FALLBACK_LEASE);
        // A worker whose lease has ended may have lost streams, and has to be told before it has a
        // lease again.
        let had_ended = sent_at >= self.lease.stop_at && !names_version;
        if length.is_zero() || had_ended {
            return;
        }
        let told = beat.stop_after;
        let told = told.filter(|told| !told.is_zero() && *told < length);
        let stop_after = told.unwrap_or(length / 10 * 9);
        self.lease = Lease {
            stop_at: sent_at.saturating_add(stop_after),
            terms: Some((length, stop_after)),
        };
    }

    fn adopt(&mut self, set: Vec<StreamAssignment>) {
        self.assigned.clear();
        for stream in set {
            self.accept(stream);
        }
        self.give_back
            .retain(|id, _| self.assigned.contains_key(id));
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
            self.plan.bindings.push_back((stream.id, stream.handoff));
        }
        self.assigned.insert(stream.id, stream);
    }

    /// The orchestrator knows nothing of this worker: its streams belong to others.
    fn forget(&mut self, now: Duration, jitter: f64) {
        self.assigned.clear();
        self.give_back.clear();
        self.owes_word = false;
        self.lease.stop_at = Duration::ZERO;
        if matches!(self.phase, Phase::Leaving(_)) {
            self.phase = Phase::Ending(Ending::Left);
            return;
        }
        self.phase = Phase::Registering;
        if self.backoff.failures > 0 {
            // Forgotten, registered, forgotten …: not as fast as possible.
            self.failed(&Kind::Register, now, None, jitter);
        } else {
            self.backoff.failures = 1;
        }
    }

    fn failed(&mut self, kind: &Kind, now: Duration, retry_after: Option<Duration>, jitter: f64) {
        let (first, longest) = match self.phase.life() {
            Some(life) => {
                let pace = life.pace(self.lease.stop_after());
                let first = (pace / 8).clamp(SHORTEST_WAIT, FIRST_WAIT);
                (first, pace.max(first))
            }
            None => REGISTER_WAITS,
        };
        // A wish of the orchestrator for patience must not cost the lease.
        let (backoff, most) = match kind {
            Kind::Heartbeat { .. } | Kind::Leave => (&mut self.backoff, longest),
            Kind::Register => (&mut self.backoff, LONGEST_RETRY_AFTER),
            Kind::List | Kind::Release(_) => (&mut self.errands, LONGEST_RETRY_AFTER),
        };
        let wait = first
            .saturating_mul(1 << backoff.failures.min(16))
            .min(longest)
            .mul_f64(1.0 - 0.5 * jitter.clamp(0.0, 1.0));
        let asked = retry_after.unwrap_or_default().min(most);
        backoff.quiet_until = now + wait.max(asked);
        backoff.failures += 1;
        let is_last = matches!(kind, Kind::Leave) && backoff.failures >= FAREWELLS;
        if is_last || matches!(self.phase, Phase::Withdrawing) {
            self.phase = Phase::Ending(Ending::Left);
        }
    }
}
