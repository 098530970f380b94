//! A worker that goes on running what was taken from it, or does not release it, is an alert.

use std::ops::RangeInclusive;

use resilient_orchestrator::actors::alerts::AskAlerts;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::alert::{Alert, AlertFilter, AlertKind};
use resilient_orchestrator::domain::commands::{
    DeleteStream, MoveStreams, Relocation, SaveStreams, StreamSpec,
};
use resilient_orchestrator::domain::digest::StreamsDigest;
use resilient_orchestrator::domain::handover::HandoverMode;
use resilient_orchestrator::domain::heartbeat::{Heartbeat, ReportedStreams};
use resilient_orchestrator::domain::ids::{AssignmentVersion, StreamId};

use crate::rig::{Rig, pass, report, settle_down, spec};
use crate::support_log::expect_errors;

use AlertKind::{OverlapUnfinished, ReleaseRefused, RunsWhatWasTaken, StreamsDiffer};

/// The interval that workers are asked to keep.
const INTERVAL: f64 = 30.0;

/// What a worker names as its version.
#[derive(Debug, Clone, Copy)]
enum Names {
    Newest,
    Old(AssignmentVersion),
    None,
}

/// `a` owns streams 1 to 6, of which 6 may overlap, and `b` none; both are leased.
async fn fleet() -> Rig {
    tokio::time::pause();
    fleet_in_paused_time().await
}

async fn fleet_in_paused_time() -> Rig {
    let rig = Rig::in_paused_time(SystemSettings::default()).await;
    rig.streams(6).await;
    let overlap = StreamSpec {
        handoff: Some(HandoverMode::Overlap),
        ..spec(6)
    };
    save(&rig, overlap).await;
    rig.register("a", 9).await;
    rig.ask_for("a", 6).await;
    rig.register("b", 9).await;
    lists(&rig, "a", 1..=6, Names::Newest).await;
    lists(&rig, "b", &[], Names::Newest).await;
    rig
}

async fn save(rig: &Rig, spec: StreamSpec) {
    let streams = vec![spec];
    rig.orchestrator
        .execute(SaveStreams { streams })
        .await
        .unwrap();
}

async fn disable(rig: &Rig, stream: i64) {
    let disabled = StreamSpec {
        enabled: Some(false),
        ..spec(stream)
    };
    save(rig, disabled).await;
}

async fn delete(rig: &Rig, stream: i64) {
    let id = StreamId::new(stream);
    rig.orchestrator.execute(DeleteStream { id }).await.unwrap();
}

async fn move_to_b(rig: &Rig, stream: i64) {
    let moves = vec![Relocation {
        stream: StreamId::new(stream),
        to: Some("b".into()),
    }];
    rig.orchestrator
        .execute(MoveStreams { moves })
        .await
        .unwrap();
}

fn old(rig: &Rig) -> Names {
    Names::Old(rig.entry("a").standing().assignment_version)
}

/// Streams a worker lists.
trait Listed {
    fn ids(self) -> Vec<StreamId>;
}

impl Listed for &[i64] {
    fn ids(self) -> Vec<StreamId> {
        self.iter().copied().map(StreamId::new).collect()
    }
}

impl<const N: usize> Listed for &[i64; N] {
    fn ids(self) -> Vec<StreamId> {
        self.as_slice().ids()
    }
}

impl Listed for RangeInclusive<i64> {
    fn ids(self) -> Vec<StreamId> {
        self.map(StreamId::new).collect()
    }
}

/// A heartbeat of a leased worker that says nothing of what it runs.
fn plain(rig: &Rig, id: &str) -> Heartbeat {
    Heartbeat {
        incarnation: Some(rig.entry(id).standing().incarnation),
        ..report(id)
    }
}

fn listing(rig: &Rig, id: &str, streams: impl Listed, names: Names) -> Heartbeat {
    let newest = rig.entry(id).standing().assignment_version;
    let version = match names {
        Names::Newest => Some(newest),
        Names::Old(version) => Some(version),
        Names::None => None,
    };
    let running = streams.ids();
    Heartbeat {
        version,
        current_streams: running.len() as i64,
        streams: Some(ReportedStreams::listed(running)),
        ..plain(rig, id)
    }
}

fn digest_of(streams: impl Listed) -> ReportedStreams {
    let streams = streams.ids();
    let count = streams.len() as u64;
    ReportedStreams::counted(StreamsDigest::of(streams), count)
}

async fn send(rig: &Rig, heartbeat: Heartbeat) {
    rig.orchestrator.heartbeat(heartbeat).await.unwrap();
    settle_down().await;
}

