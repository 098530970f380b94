//! Drains, step by step, on a small fleet.

use std::time::Duration;

use super::*;
use crate::commands::{
    AgreeLease, AssignOutcome, AssignStreams, ContinuePlanned, ContinueRolls, CordonInstance,
    EndMaintenance, MoveStreams, OrderRoll, PlanMaintenance, Relocation, RemoveInstance,
    ReturnInstance, RollOrder, RollSelection, SayGoodbye, StartRoll, UncordonInstance,
    WithdrawLease,
};
use crate::fleet::Fleet;
use crate::health::SystemHealth;
use crate::ids::StreamId;
use crate::invariants::check_fleet;
use crate::lease::LeaseOver;
use crate::ledger::Ledger;
use crate::planned::{RollState, RollStep, RollWait};
use crate::planned_timer::PlannedDue;
use crate::sample;
use crate::stream::{OrphanReason, Place};

const DEADLINE: WallTime = WallTime::from_micros(3_600_000_000);

/// `a` owns streams 1 to 4; `b` has room for `room`. Both are leased if `leased` says so.
fn ledger(leased: bool, room: u32) -> Ledger {
    let mut ledger = sample::ledger();
    sample::run(&mut ledger, sample::streams(1..=4));
    sample::run(&mut ledger, sample::register("a", 4));
    sample::run(&mut ledger, sample::ask("a", 4));
    sample::run(&mut ledger, sample::register("b", room));
    if leased {
        for id in ["a", "b"] {
            sample::agree_lease(&mut ledger, id);
            sample::follow(&mut ledger, id);
        }
    }
    ledger
}

fn pace(per_target: usize) -> MovePace {
    MovePace {
        per_target,
        in_all: 100,
    }
}

fn drain(force: bool) -> DrainInstance {
    DrainInstance {
        id: "a".into(),
        deadline_at: DEADLINE,
        by: Requester::Operator,
        reason: Some("update".to_owned()),
        force,
        then_absent_until: None,
        pace: pace(2),
    }
}

fn at(ledger: &mut Ledger, now: WallTime, due: PlannedDue) {
    let command = ContinuePlanned {
        due: vec![("a".into(), due)],
        pace: pace(2),
    };
    ledger.decide(&command, now).unwrap();
    let batch = ledger.take_batch();
    ledger.commit(batch);
}

fn step(ledger: &mut Ledger) {
    at(ledger, sample::NOW, PlannedDue::DrainStep);
}

fn instance(ledger: &Ledger) -> Instance {
    let slot = ledger.saved().instance(&"a".into()).unwrap();
    Instance::clone(slot.instance())
}

/// The state of the instance and of its drain, and how many streams it owns.
fn seen(ledger: &Ledger) -> (InstanceStatus, DrainState, usize) {
    let instance = instance(ledger);
    let held = ledger.saved().instance(&"a".into()).unwrap().held().len();
    (instance.status, instance.drain().unwrap().state, held)
}

fn hold(ledger: &Ledger) {
    for check in check_fleet(ledger.saved()) {
        assert!(check.holds, "{check:?}");
    }
    let snapshot = crate::fleet::Snapshot {
        counter: ledger.saved().counter(),
        instances: (ledger.saved().instances())
            .map(|slot| {
                // What is planned is saved as JSON.
                let mut instance = Instance::clone(slot.instance());
                let text = serde_json::to_string(&instance.planned).unwrap();
                instance.planned = serde_json::from_str(&text).unwrap();
                instance
            })
            .collect(),
        streams: (ledger.saved().streams())
            .map(|slot| (slot.stream().as_ref().clone(), slot.place().clone()))
            .collect(),
        ..crate::fleet::Snapshot::default()
    };
    assert!(Fleet::from_snapshot(&snapshot).unwrap() == *ledger.saved());
}

