//! A roll: a drain of a selection of instances, one batch after the other.
//!
//! ```text
//!   an instance:  waiting ──its turn──▶ draining ──drained──▶ drained ──registered, active──▶ back
//!                    │ unknown, failed, │ cancelled
//!                    └──────────────────┴──▶ skipped
//!
//!   the roll:     running ◀──resume── paused        running ──nothing left──▶ done
//!                    └──pause, health worse, a drain expired or refused──▶     cancelled
//! ```
//!
//! The machine is pure: it is told what is to be seen of each instance ([`Sight`]) and how healthy the
//! fleet is, and answers which drains are to begin. It is saved after each step, so that a start
//! continues it. A step that is repeated changes nothing more.
//!
//! *What can go wrong.* The health of the fleet is worse than when the roll began: it pauses, whatever
//! caused that, and says so. A drain expires or does not fit: the roll pauses with that reason,
//! because going on would take the next instance away as well. An instance is gone: a worker that says
//! goodbye before its update is unknown until it registers again, so one that has drained is waited
//! for. A drain is cancelled by an operator: the instance is skipped.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::drain::DrainState;
use super::requester::Requester;
use crate::health::SystemHealth;
use crate::ids::{InstanceId, RollId};
use crate::string_enum::string_enum;
use crate::time::WallTime;

string_enum! {
    /// The state of a roll.
    RollState {
        /// Its drains go on.
        Running = "running",
        /// It begins no drain; those under way go on.
        Paused = "paused",
        /// Nothing is left.
        Done = "done",
        /// It was ended.
        Cancelled = "cancelled",
    }
}

string_enum! {
    /// How far a roll is with an instance.
    RollStep {
        /// Its turn has not come.
        Waiting = "waiting",
        /// It drains.
        Draining = "draining",
        /// It has drained.
        Drained = "drained",
        /// It is active again.
        Back = "back",
        /// It is not drained: it was gone, had failed, or its drain was cancelled.
        Skipped = "skipped",
    }
}

string_enum! {
    /// What a roll waits for before the next instance.
    RollWait {
        /// The instance is active again.
        Healthy = "healthy",
        /// The instance has drained.
        Drained = "drained",
    }
}

/// An instance of a roll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RollInstance {
    pub id: InstanceId,
    pub step: RollStep,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// What is to be seen of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// It is not registered.
    Gone,
    /// A drain is in force; holds how far it is.
    Held(DrainState),
    /// It takes streams; holds how its last drain ended, if it had one since it was added.
    Active(Option<DrainState>),
    /// It neither takes streams nor drains; holds the same.
    Elsewhere(Option<DrainState>),
}

