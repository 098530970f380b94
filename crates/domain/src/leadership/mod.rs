//! Leadership: which of several orchestrators on one database may decide, and what an orchestrator
//! needs before an answer may start, stop, deny or judge anything.

mod admission;
mod ages;
mod limits;
mod proof;
mod row;

pub use ages::carried_silence;
pub use admission::{Admission, AdmissionStep, MemberRow};
pub use limits::{BrokenLimit, LeadershipLimits};
pub use proof::{Anchor, Proof, ProofClock, ProofStanding, SteadyTime};
pub use row::{LeadershipRow, NodeName, RowState, RunId};