#[test]
fn streams_of_a_leased_owner_move_by_hand_over_as_fast_as_the_pace_allows() {
    let mut ledger = ledger(true, 9);
    let plan = sample::run(&mut ledger, drain(false));
    assert_eq!((plan.streams, plan.would_not_fit.len()), (4, 0));
    let progress: Vec<_> = plan.moves.iter().map(|planned| planned.progress).collect();
    use crate::commands::DrainProgress::{Releasing, Waiting};
    assert_eq!(progress, [Releasing, Releasing, Waiting, Waiting]);
    let draining = (InstanceStatus::Draining, DrainState::Draining);
    for left in [4, 2] {
        assert_eq!(seen(&ledger), (draining.0, draining.1, left));
        step(&mut ledger);
        assert_eq!(instance(&ledger).drain().unwrap().moving.len(), 2);
        sample::follow(&mut ledger, "a");
        step(&mut ledger);
        let moving = instance(&ledger).drain().unwrap().moving.len();
        assert_eq!(moving, 2, "the new owner has not confirmed");
        hold(&ledger);
        sample::follow(&mut ledger, "b");
        step(&mut ledger);
    }
    let drained = (InstanceStatus::Draining, DrainState::Drained, 0);
    assert_eq!(seen(&ledger), drained);
    assert_eq!(instance(&ledger).drain().unwrap().moved, 4);
    assert!(instance(&ledger).is_silence_expected());
    hold(&ledger);
    // It takes nothing until it registers.
    sample::run(&mut ledger, sample::streams([5]));
    let asked = sample::run(&mut ledger, sample::ask("a", 4));
    assert_eq!(asked, AssignOutcome::NotEligible(InstanceStatus::Draining));
    sample::run(&mut ledger, sample::register("a", 4));
    let active = (InstanceStatus::Active, DrainState::Drained, 0);
    assert_eq!(seen(&ledger), active);
    assert!(!instance(&ledger).is_silence_expected());
}

#[test]
fn a_classic_owner_is_emptied_at_once_and_drained_when_its_target_has_looked() {
    let mut ledger = ledger(false, 9);
    sample::run(&mut ledger, drain(false));
    assert_eq!(
        seen(&ledger),
        (InstanceStatus::Draining, DrainState::Draining, 0)
    );
    step(&mut ledger);
    assert_eq!(seen(&ledger).1, DrainState::Draining, "not confirmed");
    let asks = AssignStreams {
        id: "b".into(),
        incarnation: None,
        requested: 0,
    };
    let mut other = Ledger::new(ledger.saved().clone());
    sample::run(&mut other, asks);
    step(&mut other);
    assert_eq!(seen(&other).1, DrainState::Drained, "it was notified");
    let later = sample::NOW + Duration::from_secs(60);
    at(&mut ledger, later, PlannedDue::DrainStep);
    assert_eq!(seen(&ledger).1, DrainState::Drained, "it has looked");
}

#[test]
fn streams_that_fit_nowhere_are_named_and_nothing_changes_unless_forced() {
    let mut ledger = ledger(true, 3);
    let before = ledger.saved().clone();
    let rejected = ledger.decide(&drain(false), sample::NOW);
    let expected = Rejection::WouldNotFit {
        instance: "a".into(),
        streams: sample::ids([4]),
    };
    assert_eq!(rejected, Err(expected));
    assert!(*ledger.draft() == before);
    let plan = sample::run(&mut ledger, drain(true));
    assert_eq!(plan.would_not_fit, sample::ids([4]));
    for _ in 0..3 {
        sample::follow(&mut ledger, "a");
        sample::follow(&mut ledger, "b");
        step(&mut ledger);
    }
    assert_eq!(
        seen(&ledger),
        (InstanceStatus::Draining, DrainState::Draining, 1)
    );
    at(&mut ledger, DEADLINE, PlannedDue::DrainDeadline(DEADLINE));
    assert_eq!(seen(&ledger).2, 1, "its worker releases it first");
    sample::follow(&mut ledger, "a");
    step(&mut ledger);
    assert_eq!(seen(&ledger).1, DrainState::Drained);
    let place = ledger.saved().stream(StreamId::new(4)).unwrap().place();
    assert!(matches!(
        place,
        Place::Orphaned {
            reason: OrphanReason::PlannedMove,
            ..
        }
    ));
    hold(&ledger);
}

