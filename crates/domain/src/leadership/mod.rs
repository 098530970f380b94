//! Leadership: which of several orchestrators on one database may decide, and what an orchestrator
//! needs before an answer may start, stop, deny or judge anything.
//!
//! | file | holds |
//! | --- | --- |
//! | `row` | the row in the database that names the leader |
//! | `limits` | the durations, and the inequalities between them |
//! | `proof` | how old the newest proof of a term is, and which lease follows from it |
//! | `answer` | what each kind of answer needs |

mod answer;
mod limits;
mod proof;
mod row;

pub use answer::{AnswerKind, BeatFacts, ProofNeed, Unmet};
pub use limits::{BrokenLimit, CLOCK_ERROR_PERCENT, LeadershipLimits, TAKE_OVER_PROMISE};
pub use proof::{Anchor, Proof, ProofClock, ProofStanding, SteadyTime, ToldLease};
pub use row::{LeadershipRow, NodeName, RowState, RunId};
