//! Who leads: one behaviour, three stores; and what only a real PostgreSQL server can show.

#![expect(
    clippy::unwrap_used,
    reason = "the cases are tests, though the attribute is on what the macro makes of them"
)]

use std::any::Any;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use resilient_orchestrator::domain::ids::{Epoch, Term, Version};
use resilient_orchestrator::domain::leadership::{
    AdmissionStep, Claim, ClaimRight, JudgingSettings, LeadersWord, LeadershipRow, MemberRow,
    MemberSecret, NodeName, Reach, ReleaseCause, RowState, RunId, SchemaVersion,
};
use resilient_orchestrator::store::{
    Guard, Identity, Leadership, Look, Member, MemoryStore, OnProgress, Origin, PostgresLeadership,
    Release, Renewal, Store, StoreError, TakeOver, Taken, Target,
};

use crate::support::cable::Cable;
use crate::support::fleets::{Draft, at, instance};
use crate::support::postgres::Database;
use crate::support::stores::PLENTY;

/// Short, for tests in which time has to run out.
const SHORT: Duration = Duration::from_millis(500);

/// A database as two orchestrators see it.
struct World {
    store: Arc<dyn Store>,
    a: Arc<dyn Leadership>,
    b: Arc<dyn Leadership>,
    _kept: Box<dyn Any>,
}

fn identity(node: &str, run: i64) -> Identity {
    Identity {
        node: NodeName::new(node),
        run: RunId::new(run),
    }
}

async fn opened(url: &str, kept: Box<dyn Any>) -> World {
    let target = Target::parse(url).unwrap();
    let who = identity("a", 1);
    let opened = target.open_as(&who, "in a test", PLENTY, PLENTY, 2);
    let (store, a) = opened.await.unwrap();
    let b = match &target {
        Target::Postgres(url) => Arc::new(seen_by(url, &identity("b", 2), PLENTY)),
        Target::Memory | Target::Sqlite(_) => a.clone(),
    };
    World {
        store,
        a,
        b,
        _kept: kept,
    }
}

fn seen_by(url: &str, who: &Identity, limit: Duration) -> PostgresLeadership {
    PostgresLeadership::new(url, &who.node, who.run, limit).unwrap()
}

async fn memory() -> World {
    opened("memory:", Box::new(())).await
}

async fn sqlite() -> World {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/fleet.db", directory.path().display());
    opened(&url, Box::new(directory)).await
}

async fn postgres() -> World {
    let database = Database::new().await;
    let url = database.url();
    opened(&url, Box::new(database)).await
}

/// Turns each case into one test a store.
macro_rules! conformance {
    ($($case:ident,)+) => {
        conformance!(@on memory: $($case,)+);
        conformance!(@on sqlite: $($case,)+);
        conformance!(@on postgres: $($case,)+);
    };
    (@on $kind:ident: $($case:ident,)+) => {
        mod $kind {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(crate::leadership::$kind().await).await;
                }
            )+
        }
    };
}

mod replicated;
mod witnesses;

conformance! {
    the_first_process_takes_the_term_at_once,
    of_two_claims_on_one_row_one_wins,
    a_renewal_proves_the_term_until_it_is_taken,
    a_fleet_transaction_of_the_old_term_fails,
    terms_and_epochs_grow,
    a_released_term_goes_to_its_successor,
    a_released_term_is_not_renewed,
    a_release_says_why_until_the_term_is_taken,
    a_member_writes_how_far_it_reaches,
    a_claim_that_is_repeated_has_the_same_answer,
    a_node_takes_its_own_term_again_and_its_older_process_does_not,
    a_held_term_is_taken_by_the_admitted_and_by_order,
    a_member_is_admitted_and_dismissed_in_a_renewal,
    a_claimant_that_has_not_joined_takes_nothing,
    a_term_that_began_without_the_row_is_led_by_nobody,
    a_take_over_names_the_fleet_that_it_found,
    a_member_is_forgotten_in_a_renewal_unless_its_row_has_changed,
    a_member_writes_what_the_leader_compares,
}

async fn found(leadership: &Arc<dyn Leadership>) -> Look {
    leadership.look().await.unwrap().unwrap()
}