#[test]
fn a_worker_that_does_not_release_makes_the_drain_expire_and_streams_stay() {
    let mut ledger = ledger(true, 9);
    sample::run(&mut ledger, drain(false));
    let abandon = crate::commands::AbandonHandovers {
        id: "a".into(),
        incarnation: sample::life(&ledger, "a"),
        streams: sample::ids(1..=4),
    };
    assert_eq!(sample::run(&mut ledger, abandon), 2);
    let moving = |ledger: &Ledger| {
        let instance = instance(ledger);
        let moving = instance.drain().unwrap().moving.iter();
        moving.map(|id| id.get()).collect::<Vec<_>>()
    };
    step(&mut ledger);
    assert_eq!(moving(&ledger), [3, 4], "the others are tried meanwhile");
    let later = sample::NOW + Duration::from_secs(31);
    let abandon = crate::commands::AbandonHandovers {
        id: "a".into(),
        incarnation: sample::life(&ledger, "a"),
        streams: sample::ids(1..=4),
    };
    sample::run(&mut ledger, abandon);
    at(&mut ledger, later, PlannedDue::DrainStep);
    assert_eq!(moving(&ledger), [1, 2], "asked again");
    at(&mut ledger, DEADLINE, PlannedDue::DrainDeadline(DEADLINE));
    let expired = (InstanceStatus::Draining, DrainState::Expired, 4);
    assert_eq!(seen(&ledger), expired);
    assert!(
        ledger
            .saved()
            .instance(&"a".into())
            .unwrap()
            .releasing()
            .is_empty()
    );
    hold(&ledger);
    // A drain that has expired can be tried again, or cancelled.
    assert!(ledger.decide(&drain(false), sample::NOW).is_ok());
    let cancel = CancelDrain {
        id: "a".into(),
        by: Requester::Operator,
        reason: None,
    };
    sample::run(&mut ledger, cancel.clone());
    let cancelled = (InstanceStatus::Active, DrainState::Cancelled, 4);
    assert_eq!(seen(&ledger), cancelled);
    assert!(matches!(
        ledger.decide(&cancel, sample::NOW),
        Err(Rejection::DrainOver { .. })
    ));
}

#[test]
fn a_drain_is_refused_by_state_and_says_which() {
    let mut ledger = ledger(true, 9);
    let unknown = DrainInstance {
        id: "z".into(),
        ..drain(false)
    };
    assert_eq!(
        ledger.decide(&unknown, sample::NOW),
        Err(Rejection::UnknownInstance("z".into()))
    );
    sample::run(&mut ledger, drain(false));
    let again = ledger.decide(&drain(false), sample::NOW);
    let expected = Rejection::NotDrainable {
        instance: "a".into(),
        status: InstanceStatus::Draining,
        drain: Some(DrainState::Draining),
    };
    assert_eq!(again, Err(expected));
    sample::recover(&mut ledger, "a");
    let failed = ledger.decide(&drain(false), sample::NOW);
    assert!(matches!(
        failed,
        Err(Rejection::NotDrainable {
            status: InstanceStatus::Failed,
            ..
        })
    ));
    for rejection in [again.unwrap_err(), failed.unwrap_err()] {
        assert!(rejection.to_string().starts_with("Instance `a` is `"));
    }
}

#[test]
fn an_instance_that_fails_while_it_drains_has_drained_when_its_streams_are_confirmed() {
    let mut ledger = ledger(true, 9);
    sample::run(&mut ledger, drain(false));
    sample::recover(&mut ledger, "a");
    step(&mut ledger);
    assert_eq!(
        seen(&ledger),
        (InstanceStatus::Failed, DrainState::Draining, 0)
    );
    sample::follow(&mut ledger, "b");
    step(&mut ledger);
    assert_eq!(
        seen(&ledger),
        (InstanceStatus::Failed, DrainState::Drained, 0)
    );
    let back = ReturnInstance {
        id: "a".into(),
        incarnation: sample::life(&ledger, "a"),
    };
    sample::run(&mut ledger, back);
    assert_eq!(
        seen(&ledger).0,
        InstanceStatus::Draining,
        "it is kept empty"
    );
    hold(&ledger);
}

