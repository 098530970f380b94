//! Receivers, deliveries and what of the alerts was announced, on all three stores.

#![expect(
    clippy::unwrap_used,
    reason = "the cases are tests, though the attribute is on what the macro makes of them"
)]

use std::sync::Arc;

use resilient_orchestrator::domain::alert::{Alert, AlertKind, Severity};
use resilient_orchestrator::domain::ids::AlertId;
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::domain::timeline::Recent;
use resilient_orchestrator::domain::webhook::{
    Announced, Content, Delivery, DeliveryFilter, DeliveryState, Format, Message, PreviousSecret,
    Secret, Source, Target, TargetUrl, TypePattern, Urgency,
};
use resilient_orchestrator::store::{DeliveryBatch, Expiry, Store, StoredWebhook};

use crate::conformance::conformance;
use crate::support::fleets::at;

type AnyStore = Arc<dyn Store>;

conformance! {
    a_webhook_is_kept_replaced_and_deleted_with_its_deliveries,
    alerts_are_announced_step_by_step_and_never_twice,
    what_was_announced_survives_a_new_state_of_the_alert,
    the_first_webhook_skips_the_alerts_before_it,
    deliveries_are_found_by_every_condition,
    a_batch_is_saved_as_a_whole,
    ended_deliveries_go_when_they_are_old,
}

fn secret(byte: u8) -> Secret {
    Secret::from_bytes(vec![byte; 32]).unwrap()
}

fn webhook(name: &str) -> StoredWebhook {
    StoredWebhook {
        target: Target {
            name: name.to_owned(),
            url: TargetUrl::parse("https://me:p@hooks.example/x?y=z", false).unwrap(),
            format: Format::Slack,
            types: TypePattern::defaults(),
            min_severity: Some(Urgency::Warning),
            enabled: true,
            secret: secret(1),
            previous: Some(PreviousSecret {
                secret: secret(2),
                until: at(9),
            }),
            uid: "u".to_owned(),
            gone: true,
            source: Source::File,
        },
        cursor: 17,
    }
}

fn delivery(target: &str, number: i64) -> Delivery {
    let message = Message {
        id: format!("msg_{number}"),
        at: at(number),
        content: Content::Test,
    };
    Delivery::new(target, number, message, at(number))
}

fn alert(id: i64, severity: Severity) -> Alert {
    Alert {
        id: AlertId::new(id),
        kind: AlertKind::Flapping,
        severity,
        subject: format!("i{id}"),
        detail: "it flaps".to_owned(),
        opened_at: at(id),
        closed_at: None,
        instances: Vec::new(),
        repeats: 0,
        acknowledged: None,
    }
}

async fn numbers(store: &AnyStore, filter: &DeliveryFilter) -> Vec<i64> {
    let found = store.deliveries(filter, 10).await.unwrap();
    found.iter().map(|delivery| delivery.number).collect()
}

async fn put(store: &AnyStore, deliveries: Vec<Delivery>) {
    let batch = DeliveryBatch {
        deliveries,
        ..DeliveryBatch::default()
    };
    store.save_deliveries(&batch).await.unwrap();
}

async fn a_webhook_is_kept_replaced_and_deleted_with_its_deliveries(store: AnyStore) {
    assert_eq!(store.webhooks().await.unwrap(), []);
    let (a, mut b) = (webhook("a"), webhook("b"));
    store.save_webhook(&b, false).await.unwrap();
    store.save_webhook(&a, false).await.unwrap();
    assert_eq!(store.webhooks().await.unwrap(), [a.clone(), b.clone()]);
    b.target.enabled = false;
    b.cursor = 18;
    store.save_webhook(&b, false).await.unwrap();
    assert_eq!(store.webhooks().await.unwrap(), [a, b.clone()]);
    put(&store, vec![delivery("a", 1), delivery("b", 2)]).await;
    store.delete_webhook("a").await.unwrap();
    store.delete_webhook("a").await.unwrap();
    assert_eq!(store.webhooks().await.unwrap(), [b]);
    assert_eq!(numbers(&store, &DeliveryFilter::of("a")).await, [0; 0]);
    assert_eq!(numbers(&store, &DeliveryFilter::of("b")).await, [2]);
}

async fn announced(store: &AnyStore, id: i64, mark: Announced) {
    let batch = DeliveryBatch {
        announced: vec![(AlertId::new(id), mark)],
        ..DeliveryBatch::default()
    };
    store.save_deliveries(&batch).await.unwrap();
}

async fn behind(store: &AnyStore) -> Vec<(i64, Announced)> {
    let found = store.unannounced(AlertId::new(0), 10).await.unwrap();
    let ids = found
        .into_iter()
        .map(|(alert, mark)| (alert.id.get(), mark));
    ids.collect()
}

async fn alerts_are_announced_step_by_step_and_never_twice(store: AnyStore) {
    use Announced::{Closed, Critical, Nothing, Opened};
    let (mut a, b) = (alert(1, Severity::Warning), alert(2, Severity::Critical));
    store.save_alerts(&[b.clone(), a.clone()]).await.unwrap();
    assert_eq!(behind(&store).await, [(1, Nothing), (2, Nothing)]);
    assert_eq!(
        store.unannounced(AlertId::new(0), 1).await.unwrap(),
        [(a.clone(), Nothing)]
    );
    announced(&store, 1, Opened).await;
    announced(&store, 2, Critical).await;
    assert_eq!(behind(&store).await, []);
    a.severity = Severity::Critical;
    store.save_alerts(std::slice::from_ref(&a)).await.unwrap();
    assert_eq!(behind(&store).await, [(1, Opened)]);
    announced(&store, 1, Critical).await;
    assert_eq!(behind(&store).await, []);
    a.closed_at = Some(at(9));
    store.save_alerts(std::slice::from_ref(&a)).await.unwrap();
    assert_eq!(behind(&store).await, [(1, Critical)]);
    announced(&store, 1, Closed).await;
    announced(&store, 1, Opened).await;
    announced(&store, 77, Closed).await;
    assert_eq!(behind(&store).await, []);
}

