//! Balance by itself: when it begins, whose streams move, how fast, and what is given up.

use resilient_orchestrator::actors::balance::{BalanceRefusal, OrderRebalance};
use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::domain::balance::{BalanceStats, Blocked};
use resilient_orchestrator::domain::commands::RemoveInstance;
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::health::SystemHealth;
use resilient_orchestrator::domain::heartbeat::ReportedStreams;
use resilient_orchestrator::domain::ids::StreamId;
use resilient_orchestrator::domain::reason::{AssignReason, RebalanceMethod, RebalanceReason};

use crate::faults::Outage;
use crate::rig::{Rig, pass, report, settle_down};
use crate::support_log::expect_errors;

/// A leased worker's heartbeat. It has heard of everything, and runs what it is to run, and
/// what else it is said to keep.
async fn follow_but_keep(rig: &Rig, id: &str, kept: &[i64]) {
    let standing = rig.entry(id).standing();
    let fleet = rig.fleet().await;
    let mut running = fleet.instance(&id.into()).unwrap().to_run();
    running.extend(kept.iter().copied().map(StreamId::new));
    running.sort_unstable();
    running.dedup();
    let mut heartbeat = report(id);
    heartbeat.incarnation = Some(standing.incarnation);
    heartbeat.version = Some(standing.assignment_version);
    heartbeat.streams = Some(ReportedStreams::listed(running));
    rig.orchestrator.heartbeat(heartbeat).await.unwrap();
    settle_down().await;
}

async fn follow(rig: &Rig, id: &str) {
    follow_but_keep(rig, id, &[]).await;
}

/// Lets time pass in which the workers follow, half a minute at a time.
async fn live(rig: &Rig, ids: &[&str], seconds: u64) {
    for _ in 0..seconds / 10 {
        for id in ids {
            follow(rig, id).await;
        }
        pass(10.0).await;
    }
}

async fn leased(rig: &Rig, id: &str, max_streams: u32) {
    rig.register(id, max_streams).await;
    follow(rig, id).await;
}

async fn stats(rig: &Rig) -> BalanceStats {
    rig.orchestrator.balance_stats().await.unwrap()
}

async fn counts(rig: &Rig, ids: &[&str]) -> Vec<usize> {
    let mut counts = Vec::new();
    for id in ids {
        counts.push(rig.held(id).await.len());
    }
    counts
}

#[actix::test]
async fn an_instance_that_joins_gets_its_share_from_leased_owners() {
    let rig = Rig::balanced().await;
    rig.streams(16).await;
    leased(&rig, "a", 20).await;
    rig.ask_for("a", 16).await;
    live(&rig, &["a"], 20).await;
    leased(&rig, "b", 20).await;
    assert_eq!(counts(&rig, &["a", "b"]).await, [16, 0], "it settles first");
    live(&rig, &["a", "b"], 40).await;
    assert_eq!(counts(&rig, &["a", "b"]).await, [10, 6]);
    let reasons = rig.events().into_iter().filter_map(|event| match event {
        Event::StreamAssigned {
            reason,
            from: Some(_),
            ..
        } => Some(reason),
        _ => None,
    });
    assert!(
        reasons
            .into_iter()
            .all(|reason| reason == AssignReason::Rebalance)
    );
    let stats = stats(&rig).await;
    assert_eq!((stats.begun, stats.successful, stats.moved), (1, 1, 6));
    rig.invariants_hold().await;
}

#[actix::test]
async fn streams_of_classic_owners_move_only_on_order() {
    let rig = Rig::balanced().await;
    rig.streams(16).await;
    rig.register("a", 20).await;
    rig.ask_for("a", 16).await;
    rig.register("b", 20).await;
    rig.keep_beating(&["a", "b"]);
    pass(60.0).await;
    assert_eq!(counts(&rig, &["a", "b"]).await, [16, 0]);
    let order = OrderRebalance {
        method: RebalanceMethod::Smart,
        reason: RebalanceReason::Manual,
        is_dry_run: false,
    };
    let done = rig.orchestrator.rebalance(order).await.unwrap();
    assert_eq!(done.begun, 6);
    assert_eq!(counts(&rig, &["a", "b"]).await, [10, 6]);
}

#[actix::test]
async fn it_begins_by_itself_at_most_once_in_the_cooldown() {
    let rig = Rig::balanced().await;
    rig.streams(18).await;
    leased(&rig, "a", 20).await;
    rig.ask_for("a", 18).await;
    leased(&rig, "b", 20).await;
    live(&rig, &["a", "b"], 60).await;
    assert_eq!(stats(&rig).await.begun, 1);
    leased(&rig, "c", 20).await;
    live(&rig, &["a", "b", "c"], 180).await;
    assert_eq!(stats(&rig).await.begun, 1, "it cools down");
    assert_eq!(rig.held("c").await.len(), 0);
    live(&rig, &["a", "b", "c"], 120).await;
    assert_eq!(stats(&rig).await.begun, 2);
    let shares = counts(&rig, &["a", "b", "c"]).await;
    assert!(
        shares.iter().all(|held| (4..=8).contains(held)),
        "{shares:?}"
    );
}