#[test]
fn a_cordoned_instance_gets_what_it_owns_and_no_others() {
    let mut ledger = ledger(false, 2);
    let cordon = CordonInstance {
        id: "b".into(),
        until: Some(DEADLINE),
        by: Requester::Operator,
        reason: None,
    };
    sample::run(&mut ledger, cordon.clone());
    sample::run(&mut ledger, cordon);
    sample::run(&mut ledger, sample::streams([5]));
    let asked = sample::run(&mut ledger, sample::ask("b", 1));
    assert_eq!(asked, AssignOutcome::Cordoned(Some(DEADLINE)));
    let plan = ledger.decide(&drain(false), sample::NOW);
    assert!(matches!(plan, Err(Rejection::WouldNotFit { streams, .. }) if streams.len() == 4));
    // An emergency leaves its streams without an owner rather than with a cordoned instance.
    sample::recover(&mut ledger, "a");
    assert_eq!(ledger.saved().orphaned().len(), 4);
    hold(&ledger);
    let over = ContinuePlanned {
        due: vec![("b".into(), PlannedDue::CordonOver(DEADLINE))],
        pace: pace(2),
    };
    sample::run(&mut ledger, over);
    assert_eq!(ledger.saved().orphaned().len(), 2, "it takes streams again");
    hold(&ledger);
}

#[test]
fn uncordon_ends_a_cordon_and_a_drain() {
    let mut ledger = ledger(true, 9);
    let cordon = CordonInstance {
        id: "a".into(),
        until: None,
        by: Requester::Operator,
        reason: None,
    };
    sample::run(&mut ledger, cordon);
    sample::run(&mut ledger, drain(false));
    let uncordon = UncordonInstance {
        id: "a".into(),
        by: Requester::Operator,
        reason: None,
    };
    sample::run(&mut ledger, uncordon);
    let cancelled = (InstanceStatus::Active, DrainState::Cancelled, 4);
    assert_eq!(seen(&ledger), cancelled);
    assert!(instance(&ledger).is_schedulable());
    hold(&ledger);
}

#[test]
fn maintenance_drains_first_and_ends_by_itself() {
    let mut ledger = ledger(true, 9);
    let maintenance = PlanMaintenance {
        id: "a".into(),
        until: DEADLINE,
        by: Requester::Operator,
        reason: None,
        pace: pace(4),
    };
    sample::run(&mut ledger, maintenance);
    assert_eq!(seen(&ledger).0, InstanceStatus::Draining);
    for id in ["a", "b"] {
        sample::follow(&mut ledger, id);
    }
    step(&mut ledger);
    let absent = (InstanceStatus::Maintenance, DrainState::Drained, 0);
    assert_eq!(seen(&ledger), absent);
    assert!(instance(&ledger).is_silence_expected());
    at(&mut ledger, DEADLINE, PlannedDue::AbsenceOver(DEADLINE));
    assert_eq!(seen(&ledger).0, InstanceStatus::Active);
    assert_eq!(instance(&ledger).absence(), None);
}

#[test]
fn a_goodbye_reserves_streams_until_the_worker_is_back_or_late() {
    let goodbye = |ledger: &Ledger| SayGoodbye {
        id: "a".into(),
        incarnation: sample::life(ledger, "a"),
        until: DEADLINE,
        reason: None,
    };
    let mut ledger = ledger(true, 9);
    let command = goodbye(&ledger);
    assert_eq!(sample::run(&mut ledger, command), 4);
    assert!(instance(&ledger).is_reserved());
    hold(&ledger);
    let mut late = Ledger::new(ledger.saved().clone());
    at(&mut late, DEADLINE, PlannedDue::AbsenceOver(DEADLINE));
    assert!(late.saved().instance(&"a".into()).is_none(), "removed");
    assert_eq!(late.saved().instance(&"b".into()).unwrap().held().len(), 4);
    hold(&late);
    let back = sample::run(&mut ledger, sample::register("a", 4));
    assert_eq!(back.assignments.len(), 4);
    assert_eq!(instance(&ledger).status, InstanceStatus::Active);
    assert_eq!(instance(&ledger).absence(), None);
    hold(&ledger);
}

