//! The rules of the observer, look by look.

use proptest::prelude::*;

use super::*;
use crate::ids::Version;
use crate::sample;

const ADMITTED: Candidacy = Candidacy {
    eligibility: Eligibility::Admitted,
    rank: 0,
};

const LEADER_RUN: RunId = RunId::new(100);
const OWN_RUN: RunId = RunId::new(200);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: u64) -> SteadyTime {
    SteadyTime::new(ms(millis))
}

fn name(text: &str) -> NodeName {
    NodeName::new(text)
}

/// Looks each 0.5 s, a limit of 1 s for each, a take-over after 3 s.
fn watch() -> LeaderWatch {
    let limits = LeadershipLimits::from_take_over(ms(3_000));
    LeaderWatch::new(name("b"), OWN_RUN, limits)
}

fn row(node: &str, beat: i64) -> LeadershipRow {
    LeadershipRow {
        node: name(node),
        run: LEADER_RUN,
        beat,
        address: "10.0.0.1:8001".to_owned(),
        public_url: "http://10.0.0.1:8001".to_owned(),
        version: Version::new(1),
        ..sample::leadership_row(7)
    }
}

fn take_over(beat: i64, cause: TakeOverCause) -> WatchDecision {
    WatchDecision::TakeOver {
        term: Term::new(7),
        beat,
        cause,
    }
}

fn ask(beat: i64) -> WatchDecision {
    WatchDecision::AskAddress {
        term: Term::new(7),
        beat,
        address: "10.0.0.1:8001".to_owned(),
    }
}

/// A look that takes 2 ms.
fn look(watch: &mut LeaderWatch, row: &LeadershipRow, millis: u64) -> WatchDecision {
    watch.look(row, at(millis), at(millis + 2), ADMITTED)
}

fn answer(watch: &mut LeaderWatch, beat: i64, answer: &AddressAnswer) -> WatchDecision {
    watch.address_answered(Term::new(7), beat, answer, ADMITTED)
}

fn process(node: &str, run: RunId) -> AddressAnswer {
    AddressAnswer::Process {
        node: name(node),
        run,
    }
}

#[test]
fn a_beat_that_is_unchanged_for_the_whole_time_is_taken_over() {
    let mut watch = watch();
    let row = row("a", 5);
    let mut decisions = Vec::new();
    for millis in (0..=3_500).step_by(500) {
        decisions.push((millis, look(&mut watch, &row, millis)));
    }
    let first = decisions
        .iter()
        .find(|(_, decision)| matches!(decision, WatchDecision::TakeOver { .. }));
    // Counted from the end of the first look, so the look at 3.0 s is 2 ms too early.
    assert_eq!(
        first,
        Some(&(3_500, take_over(5, TakeOverCause::Unchanged)))
    );
    assert_eq!(decisions[1].1, WatchDecision::Wait);
    assert_eq!(decisions[2].1, ask(5), "two looks without a beat");
    assert_eq!(decisions[3].1, WatchDecision::Wait, "it was asked");
}

#[test]
fn a_beat_starts_the_time_anew() {
    let mut watch = watch();
    for (beat, millis) in (1..).zip((0..60_000).step_by(2_500)) {
        for looked in [0, 1_000, 2_000] {
            let decision = look(&mut watch, &row("a", beat), millis + looked);
            assert!(!matches!(decision, WatchDecision::TakeOver { .. }));
        }
    }
}

#[test]
fn looks_that_fail_or_are_late_stop_the_time() {
    let mut watch = watch();
    let row = row("a", 5);
    for millis in [0, 1_000, 2_000] {
        look(&mut watch, &row, millis);
    }
    assert_eq!(watch.unchanged_for(), ms(1_998));
    watch.look_failed();
    let late = watch.look(&row, at(20_000), at(21_001), ADMITTED);
    assert_eq!(late, WatchDecision::Wait, "a late look is no verdict");
    assert_eq!(watch.unchanged_for(), ms(1_998));
    look(&mut watch, &row, 30_000);
    assert_eq!(
        watch.unchanged_for(),
        ms(1_998),
        "nothing is counted between"
    );
    look(&mut watch, &row, 31_000);
    assert_eq!(watch.unchanged_for(), ms(2_996));
    let decision = look(&mut watch, &row, 31_010);
    assert_eq!(decision, take_over(5, TakeOverCause::Unchanged));
}

