//! What members hear for a leader that they do not reach: one behaviour, three stores.

use std::sync::Arc;
use std::time::Duration;

use resilient_orchestrator::domain::ids::Incarnation;
use resilient_orchestrator::domain::leadership::{Life, NodeName, Witness};
use resilient_orchestrator::domain::timeline::Recent;
use resilient_orchestrator::store::{Expiry, Leadership, Target};

use super::{World, identity, lead, on_postgres};
use crate::support::fleets::{Draft, at, instance};
use crate::support::stores::PLENTY;

conformance! {
    what_members_heard_is_read_with_its_age,
    the_witnesses_of_a_life_that_is_over_are_deleted,
}

fn heard(id: &str, incarnation: Option<i64>, seconds: u64) -> Witness {
    Witness {
        id: id.into(),
        incarnation: incarnation.map(Incarnation::new),
        age: Duration::from_secs(seconds),
    }
}

/// What is known of the lives, by instance and life, with the age in whole tens of seconds: statements take
/// their time.
async fn witnessed(
    leadership: &Arc<dyn Leadership>,
    lives: &[(&str, i64)],
) -> Vec<(String, Option<i64>, u64)> {
    let lives: Vec<Life> = lives
        .iter()
        .map(|(id, incarnation)| Life {
            id: (*id).into(),
            incarnation: Incarnation::new(*incarnation),
        })
        .collect();
    let found = leadership.witnessed(&lives).await.unwrap();
    let mut found: Vec<_> = found
        .into_iter()
        .map(|witness| {
            let named = witness.incarnation.map(Incarnation::get);
            (witness.id.to_string(), named, witness.age.as_secs() / 10)
        })
        .collect();
    found.sort();
    found
}

async fn what_members_heard_is_read_with_its_age(world: World) {
    let (a, b) = (identity("a", 1), identity("b", 2));
    let guard = lead(&world.a, &a).await;
    let draft = Draft::default()
        .instance(instance("x"))
        .instance(instance("y"));
    world.store.save(guard, draft.decided(1, 1)).await.unwrap();
    let all = [("x", 7), ("y", 3), ("z", 1)];
    assert_eq!(witnessed(&world.a, &all).await, []);
    world.b.witness(&b.node, &[]).await.unwrap();
    let beats = [
        heard("x", Some(7), 50),
        heard("y", None, 20),
        heard("z", None, 1),
    ];
    world.b.witness(&b.node, &beats).await.unwrap();
    // One that is not registered is passed over.
    let found = [("x".to_owned(), Some(7), 5), ("y".to_owned(), None, 2)];
    assert_eq!(witnessed(&world.a, &all).await, found);
    assert_eq!(witnessed(&world.a, &[("z", 1)]).await, []);
    // An older one is no news, a newer one is, also from another member; each life has its own.
    let beats = [heard("x", Some(7), 90), heard("y", None, 0)];
    world.b.witness(&NodeName::new("c"), &beats).await.unwrap();
    let beats = [heard("x", Some(6), 0), heard("y", Some(3), 40)];
    world.b.witness(&b.node, &beats).await.unwrap();
    let found = [
        ("x".to_owned(), Some(7), 5),
        ("y".to_owned(), None, 0),
        ("y".to_owned(), Some(3), 4),
    ];
    assert_eq!(witnessed(&world.a, &all).await, found);
    let older = [("x".to_owned(), Some(6), 0)];
    assert_eq!(witnessed(&world.a, &[("x", 6)]).await, older);
    assert_eq!(witnessed(&world.a, &[]).await, []);
}

async fn the_witnesses_of_a_life_that_is_over_are_deleted(world: World) {
    let (a, b) = (identity("a", 1), identity("b", 2));
    let guard = lead(&world.a, &a).await;
    let x = instance("x");
    let life = x.incarnation.get();
    let draft = Draft::default().instance(x);
    world.store.save(guard, draft.decided(1, 1)).await.unwrap();
    let lives = [("x", life), ("x", life + 1)];
    for named in [None, Some(life), Some(life + 1)] {
        let beats = [heard("x", named, 30)];
        world.b.witness(&b.node, &beats).await.unwrap();
    }
    let everything = Recent::since(at(0));
    let expiry = Expiry {
        metrics: everything.clone(),
        events: everything.clone(),
        alerts: everything.clone(),
        incidents: everything.clone(),
        health: everything,
        most_health_rows: 9,
    };
    assert_eq!(world.store.prune(&expiry).await.unwrap(), 1);
    let mut found = witnessed(&world.a, &lives).await;
    found.dedup();
    let expected = [("x".to_owned(), None, 3), ("x".to_owned(), Some(life), 3)];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_witness_from_the_future_counts_for_nothing_and_is_replaced() {
    let (a, b) = (identity("a", 1), identity("b", 2));
    let (database, leadership) = on_postgres(&a, PLENTY).await;
    lead(&leadership, &a).await;
    let side = database.connect().await;
    // As after a step of the server's clock, or on another server.
    side.batch_execute("INSERT INTO witnessed VALUES ('x', 1, 9000000000000000, 'b')")
        .await
        .unwrap();
    assert_eq!(witnessed(&leadership, &[("x", 1)]).await, []);
    let target = Target::parse(&database.url()).unwrap();
    let opened = target.open_as(&a, "in a test", PLENTY, PLENTY, 2);
    let (store, _) = opened.await.unwrap();
    let guard = store.census().await.unwrap().guard;
    let draft = Draft::default().instance(instance("x")).decided(1, 1);
    store.save(guard, draft).await.unwrap();
    let beats = [heard("x", Some(1), 30)];
    leadership.witness(&b.node, &beats).await.unwrap();
    let found = [("x".to_owned(), Some(1), 3)];
    assert_eq!(witnessed(&leadership, &[("x", 1)]).await, found);
}