fn member(who: &Identity) -> Member {
    Member {
        node: who.node.clone(),
        run: who.run,
        address: format!("{}:8001", who.node),
        public_url: format!("http://{}", who.node),
        release: "0.1.0".to_owned(),
        schema: SchemaVersion::new("20260101000000"),
        settings: JudgingSettings::parse("HEARTBEAT_TIMEOUT=5m\nLEASE_MARGIN=30s"),
        prepared: Some(Version::new(7)),
        reach: Reach::default(),
        protocol: 1,
        seen_at: at(1),
    }
}

async fn join(leadership: &Arc<dyn Leadership>, who: &Identity) {
    leadership.join(&member(who)).await.unwrap();
}

/// A claim on the row that was found.
fn claim(who: &Identity, row: &LeadershipRow) -> Claim {
    Claim {
        node: who.node.clone(),
        run: who.run,
        address: format!("{}:8001", who.node),
        public_url: format!("http://{}", who.node),
        secret: MemberSecret::new(format!("of {}", who.node)),
        since: at(7),
        seen_term: row.term,
        seen_beat: row.beat,
        right: ClaimRight::Tables,
        word: LeadersWord::Nothing,
        known: row.version,
    }
}

fn by_order(claim: Claim) -> Claim {
    Claim {
        right: ClaimRight::Order,
        ..claim
    }
}

/// Joins, looks, and claims what it saw.
async fn try_to_lead(leadership: &Arc<dyn Leadership>, who: &Identity) -> TakeOver {
    join(leadership, who).await;
    let row = found(leadership).await.row;
    leadership.take_over(&claim(who, &row)).await.unwrap()
}

async fn lead(leadership: &Arc<dyn Leadership>, who: &Identity) -> Guard {
    match try_to_lead(leadership, who).await {
        TakeOver::Won(taken) => taken.guard,
        lost @ TakeOver::Lost(_) => panic!("{lost:?}"),
    }
}

async fn the_first_process_takes_the_term_at_once(world: World) {
    let Look { row, .. } = found(&world.a).await;
    assert_eq!((row.term, row.state), (Term::new(0), RowState::Released));
    let a = identity("a", 1);
    let guard = lead(&world.a, &a).await;
    assert!(guard.term > row.term);
    assert_eq!(world.store.census().await.unwrap().guard, guard);
    let Look { row, .. } = found(&world.b).await;
    let expected = LeadershipRow {
        term: guard.term,
        node: a.node,
        run: a.run,
        beat: 0,
        state: RowState::Held,
        successor: None,
        release_cause: ReleaseCause::Ended,
        address: "a:8001".to_owned(),
        public_url: "http://a".to_owned(),
        secret: MemberSecret::new("of a"),
        since: at(7),
        after_loss: None,
        version: guard.version,
    };
    assert_eq!(row, expected);
    let draft = Draft::default().instance(instance("x"));
    world.store.save(guard, draft.decided(1, 1)).await.unwrap();
    let version = found(&world.b).await.row.version;
    assert_eq!(version, guard.after_save().version);
}

async fn of_two_claims_on_one_row_one_wins(world: World) {
    let (a, b) = (identity("a", 1), identity("b", 2));
    join(&world.a, &a).await;
    join(&world.b, &b).await;
    for _ in 0..5 {
        let row = found(&world.a).await.row;
        let claims = (by_order(claim(&a, &row)), by_order(claim(&b, &row)));
        let (first, second) =
            tokio::join!(world.a.take_over(&claims.0), world.b.take_over(&claims.1));
        let row = found(&world.a).await.row;
        let (winner, guard, lost) = match (first.unwrap(), second.unwrap()) {
            (TakeOver::Won(taken), TakeOver::Lost(lost)) => (&a, taken.guard, lost),
            (TakeOver::Lost(lost), TakeOver::Won(taken)) => (&b, taken.guard, lost),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            (&row.node, row.run, row.term),
            (&winner.node, winner.run, guard.term)
        );
        assert_eq!(lost, row);
    }
}

