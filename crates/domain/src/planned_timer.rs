//! The timer of planned work: one for the whole fleet.
//!
//! A saved moment is on the wall clock, which may jump. It is converted to running time once, when it
//! is seen; a later jump does not move it. A command that follows from an entry names the entry, so
//! an entry that is out of date changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::InstanceId;
use crate::instance::Instance;
use crate::time::{Timestamp, WallTime};

/// How often a drain looks at its fleet, if nothing happens.
const STEP_INTERVAL: Duration = Duration::from_secs(1);

/// How soon a drain continues after a change that concerns it: the changes of a moment are one step.
const HURRY: Duration = Duration::from_millis(50);

/// How soon the end of something is due again, if it was not saved.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// What is due for an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlannedDue {
    /// Its cordon ends at that moment.
    CordonOver(WallTime),
    /// The deadline of its drain.
    DrainDeadline(WallTime),
    /// The next step of its drain.
    DrainStep,
    /// Its silence is expected until that moment.
    AbsenceOver(WallTime),
}

/// Returns what comes by itself for an instance, and when.
fn pending(instance: &Instance) -> Vec<(PlannedDue, Option<WallTime>)> {
    let mut pending = Vec::new();
    if let Some(until) = instance.cordon().and_then(|cordon| cordon.until) {
        pending.push((PlannedDue::CordonOver(until), Some(until)));
    }
    if let Some(drain) = instance.drain().filter(|drain| drain.is_under_way()) {
        if !drain.is_overdue {
            let at = drain.deadline_at;
            pending.push((PlannedDue::DrainDeadline(at), Some(at)));
        }
        pending.push((PlannedDue::DrainStep, None));
    }
    if let Some(until) = instance.absence().map(|absence| absence.until) {
        pending.push((PlannedDue::AbsenceOver(until), Some(until)));
    }
    pending
}

/// What is due by itself, on running time.
#[derive(Debug, Default)]
pub struct PlannedTimer {
    pending: BTreeMap<(InstanceId, PlannedDue), Timestamp>,
    order: BTreeSet<(Timestamp, InstanceId, PlannedDue)>,
}

impl PlannedTimer {
    /// Takes over what is saved about an instance; `None`: it is gone.
    pub fn follow(
        &mut self,
        id: &InstanceId,
        instance: Option<&Instance>,
        now: Timestamp,
        wall: WallTime,
    ) {
        self.follow_from(id, instance, (now, wall), now);
    }

    /// Takes over what is saved about an instance at a start. A reservation lasts until `heard_by` at
    /// least: its worker may have come back while no orchestrator could hear it.
    pub fn take_up(
        &mut self,
        id: &InstanceId,
        instance: Option<&Instance>,
        (now, wall): (Timestamp, WallTime),
        heard_by: Timestamp,
    ) {
        let is_reserved = instance.is_some_and(Instance::is_reserved);
        let earliest = if is_reserved { heard_by } else { now };
        self.follow_from(id, instance, (now, wall), earliest);
    }

    /// Takes over what is saved; no absence ends before `earliest`.
    fn follow_from(
        &mut self,
        id: &InstanceId,
        instance: Option<&Instance>,
        (now, wall): (Timestamp, WallTime),
        earliest: Timestamp,
    ) {
        let wanted = instance.map(pending).unwrap_or_default();
        let known = self.of(id);
        for due in known {
            if !wanted.iter().any(|(wanted, _)| *wanted == due) {
                self.forget(id, due);
            }
        }
        for (due, at) in wanted {
            let is_known = self.pending.contains_key(&(id.clone(), due));
            match at {
                Some(at) if !is_known => {
                    let at = now + at.since(wall);
                    let is_absence = matches!(due, PlannedDue::AbsenceOver(_));
                    let at = if is_absence { at.max(earliest) } else { at };
                    self.set(id, due, at);
                }
                Some(_) => {}
                // The instance changed, so its drain may have something to do.
                None => self.hurry(id, now),
            }
        }
    }

    /// Has the drain of an instance continue soon.
    pub fn hurry(&mut self, id: &InstanceId, now: Timestamp) {
        let soon = now + HURRY;
        let key = (id.clone(), PlannedDue::DrainStep);
        if self.pending.get(&key).is_none_or(|at| *at > soon) {
            self.set(id, PlannedDue::DrainStep, soon);
        }
    }

    /// Returns the instances that drain.
    pub fn draining(&self) -> impl Iterator<Item = &InstanceId> {
        let steps = self.pending.keys();
        steps.filter_map(|(id, due)| (*due == PlannedDue::DrainStep).then_some(id))
    }