async fn lists(rig: &Rig, id: &str, streams: impl Listed, names: Names) {
    send(rig, listing(rig, id, streams, names)).await;
}

/// `a` beats like this for so long, and `b` as it should.
async fn goes_on(rig: &Rig, seconds: u64, heartbeat: impl Fn() -> Heartbeat) {
    for _ in 0..(seconds / 30) {
        pass(INTERVAL).await;
        send(rig, heartbeat()).await;
        let held = rig.held("b").await;
        lists(rig, "b", &held[..], Names::Newest).await;
    }
}

async fn alerts(rig: &Rig) -> Vec<Alert> {
    settle_down().await;
    let filter = AlertFilter::default();
    let ask = AskAlerts { filter, limit: 100 };
    let page = rig.orchestrator.alert_page(ask).await.unwrap();
    let of_releases = [
        RunsWhatWasTaken,
        ReleaseRefused,
        OverlapUnfinished,
        StreamsDiffer,
    ];
    let mut alerts = page.alerts;
    alerts.retain(|alert| of_releases.contains(&alert.kind));
    alerts
}

/// The open ones.
async fn open(rig: &Rig) -> Vec<AlertKind> {
    let mut open = alerts(rig).await;
    open.retain(|alert| alert.is_open() && alert.subject == "a");
    open.sort_by_key(|alert| alert.kind);
    open.iter().map(|alert| alert.kind).collect()
}

async fn detail(rig: &Rig, kind: AlertKind) -> String {
    let found = alerts(rig)
        .await
        .into_iter()
        .find(|alert| alert.kind == kind);
    found.unwrap().detail
}

#[actix::test]
async fn a_worker_listing_what_was_taken_is_reported_within_a_timeout() {
    expect_errors(&["alert system_health"]);
    tokio::time::pause();
    for without_version in [false, true] {
        let rig = fleet_in_paused_time().await;
        let names = if without_version {
            Names::None
        } else {
            old(&rig)
        };
        disable(&rig, 1).await;
        delete(&rig, 2).await;
        move_to_b(&rig, 3).await;
        goes_on(&rig, 90, || listing(&rig, "a", 1..=6, names)).await;
        assert_eq!(open(&rig).await, [], "it may be about to stop them");
        goes_on(&rig, 180, || listing(&rig, "a", 1..=6, names)).await;
        assert_eq!(open(&rig).await, [RunsWhatWasTaken], "{names:?}");
        let detail = detail(&rig, RunsWhatWasTaken).await;
        let streams = "run: 1 (disabled), 2 (not in the catalogue), 3 (to be released).";
        assert!(
            detail.contains("`a`") && detail.contains(streams),
            "{detail}"
        );
        // It closes with the first report that leaves them out.
        lists(&rig, "a", &[4, 5, 6], names).await;
        assert_eq!(open(&rig).await, []);
        assert_eq!(alerts(&rig).await.len(), 1);
        rig.invariants_hold().await;
    }
}

#[actix::test]
async fn a_worker_that_stops_in_time_is_no_alert() {
    let rig = fleet().await;
    let names = old(&rig);
    disable(&rig, 1).await;
    goes_on(&rig, 90, || listing(&rig, "a", 1..=6, names)).await;
    goes_on(&rig, 600, || listing(&rig, "a", 2..=6, Names::Newest)).await;
    assert_eq!(alerts(&rig).await, []);
    assert_eq!(rig.held("a").await, [2, 3, 4, 5, 6]);
}

#[actix::test]
async fn a_stream_that_runs_elsewhere_or_was_never_owned_is_one_alert() {
    let rig = fleet().await;
    // 1 is given back and taken by `b`; 6 may overlap, and is disabled at once; 77 does not exist.
    let give_back = resilient_orchestrator::domain::commands::ReleaseStreams {
        epochs: None,
        id: "a".into(),
        incarnation: None,
        streams: vec![StreamId::new(1)],
        reason: None,
    };
    let names = old(&rig);
    rig.orchestrator.execute(give_back).await.unwrap();
    rig.ask_for("b", 1).await;
    disable(&rig, 6).await;
    let streams = [1, 2, 3, 4, 5, 6, 77];
    goes_on(&rig, 240, || listing(&rig, "a", &streams, names)).await;
    assert_eq!(open(&rig).await, [RunsWhatWasTaken]);
    let text = detail(&rig, RunsWhatWasTaken).await;
    let named = "1 (owned by `b`), 6 (disabled), 77 (not in the catalogue).";
    assert!(text.contains(named), "{text}");
    // With the newest version it is judged; that alert takes the place of this one.
    goes_on(&rig, 120, || listing(&rig, "a", &streams, Names::Newest)).await;
    assert_eq!(open(&rig).await, [RunsWhatWasTaken]);
    goes_on(&rig, 60, || listing(&rig, "a", &streams, Names::Newest)).await;
    assert_eq!(open(&rig).await, [StreamsDiffer]);
    goes_on(&rig, 300, || listing(&rig, "a", &streams, Names::Newest)).await;
    assert_eq!(open(&rig).await, [StreamsDiffer]);
    // And the other way round.
    goes_on(&rig, 180, || listing(&rig, "a", &streams, Names::None)).await;
    assert_eq!(open(&rig).await, [RunsWhatWasTaken]);
}

