//! Long polls: answered as soon as something changes, at no cost until then.

use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;
use prometheus_client::registry::Registry as Metrics;
use resilient_orchestrator::actors::long_poll::AssignmentPoll;
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::telemetry::Telemetry;
use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::domain::commands::{
    AssignStreams, Rejection, ReleaseStreams, RemoveInstance, SaveStreams, StreamSpec,
};
use resilient_orchestrator::domain::ids::{AssignmentVersion, Incarnation, StreamId};
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::queries::{SetUpdate, WorkerUpdate};
use resilient_orchestrator::store;
use tokio::task::JoinHandle;

use crate::rig::{Rig, pass, registration, settle_down, spec};
use crate::support_log::expect_errors;

type Answer = Result<WorkerUpdate, Refusal>;

fn poll(version: i64, seconds: u64) -> AssignmentPoll {
    AssignmentPoll {
        id: "a".into(),
        incarnation: None,
        version: AssignmentVersion::new(version),
        wait: Duration::from_secs(seconds),
    }
}

/// Waits beside the test; the answer comes with how long it took.
async fn waiting(rig: &Rig, poll: AssignmentPoll) -> JoinHandle<(Answer, Duration)> {
    let (orchestrator, began) = (rig.orchestrator.clone(), rig.clock.now());
    let handle = actix::spawn(async move {
        let answer = orchestrator.await_changes(poll).await;
        (answer, orchestrator.clock().now().since(began))
    });
    settle_down().await;
    handle
}

async fn ask(rig: &Rig, poll: AssignmentPoll) -> WorkerUpdate {
    rig.orchestrator.await_changes(poll).await.unwrap()
}

fn version(rig: &Rig) -> i64 {
    rig.entry("a").standing().assignment_version.get()
}

async fn release(rig: &Rig, stream: i64) {
    let release = ReleaseStreams {
        epochs: None,
        id: "a".into(),
        incarnation: None,
        streams: vec![StreamId::new(stream)],
        reason: None,
    };
    rig.orchestrator.execute(release).await.unwrap();
}

/// Stream 1 is run nowhere, or may be again: unlike a release, that may be repeated at will.
async fn enable(orchestrator: &Orchestrator, enabled: bool) {
    let streams = vec![StreamSpec {
        enabled: Some(enabled),
        ..spec(1)
    }];
    orchestrator.execute(SaveStreams { streams }).await.unwrap();
}

/// An instance that holds streams 1 and 2 of 5.
async fn with_two() -> Rig {
    let rig = Rig::start().await;
    rig.streams(5).await;
    rig.register("a", 5).await;
    rig.ask_for("a", 2).await;
    settle_down().await;
    rig
}

#[actix::test]
async fn what_is_new_already_is_answered_at_once() {
    let rig = with_two().await;
    let (now, began) = (version(&rig), rig.clock.now());
    for strange in [0, now + 1, now + 1_000] {
        let update = ask(&rig, poll(strange, 30)).await;
        assert!(
            matches!(&update.update, SetUpdate::Full { assign } if assign.len() == 2),
            "{strange}: {update:?}"
        );
        assert_eq!(update.standing.assignment_version.get(), now);
    }
    let update = ask(&rig, poll(now - 1, 30)).await.update;
    assert!(matches!(update, SetUpdate::Difference { assign, .. } if assign.len() == 2));
    assert_eq!(ask(&rig, poll(now, 0)).await.update, SetUpdate::UpToDate);
    assert!(rig.clock.now().since(began) < Duration::from_secs(1));
}

#[actix::test]
async fn without_a_change_it_waits_as_long_as_it_was_asked_to() {
    let rig = with_two().await;
    let now = version(&rig);
    let began = rig.clock.now();
    let update = ask(&rig, poll(now, 30)).await;
    assert_eq!(update.update, SetUpdate::UpToDate);
    assert_eq!(update.standing.assignment_version.get(), now);
    let took = rig.clock.now().since(began).as_secs_f64();
    assert!((30.0..30.1).contains(&took), "{took}");
}