    /// Returns when the next entry is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _, _)| *at)
    }

    /// Returns what is due now. An entry stays until the change that follows from it arrives, and is
    /// due again after a while.
    pub fn due(&mut self, now: Timestamp) -> Vec<(InstanceId, PlannedDue)> {
        let due: Vec<(InstanceId, PlannedDue)> = self
            .order
            .iter()
            .take_while(|(at, _, _)| *at <= now)
            .map(|(_, id, due)| (id.clone(), *due))
            .collect();
        for (id, due) in &due {
            let again = match due {
                PlannedDue::DrainStep => STEP_INTERVAL,
                PlannedDue::CordonOver(_)
                | PlannedDue::DrainDeadline(_)
                | PlannedDue::AbsenceOver(_) => RETRY_INTERVAL,
            };
            self.set(id, *due, now + again);
        }
        due
    }

    fn of(&self, id: &InstanceId) -> Vec<PlannedDue> {
        let first = (
            id.clone(),
            PlannedDue::CordonOver(WallTime::from_micros(i64::MIN)),
        );
        let entries = self.pending.range(first..);
        let entries = entries.take_while(|((other, _), _)| other == id);
        entries.map(|((_, due), _)| *due).collect()
    }

    fn set(&mut self, id: &InstanceId, due: PlannedDue, at: Timestamp) {
        self.forget(id, due);
        self.pending.insert((id.clone(), due), at);
        self.order.insert((at, id.clone(), due));
    }

    fn forget(&mut self, id: &InstanceId, due: PlannedDue) {
        if let Some(at) = self.pending.remove(&(id.clone(), due)) {
            self.order.remove(&(at, id.clone(), due));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{
        CordonInstance, DrainInstance, PlanMaintenance, SayGoodbye, UncordonInstance,
    };
    use crate::ledger::Ledger;
    use crate::pace::MovePace;
    use crate::planned::Requester;
    use crate::sample;

    const PACE: MovePace = MovePace {
        per_target: 10,
        in_all: 100,
    };

    /// `a` owns two streams, and `b` has room for them.
    fn ledger() -> Ledger {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=2));
        sample::run(&mut ledger, sample::register("a", 4));
        sample::run(&mut ledger, sample::ask("a", 2));
        sample::run(&mut ledger, sample::register("b", 4));
        ledger
    }

    fn wall(seconds: u64) -> WallTime {
        sample::NOW + Duration::from_secs(seconds)
    }

    fn running(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(1_000 + seconds)
    }

    fn cordon(until: Option<u64>) -> CordonInstance {
        CordonInstance {
            id: "a".into(),
            until: until.map(wall),
            by: Requester::Operator,
            reason: None,
        }
    }

    fn drain(deadline: u64) -> DrainInstance {
        DrainInstance {
            id: "a".into(),
            deadline_at: wall(deadline),
            by: Requester::Operator,
            reason: None,
            force: false,
            then_absent_until: None,
            pace: PACE,
        }
    }

    fn goodbye(ledger: &Ledger, until: u64) -> SayGoodbye {
        SayGoodbye {
            id: "a".into(),
            incarnation: sample::life(ledger, "a"),
            until: wall(until),
            reason: None,
        }
    }

    fn follow(timer: &mut PlannedTimer, ledger: &Ledger, seconds: u64) {
        let id = InstanceId::from("a");
        let slot = ledger.saved().instance(&id);
        let instance = slot.map(|slot| slot.instance().as_ref());
        timer.follow(&id, instance, running(seconds), wall(seconds));
    }

    fn due(timer: &mut PlannedTimer, seconds: u64) -> Vec<PlannedDue> {
        let due = timer.due(running(seconds));
        due.into_iter().map(|(_, due)| due).collect()
    }

    #[test]
    fn each_kind_of_planned_work_is_due_at_its_moment() {
        let step = Some(Timestamp::ZERO + Duration::from_secs(1_000) + HURRY);
        type Plan = fn(&mut Ledger);
        // what is planned, the first entry, what is due at 60 s
        let table: [(&str, Plan, Option<Timestamp>, Vec<PlannedDue>); 6] = [
            ("nothing", |_| {}, None, vec![]),
            (
                "a cordon for good",
                |ledger| {
                    sample::run(ledger, cordon(None));
                },
                None,
                vec![],
            ),
            (
                "a cordon",
                |ledger| {
                    sample::run(ledger, cordon(Some(60)));
                },
                Some(running(60)),
                vec![PlannedDue::CordonOver(wall(60))],
            ),
            (
                "a drain",
                |ledger| {
                    sample::run(ledger, drain(60));
                },
                step,
                vec![PlannedDue::DrainStep, PlannedDue::DrainDeadline(wall(60))],
            ),
            (
                "a goodbye",
                |ledger| {
                    let goodbye = goodbye(ledger, 60);
                    sample::run(ledger, goodbye);
                },
                Some(running(60)),
                vec![PlannedDue::AbsenceOver(wall(60))],
            ),
            (
                "maintenance, which begins with a drain",
                |ledger| {
                    let plan = PlanMaintenance {
                        id: "a".into(),
                        until: wall(60),
                        by: Requester::Operator,
                        reason: None,
                        pace: PACE,
                    };
                    sample::run(ledger, plan);
                },
                step,
                vec![PlannedDue::DrainStep, PlannedDue::DrainDeadline(wall(60))],
            ),
        ];
        for (what, plan, first, expected) in table {
            let mut ledger = ledger();
            plan(&mut ledger);
            let mut timer = PlannedTimer::default();
            follow(&mut timer, &ledger, 0);
            assert_eq!(timer.next_deadline(), first, "{what}");
            assert_eq!(due(&mut timer, 60), expected, "{what}");
        }
    }

    #[test]
    fn an_entry_is_due_again_until_its_change_is_saved() {
        let mut ledger = ledger();
        sample::run(&mut ledger, cordon(Some(60)));
        let mut timer = PlannedTimer::default();
        follow(&mut timer, &ledger, 0);
        assert_eq!(due(&mut timer, 59), []);
        let over = PlannedDue::CordonOver(wall(60));
        assert_eq!(due(&mut timer, 60), [over]);
        assert_eq!(due(&mut timer, 61), []);
        assert_eq!(due(&mut timer, 65), [over], "it was not saved");
        let uncordon = UncordonInstance {
            id: "a".into(),
            by: Requester::Program,
            reason: None,
        };
        sample::run(&mut ledger, uncordon);
        follow(&mut timer, &ledger, 66);
        assert_eq!(timer.next_deadline(), None);
    }

    #[test]
    fn a_step_of_the_wall_clock_moves_no_entry_and_a_new_moment_does() {
        let mut ledger = ledger();
        sample::run(&mut ledger, cordon(Some(60)));
        let mut timer = PlannedTimer::default();
        follow(&mut timer, &ledger, 0);
        let id = InstanceId::from("a");
        let slot = ledger.saved().instance(&id).unwrap();
        // An hour ahead, ten seconds later.
        timer.follow(&id, Some(slot.instance()), running(10), wall(3_600));
        assert_eq!(timer.next_deadline(), Some(running(60)));
        sample::run(&mut ledger, cordon(Some(90)));
        follow(&mut timer, &ledger, 20);
        assert_eq!(timer.next_deadline(), Some(running(90)));
    }

    #[test]
    fn a_drain_is_hurried_and_otherwise_looks_once_a_second() {
        let mut ledger = ledger();
        sample::run(&mut ledger, drain(60));
        let mut timer = PlannedTimer::default();
        follow(&mut timer, &ledger, 0);
        assert_eq!(timer.draining().count(), 1);
        assert_eq!(due(&mut timer, 1), [PlannedDue::DrainStep]);
        assert_eq!(timer.next_deadline(), Some(running(2)));
        timer.hurry(&"a".into(), running(1));
        assert_eq!(timer.next_deadline(), Some(running(1) + HURRY));
        timer.hurry(&"a".into(), running(2));
        assert_eq!(timer.next_deadline(), Some(running(1) + HURRY), "sooner");
    }

    #[test]
    fn a_reservation_that_ended_while_no_orchestrator_ran_lasts_until_its_worker_was_heard() {
        let mut reserved = ledger();
        let goodbye = goodbye(&reserved, 60);
        sample::run(&mut reserved, goodbye);
        let mut cordoned = ledger();
        sample::run(&mut cordoned, cordon(Some(60)));
        // ledger, start, end
        for (ledger, start, end) in [
            (&reserved, 30, 150),
            (&reserved, 90, 210),
            (&reserved, 3_600, 3_720),
            (&cordoned, 90, 90),
        ] {
            let id = InstanceId::from("a");
            let slot = ledger.saved().instance(&id).unwrap();
            let mut timer = PlannedTimer::default();
            let (now, heard_by) = (running(start), running(start + 120));
            timer.take_up(&id, Some(slot.instance()), (now, wall(start)), heard_by);
            assert_eq!(timer.next_deadline(), Some(running(end)), "{start}");
            // A later change of the instance does not move it.
            timer.follow(&id, Some(slot.instance()), now, wall(start));
            assert_eq!(timer.next_deadline(), Some(running(end)), "{start}");
        }
    }
}
