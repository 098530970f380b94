//! What a worker says it runs is compared with what it is to run.

use resilient_orchestrator::actors::alerts::AskAlerts;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::alert::{Alert, AlertFilter, AlertKind};
use resilient_orchestrator::domain::commands::{MoveStreams, Relocation, WithdrawLease};
use resilient_orchestrator::domain::digest::StreamsDigest;
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::heartbeat::{Heartbeat, ReportedStreams};
use resilient_orchestrator::domain::ids::StreamId;
use resilient_orchestrator::domain::queries::SetUpdate;
use resilient_orchestrator::domain::stream::AssignReason;

use crate::faults::Outage;
use crate::rig::{Rig, pass, report, settle_down};
use crate::support_log::expect_errors;

/// The interval workers are told to keep; a grace is two of them.
const INTERVAL: f64 = 30.0;

/// `a` owns streams 1 to 3 and `b` none; both are leased.
async fn fleet() -> Rig {
    let rig = Rig::start().await;
    rig.streams(3).await;
    rig.register("a", 9).await;
    rig.ask_for("a", 3).await;
    rig.register("b", 9).await;
    beat(&rig, "a", &[1, 2, 3]).await;
    beat(&rig, "b", &[]).await;
    rig
}

fn ids(ids: &[i64]) -> Vec<StreamId> {
    ids.iter().copied().map(StreamId::new).collect()
}

/// A worker that has followed everything that is new, and says it runs these.
fn following(rig: &Rig, id: &str, running: &[i64]) -> Heartbeat {
    let standing = rig.entry(id).standing();
    Heartbeat {
        incarnation: Some(standing.incarnation),
        version: Some(standing.assignment_version),
        current_streams: running.len() as i64,
        streams: Some(ReportedStreams::listed(ids(running))),
        ..report(id)
    }
}

/// To be started, to be stopped; none if its answer says nothing of the kind.
type Told = Option<(Vec<i64>, Vec<i64>)>;

async fn send(rig: &Rig, heartbeat: Heartbeat) -> Told {
    let known = heartbeat.version;
    let outcome = rig.orchestrator.heartbeat(heartbeat).await.unwrap();
    settle_down().await;
    // A worker that is behind hears what changed; here it counts what is told again.
    if known != Some(outcome.version) {
        return None;
    }
    Some(match outcome.update {
        SetUpdate::UpToDate => return None,
        SetUpdate::Difference { assign, revoke } => (
            assign.iter().map(|(stream, _)| stream.id.get()).collect(),
            revoke.iter().map(|stream| stream.get()).collect(),
        ),
        SetUpdate::Full { assign } => (
            assign.iter().map(|(stream, _)| stream.id.get()).collect(),
            vec![-1],
        ),
    })
}

async fn beat(rig: &Rig, id: &str, running: &[i64]) -> Told {
    send(rig, following(rig, id, running)).await
}

/// So many heartbeats of both, an interval apart; what `a` was told in each.
async fn beats(rig: &Rig, running: &[i64], times: usize) -> Vec<Told> {
    let mut told = Vec::new();
    for _ in 0..times {
        told.push(beat(rig, "a", running).await);
        let held = rig.held("b").await;
        beat(rig, "b", &held).await;
        pass(INTERVAL).await;
    }
    told
}

async fn alerts(rig: &Rig) -> Vec<Alert> {
    let filter = AlertFilter {
        kind: Some(AlertKind::StreamsDiffer),
        ..AlertFilter::default()
    };
    settle_down().await;
    let ask = AskAlerts { filter, limit: 100 };
    rig.orchestrator.alert_page(ask).await.unwrap().alerts
}

/// Of each event about a difference, what is missing and what is too much.
fn differences(rig: &Rig) -> Vec<(Option<u32>, Option<u32>)> {
    let differ = |event| match event {
        Event::StreamsDiffer {
            missing, surplus, ..
        } => Some((missing, surplus)),
        _ => None,
    };
    rig.events().into_iter().filter_map(differ).collect()
}