#[actix::test]
async fn no_more_moves_are_under_way_to_an_instance_than_it_may_get_at_a_time() {
    let rig = Rig::balanced().await;
    rig.streams(60).await;
    leased(&rig, "a", 100).await;
    rig.ask_for("a", 60).await;
    leased(&rig, "b", 100).await;
    let mut most = 0;
    for _ in 0..60 {
        pass(1.0).await;
        let fleet = rig.fleet().await;
        let slot = fleet.instance(&"b".into()).unwrap();
        most = most.max(fleet.arriving(slot));
        follow(&rig, "a").await;
        follow(&rig, "b").await;
    }
    assert_eq!(most, 10);
    assert_eq!(counts(&rig, &["a", "b"]).await, [32, 28]);
}

#[actix::test]
async fn a_move_that_is_given_up_is_counted_and_not_tried_again_for_a_while() {
    let rig = Rig::balanced().await;
    rig.streams(8).await;
    leased(&rig, "a", 20).await;
    rig.ask_for("a", 8).await;
    leased(&rig, "b", 20).await;
    let kept: Vec<i64> = (1..=8).collect();
    // It hears of everything, and goes on running everything.
    for _ in 0..60 {
        follow_but_keep(&rig, "a", &kept).await;
        follow(&rig, "b").await;
        pass(10.0).await;
    }
    let after = stats(&rig).await;
    assert_eq!((after.given_up, after.moved, after.successful), (2, 0, 0));
    assert_eq!(rig.held("a").await.len(), 8);
    let order = OrderRebalance {
        method: RebalanceMethod::Smart,
        reason: RebalanceReason::Manual,
        is_dry_run: true,
    };
    let planned = rig.orchestrator.rebalance(order).await.unwrap();
    let held_back: Vec<i64> = rig
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::HandoverAbandoned { stream, .. } => Some(stream.get()),
            _ => None,
        })
        .collect();
    assert_eq!(held_back.len(), 2);
    assert!(!planned.moves.is_empty(), "the others would move");
    for (planned, _) in planned.moves {
        assert!(!held_back.contains(&planned.stream.get()));
    }
}

/// The recovery of a leased instance waits for the end of the lease.
#[actix::test]
async fn an_order_while_a_recovery_is_under_way_is_refused_and_names_its_instance() {
    let rig = Rig::balanced().await;
    rig.streams(16).await;
    for id in ["a", "b"] {
        leased(&rig, id, 20).await;
        rig.ask_for(id, 8).await;
        follow(&rig, id).await;
    }
    leased(&rig, "c", 20).await;
    rig.orchestrator.report_failure("b".into()).await.unwrap();
    settle_down().await;
    let order = OrderRebalance {
        method: RebalanceMethod::Smart,
        reason: RebalanceReason::Manual,
        is_dry_run: false,
    };
    let refused = rig.orchestrator.rebalance(order).await.unwrap_err();
    let BalanceRefusal::Blocked(blocked) = refused else {
        panic!("{refused:?}");
    };
    let named = Blocked::Recovery {
        instance: "b".into(),
        count: 1,
    };
    assert_eq!(blocked, named);
    let sentence = blocked.to_string();
    assert!(
        sentence.starts_with("A recovery is under way (`b`), "),
        "{sentence}"
    );
    live(&rig, &["a", "c"], 600).await;
    assert!(rig.held("b").await.is_empty());
    assert!(
        rig.orchestrator.rebalance(order).await.is_ok(),
        "it is over"
    );
}

#[actix::test]
async fn an_order_while_the_store_is_out_is_refused_and_the_next_one_is_carried_out() {
    let rig = Rig::balanced().await;
    rig.streams(16).await;
    rig.register("a", 20).await;
    rig.ask_for("a", 16).await;
    rig.register("b", 20).await;
    rig.keep_beating(&["a", "b"]);
    let order = OrderRebalance {
        method: RebalanceMethod::Smart,
        reason: RebalanceReason::Manual,
        is_dry_run: false,
    };
    rig.store.set_outage(Some(Outage::Refusing));
    let refused = rig.orchestrator.rebalance(order).await.unwrap_err();
    assert!(
        matches!(refused, BalanceRefusal::Refused(Refusal::StoreUnavailable)),
        "{refused:?}"
    );
    assert_eq!(counts(&rig, &["a", "b"]).await, [16, 0]);
    rig.store.set_outage(None);
    pass(60.0).await;
    rig.orchestrator.rebalance(order).await.unwrap();
    assert_eq!(counts(&rig, &["a", "b"]).await, [10, 6]);
}

