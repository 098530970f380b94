//! The health of the whole system, and the rules that decide it.
//!
//! `machine` judges, `incidents` remembers the failures by which it judges.

mod incidents;
mod machine;
mod rule;

pub use incidents::{
    IncidentPage, MAX_REMEMBERED, MAX_WHOLE, RecentIncidents, Remembered, is_critical_failure,
    is_emergency, is_failure,
};
pub use machine::{HealthMachine, Level, MARGIN, Observation, Verdict, severity_of};
pub use rule::{HealthRecord, HealthRule, SystemHealth};
