//! The streams somebody holds, each with what proves it.

use super::model::Fleet;
use crate::domain::ids::StreamId;
use crate::domain::stream::Holding;

impl Fleet {
    /// Streams with the epochs of their assignments, in the given order; those nobody runs are
    /// left out.
    pub fn holdings(
        &self,
        streams: impl IntoIterator<Item = StreamId>,
    ) -> impl Iterator<Item = Holding> {
        streams.into_iter().filter_map(|stream| {
            let assignment = self.stream(stream)?.place().assignment()?;
            Some(Holding {
                stream,
                epoch: assignment.epoch,
            })
        })
    }
}