#[actix::test]
async fn a_digest_of_more_than_it_should_run_is_reported_without_names() {
    let rig = fleet().await;
    let names = old(&rig);
    disable(&rig, 6).await;
    let digest = || Heartbeat {
        streams: Some(digest_of(1..=6)),
        ..listing(&rig, "a", 1..=6, names)
    };
    goes_on(&rig, 240, digest).await;
    assert_eq!(open(&rig).await, [RunsWhatWasTaken]);
    let detail = detail(&rig, RunsWhatWasTaken).await;
    assert!(detail.contains("1 streams more"), "{detail}");
}

#[actix::test]
async fn a_classic_worker_that_lists_what_was_deleted_is_reported_too() {
    let rig = Rig::start().await;
    rig.streams(3).await;
    rig.register("a", 9).await;
    rig.register("b", 9).await;
    rig.ask_for("a", 3).await;
    let names = rig.entry("a").standing().assignment_version;
    delete(&rig, 1).await;
    let classic = || Heartbeat {
        version: Some(names),
        streams: Some(ReportedStreams::listed((1..=3).ids())),
        ..report("a")
    };
    goes_on(&rig, 240, classic).await;
    assert_eq!(open(&rig).await, [RunsWhatWasTaken]);
}

#[actix::test]
async fn a_stream_that_is_not_released_is_reported_whatever_the_worker_sends() {
    expect_errors(&["alert streams_orphaned", "alert system_health"]);
    type Sends = fn(&Rig, Names) -> Heartbeat;
    let sends: [(&str, Sends); 5] = [
        ("plain heartbeats", |rig, _| plain(rig, "a")),
        ("no version", |rig, _| listing(rig, "a", 3..=6, Names::None)),
        ("an old version", |rig, names| {
            listing(rig, "a", 3..=6, names)
        }),
        ("a digest", |rig, names| Heartbeat {
            streams: Some(digest_of(3..=6)),
            ..listing(rig, "a", 3..=6, names)
        }),
        ("no incarnation at times", |rig, _| {
            report(rig.entry("a").id().as_str())
        }),
    ];
    tokio::time::pause();
    for (name, send_this) in sends {
        let rig = fleet_in_paused_time().await;
        let names = old(&rig);
        disable(&rig, 1).await;
        delete(&rig, 2).await;
        if name == "no incarnation at times" {
            for _ in 0..8 {
                goes_on(&rig, 30, || send_this(&rig, names)).await;
                goes_on(&rig, 30, || plain(&rig, "a")).await;
            }
        } else {
            goes_on(&rig, 300, || send_this(&rig, names)).await;
            assert_eq!(open(&rig).await, [], "{name}");
            goes_on(&rig, 120, || send_this(&rig, names)).await;
        }
        assert_eq!(open(&rig).await, [ReleaseRefused], "{name}");
        let detail = detail(&rig, ReleaseRefused).await;
        assert!(detail.contains("more than 300 s: 1, 2."), "{detail}");
        // Released: it is over at once.
        lists(&rig, "a", 3..=6, Names::Newest).await;
        assert_eq!(open(&rig).await, [], "{name}");
        assert_eq!(rig.held("a").await, [3, 4, 5, 6]);
    }
}

