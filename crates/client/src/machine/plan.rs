//! What has to be stopped, and what started.

use std::time::Duration;

use super::super::stream::{StopReason, StreamAssignment, StreamId};
use super::agenda::{Plan, Standing};
use super::{CallKind, Machine};

impl Machine {
    pub(super) fn plan_as_of(&mut self, now: Duration) {
        let standing = if now < self.lease.stop_at {
            Standing::Leased
        } else {
            Standing::Lapsed
        };
        if self.plan.made == Some(standing) {
            return;
        }
        let stopping = self.stopping();
        let stops = self
            .running
            .values()
            .filter(|stream| stopping != Some(stream.id))
            .filter_map(|stream| Some((stream.id, self.reason_to_stop(stream, standing)?)))
            .collect();
        let starts = self
            .assigned
            .values()
            .filter(|stream| self.is_to_start(stream, standing))
            .map(|stream| stream.id)
            .collect();
        self.plan = Plan {
            made: Some(standing),
            bindings: std::mem::take(&mut self.plan.bindings),
            stops,
            starts,
        };
    }

    fn stopping(&self) -> Option<StreamId> {
        let call = self.call.as_ref()?;
        (call.kind == CallKind::Stop).then_some(call.stream)
    }

    /// Whether nothing is left that has to be stopped.
    pub(super) fn is_at_rest(&self) -> bool {
        self.plan.stops.is_empty() && self.stopping().is_none()
    }

    fn reason_to_stop(&self, running: &StreamAssignment, standing: Standing) -> Option<StopReason> {
        if let Some(reason) = self.phase.stops_all() {
            return Some(reason);
        }
        let Some(assigned) = self.assigned.get(&running.id) else {
            return Some(self.phase.loss());
        };
        if self.give_back.contains_key(&running.id) {
            Some(StopReason::GivenBack)
        } else if assigned.epoch != running.epoch {
            Some(StopReason::Replaced)
        } else if running.is_exclusive() && standing == Standing::Lapsed {
            Some(StopReason::LeaseEnded)
        } else {
            None
        }
    }

    fn is_to_start(&self, stream: &StreamAssignment, standing: Standing) -> bool {
        let is_running = self
            .running
            .get(&stream.id)
            .is_some_and(|running| running.epoch == stream.epoch);
        let is_wanted =
            self.phase.stops_all().is_none() && !self.give_back.contains_key(&stream.id);
        // Whatever has to be stopped is stopped first, and then started again only if allowed.
        let is_allowed = standing == Standing::Leased || !stream.is_exclusive();
        is_wanted && is_allowed && !is_running
    }
}