/// Runs a command and returns who ended a maintenance or removed an instance, and why, by its events.
fn ended_by<C: Command>(ledger: &mut Ledger, command: C) -> Option<(Requester, Option<String>)> {
    ledger.decide(&command, DEADLINE).unwrap();
    let batch = ledger.take_batch();
    let ended = batch.events().find_map(|event| {
        if let Event::MaintenanceEnded { by, reason, .. } = event {
            Some(((*by)?, reason.clone()))
        } else if let Event::InstanceRemoved { by, note, .. } = event {
            Some(((*by)?, note.clone()))
        } else {
            None
        }
    });
    ledger.commit(batch);
    ended
}

#[test]
fn the_audit_trail_has_who_ended_a_maintenance_and_why() {
    let absent = || {
        let mut ledger = ledger(false, 9);
        let maintenance = PlanMaintenance {
            id: "a".into(),
            until: DEADLINE,
            by: Requester::Operator,
            reason: Some("a new disk".to_owned()),
            pace: pace(9),
        };
        sample::run(&mut ledger, maintenance);
        sample::follow(&mut ledger, "b");
        step(&mut ledger);
        assert_eq!(seen(&ledger).0, InstanceStatus::Maintenance);
        ledger
    };
    let mut one = absent();
    let registered = ended_by(&mut one, sample::register("a", 4));
    assert_eq!(registered, Some((Requester::Worker, None)));
    let mut one = absent();
    let cancel = CancelDrain {
        id: "a".into(),
        by: Requester::Operator,
        reason: Some("done early".to_owned()),
    };
    let cancelled = ended_by(&mut one, cancel);
    let reason = Some("done early".to_owned());
    assert_eq!(cancelled, Some((Requester::Operator, reason)));
    let mut one = absent();
    let recover = EndMaintenance {
        id: "a".into(),
        incarnation: sample::life(&one, "a"),
        beats: true,
    };
    let recovered = ended_by(&mut one, recover);
    assert_eq!(recovered, Some((Requester::Operator, None)));
    let over = ContinuePlanned {
        due: vec![("a".into(), PlannedDue::AbsenceOver(DEADLINE))],
        pace: pace(9),
    };
    let mut one = absent();
    assert_eq!(
        ended_by(&mut one, over.clone()),
        Some((Requester::Program, None))
    );
    // A worker that does not come back is removed, for the reason of its goodbye.
    let mut one = ledger(false, 9);
    let goodbye = SayGoodbye {
        id: "a".into(),
        incarnation: sample::life(&one, "a"),
        until: DEADLINE,
        reason: Some("update".to_owned()),
    };
    sample::run(&mut one, goodbye);
    let removed = ended_by(&mut one, over);
    assert_eq!(
        removed,
        Some((Requester::Program, Some("update".to_owned())))
    );
}

#[test]
fn a_removal_that_waits_for_a_lease_keeps_who_ordered_it_and_why() {
    let mut ledger = ledger(true, 9);
    let order =
        RemoveInstance::new("a".into()).ordered(Requester::Operator, Some("scrapped".to_owned()));
    sample::run(&mut ledger, order);
    assert!(instance(&ledger).withdrawn.is_some());
    let over = RemoveInstance::new("a".into()).after(LeaseOver::said_by_worker());
    let removed = ended_by(&mut ledger, over);
    let reason = Some("scrapped".to_owned());
    assert_eq!(removed, Some((Requester::Operator, reason)));
}

