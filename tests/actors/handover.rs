//! Planned moves: who runs a stream is told to let go before anybody else is told to run it.

use resilient_orchestrator::actors::alerts::AskAlerts;
use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::alert::{Alert, AlertFilter, AlertKind};
use resilient_orchestrator::domain::commands::{
    MoveProgress, MoveStreams, Rejection, Relocation, SaveStreams, StreamSpec,
};
use resilient_orchestrator::domain::handover::HandoverMode;
use resilient_orchestrator::domain::heartbeat::ReportedStreams;
use resilient_orchestrator::domain::ids::{AssignmentVersion, Epoch, InstanceId, StreamId};
use resilient_orchestrator::domain::queries::{ChangesSince, SetUpdate, Totals};

use crate::rig::{Rig, pass, report, settle_down, spec};
use crate::support_log::expect_errors;

/// `a` and `b` are leased; `a` runs streams 1 to 4, of which 4 may overlap.
async fn fleet() -> Rig {
    let rig = Rig::start().await;
    rig.streams(4).await;
    let overlap = StreamSpec {
        handoff: Some(HandoverMode::Overlap),
        ..spec(4)
    };
    save(&rig, overlap).await;
    rig.register("a", 4).await;
    rig.ask_for("a", 4).await;
    rig.register("b", 9).await;
    follow(&rig, "a").await;
    follow(&rig, "b").await;
    rig
}

async fn save(rig: &Rig, spec: StreamSpec) {
    let streams = vec![spec];
    rig.orchestrator
        .execute(SaveStreams { streams })
        .await
        .unwrap();
}

/// A leased worker's heartbeat; it has followed everything that is new.
async fn follow(rig: &Rig, id: &str) {
    beat(rig, id, rig.entry(id).standing().assignment_version, None).await;
}

async fn beat(rig: &Rig, id: &str, version: AssignmentVersion, running: Option<Vec<StreamId>>) {
    let mut heartbeat = report(id);
    heartbeat.incarnation = Some(rig.entry(id).standing().incarnation);
    heartbeat.version = Some(version);
    heartbeat.streams = running.map(ReportedStreams::listed);
    let answer = rig.orchestrator.heartbeat(heartbeat).await.unwrap();
    assert!(answer.granted.is_some() || rig.entry(id).standing().withdrawn.is_some());
    settle_down().await;
}

async fn try_move(
    rig: &Rig,
    streams: impl IntoIterator<Item = i64>,
    to: Option<&str>,
) -> Result<Vec<MoveProgress>, Refusal> {
    let moves = streams.into_iter().map(|stream| Relocation {
        stream: StreamId::new(stream),
        to: to.map(InstanceId::from),
    });
    let command = MoveStreams {
        moves: moves.collect(),
    };
    let moved = rig.orchestrator.execute(command).await?;
    Ok(moved.iter().map(|relocated| relocated.progress).collect())
}

async fn told(rig: &Rig, id: &str) -> Vec<(i64, Epoch)> {
    let question = ChangesSince {
        id: id.into(),
        incarnation: None,
        version: AssignmentVersion::new(0),
    };
    match rig
        .orchestrator
        .ask(question)
        .await
        .unwrap()
        .unwrap()
        .update
    {
        SetUpdate::Full { assign } => assign
            .into_iter()
            .map(|(stream, epoch)| (stream.id.get(), epoch))
            .collect(),
        other => panic!("{other:?}"),
    }
}

async fn streams_told(rig: &Rig, id: &str) -> Vec<i64> {
    told(rig, id).await.into_iter().map(|(id, _)| id).collect()
}

async fn epoch(rig: &Rig, stream: i64) -> Epoch {
    let fleet = rig.fleet().await;
    let place = fleet.stream(StreamId::new(stream)).unwrap().place();
    place.assignment().unwrap().epoch
}