async fn a_renewal_proves_the_term_until_it_is_taken(world: World) {
    let (a, b) = (identity("a", 1), identity("b", 2));
    let guard = lead(&world.a, &a).await;
    let origin = found(&world.a).await.origin;
    for beat in 1..4 {
        let renewal = world.a.renew(guard.term, a.run).await.unwrap();
        let version = guard.version;
        assert_eq!(renewal, Renewal::Proven { version, origin });
        assert_eq!(found(&world.b).await.row.beat, beat);
    }
    join(&world.b, &b).await;
    let row = found(&world.b).await.row;
    // What was seen before a renewal is another row.
    let early = by_order(Claim {
        seen_beat: row.beat - 1,
        ..claim(&b, &row)
    });
    let lost = world.b.take_over(&early).await.unwrap();
    assert_eq!(lost, TakeOver::Lost(row.clone()));
    let won = world.b.take_over(&by_order(claim(&b, &row))).await.unwrap();
    assert!(matches!(won, TakeOver::Won(_)), "{won:?}");
    let row = found(&world.b).await.row;
    let renewal = world.a.renew(guard.term, a.run).await.unwrap();
    assert_eq!(renewal, Renewal::Deposed(row.clone()));
    // The term alone is not enough.
    let renewal = world.a.renew(row.term, a.run).await.unwrap();
    assert_eq!(renewal, Renewal::Deposed(row));
}

async fn a_fleet_transaction_of_the_old_term_fails(world: World) {
    let (a, b) = (identity("a", 1), identity("b", 2));
    let old = lead(&world.a, &a).await;
    join(&world.b, &b).await;
    let row = found(&world.b).await.row;
    let won = world.b.take_over(&by_order(claim(&b, &row))).await.unwrap();
    let TakeOver::Won(Taken { guard: new, .. }) = won else {
        panic!("{won:?}");
    };
    let draft = Draft::default().instance(instance("x")).decided(1, 1);
    let deposed = StoreError::Deposed {
        ours: old.term,
        current: new.term,
    };
    let error = world.store.save(old, draft.clone()).await.unwrap_err();
    assert_eq!(error, deposed);
    assert_eq!(world.store.settle(old).await.unwrap_err(), deposed);
    world.store.save(new, draft).await.unwrap();
}

async fn terms_and_epochs_grow(world: World) {
    let (a, b) = (identity("a", 1), identity("b", 2));
    let Origin { timeline, .. } = found(&world.a).await.origin;
    let counter = async || world.store.census().await.unwrap().counter.get();
    let first = lead(&world.a, &a).await;
    assert_eq!(first.term.get(), (i64::from(timeline.get()) << 32) + 1);
    // Nobody handed the first term of a timeline over.
    let begun = counter().await;
    assert_eq!(begun, i64::from(timeline.get()) << 40);
    let draft = Draft::default().decided(1, begun + 9);
    world.store.save(first, draft).await.unwrap();

    // Released on the same timeline: nothing is lost that was given out.
    world
        .a
        .release(first.term, a.run, None, ReleaseCause::Ended)
        .await
        .unwrap();
    let second = lead(&world.b, &b).await;
    assert_eq!(second.term, first.term.next());
    assert_eq!(second.version, first.after_save().version);
    assert_eq!(counter().await, begun + 9);

    // Taken: whatever was given out last may be unknown.
    let row = found(&world.a).await.row;
    let won = world.a.take_over(&by_order(claim(&a, &row))).await.unwrap();
    let TakeOver::Won(Taken { guard: third, .. }) = won else {
        panic!("{won:?}");
    };
    assert_eq!(third.term, second.term.next());
    assert_eq!(counter().await, begun + 9 + (1 << 20));
    let loaded = world.store.load().await.unwrap();
    assert_eq!(loaded.counter, Epoch::new(begun + 9 + (1 << 20)));
}

async fn a_released_term_goes_to_its_successor(world: World) {
    let (a, b, c) = (identity("a", 1), identity("b", 2), identity("c", 3));
    let guard = lead(&world.a, &a).await;
    let released = world
        .a
        .release(guard.term, a.run, Some(&b.node), ReleaseCause::Ended)
        .await;
    let row = found(&world.b).await.row;
    assert_eq!(released.unwrap(), Release::Released { beat: row.beat });
    assert_eq!(
        (row.state, &row.successor),
        (RowState::Released, &Some(b.node.clone()))
    );
    assert_eq!(try_to_lead(&world.a, &c).await, TakeOver::Lost(row));
    let guard = lead(&world.b, &b).await;
    assert_eq!(found(&world.b).await.row.successor, None);
    world
        .b
        .release(guard.term, b.run, None, ReleaseCause::Ended)
        .await
        .unwrap();
    lead(&world.a, &c).await;
}

