//! Tables for one machine, and properties for its probations.

use super::*;
use proptest::prelude::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn saved(status: InstanceStatus, flaps: u32) -> Saved {
    Saved {
        incarnation: Incarnation::new(1),
        status,
        flaps,
    }
}

fn machine(status: InstanceStatus) -> LivenessMachine {
    LivenessMachine::new(LivenessThresholds::default(), saved(status, 0), at(0))
}

#[test]
fn silence_passes_through_every_level_exactly_once_and_exactly_on_time() {
    let mut machine = machine(InstanceStatus::Active);
    for (deadline, effect) in [
        (120, Effect::BecameLate),
        (300, Effect::BecameSilent),
        (600, Effect::BecameEmergency),
    ] {
        assert_eq!(machine.next_deadline(), Some(at(deadline)));
        let early = Timestamp::from_micros(deadline * 1_000_000 - 1);
        assert_eq!(machine.handle_deadline(early), None);
        assert_eq!(machine.handle_deadline(at(deadline)), Some(effect));
        assert_eq!(machine.handle_deadline(at(deadline)), None, "repeated");
    }
    assert_eq!(machine.next_deadline(), None);
    assert_eq!(machine.handle_deadline(at(100_000)), None);
}

#[test]
fn a_very_late_call_takes_every_step_in_turn() {
    let mut machine = machine(InstanceStatus::Active);
    let steps: Vec<_> = std::iter::from_fn(|| machine.handle_deadline(at(601))).collect();
    assert_eq!(
        steps,
        [
            Effect::BecameLate,
            Effect::BecameSilent,
            Effect::BecameEmergency
        ]
    );
}

#[test]
fn a_heartbeat_ends_any_silence_nobody_acted_on() {
    for seconds in [120, 300, 600] {
        let mut machine = machine(InstanceStatus::Active);
        while machine.handle_deadline(at(seconds)).is_some() {}
        assert_eq!(machine.heartbeat(at(seconds + 1)), Some(Effect::BackOnTime));
        assert_eq!(machine.heartbeat(at(seconds + 2)), None);
        assert_eq!(machine.next_deadline(), Some(at(seconds + 2 + 120)));
    }
}

#[test]
fn a_heartbeat_that_arrives_out_of_order_moves_no_deadline_back() {
    let mut machine = machine(InstanceStatus::Active);
    machine.heartbeat(at(50));
    machine.heartbeat(at(10));
    assert_eq!(machine.next_deadline(), Some(at(170)));
}

#[test]
fn a_witness_moves_the_timeout_and_not_the_warning() {
    let mut machine = machine(InstanceStatus::Active);
    machine.witness(at(90));
    assert_eq!(machine.handle_deadline(at(120)), Some(Effect::BecameLate));
    assert_eq!(machine.next_deadline(), Some(at(390)));
    assert_eq!(machine.handle_deadline(at(389)), None);
    machine.witness(at(200));
    assert_eq!(machine.handle_deadline(at(390)), None);
    assert_eq!(machine.handle_deadline(at(500)), Some(Effect::BecameSilent));
    // An older one is no news, and one that comes after the timeout takes it back.
    machine.witness(at(150));
    assert_eq!(machine.silence(), Silence::Silent);
    machine.witness(at(450));
    assert_eq!(machine.silence(), Silence::Late);
    assert_eq!(machine.fence(at(749)), FenceAnswer::Alive);
    let steps: Vec<_> = std::iter::from_fn(|| machine.handle_deadline(at(1_050))).collect();
    assert_eq!(steps, [Effect::BecameSilent, Effect::BecameEmergency]);
    // Only the leader's own ear ends the lateness.
    machine.witness(at(1_060));
    assert_eq!(machine.heartbeat(at(1_061)), Some(Effect::BackOnTime));
    assert_eq!(machine.next_deadline(), Some(at(1_181)));
    assert_eq!(machine.steady_since(), at(1_061));
    machine.witness(at(1_062));
    assert_eq!(machine.handle_deadline(at(1_181)), Some(Effect::BecameLate));
    assert_eq!(machine.fence(at(1_362)), FenceAnswer::Fenced);
    machine.witness(at(1_363));
    assert_eq!(machine.watch(), Watch::Fenced, "it came too late");
}

#[test]
fn the_stage_of_a_silence_that_others_did_not_find_is_late() {
    let thresholds = LivenessThresholds::default();
    let table = [
        (0, 0, Silence::OnTime),
        (119, 0, Silence::OnTime),
        (120, 0, Silence::Late),
        (9_000, 0, Silence::Late),
        (9_000, 299, Silence::Late),
        (9_000, 300, Silence::Silent),
        (9_000, 600, Silence::Emergency),
        (300, 300, Silence::Silent),
    ];
    for (unheard, silent, expected) in table {
        let [unheard, silent] = [unheard, silent].map(Duration::from_secs);
        let found = silence_unless_witnessed(&thresholds, unheard, silent);
        assert_eq!(found, expected, "{unheard:?} {silent:?}");
    }
}

