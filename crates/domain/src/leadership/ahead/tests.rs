//! When a standby reads the fleet ahead, and when it uses what it read.

use super::*;
use crate::leadership::WalTimeline;
use proptest::prelude::*;

const V7: FleetMoment = moment(1, 3, 7);

const fn moment(timeline: u32, term: i64, version: i64) -> FleetMoment {
    FleetMoment {
        timeline: WalTimeline::new(timeline),
        term: Term::new(term),
        version: Version::new(version),
    }
}

fn at(seconds: u64) -> SteadyTime {
    SteadyTime::new(Duration::from_secs(seconds))
}

fn look(is_silent: bool, goes_first: bool, found: FleetMoment) -> AheadLook {
    AheadLook {
        is_silent,
        goes_first,
        found,
    }
}

fn silent() -> AheadLook {
    look(true, true, V7)
}

fn renewing() -> AheadLook {
    look(false, true, V7)
}

fn reading(seconds: u64) -> LoadAhead {
    let mut ahead = LoadAhead::new();
    assert_eq!(ahead.looked(silent(), at(seconds)), AheadStep::Begin);
    ahead
}

fn copied(seconds: u64) -> LoadAhead {
    let mut ahead = reading(seconds);
    ahead.reads(V7);
    ahead.read(V7);
    ahead
}

#[test]
fn a_load_begins_when_the_leader_is_silent_and_this_process_goes_first() {
    let table = [
        (false, false, AheadStep::Nothing),
        (false, true, AheadStep::Nothing),
        (true, false, AheadStep::Nothing),
        (true, true, AheadStep::Begin),
    ];
    for (is_silent, goes_first, step) in table {
        let mut ahead = LoadAhead::new();
        let look = look(is_silent, goes_first, V7);
        assert_eq!(ahead.looked(look, at(0)), step, "{look:?}");
    }
}

#[test]
fn loads_begin_at_most_once_a_minute() {
    let mut ahead = reading(10);
    ahead.failed();
    assert_eq!(ahead.looked(silent(), at(69)), AheadStep::Nothing);
    assert_eq!(ahead.looked(silent(), at(70)), AheadStep::Begin);
    assert_eq!(ahead.looked(silent(), at(71)), AheadStep::Nothing);
}

#[test]
fn a_copy_is_kept_for_some_seconds_after_the_leader_renews_again() {
    for mut ahead in [reading(0), copied(0)] {
        assert_eq!(ahead.looked(renewing(), at(2)), AheadStep::Nothing);
        assert_eq!(ahead.looked(renewing(), at(6)), AheadStep::Nothing);
        let dropped = AheadStep::Drop(DropReason::LeaderRenews);
        assert_eq!(ahead.looked(renewing(), at(7)), dropped);
        assert_eq!(ahead.copied(), None);
    }
}

#[test]
fn a_leader_that_falls_silent_again_finds_the_copy_still_there() {
    let mut ahead = copied(0);
    assert_eq!(ahead.looked(renewing(), at(2)), AheadStep::Nothing);
    assert_eq!(ahead.looked(silent(), at(6)), AheadStep::Nothing);
    assert_eq!(ahead.looked(renewing(), at(8)), AheadStep::Nothing);
    assert_eq!(ahead.looked(renewing(), at(12)), AheadStep::Nothing);
    assert_eq!(ahead.copied(), Some(V7));
    assert_eq!(ahead.won(Some(V7)), FleetSource::Copy);
}

#[test]
fn a_copy_is_dropped_once_a_look_finds_another_moment() {
    for found in [moment(2, 3, 7), moment(1, 4, 7), moment(1, 3, 8)] {
        let mut ahead = copied(0);
        let dropped = AheadStep::Drop(DropReason::Outdated);
        assert_eq!(ahead.looked(look(true, true, found), at(1)), dropped);
        let mut ahead = reading(0);
        let step = ahead.looked(look(true, true, found), at(1));
        assert_eq!(step, AheadStep::Nothing, "its moment is not known yet");
        ahead.reads(V7);
        assert_eq!(ahead.looked(look(true, true, found), at(2)), dropped);
    }
}

#[test]
fn a_copy_of_which_nothing_came_for_a_minute_is_dropped() {
    let mut ahead = copied(0);
    assert_eq!(ahead.looked(silent(), at(59)), AheadStep::Nothing);
    let dropped = AheadStep::Drop(DropReason::Old);
    assert_eq!(ahead.looked(silent(), at(60)), dropped);
    assert_eq!(ahead.looked(silent(), at(61)), AheadStep::Begin);
    let mut ahead = copied(0);
    assert_eq!(ahead.look_failed(at(59)), AheadStep::Nothing);
    assert_eq!(
        ahead.look_failed(at(60)),
        dropped,
        "also while no look is answered"
    );
    assert_eq!(ahead.look_failed(at(99)), AheadStep::Nothing);
}

#[test]
fn a_copy_is_the_fleet_only_if_timeline_term_and_version_are_those_of_the_take_over() {
    let ahead = copied(0);
    assert_eq!(ahead.won(Some(V7)), FleetSource::Copy);
    for found in [moment(2, 3, 7), moment(1, 4, 7), moment(1, 3, 8)] {
        assert_eq!(ahead.won(Some(found)), FleetSource::Load, "{found}");
    }
    assert_eq!(ahead.won(None), FleetSource::Load, "the answer was lost");
}