#[test]
fn a_stream_that_moves_on_before_its_new_owner_confirmed_it_keeps_the_drain_under_way() {
    let mut ledger = ledger(true, 9);
    let drain = DrainInstance {
        pace: pace(9),
        ..drain(false)
    };
    sample::run(&mut ledger, drain.clone());
    sample::follow(&mut ledger, "a");
    assert_eq!(
        ledger.saved().instance(&"b".into()).unwrap().held().len(),
        4
    );
    // `b` has not heard of them yet, and is to release them to `c`.
    sample::run(&mut ledger, sample::register("c", 9));
    let onward = DrainInstance {
        id: "b".into(),
        ..drain
    };
    sample::run(&mut ledger, onward);
    step(&mut ledger);
    assert_eq!(
        seen(&ledger).1,
        DrainState::Draining,
        "nothing is confirmed"
    );
    sample::follow(&mut ledger, "b");
    step(&mut ledger);
    assert_eq!(seen(&ledger).1, DrainState::Draining);
    sample::follow(&mut ledger, "c");
    step(&mut ledger);
    assert_eq!(seen(&ledger).1, DrainState::Drained);
    hold(&ledger);
}

#[test]
fn a_move_that_was_under_way_before_the_drain_has_to_be_confirmed_too() {
    let mut ledger = ledger(true, 9);
    let moves = MoveStreams {
        moves: vec![Relocation {
            stream: StreamId::new(1),
            to: Some("b".into()),
        }],
    };
    sample::run(&mut ledger, moves);
    let drain = DrainInstance {
        pace: pace(9),
        ..drain(false)
    };
    sample::run(&mut ledger, drain);
    let begun = instance(&ledger).drain().unwrap().clone();
    assert_eq!((begun.moving.len(), begun.followed.len()), (3, 1));
    sample::follow(&mut ledger, "a");
    step(&mut ledger);
    assert_eq!(seen(&ledger).1, DrainState::Draining);
    sample::follow(&mut ledger, "b");
    step(&mut ledger);
    assert_eq!(seen(&ledger).1, DrainState::Drained);
    assert_eq!(instance(&ledger).drain().unwrap().moved, 4);
    hold(&ledger);
}

/// A classic worker releases nothing: its stream has moved at once.
#[test]
fn a_stream_that_a_person_moves_off_meanwhile_has_to_be_confirmed_too() {
    let mut ledger = ledger(false, 9);
    let drain = DrainInstance {
        pace: pace(1),
        ..drain(false)
    };
    sample::run(&mut ledger, drain);
    sample::run(&mut ledger, sample::register("c", 9));
    let moves = MoveStreams {
        moves: vec![Relocation {
            stream: StreamId::new(4),
            to: Some("c".into()),
        }],
    };
    sample::run(&mut ledger, moves);
    sample::follow(&mut ledger, "b");
    for _ in 0..8 {
        step(&mut ledger);
        sample::follow(&mut ledger, "b");
    }
    let slot = ledger.saved().instance(&"a".into()).unwrap();
    assert!(slot.held().is_empty());
    assert_eq!(seen(&ledger).1, DrainState::Draining, "c confirmed nothing");
    sample::follow(&mut ledger, "c");
    step(&mut ledger);
    assert_eq!(seen(&ledger).1, DrainState::Drained);
    assert_eq!(instance(&ledger).drain().unwrap().moved, 4);
    hold(&ledger);
}

#[test]
fn an_instance_that_drains_and_registers_between_two_steps_of_a_roll_is_back() {
    let mut ledger = ledger(false, 9);
    let roll = StartRoll {
        selection: RollSelection::Instances(vec!["a".into()]),
        max_unavailable: 1,
        wait: RollWait::Healthy,
        drain_deadline: Duration::from_secs(60),
        by: Requester::Operator,
        reason: None,
        health: SystemHealth::Healthy,
        pace: pace(9),
    };
    let id = sample::run(&mut ledger, roll).id;
    sample::follow(&mut ledger, "b");
    step(&mut ledger);
    assert_eq!(seen(&ledger).1, DrainState::Drained);
    sample::run(&mut ledger, sample::register("a", 4));
    let next = ContinueRolls {
        health: SystemHealth::Healthy,
        pace: pace(9),
    };
    sample::run(&mut ledger, next);
    let roll = ledger.saved().roll(id).unwrap();
    assert_eq!(roll.instances[0].step, RollStep::Back);
    assert_eq!(roll.state, RollState::Done);
}

