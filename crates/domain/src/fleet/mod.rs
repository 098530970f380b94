//! The fleet: the registered instances, the streams, and which instance runs which stream.
//!
//! `model` holds it and keeps its indexes, `change` is one reversible step of it, `draft` records
//! the steps a command takes, `recent` remembers which streams came and went, `room` orders
//! instances by how much they can still take, `choice` chooses the instance for one stream, `placement`
//! places the streams that wait (`filling` says when, `level` how very many get along with few writes), `plan`, `targets` and `scores` where the streams
//! of one instance go, `suspects` which of them may have caused its failure, `explained` why a stream is where it is,
//! `policies` are the numbers it all goes by, `under_way` counts the moves that are not over, `copy` is taken for the invariants,
//! and `standing` is what a heartbeat
//! needs to know of one instance. The commands are in `commands`; `ledger` keeps the saved fleet
//! apart from the one being decided.

mod change;
mod choice;
mod copy;
mod draft;
mod explained;
mod filling;
mod holdings;
mod level;
mod model;
mod placement;
mod plan;
mod policies;
mod recent;
mod restore;
mod room;
mod scores;
mod standing;
mod suspects;
mod targets;
mod under_way;

pub use change::{Change, Rows};
pub use choice::Suits;
pub use copy::{CopiedFleet, FleetCopy};
pub use draft::Draft;
pub(crate) use draft::Drafted;
pub use explained::Outlook;
pub use filling::{FillTimer, Filling};
pub use model::{Fleet, InstanceSlot, StreamSlot, Tally};
pub use placement::{
    end_overlaps, evacuate, evacuate_overlapping, is_overlapping, let_go, orphan_if_paused,
    place_stream, place_waiting,
};
pub use plan::{Evacuation, EvacuationCause, Move, Plan};
pub use policies::Policies;
pub use recent::REMEMBERED_CHANGES;
pub use restore::{FleetBuilder, Snapshot, SnapshotError};
pub use scores::{Absurd, Reading, SCORING_LIMIT, Scores, Scoring, oldest_reading};
pub use standing::Standing;
pub use suspects::{blame_owned, blame_return, try_quarantined};
