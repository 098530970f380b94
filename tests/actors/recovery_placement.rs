//! Where the streams go: the lightest first, busy machines later, and never a wait for scores.

use std::time::Duration;

use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::explain::ShownScore;
use resilient_orchestrator::domain::heartbeat::{Heartbeat, SystemMetrics};
use resilient_orchestrator::domain::ids::StreamId;
use resilient_orchestrator::domain::incident::StepName;
use resilient_orchestrator::domain::placement::{PlacementPolicy, PlacementSettings, Strain};
use resilient_orchestrator::domain::queries::ExplainStream;

use crate::restart::life;
use crate::rig::{Rig, pass, report};

fn busy(id: &str, cpu: f64, memory: f64) -> Heartbeat {
    Heartbeat {
        metrics: Some(SystemMetrics {
            cpu_percent: Some(cpu),
            memory_percent: Some(memory),
            ..SystemMetrics::default()
        }),
        ..report(id)
    }
}

/// `a` with twelve streams, and three empty ones with room for all.
async fn fleet() -> Rig {
    prepared(Rig::start().await).await
}

async fn prepared(rig: Rig) -> Rig {
    rig.streams(12).await;
    rig.register("a", 12).await;
    rig.ask_for("a", 12).await;
    for id in ["b", "c", "d"] {
        rig.register(id, 12).await;
    }
    rig
}

async fn recover(rig: &Rig) -> ([usize; 3], String) {
    rig.orchestrator.report_failure("a".into()).await.unwrap();
    outcome(rig).await
}

/// How many streams the three have now, and what the incident says of the plan.
async fn outcome(rig: &Rig) -> ([usize; 3], String) {
    let mut held = [0; 3];
    for (id, held) in ["b", "c", "d"].into_iter().zip(&mut held) {
        *held = rig.held(id).await.len();
    }
    crate::rig::settle_down().await;
    let incident = rig.incidents().pop().unwrap();
    let plan = incident.steps.into_iter();
    let plan = plan.rev().find(|step| step.name == StepName::Plan).unwrap();
    (held, plan.detail)
}

#[actix::test]
async fn machines_that_are_not_busy_share_evenly() {
    let rig = fleet().await;
    rig.orchestrator
        .heartbeat(busy("b", 79.0, 50.0))
        .await
        .unwrap();
    let (held, detail) = recover(&rig).await;
    assert_eq!(held, [4, 4, 4]);
    assert_eq!(detail, "12 to move, 0 without room");
    rig.invariants_hold().await;
}

#[actix::test]
async fn busy_machines_get_less_and_nobody_is_left_out_while_there_is_room() {
    let rig = fleet().await;
    rig.orchestrator
        .heartbeat(busy("b", 10.0, 95.0))
        .await
        .unwrap();
    rig.orchestrator
        .heartbeat(busy("c", 85.0, 0.0))
        .await
        .unwrap();
    let ([b, c, d], _) = recover(&rig).await;
    assert_eq!(b + c + d, 12);
    assert!(0 < b && b < c && c < d, "{b} {c} {d}");
    rig.invariants_hold().await;
}

async fn with_an_absurd_reading(cpu: f64, memory: f64) -> Rig {
    let rig = prepared(Rig::in_paused_time(SystemSettings::default()).await).await;
    for report in [busy("b", 99.0, 0.0), busy("c", cpu, memory)] {
        rig.orchestrator.heartbeat(report).await.unwrap();
    }
    let (held, detail) = recover(&rig).await;
    assert_eq!(held, [4, 4, 4], "{cpu} {memory}");
    assert!(
        detail.contains("placed by load alone: `c` reports"),
        "{detail}"
    );
    rig
}

#[test]
fn an_absurd_reading_leaves_the_load_to_decide_and_the_incident_says_so() {
    for (cpu, memory) in [(-1.0, 0.0), (50.0, 100.5), (f64::NAN, 0.0), (1e300, 0.0)] {
        life(async |_| with_an_absurd_reading(cpu, memory).await, None);
    }
}

