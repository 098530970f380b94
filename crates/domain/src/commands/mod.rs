//! Every change that can be made to the fleet, one command a file.
//!
//! A command looks at the fleet and either drafts its changes or is rejected; it knows neither the
//! clock nor the store. A rejection is written for the caller: it says what stands in the way.

mod absence;
mod assign;
mod balance;
mod catalogue;
mod command;
mod confirm;
mod cordon;
mod drain;
mod drain_plan;
mod drain_record;
mod drain_step;
mod dry_run;
mod incident;
mod lease;
mod maintenance;
mod plan_recovery;
mod planned;
mod planned_maintenance;
mod record;
mod recover;
mod register;
mod release;
mod relocate;
mod remove;
mod returned;
mod roll;
mod settle;
mod status;
mod suspected;

pub use crate::handover::MoveProgress;
pub use absence::SayGoodbye;
pub use assign::{AssignOutcome, AssignStreams};
pub use balance::{BalanceStep, BalanceStreams};
pub use catalogue::{DeleteStream, SaveStreams, StreamSpec, StreamsSaved};
pub use command::{Command, Rejection};
pub use confirm::{ConfirmDelivery, Confirmed, HeartbeatForm};
pub use cordon::{CordonInstance, UncordonInstance};
pub use drain::{CancelDrain, CancelledDrain, DrainInstance};
pub use drain_plan::{DrainMove, DrainPlan, DrainProgress};
pub use dry_run::DryRun;
pub use incident::{EndIncident, EscalateIncident, OpenIncident, Opening};
pub use lease::{AgreeLease, WithdrawLease, Withdrawn};
pub use maintenance::EndMaintenance;
pub use plan_recovery::{PlanRecovery, RecoveryPlan};
pub use planned::ContinuePlanned;
pub use planned_maintenance::PlanMaintenance;
pub use record::{RecordEvents, Recorded};
pub use recover::{RecoverInstance, Recovered};
pub use register::{FormerLife, RegisterInstance, Registered};
pub use release::{ReleaseStreams, Released};
pub use relocate::{AbandonHandovers, MoveStreams, Relocated, Relocation};
pub use remove::{ForgetFailed, Removal, RemoveInstance};
pub use returned::ContinueReturned;
pub use roll::{ContinueRolls, OrderRoll, RollOrder, RollSelection, StartRoll};
pub use settle::{Difference, SettleDifference};
pub use status::{
    ClearSuspicion, ForgiveInstance, PlaceWaiting, ReturnInstance, StatusChange, SuspectInstance,
    TrustInstance,
};
pub use suspected::{ContinueSuspected, ReleaseQuarantine, ReleasedStream};