#[actix::test]
async fn a_stream_that_is_not_run_is_offered_again_and_then_moves() {
    let rig = fleet().await;
    let offer = Some((vec![3], vec![]));
    let told = beats(&rig, &[1, 2], 4).await;
    assert_eq!(told, [None, None, offer.clone(), offer.clone()]);
    assert_eq!(rig.held("a").await, [1, 2, 3]);
    assert_eq!(differences(&rig), []);
    // Another grace later it is to let go, so that it cannot begin when another one does.
    beat(&rig, "a", &[1, 2]).await;
    assert_eq!(rig.held("a").await, [1, 2, 3]);
    assert_eq!(rig.entry("a").standing().releasing, 1);
    assert_eq!(beat(&rig, "a", &[1, 2]).await, None, "in step");
    assert_eq!(rig.held("b").await, [3]);
    assert_eq!(differences(&rig), [(Some(1), Some(0))]);
    let reasons = rig.events().into_iter().filter_map(|event| match event {
        Event::StreamAssigned { reason, from, .. } => from.map(|_| reason),
        _ => None,
    });
    assert_eq!(reasons.collect::<Vec<_>>(), [AssignReason::NotRun]);
    rig.invariants_hold().await;

    assert!(alerts(&rig).await[0].is_open());
    let told = beats(&rig, &[1, 2], 4).await;
    assert_eq!(told, [None, None, None, None]);
    assert!(!alerts(&rig).await[0].is_open(), "in step for a grace");
}

#[actix::test]
async fn a_worker_that_takes_the_offer_keeps_its_stream() {
    let rig = fleet().await;
    beats(&rig, &[1, 2], 3).await;
    assert_eq!(beats(&rig, &[1, 2, 3], 6).await, [const { None }; 6]);
    assert_eq!(rig.held("a").await, [1, 2, 3]);
    assert_eq!(alerts(&rig).await, []);
}

#[actix::test]
async fn what_should_not_run_is_revoked_again_and_then_reported_once() {
    let rig = fleet().await;
    let revoked = Some((vec![], vec![77]));
    let told = beats(&rig, &[1, 2, 3, 77], 10).await;
    let (silent, again) = (None, revoked);
    assert_eq!(told[..2], [silent.clone(), silent.clone()]);
    assert_eq!(told[2..5], [again.clone(), again.clone(), again.clone()]);
    assert_eq!(
        told[5..],
        [silent.clone(), again.clone(), silent.clone(), again, silent],
        "and again each grace"
    );
    assert_eq!(differences(&rig), [(Some(0), Some(1))]);
    let open = alerts(&rig).await;
    let [alert] = &open[..] else {
        panic!("{open:?}");
    };
    assert!(alert.is_open() && alert.subject == "a");
    assert!(alert.detail.contains("runs 1 that"), "{}", alert.detail);
    beats(&rig, &[1, 2, 3], 3).await;
    let after = alerts(&rig).await;
    assert!(!after[0].is_open());
    assert_eq!(rig.held("a").await, [1, 2, 3]);
}

#[actix::test]
async fn who_sends_a_digest_is_told_everything_and_keeps_its_streams() {
    let rig = fleet().await;
    let digest = |running: &[i64]| Heartbeat {
        streams: Some(ReportedStreams::counted(
            StreamsDigest::of(ids(running)),
            running.len() as u64,
        )),
        ..following(&rig, "a", running)
    };
    for _ in 0..5 {
        assert_eq!(send(&rig, digest(&[3, 1, 2])).await, None);
        pass(INTERVAL).await;
    }
    let mut told = Vec::new();
    for _ in 0..8 {
        told.push(send(&rig, digest(&[1, 2])).await);
        pass(INTERVAL).await;
    }
    let full = Some((vec![1, 2, 3], vec![-1]));
    let is_full = told.iter().map(|told| *told == full);
    let expected = [false, false, true, true, true, false, true, false];
    assert_eq!(is_full.collect::<Vec<_>>(), expected);
    assert_eq!(rig.held("a").await, [1, 2, 3]);
    assert_eq!(differences(&rig), [(None, None)]);
    assert!(alerts(&rig).await[0].detail.contains("digest"));
}

