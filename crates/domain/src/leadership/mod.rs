//! Leadership: which of several orchestrators on one database may decide, and what an orchestrator
//! needs before an answer may start, stop, deny or judge anything.
//!
//! | file | holds |
//! | --- | --- |
//! | `row` | the row in the database that names the leader |
//! | `limits` | the durations, and the inequalities between them |
//! | `proof` | how old the newest proof of a term is, and which lease follows from it |
//! | `answer` | which answers of a route need a proof |
//! | `admission` | which other orchestrators may take over, as the leader knows it |
//! | `watch` | when an orchestrator that does not lead takes over |
//! | `takeover` | who may take a term, and the numbers that it begins with |
//! | `ages` | the silence that is carried over to a new leader |
//! | `role` | what a process is |

mod admission;
mod ages;
mod answer;
mod limits;
mod proof;
mod role;
mod row;
mod takeover;
mod watch;

pub use admission::{Admission, AdmissionStep, MemberRow};
pub use ages::{carried_silence, last_beat};
pub use answer::{Authority, Needed, Verdict};
pub use limits::{BrokenLimit, CLOCK_ERROR_PERCENT, LeadershipLimits, TAKE_OVER_PROMISE};
pub use proof::{Anchor, Proof, ProofClock, ProofStanding, SteadyTime, ToldLease};
pub use role::Role;
pub use row::{LeadershipRow, NodeName, RowState, RunId};
pub use takeover::{Claim, ClaimRight, NumbersUsedUp, Succession, WalTimeline};
pub use watch::{
    AddressAnswer, Candidacy, Eligibility, LeaderWatch, RANK_WAIT, SUCCESSOR_WAIT, TakeOverCause,
    WatchDecision,
};