#[test]
fn the_fence_holds_only_if_the_silence_does() {
    let mut alive = machine(InstanceStatus::Active);
    while alive.handle_deadline(at(300)).is_some() {}
    alive.heartbeat(at(301));
    assert_eq!(alive.fence(at(302)), FenceAnswer::Alive);
    assert_eq!(alive.watch(), Watch::Guarded);

    let mut silent = machine(InstanceStatus::Active);
    assert_eq!(silent.fence(at(299)), FenceAnswer::Alive);
    assert_eq!(silent.fence(at(300)), FenceAnswer::Fenced);
    assert_eq!(
        silent.fence(at(301)),
        FenceAnswer::Fenced,
        "asking twice is harmless"
    );
    assert_eq!(silent.next_deadline(), None);
}

#[test]
fn a_beat_while_fenced_is_a_return_once_the_failure_is_saved() {
    let mut machine = machine(InstanceStatus::Active);
    machine.fence(at(300));
    assert_eq!(
        machine.heartbeat(at(301)),
        None,
        "held back: nothing is saved yet"
    );
    assert_eq!(
        machine.adopt(saved(InstanceStatus::Failed, 0), at(302)),
        Some(Effect::Returned)
    );
    assert_eq!(
        machine.heartbeat(at(303)),
        Some(Effect::Returned),
        "until it is acted on"
    );
    assert_eq!(
        machine.adopt(saved(InstanceStatus::Recovering, 0), at(304)),
        None
    );
    assert_eq!(machine.watch(), Watch::Probation);
    assert_eq!(machine.steady_since(), at(304));
}

#[test]
fn a_fence_that_came_to_nothing_is_lifted_by_the_saved_state() {
    let mut machine = machine(InstanceStatus::Active);
    machine.fence(at(300));
    machine.heartbeat(at(301));
    assert_eq!(
        machine.adopt(saved(InstanceStatus::Active, 0), at(302)),
        None
    );
    assert_eq!(machine.watch(), Watch::Guarded);
    assert_eq!(machine.next_deadline(), Some(at(301 + 120)));
}

#[test]
fn probation_wants_steady_beats_for_its_whole_length() {
    let mut steady = machine(InstanceStatus::Recovering);
    assert_eq!(steady.heartbeat(at(60)), None);
    assert_eq!(steady.heartbeat(at(119)), None);
    assert_eq!(steady.heartbeat(at(120)), Some(Effect::ProbationServed));

    let mut unsteady = machine(InstanceStatus::Recovering);
    unsteady.heartbeat(at(100));
    assert_eq!(unsteady.handle_deadline(at(220)), Some(Effect::BecameLate));
    assert_eq!(unsteady.heartbeat(at(230)), None, "late: it starts over");
    assert_eq!(unsteady.heartbeat(at(349)), None);
    assert_eq!(unsteady.heartbeat(at(350)), Some(Effect::ProbationServed));
}

#[test]
fn silence_during_probation_fails_again() {
    let mut machine = machine(InstanceStatus::Recovering);
    let steps: Vec<_> = std::iter::from_fn(|| machine.handle_deadline(at(300))).collect();
    assert_eq!(steps, [Effect::BecameLate, Effect::BecameSilent]);
}

#[test]
fn nobody_waits_for_the_excused() {
    for status in [InstanceStatus::Maintenance, InstanceStatus::Inactive] {
        let mut machine = machine(status);
        assert_eq!(machine.next_deadline(), None);
        assert_eq!(machine.handle_deadline(at(10_000)), None);
        assert_eq!(machine.heartbeat(at(10_001)), None);
    }
}

#[test]
fn adopting_the_same_state_again_does_not_restart_a_probation() {
    let mut machine = machine(InstanceStatus::Recovering);
    machine.heartbeat(at(100));
    machine.adopt(saved(InstanceStatus::Recovering, 0), at(110));
    assert_eq!(machine.watch(), Watch::Probation);
    assert_eq!(machine.steady_since(), at(0));
}

#[test]
fn the_sweep_judges_like_the_machine() {
    let thresholds = LivenessThresholds::default();
    for seconds in [0, 119, 120, 299, 300, 599, 600, 601] {
        let mut machine = machine(InstanceStatus::Active);
        while machine.handle_deadline(at(seconds)).is_some() {}
        assert_eq!(
            silence_after(&thresholds, Duration::from_secs(seconds)),
            machine.silence(),
            "after {seconds} s"
        );
    }
}

/// Beats every 60 s from `from` until something is noticed; returns what and when.
fn beat_until_noticed(machine: &mut LivenessMachine, from: u64) -> (Effect, u64) {
    (1..)
        .map(|count| from + 60 * count)
        .find_map(|now| machine.heartbeat(at(now)).map(|effect| (effect, now)))
        .expect("steady beating leads somewhere")
}

