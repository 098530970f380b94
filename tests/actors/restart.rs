//! A new orchestrator on the store of the one before.

use std::time::Duration;

use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::domain::commands::SayGoodbye;
use resilient_orchestrator::domain::instance::InstanceStatus;

use crate::rig::{Rig, pass};
use crate::support_log::expect_errors;

pub(crate) fn life(work: impl AsyncFnOnce(Option<Rig>) -> Rig, before: Option<Rig>) -> Rig {
    let system = actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    });
    system.block_on(work(before))
}

#[test]
fn after_a_long_absence_nobody_fails_before_a_full_timeout_since_the_start() {
    expect_errors(&["alert system_health"]);
    let first = life(
        async |_| {
            let rig = Rig::in_paused_time(SystemSettings::default()).await;
            rig.streams(4).await;
            rig.register("silent", 2).await;
            rig.ask_for("silent", 2).await;
            rig.register("beats", 4).await;
            rig.ask_for("beats", 2).await;
            pass(200.0).await;
            rig
        },
        None,
    );
    life(
        async |before| {
            let rig = before.unwrap().again(SystemSettings::default()).await;
            rig.keep_beating(&["beats"]);
            assert_eq!(rig.held("silent").await, [1, 2], "everything is there");
            pass(299.9).await;
            assert_eq!(rig.held("silent").await, [1, 2]);
            pass(0.2).await;
            assert_eq!(rig.status("silent"), InstanceStatus::Failed);
            assert_eq!(rig.held("beats").await, [1, 2, 3, 4]);
            rig.memory_equals_store().await;
            rig
        },
        Some(first),
    );
}

#[test]
fn a_suspect_of_the_life_before_is_not_trusted_for_the_orchestrators_own_start() {
    expect_errors(&["alert system_health"]);
    let first = life(
        async |_| {
            let rig = Rig::in_paused_time(SystemSettings::default()).await;
            rig.register("late", 2).await;
            pass(130.0).await;
            assert_eq!(rig.status("late"), InstanceStatus::Suspect);
            rig
        },
        None,
    );
    life(
        async |before| {
            let rig = before.unwrap().again(SystemSettings::default()).await;
            pass(31.0).await;
            assert_eq!(
                rig.status("late"),
                InstanceStatus::Suspect,
                "it has not beaten"
            );
            rig.beat("late").await;
            pass(30.0).await;
            assert_eq!(rig.status("late"), InstanceStatus::Active);
            rig
        },
        Some(first),
    );
}

/// `away` says goodbye for a minute, and the orchestrator ends half a minute later.
async fn left_for_a_minute() -> Rig {
    let rig = Rig::in_paused_time(SystemSettings::default()).await;
    rig.streams(2).await;
    let registered = rig.register("away", 2).await;
    rig.ask_for("away", 2).await;
    rig.register("beats", 4).await;
    let goodbye = SayGoodbye {
        id: "away".into(),
        incarnation: registered.instance.incarnation,
        until: rig.clock.wall() + Duration::from_secs(60),
        reason: None,
    };
    let reserved = rig.orchestrator.leave_until(goodbye, false).await.unwrap();
    assert_eq!(reserved, 2);
    pass(30.0).await;
    rig
}

/// No orchestrator runs for an hour.
async fn after_an_hour(before: Rig) -> Rig {
    before.clock.set_wall_by(3_600_000_000);
    before.again(SystemSettings::default()).await
}

#[test]
fn a_worker_that_was_back_in_time_during_an_outage_keeps_its_streams() {
    let first = life(async |_| left_for_a_minute().await, None);
    life(
        async |before| {
            let rig = after_an_hour(before.unwrap()).await;
            rig.keep_beating(&["beats"]);
            pass(119.0).await;
            assert_eq!(rig.status("away"), InstanceStatus::Maintenance);
            let back = rig.register("away", 2).await;
            assert_eq!(back.assigned_streams().len(), 2);
            pass(10.0).await;
            assert_eq!(rig.held("away").await, [1, 2]);
            assert_eq!(rig.status("away"), InstanceStatus::Active);
            rig.memory_equals_store().await;
            rig
        },
        Some(first),
    );
}

#[test]
fn a_worker_that_is_not_back_one_warning_threshold_after_an_outage_is_removed() {
    let first = life(async |_| left_for_a_minute().await, None);
    life(
        async |before| {
            let rig = after_an_hour(before.unwrap()).await;
            rig.keep_beating(&["beats"]);
            pass(119.0).await;
            assert_eq!(rig.held("beats").await, [0; 0]);
            pass(2.0).await;
            assert!(rig.orchestrator.registry().get(&"away".into()).is_none());
            assert_eq!(rig.held("beats").await, [1, 2]);
            rig.memory_equals_store().await;
            rig
        },
        Some(first),
    );
}