#[actix::test]
async fn a_change_is_told_to_everybody_who_waits_for_it_and_to_nobody_else() {
    let rig = with_two().await;
    rig.register("b", 5).await;
    let (now, other) = (version(&rig), rig.entry("b").standing().assignment_version);
    let mut here = Vec::new();
    for _ in 0..2 {
        here.push(waiting(&rig, poll(now, 60)).await);
    }
    let there = AssignmentPoll {
        id: "b".into(),
        version: other,
        ..poll(0, 60)
    };
    let there = waiting(&rig, there).await;
    // A heartbeat, a status: nothing a worker would have to do.
    rig.beat("a").await;
    pass(5.0).await;
    assert!(here.iter().all(|poll| !poll.is_finished()));
    release(&rig, 1).await;
    settle_down().await;
    for poll in here {
        assert!(poll.is_finished());
        let update = poll.await.unwrap().0.unwrap();
        assert_eq!(update.standing.assignment_version.get(), now + 1);
        let SetUpdate::Difference { assign, revoke } = update.update else {
            panic!("one step behind");
        };
        assert!(assign.is_empty());
        assert_eq!(revoke, [StreamId::new(1)]);
    }
    assert!(!there.is_finished());
    let (answer, took) = there.await.unwrap();
    assert_eq!(answer.unwrap().update, SetUpdate::UpToDate);
    assert!(took >= Duration::from_secs(60));
}

