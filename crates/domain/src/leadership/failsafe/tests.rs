//! Tables: which answers are a proof, and what a member confirms.

use std::time::Duration;

use super::*;
use crate::ids::Term;
use crate::leadership::{Anchor, LeadershipRow, NodeName, RunId, SteadyTime};
use crate::sample;

const HORIZON: Duration = Duration::from_secs(3_600);

fn at(seconds: u64) -> SteadyTime {
    SteadyTime::new(Duration::from_secs(seconds))
}

fn member(node: &str, run: i64) -> FailsafeMember {
    FailsafeMember {
        node: NodeName::new(node),
        run: RunId::new(run),
        address: format!("{node}:9090"),
    }
}

fn said(node: &str, run: i64, verdict: Result<(), FailsafeRefusal>) -> Option<FailsafeAnswer> {
    Some(FailsafeAnswer {
        node: NodeName::new(node),
        run: RunId::new(run),
        verdict,
    })
}

fn yes(node: &str, run: i64) -> Option<FailsafeAnswer> {
    said(node, run, Ok(()))
}

fn no(node: &str, run: i64, refusal: FailsafeRefusal) -> Option<FailsafeAnswer> {
    said(node, run, Err(refusal))
}

fn round(members: &[FailsafeMember]) -> FailsafeRound {
    FailsafeRound::begin(members.to_vec(), at(20), at(10), HORIZON).unwrap()
}

#[test]
fn all_members_confirm_or_nothing_is_proven() {
    use FailsafeRefusal::{Claims, HigherTerm, NotRead, OtherLeader, ReachesDatabase};
    use UnconfirmedCause::{OtherProcess, Refused, Silent};
    let three = round(&[member("b", 1), member("c", 2), member("d", 3)]);
    let other = |node: &str, run| OtherProcess(NodeName::new(node), RunId::new(run));
    let (b, c, d) = (yes("b", 1), yes("c", 2), yes("d", 3));
    let term = HigherTerm(Term::new(9));
    // the answers, and the member that is missing with the reason
    let table = [
        (vec![b.clone(), c.clone(), d.clone()], None),
        // A majority is not all.
        (vec![b.clone(), c.clone(), None], Some(("d", Silent))),
        (vec![b.clone(), c.clone()], Some(("d", Silent))),
        (vec![None, None, None], Some(("b", Silent))),
        (vec![], Some(("b", Silent))),
        (
            vec![b.clone(), no("c", 2, ReachesDatabase), d.clone()],
            Some(("c", Refused(ReachesDatabase))),
        ),
        (
            vec![b.clone(), no("c", 2, Claims), None],
            Some(("c", Refused(Claims))),
        ),
        (
            vec![b.clone(), c.clone(), no("d", 3, NotRead)],
            Some(("d", Refused(NotRead))),
        ),
        (
            vec![no("b", 1, OtherLeader), c.clone(), d.clone()],
            Some(("b", Refused(OtherLeader))),
        ),
        // One answers under the address of another, or a new process of the node.
        (
            vec![b.clone(), d.clone(), d.clone()],
            Some(("c", other("d", 3))),
        ),
        (
            vec![b.clone(), yes("c", 7), d.clone()],
            Some(("c", other("c", 7))),
        ),
        (
            vec![b.clone(), no("c", 7, term), d.clone()],
            Some(("c", other("c", 7))),
        ),
        // A higher term is worth more than a silence before it.
        (
            vec![None, no("c", 2, term), d.clone()],
            Some(("c", Refused(term))),
        ),
        (
            vec![no("b", 1, term), no("c", 2, Claims), d],
            Some(("b", Refused(term))),
        ),
    ];
    for (answers, expected) in table {
        let expected = match expected {
            None => Ok(Anchor::sent_at(at(20))),
            Some((node, cause)) => Err(Unconfirmed {
                node: NodeName::new(node),
                cause,
            }),
        };
        assert_eq!(three.judge(&answers), expected, "{answers:?}");
    }
}

#[test]
fn a_round_without_members_proves_the_moment_it_began() {
    assert_eq!(round(&[]).judge(&[]), Ok(Anchor::sent_at(at(20))));
}

#[test]
fn the_horizon_counts_from_the_newest_renewal() {
    let hour = HORIZON.as_secs();
    // now, the newest renewal, the horizon, whether a round begins
    let table = [
        (10, 10, HORIZON, true),
        (10 + hour, 10, HORIZON, true),
        (11 + hour, 10, HORIZON, false),
        (10, 10, Duration::ZERO, false),
        (20, 10, Duration::ZERO, false),
        (u64::MAX, 10, Duration::MAX, true),
    ];
    for (now, renewal, horizon, begins) in table {
        let round = FailsafeRound::begin(vec![member("b", 1)], at(now), at(renewal), horizon);
        assert_eq!(round.is_some(), begins, "{now} {renewal} {horizon:?}");
    }
}

