//! Actors that end, and those that must.

use actix::prelude::*;
use resilient_orchestrator::actors::event_feed::EventFeed;
use resilient_orchestrator::actors::fatal::Fatal;
use resilient_orchestrator::actors::fleet::Committed;
use resilient_orchestrator::actors::instance::InstanceActor;
use resilient_orchestrator::domain::commands::RemoveInstance;
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::supervision::MAX_RESTARTS;

use crate::rig::{Boom, Rig, pass, settle_down};
use crate::support_log::expect_errors;

async fn actor(rig: &Rig, id: &str) -> Option<Addr<InstanceActor>> {
    rig.actor(id).await.filter(Addr::connected)
}

fn restarts(rig: &Rig) -> u64 {
    rig.orchestrator.telemetry().actor_restarts.get()
}

#[actix::test]
async fn a_panicking_actor_is_re_created_loses_no_heartbeat_and_disturbs_no_sibling() {
    expect_errors(&["alert system_health"]);
    let rig = Rig::start().await;
    rig.register("a", 1).await;
    rig.register("sibling", 1).await;
    let (before, sibling) = (
        actor(&rig, "a").await.unwrap(),
        actor(&rig, "sibling").await.unwrap(),
    );
    pass(100.0).await;
    rig.beat("sibling").await;
    // Stamped while the actor dies with the message still in its mailbox.
    before.do_send(Boom);
    rig.beat("a").await;
    pass(1.0).await;

    let after = actor(&rig, "a").await.expect("re-created within a second");
    assert_ne!(before, after);
    assert_eq!(actor(&rig, "sibling").await.as_ref(), Some(&sibling));
    assert!(rig.beat("a").await.is_trusted);
    assert_eq!(restarts(&rig), 1);

    // Its deadline is the heartbeat's, not its own birthday's.
    let rig_beat = rig.entry("a").last_beat();
    before.do_send(Boom);
    pass(60.0).await;
    rig.boom("a").await;
    pass(59.9).await;
    assert_eq!(rig.status("a"), InstanceStatus::Active);
    pass(0.2).await;
    assert_eq!(rig.status("a"), InstanceStatus::Suspect);
    assert_eq!(rig.entry("a").last_beat(), rig_beat);
}

#[actix::test]
async fn the_death_of_half_of_a_thousand_actors_at_once_loses_none() {
    let rig = Rig::start().await;
    let ids: Vec<String> = (0..1_000).map(|number| format!("i{number:04}")).collect();
    for id in &ids {
        rig.register(id, 1).await;
    }
    for id in ids.iter().step_by(2) {
        actor(&rig, id).await.unwrap().do_send(Boom);
    }
    pass(1.0).await;
    assert_eq!(restarts(&rig), 500);
    for id in &ids {
        assert!(actor(&rig, id).await.is_some(), "{id} has an actor");
        assert!(rig.beat(id).await.is_trusted);
    }
}

#[actix::test]
async fn an_actor_that_keeps_panicking_is_left_alone_and_its_instance_is_still_judged() {
    expect_errors(&["keeps ending"]);
    let rig = Rig::start().await;
    rig.streams(1).await;
    rig.register("a", 1).await;
    rig.ask_for("a", 1).await;
    rig.register("b", 1).await;
    rig.keep_beating(&["b"]);
    for _ in 0..=MAX_RESTARTS {
        assert!(actor(&rig, "a").await.is_some());
        rig.boom("a").await;
        settle_down().await;
    }
    assert!(rig.entry("a").actor().is_none(), "quarantined");
    let answer = rig.beat("a").await;
    assert!(
        !answer.is_trusted,
        "answered, but nobody watches over a lease"
    );

    // The sweep at 150 s is the first to find it late.
    pass(150.5).await;
    assert_eq!(rig.status("a"), InstanceStatus::Suspect);
    rig.beat("a").await;
    pass(30.0).await;
    assert_eq!(rig.status("a"), InstanceStatus::Active);
    pass(150.0).await;
    assert!(actor(&rig, "a").await.is_some(), "the quarantine is over");
    pass(121.0).await;
    assert_eq!(rig.status("a"), InstanceStatus::Failed);
    assert_eq!(rig.held("b").await, [1]);
}