/// Scoring reads the clock when it begins and when it ends.
async fn scored_in(millis: u64) -> ([usize; 3], String) {
    let rig = fleet().await;
    rig.orchestrator
        .heartbeat(busy("b", 99.0, 0.0))
        .await
        .unwrap();
    rig.clock.drag(Duration::from_millis(millis));
    rig.orchestrator.report_failure("a".into()).await.unwrap();
    rig.clock.drag(Duration::ZERO);
    let found = outcome(&rig).await;
    rig.invariants_hold().await;
    found
}

#[actix::test]
async fn scoring_that_takes_200_ms_still_counts() {
    let (held, detail) = scored_in(200).await;
    assert!(held[0] < held[1] && held[1] == held[2], "{held:?}");
    assert_eq!(detail, "12 to move, 0 without room");
}

#[actix::test]
async fn scoring_that_takes_longer_leaves_the_load_to_decide_and_the_incident_says_so() {
    let (held, detail) = scored_in(201).await;
    assert_eq!(held, [4, 4, 4]);
    assert!(
        detail.ends_with("placed by load alone: scoring took 201 ms, more than 200 ms"),
        "{detail}"
    );
}

#[actix::test]
async fn a_new_life_has_said_nothing_yet() {
    let rig = fleet().await;
    rig.orchestrator
        .heartbeat(busy("b", 500.0, 0.0))
        .await
        .unwrap();
    rig.register("b", 12).await;
    let (held, detail) = recover(&rig).await;
    assert_eq!(
        (held, detail.as_str()),
        ([4, 4, 4], "12 to move, 0 without room")
    );
}

/// What an instance is compared by for the only stream, which it does not own.
async fn score(rig: &Rig, id: &str) -> ShownScore {
    let id_of = StreamId::new(1);
    let question = ExplainStream { id: id_of };
    let explained = rig.orchestrator.ask(question).await.unwrap().unwrap();
    let mut candidates = explained.candidates.into_iter();
    let found = candidates.find(|one| one.server_id.as_str() == id);
    found.and_then(|one| one.score).expect("compared")
}

#[actix::test]
async fn under_load_aware_old_and_missing_metrics_are_scored_as_balanced_and_the_decision_says_so()
{
    let defaults = SystemSettings::default();
    let rig = Rig::with(SystemSettings {
        placement: PlacementSettings {
            policy: PlacementPolicy::LoadAware,
            ..defaults.placement.clone()
        },
        ..defaults
    })
    .await;
    rig.streams(1).await;
    for id in ["busy", "silent", "without"] {
        rig.register(id, 12).await;
    }
    let busy_now = || busy("busy", 99.0, 0.0);
    rig.orchestrator.heartbeat(busy_now()).await.unwrap();
    rig.orchestrator
        .heartbeat(busy("silent", 99.0, 0.0))
        .await
        .unwrap();
    let by = |score: ShownScore| (score.strain, score.policy.unwrap());
    let scored = (Strain::Exhausted, PlacementPolicy::LoadAware);
    let unscored = (Strain::Unknown, PlacementPolicy::Balanced);
    pass(11.0).await;
    for (id, expected) in [("busy", scored), ("silent", scored), ("without", unscored)] {
        assert_eq!(by(score(&rig, id).await), expected, "{id}");
    }
    // One goes on without metrics: its last ones are old after the warning threshold.
    for _ in 0..13 {
        pass(10.0).await;
        rig.orchestrator.heartbeat(busy_now()).await.unwrap();
        for id in ["silent", "without"] {
            rig.beat(id).await;
        }
    }
    for (id, expected) in [
        ("busy", scored),
        ("silent", unscored),
        ("without", unscored),
    ] {
        assert_eq!(by(score(&rig, id).await), expected, "{id}");
    }
}