/// A roll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Roll {
    pub id: RollId,
    pub state: RollState,
    /// Why it is paused or was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The instances, in their order.
    pub instances: Vec<RollInstance>,
    /// How many instances may be draining, or drained and not back, at a time; at least 1.
    pub max_unavailable: u32,
    pub wait: RollWait,
    /// How long the drain of one instance may take.
    pub drain_deadline: Duration,
    pub started_at: WallTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<WallTime>,
    /// The health of the fleet when it began, or was resumed: it pauses if the health is worse.
    pub health: SystemHealth,
    pub by: Requester,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Roll {
    /// Returns when it may be over, judged by how fast it was so far; `None` before the first instance is
    /// done, and while it is not running.
    pub fn expected_end(&self, now: WallTime) -> Option<WallTime> {
        if self.state != RollState::Running {
            return None;
        }
        let count = |is_wanted: fn(RollStep, RollWait) -> bool| {
            let wanted = self.instances.iter();
            wanted.filter(|one| is_wanted(one.step, self.wait)).count()
        };
        let done = count(|step, wait| match step {
            RollStep::Back => true,
            RollStep::Drained => wait == RollWait::Drained,
            RollStep::Waiting | RollStep::Draining | RollStep::Skipped => false,
        });
        let skipped = count(|step, _| step == RollStep::Skipped);
        let left = self.instances.len() - done - skipped;
        let spent = now.since(self.started_at).as_secs_f64();
        let more = spent * left as f64 / done as f64;
        // Not a number, or endless, as long as none is done.
        Duration::try_from_secs_f64(more)
            .ok()
            .map(|more| now + more)
    }

    /// Returns whether it is not over.
    pub fn is_open(&self) -> bool {
        matches!(self.state, RollState::Running | RollState::Paused)
    }

    /// Takes the next step: notes what is to be seen, and returns the instances whose drain is to
    /// begin. The caller reports a drain that could not begin with [`Roll::skip`] or [`Roll::pause`].
    pub fn advance(
        &mut self,
        sight: impl Fn(&InstanceId) -> Sight,
        health: SystemHealth,
        now: WallTime,
    ) -> Vec<InstanceId> {
        if !self.is_open() {
            return Vec::new();
        }
        let expired = self.look(sight);
        if self.state == RollState::Running {
            if let Some(id) = expired {
                self.pause(format!(
                    "the drain of {id} has expired; cancel or repeat it, then resume"
                ));
            } else if health > self.health {
                self.pause(format!(
                    "the health is {health}, and was {} when it began or was last resumed",
                    self.health
                ));
            }
        }
        if self.state != RollState::Running {
            return Vec::new();
        }
        let turn = self.begin();
        let is_left = |one: &RollInstance| match one.step {
            RollStep::Waiting | RollStep::Draining => true,
            RollStep::Drained => self.wait == RollWait::Healthy,
            RollStep::Back | RollStep::Skipped => false,
        };
        if turn.is_empty() && !self.instances.iter().any(is_left) {
            self.state = RollState::Done;
            self.ended_at = Some(now);
        }
        turn
    }

    /// Notes what is to be seen; returns an instance whose drain has expired.
    fn look(&mut self, sight: impl Fn(&InstanceId) -> Sight) -> Option<InstanceId> {
        let mut expired = None;
        for one in &mut self.instances {
            let seen = sight(&one.id);
            match (one.step, seen) {
                (RollStep::Draining, Sight::Held(DrainState::Expired)) => {
                    expired = Some(one.id.clone());
                }
                (
                    RollStep::Draining,
                    Sight::Held(DrainState::Cancelled)
                    | Sight::Active(Some(DrainState::Cancelled | DrainState::Expired))
                    | Sight::Elsewhere(Some(DrainState::Cancelled | DrainState::Expired)),
                ) => {
                    one.step = RollStep::Skipped;
                    one.because = Some("its drain was cancelled".to_owned());
                }
                // A worker that says goodbye once it is empty is gone until it registers again.
                (
                    RollStep::Draining,
                    Sight::Held(DrainState::Drained) | Sight::Elsewhere(_) | Sight::Gone,
                ) => one.step = RollStep::Drained,
                // An instance may drain and register between two steps of the roll.
                (RollStep::Draining | RollStep::Drained, Sight::Active(_)) => {
                    one.step = RollStep::Back;
                }
                (RollStep::Draining, Sight::Held(DrainState::Draining))
                | (RollStep::Drained, Sight::Held(_) | Sight::Elsewhere(_) | Sight::Gone)
                | (RollStep::Waiting | RollStep::Back | RollStep::Skipped, _) => {}
            }
        }
        expired
    }

    /// Returns the instances whose turn it is, as draining.
    fn begin(&mut self) -> Vec<InstanceId> {
        let wait = self.wait;
        let is_away = |one: &&RollInstance| match one.step {
            RollStep::Draining => true,
            RollStep::Drained => wait == RollWait::Healthy,
            RollStep::Waiting | RollStep::Back | RollStep::Skipped => false,
        };
        let away = self.instances.iter().filter(is_away).count();
        let most = usize::try_from(self.max_unavailable).unwrap_or(usize::MAX);
        let mut turn = Vec::new();
        let waiting = self.instances.iter_mut();
        let waiting = waiting.filter(|one| one.step == RollStep::Waiting);
        for one in waiting.take(most.saturating_sub(away)) {
            one.step = RollStep::Draining;
            turn.push(one.id.clone());
        }
        turn
    }

    /// Notes that an instance is not drained, and why.
    pub fn skip(&mut self, id: &InstanceId, because: String) {
        for one in &mut self.instances {
            if one.id == *id {
                one.step = RollStep::Skipped;
                one.because = Some(because.clone());
            }
        }
    }

    /// Notes that the turn of an instance has not come after all.
    pub fn put_back(&mut self, id: &InstanceId) {
        for one in &mut self.instances {
            if one.id == *id {
                one.step = RollStep::Waiting;
            }
        }
    }

    /// Has it begin nothing more.
    pub fn pause(&mut self, because: String) {
        if self.state == RollState::Running {
            self.state = RollState::Paused;
            self.because = Some(because);
        }
    }

    /// Has it go on; from now on it pauses if the health is worse than this.
    pub fn resume(&mut self, health: SystemHealth) {
        if self.state == RollState::Paused {
            self.state = RollState::Running;
            self.because = None;
            self.health = health;
        }
    }

    /// Ends it; returns the instances whose drains it began and that are not over.
    pub fn cancel(&mut self, because: Option<String>, now: WallTime) -> Vec<InstanceId> {
        self.state = RollState::Cancelled;
        self.because = because;
        self.ended_at = Some(now);
        let mut draining = Vec::new();
        for one in &mut self.instances {
            if one.step == RollStep::Draining {
                one.step = RollStep::Skipped;
                one.because = Some("the roll was cancelled".to_owned());
                draining.push(one.id.clone());
            }
        }
        draining
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const NOW: WallTime = WallTime::from_micros(5);

    #[test]
    fn the_end_is_expected_at_the_speed_so_far_without_the_instances_that_were_skipped() {
        let mut roll = roll(&["a", "b", "c", "d", "e"], 1, RollWait::Healthy);
        let later = NOW + Duration::from_secs(60);
        assert_eq!(roll.expected_end(later), None, "none is done");
        let steps = [
            RollStep::Back,
            RollStep::Skipped,
            RollStep::Drained,
            RollStep::Draining,
            RollStep::Waiting,
        ];
        for (one, step) in roll.instances.iter_mut().zip(steps) {
            one.step = step;
        }
        let in_seconds = |seconds| Some(later + Duration::from_secs(seconds));
        assert_eq!(roll.expected_end(later), in_seconds(180), "three are left");
        roll.wait = RollWait::Drained;
        assert_eq!(roll.expected_end(later), in_seconds(60), "two are left");
        roll.state = RollState::Paused;
        assert_eq!(roll.expected_end(later), None);
    }

    fn roll(ids: &[&str], max_unavailable: u32, wait: RollWait) -> Roll {
        Roll {
            id: RollId::new(1),
            state: RollState::Running,
            because: None,
            instances: ids
                .iter()
                .map(|id| RollInstance {
                    id: (*id).into(),
                    step: RollStep::Waiting,
                    because: None,
                })
                .collect(),
            max_unavailable,
            wait,
            drain_deadline: Duration::from_secs(60),
            started_at: NOW,
            ended_at: None,
            health: SystemHealth::Healthy,
            by: Requester::Operator,
            reason: None,
        }
    }

    fn step(roll: &mut Roll, seen: &[(&str, Sight)]) -> Vec<String> {
        let seen: BTreeMap<InstanceId, Sight> = seen
            .iter()
            .map(|(id, sight)| ((*id).into(), *sight))
            .collect();
        let sight = |id: &InstanceId| seen.get(id).copied().unwrap_or(ACTIVE);
        let turn = roll.advance(sight, SystemHealth::Healthy, NOW);
        turn.iter().map(ToString::to_string).collect()
    }

    fn steps(roll: &Roll) -> Vec<&'static str> {
        roll.instances.iter().map(|one| one.step.as_str()).collect()
    }

    const DRAINING: Sight = Sight::Held(DrainState::Draining);
    const DRAINED: Sight = Sight::Held(DrainState::Drained);
    const ACTIVE: Sight = Sight::Active(Some(DrainState::Drained));
    const CANCELLED: Sight = Sight::Active(Some(DrainState::Cancelled));

    #[test]
    fn one_batch_follows_the_other_once_it_is_back() {
        let mut roll = roll(&["a", "b", "c"], 2, RollWait::Healthy);
        assert_eq!(step(&mut roll, &[]), ["a", "b"]);
        assert_eq!(step(&mut roll, &[("a", DRAINED), ("b", DRAINING)]), [""; 0]);
        assert_eq!(steps(&roll), ["drained", "draining", "waiting"]);
        assert_eq!(step(&mut roll, &[("b", Sight::Gone)]), ["c"], "a is back");
        assert_eq!(steps(&roll), ["back", "drained", "draining"]);
        step(&mut roll, &[("c", DRAINED)]);
        assert_eq!(steps(&roll), ["back", "back", "drained"]);
        step(&mut roll, &[]);
        assert_eq!((roll.state, roll.ended_at), (RollState::Done, Some(NOW)));
    }

    #[test]
    fn a_roll_may_go_on_once_an_instance_has_drained() {
        let mut roll = roll(&["a", "b"], 1, RollWait::Drained);
        assert_eq!(step(&mut roll, &[]), ["a"]);
        assert_eq!(step(&mut roll, &[("a", DRAINED)]), ["b"]);
        step(&mut roll, &[("a", DRAINED), ("b", DRAINED)]);
        assert_eq!(roll.state, RollState::Done);
        assert_eq!(steps(&roll), ["drained", "drained"]);
    }

    #[test]
    fn it_pauses_by_itself_and_goes_on_when_it_is_told() {
        let mut one = roll(&["a", "b"], 1, RollWait::Healthy);
        step(&mut one, &[]);
        let held = |_: &InstanceId| DRAINED;
        assert!(one.advance(held, SystemHealth::Degraded, NOW).is_empty());
        assert_eq!(one.state, RollState::Paused);
        assert!(
            one.because
                .as_ref()
                .is_some_and(|text| text.contains("degraded"))
        );
        assert_eq!(
            step(&mut one, &[]),
            [""; 0],
            "a is back, and nothing begins"
        );
        assert_eq!(steps(&one), ["back", "waiting"]);
        one.resume(SystemHealth::Degraded);
        let active = |_: &InstanceId| ACTIVE;
        let turn = one.advance(active, SystemHealth::Degraded, NOW);
        assert_eq!(turn, ["b".into()]);
        step(&mut one, &[("b", Sight::Held(DrainState::Expired))]);
        assert_eq!(one.state, RollState::Paused);
        assert_eq!(one.cancel(None, NOW), ["b".into()]);
        assert_eq!(steps(&one), ["back", "skipped"]);
        assert_eq!(step(&mut one, &[]), [""; 0]);
    }

    #[test]
    fn a_cancelled_drain_is_skipped() {
        let mut roll = roll(&["a", "b"], 1, RollWait::Healthy);
        step(&mut roll, &[]);
        assert_eq!(step(&mut roll, &[("a", CANCELLED)]), ["b"]);
        assert_eq!(steps(&roll), ["skipped", "draining"]);
    }

    #[test]
    fn what_a_roll_sees_of_a_draining_instance_decides_its_step() {
        let cancelled = Sight::Elsewhere(Some(DrainState::Cancelled));
        for (seen, expected) in [
            (DRAINING, "draining"),
            (DRAINED, "drained"),
            (Sight::Gone, "drained"),
            (Sight::Elsewhere(Some(DrainState::Drained)), "drained"),
            (Sight::Active(Some(DrainState::Drained)), "back"),
            // It drained, was removed and registered anew.
            (Sight::Active(None), "back"),
            (CANCELLED, "skipped"),
            (cancelled, "skipped"),
            (Sight::Held(DrainState::Cancelled), "skipped"),
        ] {
            let mut roll = roll(&["a"], 1, RollWait::Healthy);
            step(&mut roll, &[]);
            step(&mut roll, &[("a", seen)]);
            assert_eq!(steps(&roll), [expected], "{seen:?}");
        }
    }

    fn sights() -> impl Strategy<Value = Sight> {
        prop_oneof![
            Just(Sight::Gone),
            Just(ACTIVE),
            Just(CANCELLED),
            Just(Sight::Elsewhere(None)),
            Just(DRAINING),
            Just(DRAINED),
            Just(Sight::Held(DrainState::Expired)),
        ]
    }

    proptest! {
        #[test]
        fn no_more_are_away_than_may_be(
            most in 1_u32..4,
            worlds in proptest::collection::vec(proptest::collection::vec(sights(), 5), 1..12),
        ) {
            let ids = ["a", "b", "c", "d", "e"];
            let mut roll = roll(&ids, most, RollWait::Healthy);
            for world in worlds {
                let sight = |id: &InstanceId| {
                    let place = ids.iter().position(|one| *one == id.as_str());
                    place.map_or(Sight::Gone, |place| world[place])
                };
                roll.advance(sight, SystemHealth::Healthy, NOW);
                let away = roll.instances.iter().filter(|one| {
                    matches!(one.step, RollStep::Draining | RollStep::Drained)
                });
                prop_assert!(away.count() <= most as usize);
                let text = serde_json::to_string(&roll).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Roll>(&text).unwrap(), &roll);
            }
        }
    }
}
