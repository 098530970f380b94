//! Begins, continues and orders rolls; the machine is in `planned/roll.rs`.

use std::collections::BTreeSet;
use std::time::Duration;

use super::command::{Command, Rejection};
use super::drain::{DrainInstance, cancel};
use crate::events::Event;
use crate::fleet::{Draft, Fleet};
use crate::health::SystemHealth;
use crate::ids::{InstanceId, RollId};
use crate::instance::InstanceStatus;
use crate::labels::has_label;
use crate::pace::MovePace;
use crate::planned::{
    DrainState, Requester, Roll, RollInstance, RollState, RollStep, RollWait, Sight,
};

/// How many rolls that are over are kept.
const KEPT: usize = 100;

/// Which instances a roll is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollSelection {
    /// Every instance.
    All,
    /// The instances with a label, `key:value`.
    Label(String),
    /// These, in this order.
    Instances(Vec<InstanceId>),
}

/// Begins a roll. Its first drains begin at once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StartRoll {
    pub selection: RollSelection,
    /// How many instances may be draining, or drained and not back, at a time; at least 1.
    pub max_unavailable: u32,
    pub wait: RollWait,
    /// How long the drain of one instance may take.
    pub drain_deadline: Duration,
    pub by: Requester,
    pub reason: Option<String>,
    pub health: SystemHealth,
    pub pace: MovePace,
}

impl Command for StartRoll {
    type Reply = Roll;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Roll, Rejection> {
        let ids = self.selected(draft.fleet())?;
        if ids.is_empty() {
            return Err(Rejection::EmptySelection);
        }
        let waiting = |id| RollInstance {
            id,
            step: RollStep::Waiting,
            because: None,
        };
        let roll = Roll {
            id: RollId::new(draft.next_epoch().get()),
            state: RollState::Running,
            because: None,
            instances: ids.into_iter().map(waiting).collect(),
            max_unavailable: self.max_unavailable,
            wait: self.wait,
            drain_deadline: self.drain_deadline,
            started_at: draft.now(),
            ended_at: None,
            health: self.health,
            by: self.by,
            reason: self.reason.clone(),
        };
        tell(draft, &roll, self.by, self.reason.clone());
        forget_old(draft);
        Ok(advance(draft, roll, self.health, self.pace))
    }
}

impl StartRoll {
    /// Returns the instances that are selected, each once.
    fn selected(&self, fleet: &Fleet) -> Result<Vec<InstanceId>, Rejection> {
        let ids = match &self.selection {
            RollSelection::All => fleet
                .instances()
                .map(|slot| slot.instance().id.clone())
                .collect(),
            RollSelection::Label(label) => fleet
                .instances()
                .filter(|slot| has_label(&slot.instance().labels, label))
                .map(|slot| slot.instance().id.clone())
                .collect(),
            RollSelection::Instances(ids) => {
                let mut seen = BTreeSet::new();
                let mut once = Vec::new();
                for id in ids {
                    if fleet.instance(id).is_none() {
                        return Err(Rejection::UnknownInstance(id.clone()));
                    }
                    if seen.insert(id) {
                        once.push(id.clone());
                    }
                }
                once
            }
        };
        Ok(ids)
    }
}

/// Takes the next steps of every roll that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ContinueRolls {
    pub health: SystemHealth,
    pub pace: MovePace,
}

impl Command for ContinueRolls {
    type Reply = ();

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Rejection> {
        let open: Vec<Roll> = (draft.fleet().rolls())
            .filter(|roll| roll.is_open())
            .map(|roll| Roll::clone(roll))
            .collect();
        for roll in open {
            advance(draft, roll, self.health, self.pace);
        }
        Ok(())
    }
}

/// What an operator has a roll do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum RollOrder {
    Pause,
    Resume,
    Cancel,
}

/// Pauses, resumes or cancels a roll. Drains under way go on while it is paused, and are cancelled
/// with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct OrderRoll {
    pub id: RollId,
    pub order: RollOrder,
    pub by: Requester,
    pub reason: Option<String>,
    pub health: SystemHealth,
    pub pace: MovePace,
}