#[actix::test]
async fn what_is_on_its_way_is_no_difference() {
    let rig = fleet().await;
    let behind = following(&rig, "a", &[1, 2, 3]);
    let moves = vec![Relocation {
        stream: StreamId::new(3),
        to: Some("b".into()),
    }];
    rig.orchestrator
        .execute(MoveStreams { moves })
        .await
        .unwrap();
    for _ in 0..8 {
        assert_eq!(send(&rig, behind.clone()).await, None);
        pass(INTERVAL).await;
    }
    // One that is about to stop something names no version.
    for _ in 0..8 {
        let stopping = Heartbeat {
            version: None,
            ..following(&rig, "a", &[1, 2, 3])
        };
        assert_eq!(send(&rig, stopping).await, None);
        pass(INTERVAL).await;
    }
    assert_eq!(differences(&rig), []);
}

#[actix::test]
async fn one_that_starts_slowly_is_left_to_it() {
    let rig = fleet().await;
    for running in [&[][..], &[], &[1], &[1], &[1, 2], &[1, 2], &[1, 2, 3]] {
        assert_eq!(beat(&rig, "a", running).await, None);
        pass(20.0).await;
    }
    // Twice a grace for each of them, and nothing but steps forward.
    assert_eq!(differences(&rig), []);
}

#[actix::test]
async fn a_difference_that_comes_and_goes_is_no_news() {
    let rig = fleet().await;
    for _ in 0..20 {
        assert_eq!(beats(&rig, &[1, 2], 2).await, [None, None]);
        assert_eq!(beats(&rig, &[1, 2, 3], 1).await, [None]);
    }
    assert_eq!(differences(&rig), []);
    // Once it is reported, a moment in step is not the end of it.
    beats(&rig, &[1, 2, 3, 77], 5).await;
    for _ in 0..20 {
        beats(&rig, &[1, 2, 3], 1).await;
        beats(&rig, &[1, 2, 3, 77], 2).await;
    }
    assert_eq!(differences(&rig).len(), 1);
    let reported = alerts(&rig).await;
    assert_eq!(reported.len(), 1);
    assert!(reported[0].is_open());
}

#[actix::test]
async fn with_nobody_else_to_run_it_a_stream_stays_and_is_offered_on() {
    let rig = Rig::start().await;
    rig.streams(3).await;
    rig.register("a", 9).await;
    rig.ask_for("a", 3).await;
    let before = rig.fleet().await;
    let told = async |times| {
        let mut told = Vec::new();
        for _ in 0..times {
            told.push(beat(&rig, "a", &[1, 2]).await);
            pass(INTERVAL).await;
        }
        told
    };
    let heard = told(8).await;
    assert_eq!(heard.iter().flatten().count(), 4);
    assert_eq!(rig.held("a").await, [1, 2, 3]);
    let epoch = |fleet: &resilient_orchestrator::domain::fleet::Fleet| {
        let slot = fleet.stream(StreamId::new(3)).unwrap();
        slot.place().assignment().unwrap().epoch
    };
    assert_eq!(epoch(&rig.fleet().await), epoch(&before));
    // Somebody comes: it moves without another report.
    rig.register("b", 9).await;
    beat(&rig, "b", &[]).await;
    told(3).await;
    assert_eq!(rig.held("b").await, [3]);
    assert_eq!(differences(&rig).len(), 1);
}

#[actix::test]
async fn a_classic_worker_is_only_reported() {
    let rig = Rig::start().await;
    rig.streams(3).await;
    rig.register("a", 9).await;
    rig.register("b", 9).await;
    rig.ask_for("a", 3).await;
    let classic = |running: &[i64]| Heartbeat {
        streams: Some(ReportedStreams::listed(ids(running))),
        ..report("a")
    };
    for _ in 0..6 {
        assert_eq!(send(&rig, classic(&[1, 2, 77])).await, None);
        pass(INTERVAL).await;
    }
    assert_eq!(differences(&rig), [(Some(1), Some(1))]);
    assert_eq!(rig.held("a").await, [1, 2, 3]);
}