/// Nobody who beats is asked to move a stream while most of the fleet is gone.
#[actix::test]
async fn nothing_is_balanced_by_itself_while_the_system_is_critical() {
    expect_errors(&["alert system_health"]);
    let rig = Rig::balanced().await;
    rig.streams(16).await;
    leased(&rig, "a", 30).await;
    rig.ask_for("a", 16).await;
    for id in ["x", "y", "z"] {
        rig.register(id, 1).await;
    }
    for id in ["x", "y", "z"] {
        rig.orchestrator.report_failure(id.into()).await.unwrap();
    }
    live(&rig, &["a"], 30).await;
    leased(&rig, "b", 30).await;
    live(&rig, &["a", "b"], 120).await;
    let health = rig.orchestrator.system_health().await.unwrap().verdict;
    assert_eq!(health.health, SystemHealth::Critical, "{health:?}");
    assert_eq!(stats(&rig).await.begun, 0);
    for id in ["x", "y", "z"] {
        rig.orchestrator
            .execute(RemoveInstance::new(id.into()))
            .await
            .unwrap();
    }
    live(&rig, &["a", "b"], 120).await;
    assert_eq!(stats(&rig).await.begun, 1, "it was put off, not given up");
    assert_eq!(counts(&rig, &["a", "b"]).await, [10, 6]);
}

/// The moves of balance are at their limit, and the streams of the failed instance go on all the same.
#[actix::test]
async fn a_recovery_does_not_wait_for_balance() {
    let rig = Rig::balanced().await;
    rig.streams(64).await;
    leased(&rig, "a", 100).await;
    rig.ask_for("a", 60).await;
    rig.register("c", 100).await;
    rig.ask_for("c", 4).await;
    leased(&rig, "b", 100).await;
    let order = OrderRebalance {
        method: RebalanceMethod::Smart,
        reason: RebalanceReason::Manual,
        is_dry_run: false,
    };
    rig.orchestrator.rebalance(order).await.unwrap();
    let fleet = rig.fleet().await;
    let target = fleet.instance(&"b".into()).unwrap();
    assert_eq!(fleet.arriving(target), 10, "as many as may be at a time");
    rig.orchestrator.report_failure("c".into()).await.unwrap();
    pass(2.0).await;
    assert!(rig.held("c").await.is_empty(), "it waited for no move");
}

#[actix::test]
async fn balance_by_itself_waits_for_the_end_of_a_recovery() {
    let rig = Rig::balanced().await;
    rig.streams(24).await;
    for id in ["a", "b"] {
        leased(&rig, id, 40).await;
        rig.ask_for(id, 12).await;
        follow(&rig, id).await;
    }
    // The recovery waits for the end of the lease, and the join is noted meanwhile.
    rig.orchestrator.report_failure("b".into()).await.unwrap();
    leased(&rig, "c", 40).await;
    live(&rig, &["a", "c"], 60).await;
    assert_eq!(rig.held("b").await.len(), 12, "it is under way");
    assert_eq!(stats(&rig).await.begun, 0);
    live(&rig, &["a", "c"], 600).await;
    assert!(rig.held("b").await.is_empty());
    let shares = counts(&rig, &["a", "c"]).await;
    assert_eq!(shares.iter().sum::<usize>(), 24);
    assert!(
        shares.iter().all(|held| (10..=14).contains(held)),
        "{shares:?}"
    );
}

/// An instance that was away has a load again, as any other that joins.
#[actix::test]
async fn an_instance_that_comes_back_gets_its_share_again() {
    let rig = Rig::balanced().await;
    rig.streams(24).await;
    for id in ["a", "b"] {
        leased(&rig, id, 40).await;
        rig.ask_for(id, 12).await;
        follow(&rig, id).await;
    }
    live(&rig, &["a"], 900).await;
    assert_eq!(counts(&rig, &["a", "b"]).await, [24, 0], "it has failed");
    leased(&rig, "b", 40).await;
    live(&rig, &["a", "b"], 1_800).await;
    let shares = counts(&rig, &["a", "b"]).await;
    assert!(
        shares.iter().all(|held| (10..=14).contains(held)),
        "{shares:?}"
    );
    let fleet = rig.fleet().await;
    let facts = fleet.instance(&"b".into()).unwrap().facts();
    assert_eq!(facts.load.held as usize, shares[1], "what placement counts");
}