async fn a_release_says_why_until_the_term_is_taken(world: World) {
    let (a, b) = (identity("a", 1), identity("b", 2));
    let guard = lead(&world.a, &a).await;
    let cause = async || found(&world.b).await.row.release_cause;
    assert_eq!(cause().await, ReleaseCause::Ended);
    let fitness = ReleaseCause::Fitness;
    let released = world
        .a
        .release(guard.term, a.run, Some(&b.node), fitness)
        .await;
    released.unwrap();
    assert_eq!(cause().await, fitness);
    let guard = lead(&world.b, &b).await;
    assert_eq!(cause().await, ReleaseCause::Ended);
    let ended = ReleaseCause::Ended;
    let released = world.b.release(guard.term, b.run, None, ended).await;
    released.unwrap();
    assert_eq!(cause().await, ended);
}

async fn a_released_term_is_not_renewed(world: World) {
    let a = identity("a", 1);
    let guard = lead(&world.a, &a).await;
    let stranger = world
        .a
        .release(guard.term, RunId::new(9), None, ReleaseCause::Ended)
        .await;
    let row = found(&world.a).await.row;
    assert_eq!(stranger.unwrap(), Release::Deposed(row.clone()));
    assert_eq!(row.state, RowState::Held);
    let released = world
        .a
        .release(guard.term, a.run, None, ReleaseCause::Ended)
        .await
        .unwrap();
    let row = found(&world.a).await.row;
    let renewal = world.a.renew(guard.term, a.run).await.unwrap();
    assert_eq!(renewal, Renewal::Deposed(row.clone()));
    assert_eq!(row.state, RowState::Released);
    // To be repeated when its answer was lost.
    let again = world
        .a
        .release(guard.term, a.run, None, ReleaseCause::Ended)
        .await
        .unwrap();
    assert_eq!(again, released);
    assert_eq!(found(&world.a).await.row, row);
}

async fn a_claim_that_is_repeated_has_the_same_answer(world: World) {
    let (a, b) = (identity("a", 1), identity("b", 2));
    join(&world.a, &a).await;
    let first = claim(&a, &found(&world.a).await.row);
    let TakeOver::Won(won) = world.a.take_over(&first).await.unwrap() else {
        panic!("a free row is taken");
    };
    assert!(won.fleet.is_some());
    // What the first time found is not known any more: the fleet is loaded again.
    let won = TakeOver::Won(Taken { fleet: None, ..won });
    assert_eq!(world.a.take_over(&first).await.unwrap(), won);
    world
        .a
        .renew(found(&world.a).await.row.term, a.run)
        .await
        .unwrap();
    assert_eq!(world.a.take_over(&first).await.unwrap(), won);
    join(&world.b, &b).await;
    let row = found(&world.b).await.row;
    world.b.take_over(&by_order(claim(&b, &row))).await.unwrap();
    let row = found(&world.b).await.row;
    assert_eq!(
        world.a.take_over(&first).await.unwrap(),
        TakeOver::Lost(row)
    );
}

async fn a_node_takes_its_own_term_again_and_its_older_process_does_not(world: World) {
    let (older, newer) = (identity("a", 1), identity("a", 2));
    let guard = lead(&world.a, &older).await;
    let again = lead(&world.b, &newer).await;
    assert!(again.term > guard.term);
    let row = found(&world.a).await.row;
    let late = by_order(claim(&older, &row));
    assert_eq!(world.a.take_over(&late).await.unwrap(), TakeOver::Lost(row));
}

