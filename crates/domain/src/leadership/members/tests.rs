//! Who lives and who is ready, row by row.

use super::*;
use crate::leadership::judging::JudgingSettings;
use crate::leadership::member::Reach;
use crate::leadership::row::RunId;

const AWAY: Duration = Duration::from_secs(10);

pub(in crate::leadership) fn row(node: &str, beat: i64, is_admitted: bool) -> MemberRow {
    MemberRow {
        node: NodeName::new(node),
        run: RunId::new(1),
        address: format!("{node}:8001"),
        public_url: format!("http://{node}:8001"),
        release: "0.1.0".to_owned(),
        schema: SchemaVersion::new("3"),
        settings: JudgingSettings::default(),
        beat,
        is_admitted,
        reach: Reach::default(),
    }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn standing_of(watch: &mut MemberWatch, row: MemberRow, seconds: u64) -> MemberStanding {
    let seen = watch.observe(vec![row], &SchemaVersion::new("3"), at(seconds));
    seen[0].standing
}

#[test]
fn a_member_is_ready_once_its_row_changes_and_admits_it() {
    use MemberStanding::{Away, New, Ready, Waiting};
    let mut watch = MemberWatch::new(AWAY);
    // second, beat, admitted, standing
    let table = [
        (0, 1, true, New),
        (2, 1, true, New),
        (4, 2, true, Ready),
        (6, 3, false, Waiting),
        (8, 4, true, Ready),
        (17, 4, true, Ready),
        (18, 4, true, Away),
        (60, 4, false, Away),
        (61, 5, false, Waiting),
    ];
    for (second, beat, is_admitted, standing) in table {
        let found = standing_of(&mut watch, row("b", beat, is_admitted), second);
        assert_eq!(found, standing, "second {second}");
    }
}

#[test]
fn a_row_that_never_changes_is_away_and_stays_away() {
    let mut watch = MemberWatch::new(AWAY);
    assert_eq!(
        standing_of(&mut watch, row("b", 1, true), 0),
        MemberStanding::New
    );
    for second in [10, 11, 500] {
        let seen = watch.observe(
            vec![row("b", 1, true)],
            &SchemaVersion::new("3"),
            at(second),
        );
        assert_eq!(seen[0].standing, MemberStanding::Away, "second {second}");
        assert_eq!(seen[0].unchanged_for, at(second));
    }
}

#[test]
fn a_new_process_of_a_node_is_a_change() {
    let mut watch = MemberWatch::new(AWAY);
    standing_of(&mut watch, row("b", 1, true), 0);
    let restarted = MemberRow {
        run: RunId::new(2),
        ..row("b", 1, true)
    };
    assert_eq!(
        standing_of(&mut watch, restarted, 30),
        MemberStanding::Ready
    );
}

#[test]
fn a_member_whose_release_does_not_know_the_newest_migration_is_outdated() {
    let mut watch = MemberWatch::new(AWAY);
    let database = SchemaVersion::new("4");
    watch.observe(vec![row("b", 1, true)], &database, at(0));
    let seen = watch.observe(vec![row("b", 2, true)], &database, at(1));
    assert_eq!(seen[0].standing, MemberStanding::Outdated);
}

#[test]
fn a_member_whose_row_is_gone_is_forgotten() {
    let mut watch = MemberWatch::new(AWAY);
    standing_of(&mut watch, row("b", 1, true), 0);
    assert_eq!(
        watch.observe(Vec::new(), &SchemaVersion::default(), at(1)),
        []
    );
    assert_eq!(
        standing_of(&mut watch, row("b", 1, true), 20),
        MemberStanding::New
    );
}

#[test]
fn only_those_that_may_take_over_and_live_go_first() {
    use MemberStanding::{Away, New, Outdated, Ready};
    let member = |node: &str, standing, is_admitted| SeenMember {
        row: row(node, 1, is_admitted),
        unchanged_for: Duration::ZERO,
        standing,
    };
    let others = [
        member("a", Ready, true),
        member("b", Away, true),
        member("c", Outdated, true),
        member("d", Ready, false),
        member("e", New, true),
        member("f", Ready, true),
        member("z", Ready, true),
    ];
    let (me, leader) = (NodeName::new("m"), NodeName::new("f"));
    // `a` and `e`.
    assert_eq!(rank(&others, &me, Some(&leader)), 2);
    assert_eq!(rank(&others, &me, None), 3);
}
