//! Every question about the fleet, one a file. A query changes nothing.
//!
//! A query is plain data that can be sent to the actor that holds the fleet; its answer shares the
//! rows instead of copying them. A question about one instance costs no more than that instance's
//! streams; only lists, counts and checks walk further.

mod assignments;
mod changes;
mod diagnose;
mod explain;
mod filter;
mod headroom;
mod instances;
mod loss;
mod planned;
mod query;
mod recovered;
mod streams;
mod taken;
mod tell_again;
mod totals;
mod verify;
mod waiting;
mod watch;

pub use assignments::{AssignmentLine, AssignmentList};
pub use changes::{ChangesSince, SetUpdate, SurvivingSet, WorkerUpdate};
pub use diagnose::{Diagnose, Diagnosis};
pub use explain::{ExplainInstance, ExplainStream, InstanceExplained, StreamExplained};
pub use filter::{NameFilter, StreamFilter};
pub use headroom::HeadroomFacts;
pub use instances::{InstanceDetail, InstanceLine, InstanceList};
pub use loss::{LostPart, StreamsOfLost};
pub use planned::{DrainReport, DrainStatus, OpenRolls, RollDetail, RollList};
pub use query::{Page, Query, UnknownCursor};
pub use recovered::VerifyRecovery;
pub use streams::{Rest, StreamDetail, StreamLine, StreamList, StreamStretch};
pub use taken::{Taken, TakenAs, TakenStreams};
pub use tell_again::Resync;
pub use totals::{FleetTotals, MoveCounts, StreamCounts, Totals};
pub use verify::{Claim, Judgement, VerifyClaims};
pub use waiting::{LongWaiting, WaitingLong};
pub use watch::{
    FAILED_COUNTS_FOR, FailedInstance, FailedInstances, FleetFacts, FleetVitals, GivenUpMoves,
    LabelsOf, LostNow, Vitals,
};