#[actix::test]
async fn a_quarantined_instance_that_falls_silent_is_recovered_by_the_sweep() {
    expect_errors(&["keeps ending"]);
    let rig = Rig::start().await;
    rig.streams(1).await;
    rig.register("a", 1).await;
    rig.ask_for("a", 1).await;
    rig.register("b", 1).await;
    rig.keep_beating(&["b"]);
    pass(200.0).await;
    for _ in 0..=MAX_RESTARTS {
        rig.boom("a").await;
        settle_down().await;
    }
    pass(99.0).await;
    assert!(rig.entry("a").actor().is_none());
    assert_eq!(rig.held("a").await, [1]);
    pass(31.0).await;
    assert_eq!(rig.status("a"), InstanceStatus::Failed);
    assert_eq!(rig.held("b").await, [1]);
    assert!(!rig.entry("a").is_fenced());
}

#[actix::test]
async fn a_quarantined_instance_that_failed_is_seen_returning_by_the_sweep() {
    expect_errors(&["alert system_health", "keeps ending"]);
    let rig = Rig::start().await;
    rig.register("a", 1).await;
    pass(200.0).await;
    for _ in 0..=MAX_RESTARTS {
        rig.boom("a").await;
        settle_down().await;
    }
    pass(131.0).await;
    assert_eq!(rig.status("a"), InstanceStatus::Failed);
    pass(60.0).await;
    assert_eq!(rig.status("a"), InstanceStatus::Failed, "no sign of life");
    rig.beat("a").await;
    assert!(rig.entry("a").actor().is_none(), "still quarantined");
    pass(30.0).await;
    assert_eq!(rig.status("a"), InstanceStatus::Recovering);
}

#[actix::test]
async fn an_instance_whose_actor_died_right_before_its_timer_is_still_recovered() {
    let rig = Rig::start().await;
    rig.streams(1).await;
    rig.register("a", 1).await;
    rig.ask_for("a", 1).await;
    rig.register("b", 1).await;
    rig.keep_beating(&["b"]);
    pass(299.999).await;
    actor(&rig, "a").await.unwrap().do_send(Boom);
    pass(1.0).await;
    assert_eq!(rig.held("b").await, [1]);
}

#[actix::test]
async fn an_actor_that_has_not_heard_of_the_fence_grants_no_lease() {
    let rig = Rig::start().await;
    rig.register("a", 1).await;
    assert!(rig.beat("a").await.is_trusted);
    // As recovery does when it finds no actor, just when the next one has been created.
    rig.entry("a").fence();
    assert!(!rig.beat("a").await.is_trusted);
}

#[actix::test]
async fn actors_of_removed_instances_end() {
    let rig = Rig::start().await;
    rig.register("a", 1).await;
    let gone = actor(&rig, "a").await.unwrap();
    pass(10.0).await;
    rig.orchestrator
        .execute(RemoveInstance::new("a".into()))
        .await
        .unwrap();
    settle_down().await;
    assert!(!gone.connected(), "a leak");
    assert!(rig.orchestrator.registry().is_empty());
    rig.register("a", 1).await;
    settle_down().await;
    assert!(actor(&rig, "a").await.is_some());
    assert_eq!(restarts(&rig), 0, "it was not replaced, it was retired");
}

#[actix::test]
async fn the_end_of_a_retired_actor_is_not_taken_for_its_successors() {
    let rig = Rig::start().await;
    rig.register("a", 1).await;
    settle_down().await;
    // The instance left and registered again before the Supervisor heard of the first.
    rig.orchestrator.supervisor().do_send(Committed {
        added: [].into(),
        removed: [rig.entry("a")].into(),
        events: [].into(),
        requests: [].into(),
    });
    settle_down().await;
    assert!(actor(&rig, "a").await.is_some());
    assert_eq!(restarts(&rig), 0);
}

/// A message that ends an actor which exists once.
struct Fault;

impl Message for Fault {
    type Result = ();
}

impl Handler<Fault> for EventFeed {
    type Result = ();

    fn handle(&mut self, _: Fault, _: &mut Self::Context) {
        panic!("on purpose");
    }
}

#[actix::test]
async fn the_panic_of_an_actor_that_exists_once_ends_the_process() {
    let mut rig = Rig::start().await;
    rig.orchestrator.feed().do_send(Fault);
    assert_eq!(rig.fatal.recv().await, Some(Fatal::ActorEnded("EventFeed")));
}