#[test]
fn an_observer_that_stood_still_does_not_count_that_time() {
    let mut watch = watch();
    look(&mut watch, &row("a", 5), 0);
    let decision = look(&mut watch, &row("a", 5), 60_000);
    assert_eq!(decision, WatchDecision::Wait);
    assert_eq!(watch.unchanged_for(), Duration::ZERO);
}

#[test]
fn a_released_row_is_taken_at_once_by_its_successor_or_by_all() {
    let released = |to: Option<&str>| LeadershipRow {
        state: RowState::Released,
        successor: to.map(name),
        ..row("a", 5)
    };
    for to in [None, Some("b")] {
        let decision = look(&mut watch(), &released(to), 0);
        assert_eq!(decision, take_over(5, TakeOverCause::Released));
    }
    let fitter = |to| LeadershipRow {
        release_cause: ReleaseCause::Fitness,
        ..released(Some(to))
    };
    let decision = look(&mut watch(), &fitter("b"), 0);
    assert_eq!(decision, take_over(5, TakeOverCause::Fitness));
    assert_eq!(look(&mut watch(), &fitter("c"), 0), WatchDecision::Wait);
    let mut watch = watch();
    let other = released(Some("c"));
    assert_eq!(look(&mut watch, &other, 0), WatchDecision::Wait);
    assert_eq!(look(&mut watch, &other, 500), WatchDecision::Wait);
    assert_eq!(look(&mut watch, &other, 1_000), WatchDecision::Wait);
    let decision = look(&mut watch, &other, 1_100);
    assert_eq!(decision, take_over(5, TakeOverCause::Released));
}

#[test]
fn an_observer_with_a_lower_rank_waits_longer() {
    let candidacy = Candidacy {
        rank: 2,
        ..ADMITTED
    };
    let mut watch = watch();
    let row = row("a", 5);
    let mut found = None;
    for millis in (0..5_000).step_by(100) {
        let decision = watch.look(&row, at(millis), at(millis), candidacy);
        if let WatchDecision::TakeOver { cause, .. } = decision {
            found = found.or(Some((millis, cause)));
        }
    }
    assert_eq!(found, Some((3_400, TakeOverCause::Unchanged)));
}

#[test]
fn no_one_leads_once_a_row_is_unchanged_for_long_whether_it_is_held_or_released() {
    for state in [RowState::Held, RowState::Released] {
        let row = LeadershipRow {
            state,
            ..row("a", 1)
        };
        let mut watch = watch();
        let barred = Candidacy {
            eligibility: Eligibility::Barred,
            rank: 0,
        };
        let limit = u64::try_from(watch.limits.leaderless_after().as_millis()).unwrap();
        for millis in (0..limit).step_by(500) {
            watch.look(&row, at(millis), at(millis), barred);
            assert_eq!(watch.leaderless_for(), None, "{state:?} {millis}");
        }
        watch.look(&row, at(limit), at(limit), barred);
        assert_eq!(watch.leaderless_for(), Some(ms(limit)), "{state:?}");
    }
}

#[test]
fn a_newcomer_waits_longer_and_a_barred_process_never_leads() {
    let after = ms(10_000);
    // eligibility, when it takes over
    let table = [
        (Eligibility::Admitted, Some(3_000)),
        (Eligibility::Newcomer { after }, Some(10_000)),
        (Eligibility::Newcomer { after: ms(1) }, Some(3_000)),
        (Eligibility::Barred, None),
    ];
    for (eligibility, expected) in table {
        let mut watch = watch();
        let candidacy = Candidacy {
            eligibility,
            rank: 0,
        };
        let mut found = None;
        for millis in (0..20_000).step_by(500) {
            let decision = watch.look(&row("a", 5), at(millis), at(millis), candidacy);
            let is_newcomer = matches!(eligibility, Eligibility::Newcomer { .. });
            let asks = matches!(decision, WatchDecision::AskAddress { .. });
            assert!(!(asks && is_newcomer), "the hint is for admitted ones");
            if matches!(decision, WatchDecision::TakeOver { .. }) {
                found = found.or(Some(millis));
            }
        }
        assert_eq!(found, expected, "{eligibility:?}");
    }
}