async fn a_member_is_admitted_and_dismissed_in_a_renewal(world: World) {
    let (a, b) = (identity("a", 1), identity("b", 2));
    let guard = lead(&world.a, &a).await;
    join(&world.b, &b).await;
    join(&world.b, &b).await;
    let of_b = async |leadership: &Arc<dyn Leadership>| -> MemberRow {
        let rows = leadership.members().await.unwrap();
        rows.into_iter().find(|row| row.node == b.node).unwrap()
    };
    let row = of_b(&world.a).await;
    assert_eq!((row.run, row.beat, row.is_admitted), (b.run, 1, false));
    assert_eq!(
        (row.address.as_str(), row.release.as_str()),
        ("b:8001", "0.1.0")
    );
    let beat = found(&world.b).await.row.beat;
    let early = claim(&b, &found(&world.b).await.row);
    let admit = AdmissionStep::Admit(b.node.clone(), b.run);
    assert!(world.a.admit(guard.term, a.run, &admit).await.unwrap());
    assert!(of_b(&world.b).await.is_admitted);
    assert_eq!(found(&world.b).await.row.beat, beat + 1, "it is a renewal");
    let lost = world.b.take_over(&early).await.unwrap();
    assert!(matches!(lost, TakeOver::Lost(_)), "the beat has moved");
    // Another process of the node is not the one that was seen.
    let other = AdmissionStep::Admit(b.node.clone(), RunId::new(99));
    assert!(!world.a.admit(guard.term, a.run, &other).await.unwrap());
    let dismiss = AdmissionStep::Dismiss(b.node.clone(), b.run);
    assert!(world.a.admit(guard.term, a.run, &dismiss).await.unwrap());
    assert!(!of_b(&world.b).await.is_admitted);
    let row = found(&world.b).await.row;
    let lost = world.b.take_over(&claim(&b, &row)).await.unwrap();
    assert_eq!(lost, TakeOver::Lost(row));
    // Who does not lead admits nobody.
    assert!(!world.b.admit(guard.term, b.run, &admit).await.unwrap());
    assert!(!of_b(&world.b).await.is_admitted);
}

async fn a_held_term_is_taken_by_the_admitted_and_by_order(world: World) {
    let (a, b, c) = (identity("a", 1), identity("b", 2), identity("c", 3));
    lead(&world.a, &a).await;
    let row = found(&world.b).await.row;
    assert_eq!(try_to_lead(&world.b, &b).await, TakeOver::Lost(row.clone()));
    world.b.take_over(&by_order(claim(&b, &row))).await.unwrap();
    // The one that led is admitted under the next term, too, also after a restart.
    lead(&world.a, &identity("a", 4)).await;
    // So is the other, and a newcomer is not.
    let row = found(&world.b).await.row;
    assert_eq!(try_to_lead(&world.a, &c).await, TakeOver::Lost(row));
    lead(&world.b, &b).await;
    let row = found(&world.b).await.row;
    let horizon = Claim {
        right: ClaimRight::Horizon,
        ..claim(&c, &row)
    };
    let won = world.a.take_over(&horizon).await.unwrap();
    assert!(matches!(won, TakeOver::Won(_)), "{won:?}");
}

async fn a_claimant_that_has_not_joined_takes_nothing(world: World) {
    let row = found(&world.a).await.row;
    let a = identity("a", 1);
    for claim in [claim(&a, &row), by_order(claim(&a, &row))] {
        let lost = world.a.take_over(&claim).await.unwrap();
        assert_eq!(lost, TakeOver::Lost(row.clone()));
    }
    assert_eq!(found(&world.a).await.row, row);
}

async fn a_term_that_began_without_the_row_is_led_by_nobody(world: World) {
    let a = identity("a", 1);
    let guard = lead(&world.a, &a).await;
    let other = world.store.begin_term().await.unwrap();
    assert_eq!(other.term, guard.term.next());
    let row = found(&world.a).await.row;
    assert_eq!((row.term, row.state), (other.term, RowState::Released));
    let renewal = world.a.renew(guard.term, a.run).await.unwrap();
    assert_eq!(renewal, Renewal::Deposed(row));
    assert_eq!(lead(&world.a, &a).await.term, other.term.next());
}

