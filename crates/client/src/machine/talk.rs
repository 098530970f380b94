//! What is sent, and when.

use std::time::Duration;

use super::super::stream::StreamId;
use super::words::{Action, Request, Running};
use super::{FALLBACK_LEASE, Kind, Machine, SHORTEST_WAIT, digest};

/// Heartbeats name up to this many streams; a larger set goes as a digest, unless the orchestrator
/// has told all of it again to a worker that had the newest version.
const MOST_NAMED: usize = 100;

impl Machine {
    /// When something may be sent; `None` while an answer is awaited.
    pub(super) fn next_talk(&self) -> Option<Duration> {
        if self.under_way.is_some() || self.is_done {
            return None;
        }
        let beat = self.next_beat.max(self.quiet_until);
        let hung_at = self.call.as_ref().map_or(Duration::MAX, |call| {
            let patience = self.stop_after.unwrap_or(FALLBACK_LEASE);
            call.since.saturating_add(patience)
        });
        if !self.is_at_rest() {
            return Some(beat).filter(|at| self.incarnation.is_some() && *at < hung_at);
        }
        if self.incarnation.is_none() || self.ending.is_some() {
            return Some(self.quiet_until);
        }
        let is_settled = self.call.is_none() && self.starts.is_empty() && self.failures == 0;
        let word = (self.owes_word && is_settled).then_some(self.next_word);
        let has_errand = !self.give_back.is_empty() || self.asks_for_list;
        let errand = has_errand.then_some(self.errands_quiet_until);
        let sooner = word.into_iter().chain(errand).min();
        let next = sooner.map_or(beat, |at| at.max(self.quiet_until).min(beat));
        (next < hung_at).then_some(next)
    }

    pub(super) fn send(&mut self, now: Duration) -> Action {
        let (kind, request) = self.request(now);
        self.names_version = matches!(
            request,
            Request::Heartbeat {
                version: Some(_),
                ..
            }
        );
        self.last_ticket += 1;
        self.under_way = Some((self.last_ticket, kind, now));
        Action::Send(self.last_ticket, request)
    }

    fn request(&mut self, now: Duration) -> (Kind, Request) {
        let Some(incarnation) = self.incarnation else {
            return (Kind::Register, Request::Register);
        };
        if !self.is_at_rest() {
            return self.heartbeat(incarnation, None);
        }
        if self.ending.is_some() {
            let streams = self.assigned.keys().copied().collect();
            let leave = Request::Leave {
                incarnation,
                streams,
            };
            return (Kind::Leave, leave);
        }
        let is_settled = self.call.is_none() && self.starts.is_empty();
        let says_word = self.owes_word && is_settled && now >= self.next_word;
        if says_word || now >= self.next_beat {
            if says_word {
                self.owes_word = false;
                self.next_word = now + SHORTEST_WAIT;
            }
            return self.heartbeat(incarnation, Some(self.version));
        }
        if !self.give_back.is_empty() {
            return (Kind::Release, self.release(incarnation));
        }
        self.asks_for_list = false;
        let requested = self.max_streams.saturating_sub(self.assigned.len());
        let list = Request::List {
            incarnation,
            requested,
        };
        (Kind::List, list)
    }

    /// Gives back what is to be given back for the same reason as the first; the others follow.
    fn release(&mut self, incarnation: i64) -> Request {
        let reason_of = |id: &StreamId| self.reasons.get(id);
        let reason = self.give_back.first().and_then(reason_of).cloned();
        let same = |id: &StreamId| reason_of(id) == reason.as_ref();
        self.releasing = self.give_back.iter().copied().filter(same).collect();
        Request::Release {
            incarnation,
            streams: self.releasing.iter().copied().collect(),
            reason,
        }
    }

    fn heartbeat(&self, incarnation: i64, version: Option<i64>) -> (Kind, Request) {
        let ids = self.running.keys().copied();
        let running = match self.running.len() {
            count if count > MOST_NAMED && !self.names_all => Running::Digest {
                count,
                digest: digest(ids),
            },
            _ => Running::Streams(ids.collect()),
        };
        let heartbeat = Request::Heartbeat {
            incarnation,
            version,
            running,
        };
        (Kind::Heartbeat, heartbeat)
    }
}
