//! The streams an instance runs, each with its epoch.

use super::model::{Fleet, InstanceSlot};
use crate::ids::StreamId;
use crate::stream::Holding;

impl Fleet {
    /// Returns streams with the epochs under which an instance runs them, in the given order.
    /// Streams that the instance does not run are left out.
    pub fn holdings(
        &self,
        of: &InstanceSlot,
        streams: impl IntoIterator<Item = StreamId>,
    ) -> impl Iterator<Item = Holding> {
        streams.into_iter().filter_map(|stream| {
            let assignment = self.stream(stream)?.place().assignment()?;
            let epoch = if assignment.instance == of.instance().id {
                assignment.epoch
            } else {
                *of.lingering().get(&stream)?
            };
            Some(Holding { stream, epoch })
        })
    }
}