#[test]
fn a_leader_whose_address_refuses_is_replaced_after_two_looks_without_a_beat() {
    let mut watch = watch();
    look(&mut watch, &row("a", 5), 0);
    look(&mut watch, &row("a", 5), 500);
    assert_eq!(look(&mut watch, &row("a", 5), 1_000), ask(5));
    let decision = answer(&mut watch, 5, &AddressAnswer::Refused);
    assert_eq!(decision, take_over(5, TakeOverCause::LeaderRefused));
}

#[test]
fn a_silent_address_or_an_old_refusal_is_no_hint() {
    for said in [AddressAnswer::Silent, process("a", LEADER_RUN)] {
        let mut watch = watch();
        for millis in [0, 500, 1_000] {
            look(&mut watch, &row("a", 5), millis);
        }
        assert_eq!(answer(&mut watch, 5, &said), WatchDecision::Wait);
        let again = look(&mut watch, &row("a", 5), 1_500);
        assert_eq!(again, ask(5), "it is asked again");
    }
    let mut watch = watch();
    for millis in [0, 500, 1_000] {
        look(&mut watch, &row("a", 5), millis);
    }
    look(&mut watch, &row("a", 6), 1_500);
    let late = answer(&mut watch, 5, &AddressAnswer::Refused);
    assert_eq!(late, WatchDecision::Wait, "the leader has renewed since");
}

#[test]
fn a_row_of_its_own_node_is_taken_once_the_earlier_process_is_gone_or_silent() {
    use TakeOverCause::{OwnRow, OwnRowSilent};
    let other_run = RunId::new(300);
    let ends = |run| WatchDecision::EndDuplicate {
        run,
        address: "10.0.0.1:8001".to_owned(),
    };
    // what the address says, decision
    let table = [
        (AddressAnswer::Refused, take_over(5, OwnRow)),
        (process("b", OWN_RUN), take_over(5, OwnRow)),
        (AddressAnswer::Silent, take_over(5, OwnRowSilent)),
        (process("c", other_run), take_over(5, OwnRowSilent)),
        (process("b", LEADER_RUN), ends(LEADER_RUN)),
        (process("b", other_run), ends(other_run)),
    ];
    for (said, expected) in table {
        let mut watch = watch();
        assert_eq!(look(&mut watch, &row("b", 5), 0), ask(5));
        assert_eq!(look(&mut watch, &row("b", 5), 500), WatchDecision::Wait);
        assert_eq!(answer(&mut watch, 5, &said), expected, "{said:?}");
        assert_eq!(look(&mut watch, &row("b", 5), 1_000), expected, "later too");
    }
}

#[test]
fn a_leader_that_may_live_and_be_sure_of_its_term_keeps_its_streams_until_workers_speak() {
    let newcomer = Eligibility::Newcomer {
        after: Duration::from_secs(3_600),
    };
    let admitted = Eligibility::Admitted;
    let table = [
        (TakeOverCause::OwnRowSilent, admitted, true),
        (TakeOverCause::OwnRow, admitted, false),
        (TakeOverCause::Ordered, admitted, false),
        (TakeOverCause::Ordered, newcomer, true),
        // It has waited for longer than any leader is sure of its term.
        (TakeOverCause::Unchanged, newcomer, false),
    ];
    for (cause, eligibility, expected) in table {
        assert_eq!(cause.needs_workers_word(eligibility), expected, "{cause:?}");
    }
}

#[test]
fn a_row_of_its_own_node_whose_beat_goes_on_belongs_to_a_living_process() {
    let mut watch = watch();
    assert_eq!(look(&mut watch, &row("b", 5), 0), ask(5));
    let one = look(&mut watch, &row("b", 6), 500);
    assert_eq!(one, WatchDecision::Wait, "a dead process may leave one");
    let two = look(&mut watch, &row("b", 7), 1_000);
    let expected = WatchDecision::EndDuplicate {
        run: LEADER_RUN,
        address: "10.0.0.1:8001".to_owned(),
    };
    assert_eq!(two, expected);
}

