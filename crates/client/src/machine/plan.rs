//! What has to be stopped, and what started.

use super::super::stream::{Ending, StopReason, StreamAssignment, StreamId};
use super::Machine;

impl Machine {
    pub(super) fn plan(&mut self, is_leased: bool) {
        self.was_leased = is_leased;
        self.is_planned = true;
        let stopping = self.stopping();
        self.stops = self
            .running
            .values()
            .filter(|stream| stopping != Some(stream.id))
            .filter_map(|stream| Some((stream.id, self.reason_to_stop(stream, is_leased)?)))
            .collect();
        self.starts = self
            .assigned
            .values()
            .filter(|stream| self.is_to_start(stream, is_leased))
            .map(|stream| stream.id)
            .collect();
    }

    fn stopping(&self) -> Option<StreamId> {
        let call = self.call.as_ref()?;
        call.is_stop.then_some(call.stream)
    }

    /// Whether nothing is left that has to be stopped.
    pub(super) fn is_at_rest(&self) -> bool {
        self.stops.is_empty() && self.stopping().is_none()
    }

    fn reason_to_stop(&self, running: &StreamAssignment, is_leased: bool) -> Option<StopReason> {
        match &self.ending {
            Some(Ending::OtherProcess(_)) => return Some(StopReason::OtherProcess),
            Some(Ending::Left | Ending::Refused(_)) => return Some(StopReason::Leaving),
            None => {}
        }
        let Some(assigned) = self.assigned.get(&running.id) else {
            return Some(self.loss);
        };
        if self.give_back.contains(&running.id) {
            Some(StopReason::GivenBack)
        } else if assigned.epoch != running.epoch {
            Some(StopReason::Replaced)
        } else if running.is_exclusive() && !is_leased {
            Some(StopReason::LeaseEnded)
        } else {
            None
        }
    }

    fn is_to_start(&self, stream: &StreamAssignment, is_leased: bool) -> bool {
        let is_running = self
            .running
            .get(&stream.id)
            .is_some_and(|running| running.epoch == stream.epoch);
        let is_wanted = self.ending.is_none() && !self.give_back.contains(&stream.id);
        // Whatever has to be stopped is stopped first, and then started again only if allowed.
        let is_allowed = is_leased || !stream.is_exclusive();
        is_wanted && is_allowed && !is_running
    }
}