#[actix::test]
async fn a_life_that_is_over_is_told_so_at_once() {
    let rig = with_two().await;
    let life = rig.entry("a").standing().incarnation;
    let mine = |incarnation: Incarnation| AssignmentPoll {
        incarnation: Some(incarnation),
        ..poll(version(&rig), 60)
    };
    let mine_now = waiting(&rig, mine(life)).await;
    let classic = waiting(&rig, poll(version(&rig), 60)).await;
    let newer = rig.register("a", 5).await.instance.incarnation;
    settle_down().await;
    assert!(mine_now.is_finished());
    let refused = |answer: Answer| match answer {
        Err(Refusal::Rejected(Rejection::OtherIncarnation { given, current, .. })) => {
            (given, current)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(mine_now.await.unwrap().0), (life, newer));
    assert!(!classic.is_finished(), "its set is the same");
    let future = newer.next();
    for wrong in [life, future] {
        let answer = rig.orchestrator.await_changes(mine(wrong)).await;
        assert_eq!(refused(answer), (wrong, newer));
    }
    assert!(rig.entry("a").duplicate().is_none());
}

#[actix::test]
async fn an_instance_that_is_removed_wakes_who_waits_for_it() {
    let rig = with_two().await;
    let unknown = |answer: Answer| {
        assert!(
            matches!(
                &answer,
                Err(Refusal::Rejected(Rejection::UnknownInstance(_)))
            ),
            "{answer:?}"
        );
    };
    let gone = waiting(&rig, poll(version(&rig), 60)).await;
    let removal = RemoveInstance::new("a".into());
    rig.orchestrator.execute(removal).await.unwrap();
    settle_down().await;
    assert!(gone.is_finished());
    unknown(gone.await.unwrap().0);
    unknown(rig.orchestrator.await_changes(poll(1, 60)).await);

    // Removed and back before anybody was woken: another entry, watched from then on.
    rig.register("a", 5).await;
    settle_down().await;
    let again = waiting(&rig, poll(version(&rig), 60)).await;
    let removal = RemoveInstance::new("a".into());
    let (removed, _) = tokio::join!(rig.orchestrator.execute(removal), rig.try_register("a", 5));
    removed.unwrap();
    settle_down().await;
    if !again.is_finished() {
        rig.ask_for("a", 1).await;
        settle_down().await;
    }
    assert!(again.is_finished());
}

#[actix::test]
async fn it_is_no_sign_of_life() {
    expect_errors(&["alert streams_orphaned", "alert system_health"]);
    let rig = with_two().await;
    rig.keep_beating(&["b"]);
    for _ in 0..13 {
        let _ = rig
            .orchestrator
            .await_changes(poll(version(&rig), 25))
            .await;
    }
    assert_eq!(rig.status("a"), InstanceStatus::Failed);
}

#[actix::test]
async fn the_end_of_the_system_answers_everybody() {
    let rig = with_two().await;
    let now = version(&rig);
    let waiting = waiting(&rig, poll(now, 60)).await;
    rig.orchestrator.end_polls();
    settle_down().await;
    assert!(waiting.is_finished());
    let (answer, took) = waiting.await.unwrap();
    assert_eq!(answer.unwrap().update, SetUpdate::UpToDate);
    assert!(took < Duration::from_secs(1));
    let began = rig.clock.now();
    let late = ask(&rig, poll(now, 60)).await;
    assert_eq!(late.update, SetUpdate::UpToDate);
    let behind = ask(&rig, poll(0, 60)).await.update;
    assert!(
        matches!(behind, SetUpdate::Full { .. }),
        "there was something"
    );
    assert!(rig.clock.now().since(began) < Duration::from_secs(1));
}

#[actix::test]
async fn who_goes_away_leaves_nothing_behind() {
    let rig = with_two().await;
    let entry = rig.entry("a");
    let before = Arc::strong_count(&entry);
    let mut polls = Vec::new();
    for _ in 0..2 {
        polls.push(waiting(&rig, poll(version(&rig), 60)).await);
    }
    assert_eq!(Arc::strong_count(&entry), before + 2);
    for poll in polls {
        poll.abort();
    }
    settle_down().await;
    assert_eq!(Arc::strong_count(&entry), before);
    release(&rig, 1).await;
}

#[actix::test]
async fn a_third_poll_of_an_instance_ends_the_oldest() {
    let rig = with_two().await;
    let now = version(&rig);
    let mut polls = Vec::new();
    for _ in 0..5 {
        polls.push(waiting(&rig, poll(now, 60)).await);
    }
    let finished: Vec<bool> = polls.iter().map(JoinHandle::is_finished).collect();
    assert_eq!(finished, [true, true, true, false, false]);
    ask(&rig, poll(now, 0)).await;
    ask(&rig, poll(0, 60)).await;
    assert!(!polls[3].is_finished(), "those do not wait");
    release(&rig, 1).await;
    settle_down().await;
    for (poll, was_finished) in polls.into_iter().zip(finished) {
        let update = poll.await.unwrap().0.unwrap();
        assert_eq!(update.update == SetUpdate::UpToDate, was_finished);
    }
}

/// A change may come at any moment of a poll: before it looks, between its look and its wait,
/// while it waits. Each poll goes one step further into its own wait before the change is made.
#[actix::test]
async fn no_change_is_missed_whenever_it_comes() {
    let rig = with_two().await;
    for delay in 0..60_u64 {
        let (now, began) = (version(&rig), rig.clock.now());
        let change = async {
            for _ in 0..delay / 2 {
                tokio::task::yield_now().await;
            }
            match delay % 2 {
                0 => enable(&rig.orchestrator, false).await,
                _ => {
                    enable(&rig.orchestrator, true).await;
                    rig.ask_for("a", 1).await;
                }
            }
        };
        let (update, ()) = tokio::join!(ask(&rig, poll(now, 3_600)), change);
        assert_ne!(update.update, SetUpdate::UpToDate, "{delay}");
        assert!(
            rig.clock.now().since(began) < Duration::from_secs(60),
            "{delay}"
        );
    }
}

/// The same with the FleetActor on a thread of its own, as in production: now a change really
/// comes between the look and the wait. A change that was missed would end in the time limit.
#[actix::test]
async fn no_change_is_missed_between_threads() {
    let limit = Duration::from_secs(20);
    let arbiters = [Arbiter::new(), Arbiter::new(), Arbiter::new()];
    let placement = Placement::Apart {
        heartbeats: arbiters[0].handle(),
        records: arbiters[1].handle(),
        fleet: arbiters[2].handle(),
    };
    let store = store::open("memory:", limit, 2).await.unwrap();
    let (orchestrator, _fatal) = start(
        Loaded::from_store(store).await.unwrap(),
        &SystemSettings::default(),
        Clock::real(Duration::ZERO),
        Telemetry::new(&mut Metrics::default()),
        &placement,
    );
    let streams = vec![spec(1)];
    orchestrator.execute(SaveStreams { streams }).await.unwrap();
    orchestrator.execute(registration("a", 5)).await.unwrap();
    let mut version = 1;
    for round in 0..3_000_u64 {
        let change = async {
            // So that the change meets the poll at another moment each time.
            for _ in 0..(round * 7) % 200 {
                std::hint::spin_loop();
            }
            if round % 2 > 0 {
                return enable(&orchestrator, false).await;
            }
            enable(&orchestrator, true).await;
            let ask = AssignStreams {
                id: "a".into(),
                incarnation: None,
                requested: 1,
            };
            orchestrator.execute(ask).await.unwrap();
        };
        let asking = orchestrator.await_changes(poll(version, 3_600));
        let asking = tokio::time::timeout(limit, asking);
        // The message is on its way while the poll begins.
        let ((), answer) = tokio::join!(change, asking);
        version = answer.unwrap().unwrap().standing.assignment_version.get();
    }
    assert_eq!(version, 3_001);
    for arbiter in arbiters {
        arbiter.stop();
    }
}
