//! The rows of the tables, and their conversion to the domain.
//!
//! Writing cannot fail: the domain's types fit the columns. Reading can, because a database may
//! have been edited by hand or by another release: a value that is not understood becomes
//! [`StoreError::Unusable`](super::StoreError::Unusable) with the table, the row and the value,
//! never a guess.

mod history;
mod instance;
mod placement;
mod placing;
mod roll;
mod row_at;
mod series;
mod stream;
mod watch;

pub(super) use history::{BeatRow, EventRow, IncidentRow, MetricsRow, StoredEventRow};
pub(super) use instance::InstanceRow;
pub(super) use placement::PlacementRow;
pub(super) use placing::PlacingRow;
pub(super) use roll::RollRow;
pub(super) use series::SeriesRow;
pub(super) use stream::StreamRow;
pub(super) use watch::{AlertRow, HealthRow, SilenceRow};