async fn a_take_over_names_the_fleet_that_it_found(world: World) {
    let (a, b) = (identity("a", 1), identity("b", 2));
    let first = lead(&world.a, &a).await;
    join(&world.b, &b).await;
    let on_progress = || -> OnProgress { Box::new(|_| ControlFlow::Continue(())) };
    let early = world.store.load_fleet(PLENTY, on_progress()).await.unwrap();
    let draft = Draft::default().instance(instance("x")).decided(1, 1);
    world.store.save(first, draft).await.unwrap();
    let copy = world.store.load_fleet(PLENTY, on_progress()).await.unwrap();
    let look = found(&world.b).await;
    assert_eq!(look.moment(), copy.moment());
    let claim = by_order(claim(&b, &look.row));
    let won = world.b.take_over(&claim).await.unwrap();
    let TakeOver::Won(Taken {
        guard,
        fleet: Some(fleet),
        after_loss: None,
    }) = won
    else {
        panic!("{won:?}");
    };
    assert_eq!(fleet.moment, copy.moment());
    assert_ne!(fleet.moment, early.moment());
    assert_eq!(fleet.moment.term, first.term);
    let census = world.store.census().await.unwrap();
    assert_eq!((census.guard, census.counter), (guard, fleet.counter));
    // The copy with the new counter is what a load finds now.
    let mut copy = copy.fleet;
    copy.set_counter(fleet.counter);
    let after = world.store.load_fleet(PLENTY, on_progress()).await.unwrap();
    assert!(copy == after.fleet && after.moment() != fleet.moment);
}

async fn a_member_is_forgotten_in_a_renewal_unless_its_row_has_changed(world: World) {
    let (a, b) = (identity("a", 1), identity("b", 2));
    let guard = lead(&world.a, &a).await;
    join(&world.b, &b).await;
    let of_b = async || -> Option<MemberRow> {
        let rows = world.a.members().await.unwrap();
        rows.into_iter().find(|row| row.node == b.node)
    };
    let row = of_b().await.unwrap();
    join(&world.b, &b).await;
    assert!(!world.a.forget(guard.term, a.run, &row).await.unwrap());
    let row = of_b().await.unwrap();
    let early = claim(&b, &found(&world.b).await.row);
    // A process that does not lead forgets no member.
    assert!(!world.b.forget(guard.term, b.run, &row).await.unwrap());
    assert!(of_b().await.is_some());
    let beat = found(&world.a).await.row.beat;
    assert!(world.a.forget(guard.term, a.run, &row).await.unwrap());
    assert!(of_b().await.is_none());
    assert_eq!(found(&world.a).await.row.beat, beat + 1, "it is a renewal");
    assert!(!world.a.forget(guard.term, a.run, &row).await.unwrap());
    let lost = world.b.take_over(&by_order(early)).await.unwrap();
    assert!(matches!(lost, TakeOver::Lost(_)), "{lost:?}");
}

async fn a_member_writes_what_the_leader_compares(world: World) {
    let b = identity("b", 2);
    join(&world.b, &b).await;
    let rows = world.a.members().await.unwrap();
    let row = rows.into_iter().find(|row| row.node == b.node).unwrap();
    assert_eq!(row.public_url, "http://b");
    assert_eq!(row.schema, SchemaVersion::new("20260101000000"));
    let settings = row.settings.to_text();
    assert_eq!(settings, "HEARTBEAT_TIMEOUT=5m\nLEASE_MARGIN=30s");
    let Look { schema, origin, .. } = found(&world.a).await;
    // A store in memory has no migrations.
    assert!(schema > row.schema || (schema.as_str().is_empty() && origin.system == 0));
}

async fn a_member_writes_how_far_it_reaches(world: World) {
    let b = identity("b", 2);
    join(&world.b, &b).await;
    let reach = async || {
        let rows = world.a.members().await.unwrap();
        rows.into_iter()
            .find(|row| row.node == b.node)
            .unwrap()
            .reach
    };
    assert_eq!(reach().await, Reach::default());
    for (reaches_leader, hears) in [(true, 0), (false, 70_000)] {
        let own = Reach {
            reaches_leader,
            hears,
        };
        let member = Member {
            reach: own,
            ..member(&b)
        };
        world.b.join(&member).await.unwrap();
        assert_eq!(reach().await, own);
    }
}