#[test]
fn the_reason_of_a_pause_is_part_of_a_sentence_about_who_paused_it() {
    let roll = StartRoll {
        selection: RollSelection::All,
        max_unavailable: 1,
        wait: RollWait::Healthy,
        drain_deadline: Duration::from_secs(60),
        by: Requester::Operator,
        reason: None,
        health: SystemHealth::Healthy,
        pace: pace(9),
    };
    for (order, reason, sentence) in [
        (RollOrder::Pause, None, "an operator has paused it"),
        (
            RollOrder::Pause,
            Some("lunch"),
            "an operator has paused it: lunch",
        ),
        (
            RollOrder::Cancel,
            Some("wrong zone"),
            "an operator has cancelled it: wrong zone",
        ),
    ] {
        let mut ledger = ledger(false, 9);
        let id = sample::run(&mut ledger, roll.clone()).id;
        let order = OrderRoll {
            id,
            order,
            by: Requester::Operator,
            reason: reason.map(str::to_owned),
            health: SystemHealth::Healthy,
            pace: pace(9),
        };
        let ordered = sample::run(&mut ledger, order);
        assert_eq!(ordered.because.as_deref(), Some(sentence));
    }
}

#[test]
fn a_drain_whose_hold_is_over_can_be_called_cancelled() {
    let mut ledger = ledger(false, 9);
    sample::run(&mut ledger, drain(false));
    let life = sample::life(&ledger, "a");
    sample::run(&mut ledger, sample::register("a", 4));
    assert_ne!(sample::life(&ledger, "a"), life);
    step(&mut ledger);
    let cancel = CancelDrain {
        id: "a".into(),
        by: Requester::Operator,
        reason: None,
    };
    sample::run(&mut ledger, cancel);
    assert_eq!(
        instance(&ledger).drain().unwrap().state,
        DrainState::Cancelled
    );
    hold(&ledger);
}

#[test]
fn the_end_of_a_drain_gives_nothing_back_to_an_instance_that_is_being_emptied() {
    let mut ledger = ledger(true, 9);
    sample::run(&mut ledger, drain(false));
    let withdrawal = WithdrawLease::for_removal("a".into(), sample::life(&ledger, "a"));
    sample::run(&mut ledger, withdrawal);
    let releasing = |ledger: &Ledger| {
        let slot = ledger.saved().instance(&"a".into()).unwrap();
        slot.releasing().len()
    };
    assert_eq!(releasing(&ledger), 4);
    let cancel = CancelDrain {
        id: "a".into(),
        by: Requester::Operator,
        reason: None,
    };
    sample::run(&mut ledger, cancel);
    assert_eq!(releasing(&ledger), 4);
    hold(&ledger);
}

#[test]
fn ending_the_maintenance_of_a_worker_that_left_removes_it() {
    let mut ledger = ledger(true, 9);
    let incarnation = sample::life(&ledger, "a");
    let goodbye = SayGoodbye {
        id: "a".into(),
        incarnation,
        until: DEADLINE,
        reason: None,
    };
    sample::run(&mut ledger, goodbye);
    let end = EndMaintenance {
        id: "a".into(),
        incarnation,
        beats: false,
    };
    assert_eq!(sample::run(&mut ledger, end), InstanceStatus::Inactive);
    assert!(ledger.saved().instance(&"a".into()).is_none());
    let slot = ledger.saved().instance(&"b".into()).unwrap();
    assert_eq!(slot.held().len(), 4);
}