#[actix::test]
async fn a_planned_move_is_given_up_before_it_is_refused_each_by_its_own_clock() {
    let rig = fleet().await;
    let names = old(&rig);
    disable(&rig, 1).await;
    let beats = || listing(&rig, "a", 2..=6, names);
    goes_on(&rig, 270, beats).await;
    move_to_b(&rig, 2).await;
    goes_on(&rig, 270, beats).await;
    let releasing = rig.entry("a").standing().releasing;
    assert_eq!(releasing, 2, "the move has a timeout of its own");
    assert_eq!(open(&rig).await, [RunsWhatWasTaken, ReleaseRefused]);
    assert!(detail(&rig, ReleaseRefused).await.contains(": 1."));
    goes_on(&rig, 120, beats).await;
    assert_eq!(rig.entry("a").standing().releasing, 1);
    assert_eq!(open(&rig).await, [ReleaseRefused], "it owns 2 again");
    assert!(rig.kinds_about("a").contains(&"handover_abandoned"));
}

#[actix::test]
async fn an_alert_ends_with_the_instance() {
    let rig = fleet().await;
    let names = old(&rig);
    disable(&rig, 1).await;
    goes_on(&rig, 420, || listing(&rig, "a", 1..=6, names)).await;
    assert_eq!(open(&rig).await, [RunsWhatWasTaken, ReleaseRefused]);
    // It falls silent and fails.
    for _ in 0..12 {
        pass(INTERVAL).await;
        let held = rig.held("b").await;
        lists(&rig, "b", &held[..], Names::Newest).await;
    }
    assert_eq!(open(&rig).await, []);
    // It comes back and runs its old streams beside their new owner.
    lists(&rig, "a", 1..=6, names).await;
    goes_on(&rig, 240, || listing(&rig, "a", 1..=6, names)).await;
    assert_eq!(open(&rig).await, [RunsWhatWasTaken]);
    assert!(
        detail(&rig, RunsWhatWasTaken)
            .await
            .contains("2 (owned by `b`)")
    );
    rig.register("a", 9).await;
    assert_eq!(open(&rig).await, [], "a new life runs nothing");
}

#[actix::test]
async fn an_overlap_that_does_not_end_is_reported_until_it_ends() {
    let rig = fleet().await;
    move_to_b(&rig, 6).await;
    let says_nothing = || async {
        send(&rig, listing(&rig, "a", 1..=6, Names::Newest)).await;
        send(&rig, plain(&rig, "b")).await;
        pass(INTERVAL).await;
    };
    for _ in 0..10 {
        says_nothing().await;
    }
    assert_eq!(open(&rig).await, []);
    for _ in 0..2 {
        says_nothing().await;
    }
    assert_eq!(open(&rig).await, [OverlapUnfinished]);
    let detail = detail(&rig, OverlapUnfinished).await;
    assert!(detail.contains("6 (owned by `b`)"), "{detail}");
    lists(&rig, "b", &[6], Names::Newest).await;
    assert_eq!(open(&rig).await, []);
}

#[actix::test]
async fn a_restart_keeps_what_is_saved_and_begins_anew_with_what_is_said() {
    let rig = fleet().await;
    let names = old(&rig);
    disable(&rig, 1).await;
    goes_on(&rig, 420, || listing(&rig, "a", 1..=6, names)).await;
    assert_eq!(open(&rig).await, [RunsWhatWasTaken, ReleaseRefused]);
    let rig = rig.again(SystemSettings::default()).await;
    assert_eq!(open(&rig).await, [ReleaseRefused]);
    goes_on(&rig, 240, || listing(&rig, "a", 1..=6, names)).await;
    assert_eq!(open(&rig).await, [RunsWhatWasTaken, ReleaseRefused]);
    let refused = |alerts: Vec<Alert>| {
        let refused = alerts
            .into_iter()
            .filter(|alert| alert.kind == ReleaseRefused);
        refused.count()
    };
    goes_on(&rig, 240, || listing(&rig, "a", 1..=6, names)).await;
    assert_eq!(refused(alerts(&rig).await), 1, "the same alert");
    // An actor that ends takes nothing with it either.
    rig.boom("a").await;
    settle_down().await;
    lists(&rig, "a", 1..=6, names).await;
    assert!(open(&rig).await.contains(&ReleaseRefused));
    lists(&rig, "a", 2..=6, Names::Newest).await;
    assert_eq!(open(&rig).await, []);
}

#[actix::test]
async fn heartbeats_that_release_nothing_change_nothing_that_is_saved() {
    let rig = fleet().await;
    let names = old(&rig);
    disable(&rig, 1).await;
    let before = rig.store.attempt_count();
    goes_on(&rig, 900, || plain(&rig, "a")).await;
    goes_on(&rig, 900, || listing(&rig, "a", 2..=6, names)).await;
    // Beside the alert and its end there is nothing to save.
    let saved = rig.store.attempt_count() - before;
    assert_eq!(saved, 0, "{saved} transactions");
}