impl Command for OrderRoll {
    type Reply = Roll;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Roll, Rejection> {
        let roll = draft.fleet().roll(self.id);
        let mut roll = roll.cloned().ok_or(Rejection::UnknownRoll(self.id))?;
        if !roll.is_open() {
            return Err(Rejection::RollOver {
                roll: self.id,
                state: roll.state,
            });
        }
        let because = self.reason.clone();
        match self.order {
            RollOrder::Pause => {
                roll.pause(self.sentence("paused"));
            }
            RollOrder::Resume => {
                roll.resume(self.health);
                tell(draft, &roll, self.by, because);
                return Ok(advance(draft, roll, self.health, self.pace));
            }
            RollOrder::Cancel => {
                let sentence = self.sentence("cancelled");
                for id in roll.cancel(Some(sentence), draft.now()) {
                    cancel(
                        draft,
                        &id,
                        DrainState::Cancelled,
                        Requester::Roll,
                        because.clone(),
                    );
                }
            }
        }
        tell(draft, &roll, self.by, because);
        draft.put_roll(roll.clone());
        Ok(roll)
    }
}

impl OrderRoll {
    /// Returns who gave the order, and why.
    fn sentence(&self, done: &str) -> String {
        let sentence = format!("{} has {done} it", self.by.noun());
        match &self.reason {
            Some(reason) => format!("{sentence}: {reason}"),
            None => sentence,
        }
    }
}

/// Takes the next step of a roll, and saves it if it changed.
fn advance(draft: &mut Draft<'_>, mut roll: Roll, health: SystemHealth, pace: MovePace) -> Roll {
    let before = draft.fleet().roll(roll.id).cloned();
    let state = roll.state;
    let fleet = draft.fleet();
    let turn = roll.advance(|id| sight(fleet, id), health, draft.now());
    for id in turn {
        // A roll that has paused begins no drain.
        if roll.state == RollState::Paused {
            roll.put_back(&id);
            continue;
        }
        let drain = DrainInstance {
            id: id.clone(),
            deadline_at: draft.now() + roll.drain_deadline,
            by: Requester::Roll,
            reason: roll.reason.clone(),
            force: false,
            then_absent_until: None,
            pace,
        };
        match drain.decide(draft) {
            Ok(_) => {}
            Err(rejection @ Rejection::WouldNotFit { .. }) => {
                roll.put_back(&id);
                roll.pause(rejection.to_string());
            }
            Err(rejection) => roll.skip(&id, rejection.to_string()),
        }
    }
    if roll.state != state {
        let because = roll.because.clone();
        tell(draft, &roll, Requester::Program, because);
    }
    if before.as_ref() != Some(&roll) {
        draft.put_roll(roll.clone());
    }
    roll
}

fn sight(fleet: &Fleet, id: &InstanceId) -> Sight {
    let Some(slot) = fleet.instance(id) else {
        return Sight::Gone;
    };
    let instance = slot.instance();
    let last = instance.drain().map(|drain| drain.state);
    match instance.drain_in_force() {
        Some(drain) => Sight::Held(drain.state),
        None if instance.status == InstanceStatus::Active => Sight::Active(last),
        None => Sight::Elsewhere(last),
    }
}

fn tell(draft: &mut Draft<'_>, roll: &Roll, by: Requester, because: Option<String>) {
    draft.tell(Event::RollChanged {
        roll: roll.id,
        state: roll.state,
        by,
        instances: u32::try_from(roll.instances.len()).unwrap_or(u32::MAX),
        reason: because,
    });
}

/// Forgets the oldest rolls that are over.
fn forget_old(draft: &mut Draft<'_>) {
    let over: Vec<RollId> = (draft.fleet().rolls())
        .filter(|roll| !roll.is_open())
        .map(|roll| roll.id)
        .collect();
    for id in over.iter().take(over.len().saturating_sub(KEPT)) {
        draft.remove_roll(*id);
    }
}