#[test]
fn flaps_make_the_probation_longer_and_steady_time_pays_them_back_one_by_one() {
    let recovering = saved(InstanceStatus::Recovering, 2);
    let mut machine = LivenessMachine::new(LivenessThresholds::default(), recovering, at(0));
    assert_eq!(
        beat_until_noticed(&mut machine, 0),
        (Effect::ProbationServed, 480),
        "four times as long"
    );
    machine.adopt(saved(InstanceStatus::Active, 2), at(480));
    assert_eq!(
        beat_until_noticed(&mut machine, 480),
        (Effect::FlapPaidBack { flaps: 2 }, 960),
        "as long as the probation it served"
    );
    let repeated = machine.heartbeat(at(1_020));
    assert_eq!(
        repeated,
        Some(Effect::FlapPaidBack { flaps: 2 }),
        "until it is saved"
    );
    machine.adopt(saved(InstanceStatus::Active, 1), at(1_020));
    assert_eq!(
        beat_until_noticed(&mut machine, 1_020),
        (Effect::FlapPaidBack { flaps: 1 }, 1_260)
    );
    machine.adopt(saved(InstanceStatus::Active, 0), at(1_260));
    for beat in 1..1_000 {
        assert_eq!(
            machine.heartbeat(at(1_260 + 60 * beat)),
            None,
            "nothing is owed"
        );
    }
}

#[test]
fn being_late_starts_the_way_back_anew() {
    let active = saved(InstanceStatus::Active, 1);
    let mut machine = LivenessMachine::new(LivenessThresholds::default(), active, at(0));
    machine.heartbeat(at(100));
    assert_eq!(machine.handle_deadline(at(220)), Some(Effect::BecameLate));
    assert_eq!(machine.heartbeat(at(221)), Some(Effect::BackOnTime));
    assert_eq!(
        beat_until_noticed(&mut machine, 221),
        (Effect::FlapPaidBack { flaps: 1 }, 461)
    );
    // Late, and back before its timer said so.
    assert_eq!(machine.heartbeat(at(600)), None);
    assert_eq!(machine.steady_since(), at(600));
}

#[test]
fn a_new_life_starts_its_probation_anew_and_keeps_its_length() {
    let recovering = saved(InstanceStatus::Recovering, 1);
    let mut machine = LivenessMachine::new(LivenessThresholds::default(), recovering, at(0));
    machine.heartbeat(at(119));
    let registered_again = Saved {
        incarnation: Incarnation::new(2),
        ..recovering
    };
    machine.adopt(registered_again, at(120));
    machine.adopt(registered_again, at(121));
    assert_eq!(
        beat_until_noticed(&mut machine, 120),
        (Effect::ProbationServed, 360)
    );
}

/// Plays the FleetActor: saves what the effect leads to.
fn save(machine: &mut LivenessMachine, saved: &mut Saved, effect: Effect, now: Timestamp) {
    match effect {
        Effect::BecameSilent if machine.fence(now) == FenceAnswer::Fenced => {
            if saved.status == InstanceStatus::Recovering {
                saved.flaps = crate::probation::flapped(saved.flaps);
            }
            saved.status = InstanceStatus::Failed;
        }
        Effect::Returned => saved.status = InstanceStatus::Recovering,
        Effect::ProbationServed => saved.status = InstanceStatus::Active,
        Effect::FlapPaidBack { flaps } => saved.flaps = flaps - 1,
        Effect::BecameLate
        | Effect::BackOnTime
        | Effect::BecameSilent
        | Effect::BecameEmergency => {
            return;
        }
    }
    machine.adopt(*saved, now);
}

proptest! {
    /// However it behaved, an instance that beats steadily is trusted and owes nothing in the end,
    /// and one that falls silent, on whatever probation, is noticed at its timeout.
    #[test]
    fn steady_time_pays_everything_back(gaps in prop::collection::vec(1_u64..700, 0..60)) {
        let thresholds = LivenessThresholds::default();
        let mut state = saved(InstanceStatus::Active, 0);
        let mut machine = LivenessMachine::new(thresholds, state, at(0));
        let mut now = 0;
        for gap in gaps {
            let beat = now + gap;
            let mut was_silent = false;
            let was_judged = !matches!(machine.watch(), Watch::Failed);
            while let Some(deadline) = machine.next_deadline().filter(|next| *next <= at(beat)) {
                while let Some(effect) = machine.handle_deadline(deadline) {
                    was_silent |= effect == Effect::BecameSilent;
                    save(&mut machine, &mut state, effect, deadline);
                }
            }
            prop_assert_eq!(was_silent, was_judged && gap >= 300, "gap {}", gap);
            prop_assert!(state.flaps <= crate::probation::MOST_FLAPS);
            now = beat;
            if let Some(effect) = machine.heartbeat(at(now)) {
                save(&mut machine, &mut state, effect, at(now));
            }
        }
        // One probation, and then no more than two as long for all flaps: each period is half of
        // the one before.
        let enough = probation_for(&thresholds, state.flaps) * 3 + Duration::from_secs(600);
        for _ in 0..enough.as_secs() / 60 {
            now += 60;
            if let Some(effect) = machine.heartbeat(at(now)) {
                save(&mut machine, &mut state, effect, at(now));
            }
        }
        prop_assert_eq!((state.status, state.flaps), (InstanceStatus::Active, 0));
    }
}