#[test]
fn a_row_that_names_this_process_says_that_it_leads() {
    let mine = LeadershipRow {
        run: OWN_RUN,
        ..row("b", 0)
    };
    let decision = look(&mut watch(), &mine, 0);
    assert_eq!(decision, WatchDecision::Lead { term: Term::new(7) });
    let namesake = LeadershipRow {
        run: OWN_RUN,
        ..row("a", 0)
    };
    assert_eq!(look(&mut watch(), &namesake, 0), WatchDecision::Wait);
}

#[test]
fn an_order_is_obeyed_at_once_and_only_for_the_term_it_was_given_in() {
    let mut watch = watch();
    assert_eq!(watch.order(ADMITTED), WatchDecision::Wait, "nothing seen");
    let decision = look(&mut watch, &row("a", 5), 0);
    assert_eq!(decision, take_over(5, TakeOverCause::Ordered));
    let decision = look(&mut watch, &row("a", 6), 500);
    assert_eq!(
        decision,
        take_over(6, TakeOverCause::Ordered),
        "CAS was lost"
    );
    let next = LeadershipRow {
        term: Term::new(8),
        ..row("c", 0)
    };
    assert_eq!(look(&mut watch, &next, 1_000), WatchDecision::Wait);
}

#[test]
fn a_term_below_one_that_was_seen_is_never_taken() {
    let mut watch = watch();
    look(&mut watch, &row("a", 5), 0);
    let old = LeadershipRow {
        term: Term::new(6),
        state: RowState::Released,
        ..row("a", 900)
    };
    for millis in (500..20_000).step_by(500) {
        assert_eq!(look(&mut watch, &old, millis), WatchDecision::Wait);
    }
}

/// The next term of a newer timeline is above every term of the one before.
#[test]
fn a_lower_term_is_taken_on_a_database_that_was_promoted_since() {
    const TIMELINE: i64 = 1 << 32;
    let of = |term, state| LeadershipRow {
        term: Term::new(term),
        state,
        ..row("a", 5)
    };
    let mut watch = watch();
    watch.on_timeline(WalTimeline::new(1));
    look(&mut watch, &of(TIMELINE + 7, RowState::Held), 0);
    let lower = of(TIMELINE + 6, RowState::Released);
    let decision = look(&mut watch, &lower, 500);
    assert_eq!(decision, WatchDecision::Wait, "the same timeline");
    watch.on_timeline(WalTimeline::new(2));
    let decision = look(&mut watch, &lower, 1_000);
    let expected = WatchDecision::TakeOver {
        term: lower.term,
        beat: lower.beat,
        cause: TakeOverCause::Released,
    };
    assert_eq!(decision, expected);
}

proptest! {
    /// A leader that renews often enough is never replaced, whatever looks fail or are late, and
    /// the time that is counted never exceeds the time that the beat was really unchanged.
    #[test]
    fn a_leader_that_renews_is_not_replaced(
        looks in prop::collection::vec((1_u64..2_000, 0_u64..1_500, any::<bool>()), 1..80),
        renewal in 100_u64..2_900,
    ) {
        let mut watch = watch();
        let mut now = 0;
        for (pause, duration, fails) in looks {
            now += pause;
            // The row is read at the beginning of the look, which is the worst case.
            let beat = now / renewal;
            if fails {
                watch.look_failed();
            } else {
                let row = row("a", i64::try_from(beat).unwrap());
                let decision = watch.look(&row, at(now), at(now + duration), ADMITTED);
                let takes = matches!(decision, WatchDecision::TakeOver { .. });
                prop_assert!(!takes);
                prop_assert!(watch.unchanged_for() <= ms(now - beat * renewal));
            }
            now += duration;
        }
    }

    /// A leader that has ended is replaced within the time before a take-over and two looks, if
    /// looks are answered.
    #[test]
    fn a_leader_that_ended_is_replaced_in_time(
        ended_at in 0_u64..5_000,
        duration in 0_u64..100,
    ) {
        let mut watch = watch();
        let mut now = 0;
        let taken = loop {
            let beat = i64::try_from(now.min(ended_at) / 500).unwrap();
            let decision = watch.look(&row("a", beat), at(now), at(now + duration), ADMITTED);
            if matches!(decision, WatchDecision::TakeOver { .. }) {
                break now;
            }
            now += duration + 500;
            prop_assert!(now < 20_000);
        };
        prop_assert!(taken <= ended_at + 3_000 + 2 * (500 + duration));
    }
}