#[test]
fn moves_that_wait_for_a_release_are_paced_for_a_classic_target_too() {
    let mut ledger = ledger(false, 9);
    let agreement = AgreeLease {
        id: "a".into(),
        incarnation: sample::life(&ledger, "a"),
        lease: Some(Duration::from_secs(240)),
    };
    sample::run(&mut ledger, agreement);
    sample::follow(&mut ledger, "a");
    sample::run(&mut ledger, drain(false));
    let releasing = |ledger: &Ledger| {
        let slot = ledger.saved().instance(&"a".into()).unwrap();
        slot.releasing().len()
    };
    assert_eq!(releasing(&ledger), 2, "two at a time");
    sample::follow(&mut ledger, "a");
    step(&mut ledger);
    assert_eq!(releasing(&ledger), 2);
    hold(&ledger);
}

#[test]
fn a_stream_that_its_worker_never_releases_ends_a_forced_drain_as_expired() {
    let mut ledger = ledger(true, 1);
    sample::run(&mut ledger, drain(true));
    at(&mut ledger, DEADLINE, PlannedDue::DrainDeadline(DEADLINE));
    assert_eq!(
        seen(&ledger).1,
        DrainState::Draining,
        "what fits nowhere is to be released"
    );
    let later = DEADLINE + Duration::from_secs(600);
    at(&mut ledger, later, PlannedDue::DrainStep);
    assert_eq!(seen(&ledger).1, DrainState::Expired);
    assert!(seen(&ledger).2 > 0, "its owner may run it");
    hold(&ledger);
}

fn cancelled(ledger: &mut Ledger) -> Event {
    let command = CancelDrain {
        id: "a".into(),
        by: Requester::Operator,
        reason: None,
    };
    ledger.decide(&command, sample::NOW).unwrap();
    let batch = ledger.take_batch();
    let events = batch.events().cloned().collect::<Vec<_>>();
    ledger.commit(batch);
    let mut ends = events
        .into_iter()
        .filter(|event| event.kind() == "drain_ended");
    ends.next().expect("it has ended")
}

fn takes_streams(event: &Event) -> bool {
    matches!(
        event,
        Event::DrainEnded {
            takes_streams: true,
            ..
        }
    )
}

#[test]
fn a_drain_that_is_cancelled_leaves_the_moves_that_were_ordered_elsewhere() {
    let mut ledger = ledger(true, 9);
    let moves = MoveStreams {
        moves: vec![Relocation {
            stream: StreamId::new(1),
            to: Some("b".into()),
        }],
    };
    sample::run(&mut ledger, moves);
    sample::run(&mut ledger, drain(false));
    assert!(takes_streams(&cancelled(&mut ledger)));
    let fleet = ledger.saved();
    let releasing = fleet.instance(&"a".into()).unwrap().releasing();
    assert_eq!(releasing.iter().map(|id| id.get()).collect::<Vec<_>>(), [1]);
    hold(&ledger);
}

#[test]
fn a_drain_that_is_cancelled_keeps_what_a_goodbye_has_reserved() {
    let mut ledger = ledger(true, 9);
    sample::run(&mut ledger, drain(false));
    let goodbye = SayGoodbye {
        id: "a".into(),
        incarnation: sample::life(&ledger, "a"),
        until: DEADLINE,
        reason: None,
    };
    sample::run(&mut ledger, goodbye);
    assert!(!takes_streams(&cancelled(&mut ledger)));
    assert!(instance(&ledger).is_reserved());
    assert_eq!(instance(&ledger).status, InstanceStatus::Maintenance);
    hold(&ledger);
}

#[test]
fn an_instance_that_is_cordoned_takes_no_streams_when_its_drain_is_cancelled() {
    let mut ledger = ledger(true, 9);
    sample::run(&mut ledger, drain(false));
    let cordon = CordonInstance {
        id: "a".into(),
        until: None,
        by: Requester::Operator,
        reason: None,
    };
    sample::run(&mut ledger, cordon);
    assert!(!takes_streams(&cancelled(&mut ledger)));
    assert_eq!(instance(&ledger).status, InstanceStatus::Active);
}
