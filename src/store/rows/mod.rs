//! The rows of the tables, and what they mean to the domain.
//!
//! Writing cannot go wrong: the domain's types fit the columns. Reading can, because a database
//! may have been edited by hand or by another release: whatever is not understood becomes
//! [`StoreError::Unusable`](super::StoreError::Unusable) with the table, the row and the word, never a guess.

mod history;
mod instance;
mod placement;
mod row_at;
mod stream;
mod watch;

pub(super) use history::{BeatRow, EventRow, IncidentRow, MetricsRow, StoredEventRow};
pub(super) use instance::InstanceRow;
pub(super) use placement::PlacementRow;
pub(super) use stream::StreamRow;
pub(super) use watch::{AlertRow, HealthRow};
