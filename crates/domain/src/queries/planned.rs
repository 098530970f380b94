//! What is planned for an instance.

use std::sync::Arc;

use super::query::Query;
use crate::commands::Rejection;
use crate::fleet::Fleet;
use crate::ids::{InstanceId, RollId};
use crate::planned::{Drain, Roll};

/// Asks how far the last drain of an instance is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DrainStatus {
    pub id: InstanceId,
}

/// How far a drain is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DrainReport {
    pub drain: Drain,
    /// How many streams the instance owns, and how many have a new owner that has not confirmed
    /// them.
    pub left: usize,
}

impl Query for DrainStatus {
    type Answer = Result<DrainReport, Rejection>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let slot = fleet.instance(&self.id);
        let slot = slot.ok_or_else(|| Rejection::UnknownInstance(self.id.clone()))?;
        let drain = slot.instance().drain();
        let drain = drain.ok_or_else(|| Rejection::NoDrain(self.id.clone()))?;
        let held = slot.held();
        let elsewhere = drain.unconfirmed().filter(|id| !held.contains(id)).count();
        Ok(DrainReport {
            drain: drain.clone(),
            left: held.len() + elsewhere,
        })
    }
}

/// Asks for a page of the rolls, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RollList {
    /// Only rolls that began before this one.
    pub before: Option<RollId>,
    pub limit: usize,
}

impl Query for RollList {
    type Answer = Vec<Arc<Roll>>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let is_wanted = |roll: &&Arc<Roll>| self.before.is_none_or(|before| roll.id < before);
        let rolls = fleet.rolls().rev().filter(is_wanted);
        rolls.take(self.limit).cloned().collect()
    }
}

/// Asks how many rolls are not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenRolls;

impl Query for OpenRolls {
    type Answer = usize;

    fn answer(&self, fleet: &Fleet) -> usize {
        fleet.rolls().filter(|roll| roll.is_open()).count()
    }
}

/// Asks for one roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RollDetail {
    pub id: RollId,
}

impl Query for RollDetail {
    type Answer = Result<Roll, Rejection>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let roll = fleet.roll(self.id).cloned();
        roll.ok_or(Rejection::UnknownRoll(self.id))
    }
}
