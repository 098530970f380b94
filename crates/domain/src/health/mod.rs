//! How the whole system is, and the rules that say so.
//!
//! `machine` judges, `incidents` remembers the failures it judges by.

mod incidents;
mod machine;
mod rule;

pub use incidents::{
    IncidentPage, MAX_REMEMBERED, MAX_WHOLE, RecentIncidents, Remembered, is_critical_failure,
    is_emergency, is_failure,
};
pub use machine::{HealthMachine, Level, MARGIN, Observation, Verdict, severity_of};
pub use rule::{HealthRecord, HealthRule, SystemHealth};
