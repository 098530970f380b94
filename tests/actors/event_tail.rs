//! New events are announced with their numbers: once each, in order, and read from the store only while
//! somebody follows.

use std::sync::Arc;

use resilient_orchestrator::actors::event_tail::{AnnouncedEvent, Announcements};
use tokio::sync::broadcast::error::TryRecvError;

use crate::faults::Outage;
use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

fn announced(announcements: &mut Announcements) -> Vec<Arc<AnnouncedEvent>> {
    std::iter::from_fn(|| announcements.events.try_recv().ok()).collect()
}

fn numbers(events: &[Arc<AnnouncedEvent>]) -> Vec<i64> {
    events.iter().map(|event| event.stored().sequence).collect()
}

#[actix::test]
async fn each_event_after_the_newest_is_announced_once_and_in_order() {
    let rig = Rig::start().await;
    rig.streams(3).await;
    let mut first = rig.orchestrator.follow_events().await.unwrap();
    assert_eq!(first.newest, 3);
    rig.register("a", 3).await;
    rig.ask_for("a", 3).await;
    // A page is 1,000.
    rig.try_streams(10..=2_509).await.unwrap();
    pass(1.0).await;
    let events = announced(&mut first);
    let stored = rig.store.events_after(3);
    assert_eq!(
        numbers(&events),
        stored.iter().map(|one| one.sequence).collect::<Vec<_>>()
    );
    assert!(events.iter().map(|one| one.stored()).eq(stored.iter()));
    let mut second = rig.orchestrator.follow_events().await.unwrap();
    assert_eq!(second.newest, stored.last().unwrap().sequence);
    rig.register("b", 3).await;
    pass(1.0).await;
    for announcements in [&mut first, &mut second] {
        assert_eq!(numbers(&announced(announcements)), [second_newest(&rig)]);
    }
}

fn second_newest(rig: &Rig) -> i64 {
    rig.store.events_after(0).last().unwrap().sequence
}

#[actix::test]
async fn readers_share_the_text_of_an_event() {
    let rig = Rig::start().await;
    let mut first = rig.orchestrator.follow_events().await.unwrap();
    let mut second = rig.orchestrator.follow_events().await.unwrap();
    rig.register("a", 3).await;
    pass(1.0).await;
    let (one, other) = (announced(&mut first), announced(&mut second));
    assert_eq!(
        one[0].text(|event| format!("event {}", event.sequence)),
        "event 1"
    );
    assert_eq!(
        other[0].text(|_| unreachable!("it is written once")),
        "event 1"
    );
}

#[actix::test]
async fn events_saved_before_an_outage_are_announced_after_it() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let rig = Rig::start().await;
    let mut announcements = rig.orchestrator.follow_events().await.unwrap();
    settle_down().await;
    rig.register("a", 3).await;
    rig.store.set_outage(Some(Outage::Refusing));
    pass(5.0).await;
    assert_eq!(
        announcements.events.try_recv().unwrap_err(),
        TryRecvError::Empty
    );
    rig.store.calm_down();
    pass(20.0).await;
    assert_eq!(numbers(&announced(&mut announcements)), [1]);
}

#[actix::test]
async fn a_new_reader_is_refused_while_the_store_is_out_and_served_afterwards() {
    let rig = Rig::start().await;
    rig.register("a", 3).await;
    rig.store.set_outage(Some(Outage::Refusing));
    assert!(rig.orchestrator.follow_events().await.is_err());
    rig.store.calm_down();
    pass(20.0).await;
    assert_eq!(rig.orchestrator.follow_events().await.unwrap().newest, 1);
}
