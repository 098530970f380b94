//! The fleet: who is registered, which streams there are, and who runs what.
//!
//! `model` holds it and keeps its indexes, `change` is one reversible step of it, `draft` records
//! the steps a command takes, `recent` remembers which streams came and went, `room` orders
//! instances by how much they can still take, `placement` decides who gets what, `plan` and `scores`
//! where the streams of one instance go, and `ledger` keeps what is saved apart from what is being
//! decided. The commands themselves are in `domain/commands`.

mod change;
mod draft;
mod holdings;
mod ledger;
mod model;
mod placement;
mod plan;
mod recent;
mod restore;
mod room;
mod scores;

pub use change::{Change, Rows};
pub use draft::Draft;
pub use ledger::{Batch, Decision, Ledger};
pub use model::{Fleet, InstanceSlot, StreamSlot};
pub use placement::{
    Evacuation, EvacuationCause, end_overlaps, evacuate, evacuate_overlapping, let_go,
    orphan_if_paused, place_waiting,
};
pub use plan::{Move, Plan};
pub use recent::REMEMBERED_CHANGES;
pub use restore::{Snapshot, SnapshotError};
pub use room::Load;
pub use scores::{Absurd, Reading, SCORING_LIMIT, Scores, Scoring, Weight};