#[actix::test]
async fn who_is_fenced_has_failed_or_is_gone_is_not_judged() {
    let rig = fleet().await;
    beats(&rig, &[1, 2, 77], 5).await;
    assert!(alerts(&rig).await[0].is_open());
    // It falls silent and fails.
    for _ in 0..12 {
        pass(INTERVAL).await;
        let held = rig.held("b").await;
        beat(&rig, "b", &held).await;
    }
    assert!(!alerts(&rig).await[0].is_open(), "failed: another matter");
    assert_eq!(rig.held("a").await, [0; 0]);
    // It comes back with its old streams and the newest version.
    // The first of its heartbeats is its return.
    let told = beats(&rig, &[1, 2, 3], 4).await;
    assert_eq!(told[..3], [None, None, None]);
    assert_eq!(told[3], Some((vec![], vec![1, 2, 3])));
    // A new life knows of nothing.
    rig.register("a", 9).await;
    assert_eq!(beats(&rig, &[1, 2, 3], 2).await, [None, None]);
    assert_eq!(differences(&rig).len(), 1);
}

#[actix::test]
async fn a_worker_whose_lease_is_withdrawn_is_judged_by_its_version_alone() {
    let rig = fleet().await;
    let life = rig.entry("a").standing().incarnation;
    let withdrawal = WithdrawLease::for_removal("a".into(), life);
    let behind = following(&rig, "a", &[1, 2]);
    rig.orchestrator.execute(withdrawal).await.unwrap();
    assert_eq!(rig.entry("a").standing().digest, StreamsDigest::default());
    for _ in 0..6 {
        assert_eq!(send(&rig, behind.clone()).await, None);
        pass(INTERVAL).await;
    }
    assert_eq!(differences(&rig), []);
    // Who has the version that leaves all of them out has let go, but for what it says it runs.
    beat(&rig, "b", &[]).await;
    beat(&rig, "a", &[1, 2]).await;
    assert_eq!(rig.held("b").await, [3]);
    beat(&rig, "a", &[]).await;
    assert_eq!(rig.held("b").await, [1, 2, 3]);
}

#[actix::test]
async fn a_restart_and_a_panic_begin_anew() {
    let rig = fleet().await;
    beats(&rig, &[1, 2, 3, 77], 5).await;
    assert!(alerts(&rig).await[0].is_open());
    let mut rig = rig.again(SystemSettings::default()).await;
    rig.fatal.close();
    assert!(!alerts(&rig).await[0].is_open());
    let told = beats(&rig, &[1, 2, 3, 77], 3).await;
    assert_eq!(told, [None, None, Some((vec![], vec![77]))]);
    beats(&rig, &[1, 2, 3, 77], 2).await;
    let reported = alerts(&rig).await;
    assert_eq!(reported.len(), 2);
    assert!(reported[0].is_open());
    // Its next actor takes back what it did not report itself.
    rig.boom("a").await;
    settle_down().await;
    beat(&rig, "a", &[1, 2, 3]).await;
    assert!(!alerts(&rig).await[0].is_open());
}

#[actix::test]
async fn what_could_not_be_saved_is_settled_when_the_store_is_back() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = fleet().await;
    beats(&rig, &[1, 2], 4).await;
    rig.store.set_outage(Some(Outage::Refusing));
    beats(&rig, &[1, 2], 4).await;
    assert_eq!(differences(&rig), []);
    assert_eq!(rig.held("a").await, [1, 2, 3]);
    rig.store.set_outage(None);
    beats(&rig, &[1, 2], 6).await;
    assert_eq!(differences(&rig), [(Some(1), Some(0))]);
    assert_eq!(rig.held("b").await, [3]);
}

#[actix::test]
async fn heartbeats_in_step_change_nothing_that_is_saved() {
    let rig = fleet().await;
    let before = rig.store.attempt_count();
    for _ in 0..20 {
        let twice = following(&rig, "a", &[3, 1, 2, 3, 1]);
        assert_eq!(send(&rig, twice).await, None, "a set, in any order");
        beat(&rig, "b", &[]).await;
        pass(10.0).await;
    }
    assert_eq!(rig.store.attempt_count(), before);
}