async fn what_was_announced_survives_a_new_state_of_the_alert(store: AnyStore) {
    let mut reworded = alert(1, Severity::Warning);
    store
        .save_alerts(std::slice::from_ref(&reworded))
        .await
        .unwrap();
    announced(&store, 1, Announced::Opened).await;
    reworded.detail = "it flaps more".to_owned();
    store.save_alerts(&[reworded]).await.unwrap();
    assert_eq!(behind(&store).await, []);
}

async fn the_first_webhook_skips_the_alerts_before_it(store: AnyStore) {
    let (mut open, mut over) = (alert(1, Severity::Warning), alert(2, Severity::Warning));
    over.closed_at = Some(at(9));
    store.save_alerts(&[open.clone(), over]).await.unwrap();
    store.save_webhook(&webhook("a"), true).await.unwrap();
    assert_eq!(behind(&store).await, []);
    store
        .save_alerts(&[alert(3, Severity::Warning)])
        .await
        .unwrap();
    store.save_webhook(&webhook("b"), false).await.unwrap();
    assert_eq!(behind(&store).await, [(3, Announced::Nothing)]);
    open.closed_at = Some(at(9));
    store.save_alerts(&[open]).await.unwrap();
    let expected = [(1, Announced::Critical), (3, Announced::Nothing)];
    assert_eq!(behind(&store).await, expected, "its end is news");
}

async fn deliveries_are_found_by_every_condition(store: AnyStore) {
    store.save_webhook(&webhook("a"), false).await.unwrap();
    let mut failed = delivery("a", 3);
    failed.attempts = 7;
    failed.last_status = Some(503);
    failed.give_up("HTTP 503\0", at(30));
    let mut delivered = delivery("a", 2);
    delivered.state = DeliveryState::Delivered;
    delivered.next_try_at = None;
    delivered.ended_at = Some(at(20));
    let all = vec![
        delivery("a", 1),
        delivered.clone(),
        failed.clone(),
        delivery("b", 4),
    ];
    put(&store, all).await;
    let of = || DeliveryFilter::of("a");
    let state = |state| DeliveryFilter {
        state: Some(state),
        ..of()
    };
    assert_eq!(numbers(&store, &of()).await, [3, 2, 1]);
    assert_eq!(numbers(&store, &state(DeliveryState::Pending)).await, [1]);
    assert_eq!(numbers(&store, &state(DeliveryState::Failed)).await, [3]);
    let before = DeliveryFilter {
        before: Some(3),
        ..of()
    };
    assert_eq!(numbers(&store, &before).await, [2, 1]);
    let since = DeliveryFilter {
        since: Some(at(2)),
        ..of()
    };
    assert_eq!(numbers(&store, &since).await, [3, 2]);
    let ids = DeliveryFilter {
        ids: vec!["msg_1".to_owned(), "msg_4".to_owned()],
        ..of()
    };
    assert_eq!(numbers(&store, &ids).await, [1]);
    let found = store.deliveries(&of(), 2).await.unwrap();
    failed.last_answer = found[0].last_answer.clone();
    assert!(failed.last_answer.as_ref().unwrap().starts_with("HTTP 503"));
    assert_eq!(found, [failed, delivered], "with every column");
}

async fn a_batch_is_saved_as_a_whole(store: AnyStore) {
    store.save_webhook(&webhook("a"), false).await.unwrap();
    store
        .save_alerts(&[alert(1, Severity::Warning)])
        .await
        .unwrap();
    let mut later = delivery("a", 1);
    later.number = 5;
    let batch = DeliveryBatch {
        deliveries: vec![delivery("a", 1), later],
        cursors: vec![("a".to_owned(), 40), ("gone".to_owned(), 41)],
        announced: vec![(AlertId::new(1), Announced::Opened)],
    };
    store.save_deliveries(&batch).await.unwrap();
    assert_eq!(numbers(&store, &DeliveryFilter::of("a")).await, [5]);
    assert_eq!(store.webhooks().await.unwrap()[0].cursor, 40);
    assert_eq!(behind(&store).await, []);
}

async fn ended_deliveries_go_when_they_are_old(store: AnyStore) {
    store.save_webhook(&webhook("a"), false).await.unwrap();
    let ended = |number, end| {
        let mut delivery = delivery("a", number);
        delivery.give_up("no answer", WallTime::from_micros(end));
        delivery
    };
    let old = delivery("a", 1);
    put(
        &store,
        vec![
            old,
            ended(2, 50),
            ended(3, 99),
            ended(4, 100),
            delivery("b", 5),
        ],
    )
    .await;
    let everything = || Recent::since(at(0));
    let expiry = Expiry {
        metrics: everything(),
        events: everything(),
        alerts: Recent::since(WallTime::from_micros(100)),
        incidents: everything(),
        health: everything(),
        most_health_rows: 1_000,
    };
    while store.prune(&expiry).await.unwrap() > 0 {}
    assert_eq!(numbers(&store, &DeliveryFilter::of("a")).await, [4, 1]);
    assert_eq!(
        numbers(&store, &DeliveryFilter::of("b")).await,
        [0; 0],
        "without its target"
    );
}