#[test]
fn a_load_under_way_is_waited_for_unless_it_is_known_to_be_of_another_moment() {
    let mut ahead = reading(0);
    assert_eq!(ahead.won(Some(V7)), FleetSource::LoadUnderWay);
    assert_eq!(ahead.won(None), FleetSource::Load);
    ahead.reads(V7);
    assert_eq!(ahead.won(Some(V7)), FleetSource::LoadUnderWay);
    assert_eq!(ahead.won(Some(moment(1, 3, 8))), FleetSource::Load);
    ahead.failed();
    assert_eq!(ahead.won(Some(V7)), FleetSource::Load);
    assert_eq!(LoadAhead::new().won(Some(V7)), FleetSource::Load);
}

const WANTED: SavedFleet = SavedFleet {
    term: Term::new(3),
    version: Version::new(7),
};

#[test]
fn a_leader_that_is_about_to_hand_over_gets_a_copy_of_its_fleet() {
    let mut ahead = LoadAhead::new();
    assert_eq!(ahead.ordered(WANTED, at(0)), OrderStep::Begin);
    assert_eq!(
        ahead.ordered(WANTED, at(0)),
        OrderStep::Wait,
        "not known yet"
    );
    ahead.reads(V7);
    assert_eq!(ahead.ordered(WANTED, at(1)), OrderStep::Wait);
    ahead.read(V7);
    assert_eq!(ahead.ordered(WANTED, at(2)), OrderStep::Copied(V7));
    // The leader leads on meanwhile.
    for second in 3..50 {
        assert_eq!(ahead.looked(renewing(), at(second)), AheadStep::Nothing);
    }
    assert_eq!(ahead.won(Some(V7)), FleetSource::Copy);
    let dropped = AheadStep::Drop(DropReason::Old);
    assert_eq!(
        ahead.looked(renewing(), at(60)),
        dropped,
        "it did not hand over"
    );
}

#[test]
fn a_copy_that_the_leader_asked_for_is_dropped_once_the_fleet_changes() {
    let mut ahead = LoadAhead::new();
    assert_eq!(ahead.ordered(WANTED, at(0)), OrderStep::Begin);
    ahead.reads(V7);
    ahead.read(V7);
    let changed = look(false, true, moment(1, 3, 8));
    let dropped = AheadStep::Drop(DropReason::Outdated);
    assert_eq!(ahead.looked(changed, at(1)), dropped);
    assert_eq!(
        ahead.ordered(WANTED, at(1)),
        OrderStep::Begin,
        "whatever the pause"
    );
}

#[test]
fn a_copy_of_another_fleet_than_the_leader_hands_over_is_read_again() {
    let other = |term, version| SavedFleet {
        term: Term::new(term),
        version: Version::new(version),
    };
    for wanted in [other(3, 8), other(4, 7)] {
        let mut ahead = copied(0);
        assert_eq!(ahead.ordered(wanted, at(1)), OrderStep::Begin);
        assert_eq!(ahead.copied(), None);
        let mut ahead = reading(0);
        ahead.reads(V7);
        assert_eq!(ahead.ordered(wanted, at(1)), OrderStep::Begin);
    }
}

#[test]
fn what_a_dropped_load_reports_late_is_ignored() {
    let mut ahead = reading(0);
    assert_eq!(ahead.looked(renewing(), at(1)), AheadStep::Nothing);
    assert_ne!(ahead.looked(renewing(), at(6)), AheadStep::Nothing);
    ahead.reads(V7);
    ahead.read(V7);
    assert_eq!(ahead.copied(), None);
    assert_eq!(ahead.won(Some(V7)), FleetSource::Load);
}

#[test]
fn a_moment_is_shown_with_its_three_numbers() {
    assert_eq!(V7.to_string(), "timeline 1, term 3, version 7");
}

proptest! {
    /// Whatever happens, a copy that is used is of the moment of the take-over, and loads that no leader asked for begin a
    /// minute apart.
    #[test]
    fn a_copy_of_another_moment_is_never_used(
        steps in prop::collection::vec((0_u8..6, 0_u64..20, 0_i64..3), 1..60),
        won in 0_i64..3,
    ) {
        let mut ahead = LoadAhead::new();
        let mut now = 0;
        let mut begun: Vec<u64> = Vec::new();
        let mut loaded: Option<FleetMoment> = None;
        for (step, pause, version) in steps {
            now += pause;
            let found = moment(1, 3, version);
            let step = match step {
                0 => ahead.looked(look(true, true, found), at(now)),
                1 => ahead.looked(look(false, true, found), at(now)),
                2 => { ahead.reads(found); AheadStep::Nothing }
                3 => { ahead.read(found); loaded = Some(found); AheadStep::Nothing }
                4 => {
                    let wanted = SavedFleet { version: found.version, ..WANTED };
                    if let OrderStep::Copied(copied) = ahead.ordered(wanted, at(now)) {
                        prop_assert!(wanted.is_at(copied) && ahead.copied() == Some(copied));
                    }
                    AheadStep::Nothing
                }
                _ => { ahead.failed(); AheadStep::Nothing }
            };
            if step == AheadStep::Begin {
                begun.push(now);
            }
            let found = moment(1, 3, won);
            if ahead.won(Some(found)) == FleetSource::Copy {
                prop_assert_eq!(ahead.copied(), Some(found));
                prop_assert!(loaded.is_some());
            }
        }
        prop_assert!(begun.windows(2).all(|pair| pair[1] - pair[0] >= 60));
    }
}