#[tokio::test]
async fn orchestrators_in_one_process_share_a_store_and_not_their_views() {
    let store = MemoryStore::new();
    let cable = || Arc::new(Cable::to(store.clone()));
    let (first, second) = (cable(), cable());
    let (a, b) = (identity("a", 1), identity("b", 2));
    let views: [Arc<dyn Leadership>; 2] = [first.clone(), second];
    let guard = lead(&views[0], &a).await;
    first.cut(true);
    views[0].renew(guard.term, a.run).await.unwrap_err();
    join(&views[1], &b).await;
    let row = found(&views[1]).await.row;
    let won = views[1].take_over(&by_order(claim(&b, &row))).await;
    assert!(matches!(won, Ok(TakeOver::Won(_))), "{won:?}");
    first.cut(false);
    let renewal = views[0].renew(guard.term, a.run).await.unwrap();
    assert!(matches!(renewal, Renewal::Deposed(row) if row.node == b.node));
}

async fn on_postgres(who: &Identity, limit: Duration) -> (Database, Arc<dyn Leadership>) {
    let database = Database::new().await;
    let url = database.url();
    let target = Target::parse(&url).unwrap();
    target.migrate(PLENTY).await.unwrap();
    let leadership = seen_by(&url, who, limit);
    (database, Arc::new(leadership))
}

#[tokio::test]
async fn a_transaction_that_the_old_leader_left_open_is_ended() {
    let (a, b) = (identity("a", 1), identity("b", 2));
    let (database, leadership) = on_postgres(&b, PLENTY).await;
    let old = seen_by(&database.url(), &a, PLENTY);
    lead(&(Arc::new(old) as Arc<dyn Leadership>), &a).await;
    let stuck = database.connect().await;
    let bystander = database.connect().await;
    bystander.batch_execute("BEGIN; SELECT 1").await.unwrap();
    stuck
        .batch_execute(
            "SET application_name = 'orchestrator/a/1'; BEGIN; \
             SELECT * FROM fleet_state FOR UPDATE",
        )
        .await
        .unwrap();
    join(&leadership, &b).await;
    let row = found(&leadership).await.row;
    let won = leadership.take_over(&by_order(claim(&b, &row))).await;
    assert!(matches!(won, Ok(TakeOver::Won(_))), "{won:?}");
    stuck.batch_execute("COMMIT").await.unwrap_err();
    bystander.batch_execute("COMMIT").await.unwrap();
}

