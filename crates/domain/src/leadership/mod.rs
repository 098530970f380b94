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
//! | `failsafe` | how a leader proves its term while no orchestrator reaches the database |
//! | `member`, `judging` | another orchestrator's row, and the settings by which it judges |
//! | `members` | which other orchestrators live, and which are ready to lead |
//! | `concerns` | the alerts about other orchestrators |
//! | `fitness` | when a leader hands over to an orchestrator that hears much more |
//! | `handing_over` | which orchestrator gets the term of one that steps down, and which may be forgotten |
//! | `watch` | when an orchestrator that does not lead takes over |
//! | `ahead` | when an orchestrator reads the fleet before it leads, and whether that is the fleet it gets |
//! | `replication` | whether an acknowledged change survives the loss of the primary |
//! | `promotion` | whether a fail-over of the database lost something, as the leader finds it |
//! | `recent` | the newest changes, which the leader can write again |
//! | `loss` | what a term that starts after a loss does not start, and for how long |
//! | `takeover` | who may take a term, and the numbers that it begins with |
//! | `ages` | the silence that is carried over to a new leader |
//! | `role` | what a process is |
//! | `carry` | what becomes of a request at an orchestrator that does not lead |
//! | `witness` | what a standby hears for a leader that it does not reach |

mod admission;
mod ages;
mod ahead;
mod answer;
mod carry;
mod concerns;
mod failsafe;
mod fitness;
mod handing_over;
mod judging;
mod limits;
mod loss;
mod member;
mod members;
mod moment;
mod promotion;
mod proof;
mod recent;
mod replication;
mod role;
mod row;
mod takeover;
mod watch;
mod witness;

pub use admission::{Admission, AdmissionStep};
pub use ages::{carried_silence, last_beat};
pub use ahead::{
    AheadLook, AheadStep, DropReason, FleetSource, KEEP_AFTER_RENEWAL, LOAD_AHEAD_PAUSE, LoadAhead,
    OLDEST_COPY, OrderStep, SavedFleet,
};
pub use answer::{Authority, Needed, Verdict};
pub use carry::{
    Carried, CarriedKind, CarryLimits, CarryRefusal, CarryStep, Circumstances, Destination,
    ECHO_HORIZON, EchoedBeat, Echoes, Heard, LeaderLink, LeaderMoment, MOST_ECHOES, MOST_HELD,
    MOST_LONG, SendFailure, ServerStage,
};
pub use concerns::{LeaderFacts, MemberConcerns, UPGRADE_TIME};
pub use failsafe::{
    FailsafeAnswer, FailsafeMember, FailsafeQuestion, FailsafeRecord, FailsafeRefusal,
    FailsafeRound, Unconfirmed, UnconfirmedCause,
};
pub use fitness::{FITNESS_LOOKS, Fitness, FitterMember, OwnHearing};
pub use handing_over::{ForgetRefusal, StepDownRefusal, forgettable, successor};
pub use judging::{JudgingSettings, SettingDifference};
pub use limits::{BrokenLimit, CLOCK_ERROR_PERCENT, LeadershipLimits, TAKE_OVER_PROMISE};
pub use loss::{StartFreeze, VERSION_JUMP};
pub use member::{MemberRow, Reach, SchemaVersion};
pub use members::{MemberStanding, MemberWatch, SeenMember, rank};
pub use moment::{FleetMoment, WalTimeline, is_promoted};
pub use promotion::{MemberAnswer, MembersWord, Promotion};
pub use proof::{Anchor, Proof, ProofClock, ProofStanding, SteadyTime, ToldLease};
pub use recent::RecentChanges;
pub use replication::{REPLICATION_LOOK, Replication, ReplicationConcern};
pub use role::Role;
pub use row::{LeadershipRow, MemberSecret, NodeName, ReleaseCause, RowState, RunId};
pub use takeover::{Claim, ClaimRight, LeadersWord, NumbersUsedUp, Succession};
pub use watch::{
    AddressAnswer, Candidacy, Eligibility, LeaderWatch, RANK_WAIT, SUCCESSOR_WAIT, TakeOverCause,
    WatchDecision,
};
pub use witness::{
    LONGEST_BEAT, Life, MOST_WITNESSES, Witness, WitnessFlow, is_wanted, leader_lives,
};