#[test]
fn a_refusal_is_read_as_it_is_written() {
    use FailsafeRefusal::{Claims, HigherTerm, NotRead, OtherLeader, ReachesDatabase};
    let term = Term::new(9);
    for refusal in [
        NotRead,
        ReachesDatabase,
        HigherTerm(term),
        OtherLeader,
        Claims,
    ] {
        let read = FailsafeRefusal::parse(refusal.as_str(), refusal.higher_term());
        assert_eq!(read, Some(refusal));
    }
    assert_eq!(FailsafeRefusal::parse("higher_term", None), None);
    assert_eq!(FailsafeRefusal::parse("", Some(term)), None);
}

fn row(term: i64, node: &str, run: i64, beat: i64) -> LeadershipRow {
    LeadershipRow {
        node: NodeName::new(node),
        run: RunId::new(run),
        beat,
        ..sample::leadership_row(term)
    }
}

const OWN: RunId = RunId::new(2);

/// What happens to a member, in order.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Joins,
    /// A look finds this term, of this run, with this beat.
    Looks(i64, i64, i64),
    Fails,
    Claims(i64, i64),
    Loses,
}

fn verdict(happened: &[Happens]) -> Result<(), FailsafeRefusal> {
    let mut record = FailsafeRecord::default();
    for happens in happened {
        match *happens {
            Happens::Joins => record.joined(),
            Happens::Looks(term, run, beat) => {
                let node = if run == OWN.get() { "b" } else { "a" };
                record.looked(&row(term, node, run, beat), OWN);
            }
            Happens::Fails => record.failed(),
            Happens::Claims(term, beat) => record.claims(Term::new(term), beat),
            Happens::Loses => record.claims_nothing(),
        }
    }
    let asked = FailsafeQuestion {
        term: Term::new(5),
        node: NodeName::new("a"),
        run: RunId::new(1),
    };
    let answer = record.answer(&NodeName::new("b"), OWN, &asked);
    assert_eq!((answer.node.as_str(), answer.run), ("b", OWN));
    answer.verdict
}

#[test]
fn a_member_confirms_only_what_it_can_know() {
    use FailsafeRefusal::{HigherTerm, NotRead, OtherLeader, ReachesDatabase};
    use Happens::{Fails, Joins, Looks};
    let table: [(&[Happens], Result<(), FailsafeRefusal>); 11] = [
        (&[Joins, Looks(5, 1, 7), Fails], Ok(())),
        // It has not seen the leader's term yet, and no higher one.
        (&[Joins, Looks(4, 9, 7), Fails], Ok(())),
        (&[], Err(NotRead)),
        (&[Joins, Fails], Err(NotRead)),
        (&[Fails], Err(NotRead)),
        // It may have read before an earlier process of its node took over.
        (&[Looks(5, 1, 7), Fails, Joins], Err(NotRead)),
        (&[Looks(5, 1, 7), Joins, Looks(5, 1, 7), Fails], Ok(())),
        (&[Joins, Looks(5, 1, 7)], Err(ReachesDatabase)),
        (
            &[Joins, Looks(5, 1, 7), Fails, Looks(5, 1, 7)],
            Err(ReachesDatabase),
        ),
        (
            &[Joins, Looks(6, 9, 0), Looks(5, 1, 7), Fails],
            Err(HigherTerm(Term::new(6))),
        ),
        (&[Joins, Looks(5, 9, 7), Fails], Err(OtherLeader)),
    ];
    for (happened, expected) in table {
        assert_eq!(verdict(happened), expected, "{happened:?}");
    }
}

#[test]
fn a_member_confirms_nothing_while_a_claim_of_its_own_may_be_carried_out() {
    use FailsafeRefusal::{Claims as InDoubt, HigherTerm, OtherLeader};
    use Happens::{Claims, Fails, Joins, Looks, Loses};
    let table: [(&[Happens], Result<(), FailsafeRefusal>); 8] = [
        (&[Claims(5, 7), Fails], Err(InDoubt)),
        (&[Claims(5, 7), Loses, Fails], Ok(())),
        // The row is as the claim saw it: it may still arrive.
        (&[Claims(5, 7), Looks(5, 1, 7), Fails], Err(InDoubt)),
        // The row has moved on: it fails whenever it arrives.
        (&[Claims(5, 7), Looks(5, 1, 8), Fails], Ok(())),
        (&[Claims(4, 7), Looks(5, 1, 0), Fails], Ok(())),
        // The newest of two claims counts, in whatever order they were noted.
        (
            &[Claims(5, 9), Claims(5, 7), Looks(5, 1, 8), Fails],
            Err(InDoubt),
        ),
        (
            &[Claims(5, 7), Looks(6, 2, 0), Fails],
            Err(HigherTerm(Term::new(6))),
        ),
        // The term that it took by an earlier claim.
        (&[Claims(4, 7), Looks(5, 2, 0), Fails], Err(OtherLeader)),
    ];
    for (happened, expected) in table {
        let mut all = vec![Joins, Looks(5, 1, 7), Fails];
        all.extend_from_slice(happened);
        assert_eq!(verdict(&all), expected, "{all:?}");
    }
}