#[tokio::test]
async fn the_connections_of_the_fleet_say_whose_they_are() {
    let database = Database::new().await;
    let target = Target::parse(&database.url()).unwrap();
    let who = identity("a:8001", 77);
    let opened = target.open_as(&who, "in a test", PLENTY, PLENTY, 2);
    let (store, leadership) = opened.await.unwrap();
    store.ping().await.unwrap();
    found(&leadership).await;
    let rows = database
        .connect()
        .await
        .query(
            "SELECT application_name FROM pg_stat_activity
             WHERE datname = current_database() AND application_name LIKE 'orch%' ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(
        names.contains(&"orchestrator/a:8001/77".to_owned()),
        "{names:?}"
    );
    let row = "orchestrator-leadership/a:8001/77".to_owned();
    assert!(names.contains(&row), "{names:?}");
}

/// Makes the COMMIT of a take-over wait until advisory lock 7 is free.
const HOLD_UP: &str = "CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         PERFORM set_config('lock_timeout', '0', true);
         PERFORM pg_advisory_xact_lock(7);
         RETURN NULL;
     END $$;
     CREATE CONSTRAINT TRIGGER hold_up AFTER UPDATE OF term ON leadership
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold_up();
     SELECT pg_advisory_lock(7)";

#[tokio::test]
async fn a_take_over_in_doubt_is_settled_by_the_row() {
    let a = identity("a", 1);
    let (database, leadership) = on_postgres(&a, SHORT).await;
    join(&leadership, &a).await;
    let side = database.connect().await;
    side.batch_execute(HOLD_UP).await.unwrap();
    let seen = found(&leadership).await.row;
    let first = claim(&a, &seen);
    // It holds the row for as long as it waits, so nobody can say yet.
    let error = leadership.take_over(&first).await.unwrap_err();
    assert!(matches!(error, StoreError::InDoubt(_)), "{error:?}");
    assert_eq!(found(&leadership).await.row, seen, "a look decides nothing");
    side.batch_execute("SELECT pg_advisory_unlock(7)")
        .await
        .unwrap();
    let won = leadership.take_over(&first).await.unwrap();
    let row = found(&leadership).await.row;
    assert_eq!((row.run, row.state), (a.run, RowState::Held));
    let guard = Guard {
        term: row.term,
        version: row.version,
    };
    let taken = Taken {
        guard,
        fleet: None,
        after_loss: None,
    };
    assert_eq!(won, TakeOver::Won(taken));
    // It was carried out once.
    let Origin { timeline, .. } = found(&leadership).await.origin;
    assert_eq!(row.term.get(), (i64::from(timeline.get()) << 32) + 1);
}

#[tokio::test]
async fn a_take_over_in_doubt_that_died_is_not_there() {
    let a = identity("a", 1);
    let (database, leadership) = on_postgres(&a, SHORT).await;
    join(&leadership, &a).await;
    let side = database.connect().await;
    side.batch_execute(HOLD_UP).await.unwrap();
    let seen = found(&leadership).await.row;
    let first = claim(&a, &seen);
    let error = leadership.take_over(&first).await.unwrap_err();
    assert!(matches!(error, StoreError::InDoubt(_)), "{error:?}");
    let ended = side
        .query(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()
                 AND wait_event_type = 'Lock'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(ended.len(), 1, "the doubtful take-over was waiting");
    assert_eq!(found(&leadership).await.row, seen);
    side.batch_execute("SELECT pg_advisory_unlock(7)")
        .await
        .unwrap();
    let won = leadership.take_over(&first).await.unwrap();
    assert!(matches!(won, TakeOver::Won(_)), "{won:?}");
}

#[tokio::test]
async fn a_row_that_another_program_holds_is_waited_for_as_long_as_a_statement_may_take() {
    let a = identity("a", 1);
    let (database, leadership) = on_postgres(&a, SHORT).await;
    let guard = lead(&leadership, &a).await;
    let side = database.connect().await;
    side.batch_execute("BEGIN; SELECT * FROM leadership FOR UPDATE")
        .await
        .unwrap();
    let row = found(&leadership).await.row;
    let error = leadership.renew(guard.term, a.run).await.unwrap_err();
    assert!(
        matches!(error, StoreError::InDoubt(_)),
        "it proves nothing: {error:?}"
    );
    let error = leadership.take_over(&by_order(claim(&a, &row))).await;
    let error = error.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    side.batch_execute("ROLLBACK").await.unwrap();
    let renewal = leadership.renew(guard.term, a.run).await.unwrap();
    assert!(matches!(renewal, Renewal::Proven { .. }), "{renewal:?}");
}

#[tokio::test]
async fn an_ordinary_role_is_told_which_history_answers() {
    let (database, leadership) = on_postgres(&identity("a", 1), PLENTY).await;
    let role = format!("plain_{}", std::process::id());
    let side = database.connect().await;
    side.batch_execute(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'plain'; \
         GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"
    ))
    .await
    .unwrap();
    let url = database.url();
    let (scheme, rest) = url.split_once("://").unwrap();
    let host = rest.split_once('@').map_or(rest, |(_, host)| host);
    let url = format!("{scheme}://{role}:plain@{host}");
    let b = identity("b", 2);
    let plain: Arc<dyn Leadership> = Arc::new(seen_by(&url, &b, PLENTY));
    let origin = found(&plain).await.origin;
    assert_eq!(origin, found(&leadership).await.origin);
    assert!(
        origin.system != 0 && origin.timeline.get() > 0,
        "{origin:?}"
    );
    let guard = lead(&plain, &b).await;
    let renewal = plain.renew(guard.term, b.run).await.unwrap();
    let version = guard.version;
    assert_eq!(renewal, Renewal::Proven { version, origin });
    drop(plain);
    side.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_not_asked() {
    let (database, leadership) = on_postgres(&identity("a", 1), PLENTY).await;
    let side = database.connect().await;
    let set = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', \
               current_database()); END $$";
    side.batch_execute(set).await.unwrap();
    let error = leadership.look().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}