#[actix::test]
async fn an_exclusive_stream_moves_when_its_owner_has_let_go() {
    let rig = fleet().await;
    let before = epoch(&rig, 1).await;
    let old = rig.entry("a").standing().assignment_version;
    let moved = try_move(&rig, [1, 2], Some("b")).await.unwrap();
    assert_eq!(moved, [MoveProgress::Releasing; 2]);
    assert_eq!(streams_told(&rig, "a").await, [3, 4]);
    assert_eq!(streams_told(&rig, "b").await, [0; 0], "nobody is told yet");
    assert_eq!(epoch(&rig, 1).await, before);
    beat(&rig, "a", old, None).await;
    assert_eq!(rig.held("a").await, [1, 2, 3, 4], "it has not heard of it");
    follow(&rig, "a").await;
    assert_eq!(rig.held("b").await, [1, 2]);
    assert_eq!(streams_told(&rig, "b").await, [1, 2]);
    assert!(epoch(&rig, 1).await > before);
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_stream_that_overlaps_is_stopped_when_its_new_owner_runs_it() {
    let rig = fleet().await;
    let before = epoch(&rig, 4).await;
    let moved = try_move(&rig, [4], Some("b")).await.unwrap();
    assert_eq!(moved, [MoveProgress::Overlapping]);
    let now = epoch(&rig, 4).await;
    assert_eq!(told(&rig, "b").await, [(4, now)]);
    assert!(told(&rig, "a").await.contains(&(4, before)), "it goes on");
    follow(&rig, "a").await;
    assert!(told(&rig, "a").await.contains(&(4, before)));
    let version = rig.entry("b").standing().assignment_version;
    beat(&rig, "b", version, Some(vec![])).await;
    assert!(
        told(&rig, "a").await.contains(&(4, before)),
        "it has not begun"
    );
    beat(&rig, "b", version, Some(vec![StreamId::new(4)])).await;
    assert_eq!(streams_told(&rig, "a").await, [1, 2, 3]);
    assert_eq!(told(&rig, "b").await, [(4, now)]);
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_move_survives_a_restart_at_each_step() {
    let rig = fleet().await;
    try_move(&rig, [1, 4], Some("b")).await.unwrap();
    let rig = rig.again(SystemSettings::default()).await;
    rig.memory_equals_store().await;
    assert_eq!(streams_told(&rig, "a").await, [2, 3, 4]);
    follow(&rig, "a").await;
    let rig = rig.again(SystemSettings::default()).await;
    assert_eq!(rig.held("b").await, [1, 4]);
    assert_eq!(streams_told(&rig, "a").await, [2, 3, 4], "4 overlaps");
    follow(&rig, "b").await;
    let rig = rig.again(SystemSettings::default()).await;
    assert_eq!(streams_told(&rig, "a").await, [2, 3]);
    assert_eq!(streams_told(&rig, "b").await, [1, 4]);
    rig.invariants_hold().await;
}

#[actix::test]
async fn who_falls_silent_in_the_middle_is_recovered_with_all_it_has() {
    let rig = fleet().await;
    rig.keep_beating(&["b"]);
    try_move(&rig, [1], Some("b")).await.unwrap();
    pass(310.0).await;
    assert_eq!(rig.held("b").await, [1, 2, 3, 4]);
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_new_owner_that_falls_silent_does_not_keep_the_old_one_waiting() {
    let rig = fleet().await;
    try_move(&rig, [4], Some("b")).await.unwrap();
    for _ in 0..11 {
        pass(30.0).await;
        follow(&rig, "a").await;
    }
    assert_eq!(rig.held("a").await, [1, 2, 3, 4]);
    rig.invariants_hold().await;
}

#[actix::test]
async fn an_owner_that_beats_and_never_lets_go_keeps_its_streams() {
    let rig = fleet().await;
    let (old, before) = (
        rig.entry("a").standing().assignment_version,
        epoch(&rig, 1).await,
    );
    try_move(&rig, [1], Some("b")).await.unwrap();
    for _ in 0..12 {
        pass(30.0).await;
        beat(&rig, "a", old, None).await;
    }
    assert_eq!(streams_told(&rig, "a").await, [1, 2, 3, 4]);
    assert_eq!(epoch(&rig, 1).await, before);
    let kinds = rig.kinds_about("a");
    assert!(kinds.contains(&"handover_abandoned"), "{kinds:?}");
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_classic_owner_cannot_confirm_and_is_not_waited_for() {
    let rig = Rig::start().await;
    rig.streams(2).await;
    rig.register("a", 4).await;
    rig.ask_for("a", 4).await;
    rig.register("b", 9).await;
    let moved = try_move(&rig, [1], None).await.unwrap();
    assert_eq!(moved, [MoveProgress::Moved]);
    assert_eq!(rig.held("b").await, [1]);
}

#[actix::test]
async fn registering_anew_lets_go() {
    let rig = fleet().await;
    try_move(&rig, [1, 4], Some("b")).await.unwrap();
    rig.register("a", 4).await;
    assert_eq!(
        rig.held("b").await,
        [4],
        "nobody has heard of the new life yet"
    );
    assert_eq!(streams_told(&rig, "a").await, [2, 3]);
    beat(&rig, "a", AssignmentVersion::new(0), None).await;
    assert_eq!(rig.held("b").await, [1, 4]);
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_move_back_is_the_end_of_the_move() {
    let rig = fleet().await;
    let before = epoch(&rig, 1).await;
    try_move(&rig, [1], Some("b")).await.unwrap();
    let back = try_move(&rig, [1], Some("a")).await.unwrap();
    assert_eq!(back, [MoveProgress::Unchanged]);
    assert_eq!(streams_told(&rig, "a").await, [1, 2, 3, 4]);
    assert_eq!(epoch(&rig, 1).await, before);
}

/// Disabling ends the assignment for everybody to see; but nobody else gets the stream before its
/// worker has heard of it.
#[actix::test]
async fn a_stream_that_is_disabled_and_enabled_again_has_one_runner() {
    let rig = fleet().await;
    let enabled = |enabled| StreamSpec {
        enabled: Some(enabled),
        ..spec(1)
    };
    save(&rig, enabled(false)).await;
    assert_eq!(streams_told(&rig, "a").await, [2, 3, 4]);
    save(&rig, enabled(true)).await;
    assert_eq!(
        streams_told(&rig, "a").await,
        [1, 2, 3, 4],
        "it was never given up"
    );
    save(&rig, enabled(false)).await;
    follow(&rig, "a").await;
    assert_eq!(rig.held("a").await, [2, 3, 4]);
    save(&rig, enabled(true)).await;
    rig.ask_for("b", 1).await;
    assert_eq!(rig.held("b").await, [1]);
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_move_that_makes_no_sense_moves_nothing() {
    let rig = fleet().await;
    rig.register("full", 1).await;
    rig.try_streams([9]).await.unwrap();
    rig.ask_for("full", 1).await;
    let disabled = StreamSpec {
        enabled: Some(false),
        ..spec(8)
    };
    save(&rig, disabled).await;
    for (streams, to, rejection) in [
        (
            vec![1, 77],
            Some("b"),
            Rejection::UnknownStream(StreamId::new(77)),
        ),
        (vec![1], Some("z"), Rejection::UnknownInstance("z".into())),
        (
            vec![1],
            Some("full"),
            Rejection::NoRoom(Some("full".into())),
        ),
        (
            vec![1, 8],
            Some("b"),
            Rejection::StreamDisabled(StreamId::new(8)),
        ),
    ] {
        let refused = try_move(&rig, streams, to).await;
        assert_eq!(refused, Err(Refusal::Rejected(rejection)));
    }
    assert_eq!(streams_told(&rig, "a").await, [1, 2, 3, 4]);
}

/// Ten thousand streams are one plan, one transaction to begin with and one to end with.
#[actix::test]
async fn a_large_move_is_a_few_transactions() {
    let rig = Rig::start().await;
    rig.streams(10_000).await;
    for id in ["a", "b"] {
        rig.register(id, 10_000).await;
        rig.ask_for(id, if id == "a" { 10_000 } else { 0 }).await;
        follow(&rig, id).await;
    }
    let before = rig.store.attempt_count();
    try_move(&rig, 1..=10_000, Some("b")).await.unwrap();
    follow(&rig, "a").await;
    assert_eq!(rig.held("b").await.len(), 10_000);
    let transactions = rig.store.attempt_count() - before;
    assert!(transactions <= 3, "{transactions} transactions");
    rig.invariants_hold().await;
}

/// The worker of `a` beats for longer than a timeout and does not follow.
async fn deaf(rig: &Rig, version: AssignmentVersion) {
    for _ in 0..12 {
        pass(30.0).await;
        beat(rig, "a", version, None).await;
    }
    pass(2.0).await;
}

async fn abandoned(rig: &Rig) -> Vec<Alert> {
    let filter = AlertFilter {
        kind: Some(AlertKind::HandoverAbandoned),
        ..AlertFilter::default()
    };
    let ask = AskAlerts { filter, limit: 10 };
    rig.orchestrator.alert_page(ask).await.unwrap().alerts
}

async fn moves(rig: &Rig) -> (usize, usize) {
    let moves = rig.orchestrator.totals().await.unwrap().moves;
    (moves.under_way(), moves.given_up)
}

/// Streams 1 and 2 were to move from `a` to `b`, and `a` did not let go of them.
async fn given_up() -> (Rig, AssignmentVersion) {
    let rig = fleet().await;
    rig.keep_beating(&["b"]);
    let old = rig.entry("a").standing().assignment_version;
    try_move(&rig, [1, 2], Some("b")).await.unwrap();
    assert_eq!(moves(&rig).await, (2, 0));
    deaf(&rig, old).await;
    (rig, old)
}

#[actix::test]
async fn a_move_that_is_given_up_is_an_alert_until_its_streams_move() {
    let (rig, _) = given_up().await;
    assert_eq!(moves(&rig).await, (0, 2));
    let [alert] = abandoned(&rig).await.try_into().unwrap();
    assert!(alert.is_open());
    assert_eq!(alert.subject, "a");
    assert!(alert.detail.contains("streams 1 and 2"), "{}", alert.detail);
    follow(&rig, "a").await;
    try_move(&rig, [1], Some("b")).await.unwrap();
    assert_eq!(moves(&rig).await, (1, 1), "a new move of it is under way");
    follow(&rig, "a").await;
    pass(2.0).await;
    let [now] = abandoned(&rig).await.try_into().unwrap();
    assert!(
        now.is_open() && now.detail.contains("stream 2 "),
        "{}",
        now.detail
    );
    try_move(&rig, [2], Some("b")).await.unwrap();
    follow(&rig, "a").await;
    pass(2.0).await;
    assert!(!abandoned(&rig).await[0].is_open());
    assert_eq!(moves(&rig).await, (0, 0));
    assert_eq!(rig.held("b").await, [1, 2]);
    rig.invariants_hold().await;
}

#[actix::test]
async fn an_operator_who_wants_the_streams_where_they_are_closes_the_alert() {
    let (rig, _) = given_up().await;
    let version = rig.entry("a").standing().assignment_version;
    let stay = try_move(&rig, [1, 2], Some("a")).await.unwrap();
    assert_eq!(stay, [MoveProgress::Unchanged; 2]);
    pass(2.0).await;
    assert!(!abandoned(&rig).await[0].is_open());
    assert_eq!(moves(&rig).await, (0, 0));
    let now = rig.entry("a").standing().assignment_version;
    assert_eq!(now, version, "there is nothing for its worker to hear");
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_move_that_was_given_up_is_told_of_after_a_restart() {
    let (rig, _) = given_up().await;
    let before = abandoned(&rig).await;
    let rig = rig.again(SystemSettings::default()).await;
    pass(2.0).await;
    assert_eq!(moves(&rig).await, (0, 2));
    assert_eq!(abandoned(&rig).await, before);
}

#[actix::test]
async fn a_move_that_was_given_up_is_over_when_its_owner_is_gone() {
    let (rig, _) = given_up().await;
    pass(320.0).await;
    assert_eq!(rig.held("b").await, [1, 2, 3, 4]);
    assert!(!abandoned(&rig).await[0].is_open());
    rig.invariants_hold().await;
}

#[actix::test]
async fn a_move_that_is_called_off_is_no_alert() {
    let rig = fleet().await;
    try_move(&rig, [1], Some("b")).await.unwrap();
    try_move(&rig, [1], Some("a")).await.unwrap();
    pass(2.0).await;
    assert_eq!(abandoned(&rig).await, []);
    assert_eq!(moves(&rig).await, (0, 0));
}

#[actix::test]
async fn a_leased_owner_whose_lease_is_over_owns_its_streams_and_runs_none() {
    let rig = fleet().await;
    rig.keep_beating(&["b"]);
    let streams = |totals: &Totals| (totals.streams.owned, totals.streams.running);
    let now = rig.orchestrator.totals().await.unwrap();
    assert_eq!(streams(&now), (4, 4));
    pass(241.0).await;
    let now = rig.orchestrator.totals().await.unwrap();
    assert_eq!(
        streams(&now),
        (4, 0),
        "its worker has stopped them by itself"
    );
    assert_eq!(now.streams_assigned(), 4);
    follow(&rig, "a").await;
    let now = rig.orchestrator.totals().await.unwrap();
    assert_eq!(streams(&now), (4, 4));
}

#[actix::test]
async fn a_classic_owner_runs_its_streams_until_it_fails() {
    expect_errors(&["alert streams_orphaned", "alert system_health"]);
    let rig = Rig::start().await;
    rig.streams(2).await;
    rig.register("a", 2).await;
    rig.ask_for("a", 2).await;
    pass(299.0).await;
    let streams = rig.orchestrator.totals().await.unwrap().streams;
    assert_eq!((streams.owned, streams.running), (2, 2));
    pass(2.0).await;
    let streams = rig.orchestrator.totals().await.unwrap().streams;
    assert_eq!(
        (streams.owned, streams.running, streams.waiting()),
        (0, 0, 2)
    );
}
