//! Receivers outside: nothing is lost, nothing waits for a receiver that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use resilient_orchestrator::actors::alerts::{AddSilence, AskAlerts, EndSilence};
use resilient_orchestrator::actors::start::SystemSettings;
use resilient_orchestrator::actors::webhooks::{
    AskDeliveries, OutgoingRequest, RedeliverWebhook, WebhookRefusal, WebhookSender,
    WebhookSettings, WebhookView,
};
use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::clock::testing::VirtualTime;
use resilient_orchestrator::domain::alert::{Alert, AlertFilter, AlertKind, Matcher, Severity};
use resilient_orchestrator::domain::breaker::BreakerState;
use resilient_orchestrator::domain::ids::{AlertId, SilenceId};
use resilient_orchestrator::domain::planned::Requester;
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::domain::webhook::{
    Answer, Delivery, DeliveryFilter, DeliveryState, Forbidden, Format, Secret, TargetDraft,
    TargetUrl, TypePattern,
};
use resilient_orchestrator::store::{Store, WebhookStore};
use serde_json::Value;

use crate::faults::{FaultyStore, Outage};
use crate::rig::{Rig, pass, settle_down};
use crate::support_log::expect_errors;

/// How a receiver answers.
#[derive(Debug, Clone)]
enum Conduct {
    Status(u16),
    Throttled(u64),
    /// No answer until the time limit of the sender.
    Hangs,
    /// An answer after some seconds.
    Late(u64, u16),
}

#[derive(Debug, Default)]
struct State {
    sent: Vec<(f64, OutgoingRequest)>,
    conduct: BTreeMap<String, Conduct>,
    /// Which life of the orchestrator has a way out: the ones before are dead, and send nothing.
    life: u32,
}

/// The way out of one life.
#[derive(Debug)]
struct WayOut {
    receivers: Receivers,
    life: u32,
    clock: Clock,
}

/// Receivers that are not there: each accepts everything unless it is told otherwise.
#[derive(Debug, Clone, Default)]
struct Receivers(Arc<Mutex<State>>);

impl WebhookSender for WayOut {
    fn send(&self, request: OutgoingRequest) -> BoxFuture<'static, Answer> {
        let host = request.url.host_and_port().0.to_owned();
        let mut state = self.receivers.0.lock().unwrap();
        if state.life != self.life {
            return Box::pin(std::future::pending());
        }
        let conduct = state.conduct.get(&host).cloned();
        let second = self.clock.wall().since(START).as_secs_f64();
        state.sent.push((second, request));
        Box::pin(async move {
            match conduct.unwrap_or(Conduct::Status(200)) {
                Conduct::Status(code) => Answer::Status {
                    code,
                    retry_after: None,
                },
                Conduct::Throttled(seconds) => Answer::Status {
                    code: 429,
                    retry_after: Some(Duration::from_secs(seconds)),
                },
                Conduct::Hangs => {
                    tokio::time::sleep(Duration::from_secs(10)).await;
                    Answer::TimedOut
                }
                Conduct::Late(seconds, code) => {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    Answer::Status {
                        code,
                        retry_after: None,
                    }
                }
            }
        })
    }

    fn check(&self, _: TargetUrl) -> BoxFuture<'static, Option<Forbidden>> {
        Box::pin(std::future::ready(None))
    }

    fn allows_loopback(&self) -> bool {
        false
    }
}

const START: WallTime = WallTime::from_micros(1_700_000_000_000_000);

impl Receivers {
    fn behave(&self, host: &str, conduct: Conduct) {
        let mut state = self.0.lock().unwrap();
        state.conduct.insert(host.to_owned(), conduct);
    }

    /// The requests to a host since this was last asked.
    fn taken(&self, host: &str) -> Vec<(f64, OutgoingRequest)> {
        let mut state = self.0.lock().unwrap();
        let all = std::mem::take(&mut state.sent);
        let (taken, rest) = all
            .into_iter()
            .partition(|(_, request)| request.url.host_and_port().0 == host);
        state.sent = rest;
        taken
    }

    /// The types of the messages to a host.
    fn types(&self, host: &str) -> Vec<String> {
        let taken = self.taken(host).into_iter();
        taken.map(|(_, request)| kind(&request)).collect()
    }
}

fn body(request: &OutgoingRequest) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

fn kind(request: &OutgoingRequest) -> String {
    body(request)["type"].as_str().unwrap_or("?").to_owned()
}

fn draft(host: &str, types: &[&str]) -> TargetDraft {
    let types = types.iter().map(|text| TypePattern::parse(text).unwrap());
    TargetDraft {
        url: Some(TargetUrl::parse(&format!("https://{host}/x"), false).unwrap()),
        types: Some(types.collect()),
        ..TargetDraft::default()
    }
}

async fn started() -> (Rig, Receivers) {
    tokio::time::pause();
    let clock = VirtualTime::starting_at(START);
    let store = FaultyStore::new(clock.clock(), 0);
    let receivers = Receivers::default();
    (on(store, &receivers, clock, settings()).await, receivers)
}

fn settings() -> SystemSettings {
    let mut settings = SystemSettings::default();
    settings.balance.automatic = false;
    settings
}

async fn on(
    store: FaultyStore,
    receivers: &Receivers,
    clock: VirtualTime,
    settings: SystemSettings,
) -> Rig {
    let life = {
        let mut state = receivers.0.lock().unwrap();
        state.life += 1;
        state.life
    };
    let way_out = WayOut {
        receivers: receivers.clone(),
        life,
        clock: clock.clock(),
    };
    Rig::sending(store, settings, clock, Arc::new(way_out)).await
}

/// Another life on the same store, at once.
async fn again(rig: Rig, receivers: &Receivers) -> Rig {
    later(rig, receivers, Duration::ZERO).await
}

/// Another life on the same store, after a while without any.
async fn later(rig: Rig, receivers: &Receivers, pause: Duration) -> Rig {
    let clock = VirtualTime::starting_at(rig.clock.wall() + pause);
    let store = rig.store;
    drop(rig.orchestrator);
    on(store, receivers, clock, settings()).await
}

async fn put(rig: &Rig, name: &str, draft: TargetDraft) {
    let saved = rig.orchestrator.put_webhook(name.to_owned(), draft).await;
    saved.unwrap();
    settle_down().await;
}

fn raise(rig: &Rig, subject: &str) {
    let alerts = rig.orchestrator.alerts();
    alerts.raise(AlertKind::Flapping, subject, "it flaps");
}

async fn view(rig: &Rig, name: &str) -> WebhookView {
    let views = rig.orchestrator.webhooks().await.unwrap();
    views.into_iter().find(|view| view.name == name).unwrap()
}

async fn rows(rig: &Rig, name: &str) -> Vec<Delivery> {
    let ask = AskDeliveries {
        filter: DeliveryFilter::of(name),
        limit: 10_000,
    };
    rig.orchestrator.deliveries(ask).await.unwrap().deliveries
}

#[actix::test]
async fn an_alert_is_delivered_when_it_opens_and_when_it_closes() {
    let (rig, receivers) = started().await;
    raise(&rig, "before");
    settle_down().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    assert!(
        receivers.taken("a").is_empty(),
        "what was before is no news"
    );
    raise(&rig, "i1");
    settle_down().await;
    let [(_, opened)] = receivers.taken("a").try_into().unwrap();
    assert_eq!(kind(&opened), "alert.opened");
    assert_eq!(body(&opened)["data"]["subject"], "i1");
    rig.orchestrator.alerts().clear(AlertKind::Flapping, "i1");
    settle_down().await;
    let [(_, closed)] = receivers.taken("a").try_into().unwrap();
    assert_eq!(kind(&closed), "alert.closed");
    assert_ne!(opened.id, closed.id);
    let rows = rows(&rig, "ops").await;
    let states: Vec<_> = rows.iter().map(|row| (row.state, row.attempts)).collect();
    assert_eq!(states, [(DeliveryState::Delivered, 1); 2]);
    pass(100.0).await;
    assert!(receivers.taken("a").is_empty(), "and not again");
}

#[actix::test]
async fn a_refused_message_is_tried_again_under_the_same_id() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    receivers.behave("a", Conduct::Status(500));
    raise(&rig, "i1");
    pass(7.2).await;
    receivers.behave("a", Conduct::Status(200));
    pass(20.0).await;
    let taken = receivers.taken("a");
    let first = &taken[0];
    let gaps: Vec<f64> = taken.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert_eq!(gaps.len(), 4, "{gaps:?}");
    for (gap, longest) in gaps.iter().zip([1.0, 2.0, 4.0, 8.0]) {
        assert!((longest * 0.74..=longest + 0.1).contains(gap), "{gaps:?}");
    }
    assert!(taken.iter().all(|(_, request)| request.id == first.1.id));
    assert!(
        taken
            .iter()
            .all(|(_, request)| request.body == first.1.body)
    );
    assert_ne!(taken[4].1.timestamp, first.1.timestamp, "signed anew");
    let [row] = rows(&rig, "ops").await.try_into().unwrap();
    assert_eq!((row.state, row.attempts), (DeliveryState::Delivered, 5));
}

#[actix::test]
async fn an_alert_whose_delivery_was_not_written_is_delivered_by_the_next_life() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    // The process dies after the alert is saved and before its delivery is.
    let alert = Alert {
        id: AlertId::new(rig.clock.wall().as_micros()),
        kind: AlertKind::Flapping,
        severity: Severity::Warning,
        subject: "i1".to_owned(),
        detail: "it flaps".to_owned(),
        opened_at: rig.clock.wall(),
        closed_at: None,
        instances: Vec::new(),
        repeats: 0,
        acknowledged: None,
    };
    rig.store.save_alerts(&[alert]).await.unwrap();
    let rig = again(rig, &receivers).await;
    settle_down().await;
    assert_eq!(receivers.types("a"), ["alert.opened"]);
    let rig = again(rig, &receivers).await;
    pass(10.0).await;
    assert!(receivers.types("a").is_empty(), "once");
    assert_eq!(rows(&rig, "ops").await.len(), 1);
}

#[actix::test]
async fn what_waits_is_delivered_by_the_next_life_under_its_id() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    receivers.behave("a", Conduct::Status(503));
    raise(&rig, "i1");
    pass(2.0).await;
    let first = receivers.taken("a").remove(0).1;
    receivers.behave("a", Conduct::Status(200));
    let rig = again(rig, &receivers).await;
    settle_down().await;
    let again = receivers.taken("a");
    assert!(again.iter().any(|(_, request)| request.id == first.id));
    let row = rows(&rig, "ops")
        .await
        .into_iter()
        .find(|row| row.message.id == first.id);
    assert_eq!(row.unwrap().state, DeliveryState::Delivered);
}

#[actix::test]
async fn alerts_are_delivered_while_the_store_is_out_and_once() {
    expect_errors(&[
        "alert store_unavailable",
        "the store is out",
        "alert system_health",
    ]);
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    rig.register("i1", 5).await;
    rig.store.set_outage(Some(Outage::Refusing));
    for _ in 0..8 {
        let _ = rig.try_streams([1]).await;
    }
    pass(30.0).await;
    let taken = receivers.taken("a");
    let subjects: Vec<_> = taken
        .iter()
        .map(|(_, request)| body(request)["data"]["kind"].clone())
        .collect();
    assert_eq!(subjects, ["store_unavailable"]);
    rig.store.set_outage(None);
    pass(90.0).await;
    assert_eq!(receivers.types("a"), ["alert.closed"]);
    let ids: Vec<_> = rows(&rig, "ops").await.into_iter().rev().collect();
    assert_eq!(
        ids[0].message.id, taken[0].1.id,
        "the row is that of the delivery"
    );
    assert!(ids.iter().all(|row| row.state == DeliveryState::Delivered));
    let rig = again(rig, &receivers).await;
    pass(10.0).await;
    let kinds = receivers.taken("a").into_iter();
    let kinds: Vec<_> = kinds
        .map(|(_, it)| body(&it)["data"]["kind"].clone())
        .collect();
    assert!(!kinds.contains(&"store_unavailable".into()), "{kinds:?}");
    drop(rig);
}

/// Silences the alerts about instances whose ids match an expression for ten minutes.
async fn silence(rig: &Rig, instance: &str) -> SilenceId {
    let matcher = Matcher {
        name: "instance".to_owned(),
        value: instance.to_owned(),
        is_regex: true,
    };
    let order = AddSilence {
        matchers: vec![matcher],
        until: rig.clock.wall() + Duration::from_secs(600),
        reason: "its disk is replaced".to_owned(),
        by: Requester::Operator,
    };
    let silenced = rig.orchestrator.silence(order).await.unwrap();
    silenced.unwrap().id
}

#[actix::test]
async fn a_silenced_alert_waits_for_the_end_of_its_silence() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    let manager = TargetDraft {
        format: Some(Format::Alertmanager),
        ..draft("am", &["alert.*"])
    };
    put(&rig, "am", manager).await;
    silence(&rig, "i1").await;
    raise(&rig, "i1");
    raise(&rig, "i2");
    pass(590.0).await;
    let [(_, other)] = receivers.taken("a").try_into().unwrap();
    assert_eq!(
        body(&other)["data"]["subject"],
        "i2",
        "it passes the held one"
    );
    let repeated = receivers.taken("am");
    let names_it = |(_, it): &(f64, OutgoingRequest)| body(it).to_string().contains("i1");
    assert!(!repeated.iter().any(names_it));
    pass(20.0).await;
    let [(_, opened)] = receivers.taken("a").try_into().unwrap();
    assert_eq!(kind(&opened), "alert.opened");
    assert_eq!(body(&opened)["data"]["subject"], "i1");
    assert!(receivers.taken("am").iter().any(names_it));
}

#[actix::test]
async fn a_silence_that_is_ended_early_lets_its_alerts_out() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    let id = silence(&rig, "i1").await;
    raise(&rig, "i1");
    pass(5.0).await;
    let rig = again(rig, &receivers).await;
    pass(5.0).await;
    assert!(
        receivers.taken("a").is_empty(),
        "the next life holds it too"
    );
    let by = Requester::Operator;
    let ended = rig.orchestrator.end_silence(EndSilence { id, by }).await;
    ended.unwrap().unwrap();
    settle_down().await;
    assert_eq!(receivers.types("a"), ["alert.opened"]);
}

#[actix::test]
async fn an_alert_that_is_over_before_its_silence_is_never_sent() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    silence(&rig, "i1").await;
    raise(&rig, "i1");
    pass(5.0).await;
    rig.orchestrator.alerts().clear(AlertKind::Flapping, "i1");
    pass(700.0).await;
    assert!(receivers.taken("a").is_empty());
}

#[actix::test]
async fn a_receiver_of_an_alert_learns_of_its_end_although_it_is_silenced() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    raise(&rig, "i1");
    pass(5.0).await;
    silence(&rig, "i1").await;
    rig.orchestrator.alerts().clear(AlertKind::Flapping, "i1");
    settle_down().await;
    assert_eq!(receivers.types("a"), ["alert.opened", "alert.closed"]);
}

#[actix::test]
async fn more_silenced_alerts_than_a_page_hold_back_no_other() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    silence(&rig, "x.*").await;
    for number in 0..450 {
        raise(&rig, &format!("x{number}"));
    }
    pass(2.0).await;
    raise(&rig, "i2");
    pass(2.0).await;
    assert_eq!(receivers.types("a"), ["alert.opened"]);
}

#[actix::test]
async fn ten_thousand_events_write_no_row() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["event.stream_*"])).await;
    rig.try_streams(1..=5_000).await.unwrap();
    rig.register("i1", 10_000).await;
    rig.ask_for("i1", 5_000).await;
    pass(5.0).await;
    let taken = receivers.taken("a");
    assert_eq!(taken.len(), 10_000);
    let ids: Vec<i64> = taken
        .iter()
        .map(|(_, request)| body(request)["data"]["id"].as_i64().unwrap())
        .collect();
    assert!(ids.is_sorted());
    assert_eq!(rows(&rig, "ops").await, []);
    let rig = again(rig, &receivers).await;
    pass(5.0).await;
    assert!(receivers.taken("a").is_empty(), "the cursor was saved");
    drop(rig);
}

#[actix::test]
async fn events_of_a_busy_moment_are_read_together_and_cursors_written_once_a_second() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["event.stream_created"])).await;
    pass(5.0).await;
    let (reads, writes) = rig.store.webhook_calls();
    rig.try_streams([1]).await.unwrap();
    settle_down().await;
    assert_eq!(
        receivers.taken("a").len(),
        1,
        "the first one waits for no other"
    );
    for id in 2..=150 {
        rig.try_streams([id]).await.unwrap();
        pass(0.02).await;
    }
    pass(2.0).await;
    assert_eq!(receivers.taken("a").len(), 149);
    let (reads_after, writes_after) = rig.store.webhook_calls();
    let (reads, writes) = (reads_after - reads, writes_after - writes);
    assert!((10..=16).contains(&reads), "{reads} reads in three seconds");
    assert!(
        (3..=6).contains(&writes),
        "{writes} writes in three seconds"
    );
}

#[actix::test]
async fn what_was_sent_in_the_last_second_before_a_crash_is_sent_again_under_its_id() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["event.stream_created"])).await;
    rig.try_streams([1]).await.unwrap();
    pass(0.4).await;
    rig.try_streams([2]).await.unwrap();
    pass(0.4).await;
    let before = receivers.taken("a");
    let rig = again(rig, &receivers).await;
    pass(2.0).await;
    let after = receivers.taken("a");
    let ids = |taken: &[(f64, OutgoingRequest)]| -> Vec<String> {
        taken
            .iter()
            .map(|(_, request)| request.id.clone())
            .collect()
    };
    assert_eq!(ids(&before).len(), 2);
    assert_eq!(ids(&after), ids(&before)[1..]);
    // One that is stopped in order repeats none.
    rig.try_streams([3]).await.unwrap();
    pass(0.4).await;
    rig.try_streams([4]).await.unwrap();
    pass(0.4).await;
    assert_eq!(receivers.taken("a").len(), 2);
    rig.orchestrator.flush().await;
    let rig = again(rig, &receivers).await;
    pass(2.0).await;
    assert_eq!(receivers.taken("a").len(), 0);
    drop(rig);
}

#[actix::test]
async fn a_failing_target_gets_its_events_later_and_few_rows() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["event.stream_created"])).await;
    receivers.behave("a", Conduct::Status(500));
    rig.try_streams(1..=500).await.unwrap();
    pass(600.0).await;
    let waiting = rows(&rig, "ops").await;
    assert!((5..20).contains(&waiting.len()), "{}", waiting.len());
    let view = view(&rig, "ops").await;
    assert_eq!(view.breaker, BreakerState::Open);
    assert!(view.failing_since.is_some());
    receivers.taken("a");
    receivers.behave("a", Conduct::Status(200));
    pass(400.0).await;
    let mut streams: Vec<_> = receivers
        .taken("a")
        .iter()
        .map(|(_, request)| body(request)["data"]["stream"].as_i64().unwrap())
        .collect();
    streams.sort_unstable();
    assert_eq!(streams, (1..=500).collect::<Vec<i64>>(), "each once");
}

#[actix::test]
async fn a_target_that_hangs_delays_no_other_and_raises_an_alert() {
    let (rig, receivers) = started().await;
    put(&rig, "slow", draft("slow", &["alert.*"])).await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    receivers.behave("slow", Conduct::Hangs);
    for number in 0..20 {
        raise(&rig, &format!("i{number}"));
    }
    pass(0.5).await;
    assert_eq!(receivers.types("a").len(), 20);
    assert_eq!(receivers.taken("slow").len(), 1, "one at a time");
    pass(120.0).await;
    let told = receivers.taken("a");
    let failing: Vec<_> = told
        .iter()
        .filter(|(_, request)| body(request)["data"]["kind"] == "webhook_failing")
        .collect();
    assert_eq!(failing.len(), 1);
    assert_eq!(body(&failing[0].1)["data"]["subject"], "webhook slow");
    receivers.behave("slow", Conduct::Status(204));
    receivers.taken("slow");
    pass(320.0).await;
    assert_eq!(
        receivers.taken("slow").len(),
        20,
        "all, and nothing about itself"
    );
    assert!(receivers.types("a").contains(&"alert.closed".to_owned()));
}

#[actix::test]
async fn retry_after_is_respected() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    receivers.behave("a", Conduct::Throttled(90));
    raise(&rig, "i1");
    raise(&rig, "i2");
    pass(89.0).await;
    assert_eq!(receivers.taken("a").len(), 1);
    assert_eq!(view(&rig, "ops").await.breaker, BreakerState::Closed);
    receivers.behave("a", Conduct::Status(200));
    pass(2.0).await;
    assert_eq!(receivers.taken("a").len(), 2);
}

#[actix::test]
async fn gone_stops_a_target_until_it_is_saved_again() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    receivers.behave("a", Conduct::Status(410));
    raise(&rig, "i1");
    settle_down().await;
    receivers.behave("a", Conduct::Status(200));
    raise(&rig, "i2");
    pass(100.0).await;
    assert_eq!(receivers.taken("a").len(), 1);
    assert!(view(&rig, "ops").await.gone);
    let rig = again(rig, &receivers).await;
    pass(10.0).await;
    assert!(view(&rig, "ops").await.gone, "it was saved");
    put(&rig, "ops", TargetDraft::default()).await;
    raise(&rig, "i3");
    settle_down().await;
    let [(_, opened)] = receivers.taken("a").try_into().unwrap();
    assert_eq!(body(&opened)["data"]["subject"], "i3");
    assert_eq!(open_kinds(&rig).await, [AlertKind::Flapping; 3]);
}

/// The kinds of the alerts that are open.
async fn open_kinds(rig: &Rig) -> Vec<AlertKind> {
    let ask = AskAlerts {
        filter: AlertFilter {
            open: Some(true),
            ..AlertFilter::default()
        },
        limit: 100,
    };
    let page = rig.orchestrator.alert_page(ask).await.unwrap();
    page.alerts.iter().map(|alert| alert.kind).collect()
}

#[actix::test]
async fn a_late_410_of_an_earlier_url_stops_nothing() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    receivers.behave("a", Conduct::Late(5, 410));
    raise(&rig, "i1");
    pass(1.0).await;
    put(&rig, "ops", draft("b", &["alert.*"])).await;
    assert!(receivers.taken("b").is_empty(), "one at a time");
    pass(5.0).await;
    assert_eq!(receivers.types("b"), ["alert.opened"]);
    let view = view(&rig, "ops").await;
    assert!(!view.gone && view.failing_since.is_none(), "{view:?}");
}

#[actix::test]
async fn a_late_answer_of_a_deleted_target_says_nothing_of_the_next_one_of_its_name() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    receivers.behave("a", Conduct::Late(5, 410));
    raise(&rig, "i1");
    pass(1.0).await;
    let deleted = rig.orchestrator.delete_webhook("ops".to_owned()).await;
    deleted.unwrap();
    put(&rig, "ops", draft("b", &["alert.*"])).await;
    pass(5.0).await;
    raise(&rig, "i2");
    settle_down().await;
    assert_eq!(receivers.types("b"), ["alert.opened"]);
    assert!(!view(&rig, "ops").await.gone);
    assert_eq!(rows(&rig, "ops").await.len(), 1, "none of the deleted one");
}

#[actix::test]
async fn no_event_is_passed_over_when_its_target_is_saved_again() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["event.stream_created"])).await;
    for round in 1..=20 {
        let saved = rig
            .orchestrator
            .put_webhook("ops".to_owned(), TargetDraft::default());
        let streams = async {
            // Each round begins at another moment of the other order.
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            rig.try_streams([round]).await.unwrap();
        };
        let (saved, ()) = tokio::join!(saved, streams);
        saved.unwrap();
    }
    pass(1.0).await;
    let taken = receivers.taken("a");
    let ids: BTreeSet<&String> = taken.iter().map(|(_, request)| &request.id).collect();
    assert_eq!(ids.len(), 20);
}

#[actix::test]
async fn an_order_that_is_refused_holds_nothing_up() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    for round in 0..12 {
        // Without a URL.
        let refused = rig
            .orchestrator
            .put_webhook("other".to_owned(), TargetDraft::default());
        let raised = async {
            // Each round begins at another moment of the order.
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            raise(&rig, &format!("i{round}"));
        };
        let (refused, ()) = tokio::join!(refused, raised);
        refused.unwrap_err();
        settle_down().await;
        assert_eq!(receivers.types("a"), ["alert.opened"], "round {round}");
    }
}

#[actix::test]
async fn alerts_whose_save_is_in_doubt_are_delivered_once_and_their_rows_end() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    for subject in ["i1", "i2"] {
        rig.store.doubt_deliveries();
        raise(&rig, subject);
        pass(5.0).await;
    }
    let taken = receivers.taken("a");
    let ids: BTreeSet<&String> = taken.iter().map(|(_, request)| &request.id).collect();
    assert_eq!((taken.len(), ids.len()), (2, 2));
    let rows = rows(&rig, "ops").await;
    let states: Vec<_> = rows.iter().map(|row| row.state).collect();
    assert_eq!(states, [DeliveryState::Delivered; 2]);
    let _rig = again(rig, &receivers).await;
    pass(10.0).await;
    assert!(receivers.taken("a").is_empty(), "the next life knows it");
}

#[actix::test]
async fn a_clock_that_jumps_a_day_ahead_gives_nothing_up() {
    let (rig, receivers) = started().await;
    let types = ["alert.*", "event.stream_created"];
    put(&rig, "ops", draft("a", &types)).await;
    receivers.behave("a", Conduct::Status(500));
    raise(&rig, "i1");
    rig.streams(1).await;
    pass(100.0).await;
    rig.clock.set_wall_by(25 * 3_600 * 1_000_000);
    pass(400.0).await;
    receivers.behave("a", Conduct::Status(200));
    pass(400.0).await;
    let view = view(&rig, "ops").await;
    assert_eq!((view.given_up, view.waiting), (0, 0));
    let rows = rows(&rig, "ops").await;
    assert!(rows.iter().all(|row| row.state == DeliveryState::Delivered));
}

#[actix::test]
async fn an_operator_has_messages_delivered_again() {
    let (rig, receivers) = started().await;
    let types = ["alert.*", "event.stream_created"];
    put(&rig, "ops", draft("a", &types)).await;
    let begin = rig.clock.wall();
    raise(&rig, "i1");
    rig.streams(3).await;
    pass(1.0).await;
    let ids: Vec<String> = receivers
        .taken("a")
        .into_iter()
        .map(|(_, request)| request.id)
        .collect();
    assert_eq!(ids.len(), 4);
    let order = |ids: Vec<String>, since| RedeliverWebhook {
        name: "ops".to_owned(),
        ids,
        since,
    };
    let event = ids.iter().find(|id| id.contains("event")).unwrap().clone();
    let alert = ids.iter().find(|id| id.contains("alert")).unwrap().clone();
    let wanted = vec![event.clone(), alert.clone()];
    let begun = rig
        .orchestrator
        .redeliver(order(wanted, None))
        .await
        .unwrap();
    assert_eq!(begun.deliveries, 2);
    pass(1.0).await;
    let mut again: Vec<String> = receivers.taken("a").into_iter().map(|it| it.1.id).collect();
    again.sort();
    let mut expected = vec![event, alert];
    expected.sort();
    assert_eq!(again, expected);
    let begun = rig
        .orchestrator
        .redeliver(order(vec![], Some(begin)))
        .await
        .unwrap();
    assert_eq!(begun.deliveries, 2);
    pass(1.0).await;
    let mut again: Vec<String> = receivers.taken("a").into_iter().map(|it| it.1.id).collect();
    again.sort();
    again.dedup();
    let mut all = ids;
    all.sort();
    assert_eq!(again, all, "all since then");
    let unknown = rig
        .orchestrator
        .redeliver(order(vec!["msg_x".into()], None))
        .await;
    assert_eq!(
        unknown,
        Err(WebhookRefusal::NoSuchMessage("msg_x".to_owned()))
    );
}

#[actix::test]
async fn a_secret_that_is_rotated_signs_for_a_day_beside_the_new_one() {
    let (rig, receivers) = started().await;
    let secret = |byte: u8| Secret::from_bytes(vec![byte; 32]).unwrap();
    let with = |byte| TargetDraft {
        secret: Some(secret(byte)),
        ..draft("a", &["alert.*"])
    };
    put(&rig, "ops", with(1)).await;
    put(&rig, "ops", with(2)).await;
    raise(&rig, "i1");
    settle_down().await;
    let [(_, request)] = receivers.taken("a").try_into().unwrap();
    assert_eq!(request.secrets, [secret(2), secret(1)]);
    let rig = later(rig, &receivers, Duration::from_secs(24 * 3_600)).await;
    receivers.taken("a");
    raise(&rig, "i2");
    settle_down().await;
    let [(_, request)] = receivers.taken("a").try_into().unwrap();
    assert_eq!(request.secrets, [secret(2)]);
}

#[actix::test]
async fn an_open_alert_is_repeated_to_alertmanager_until_it_closes() {
    let (rig, receivers) = started().await;
    let manager = TargetDraft {
        format: Some(Format::Alertmanager),
        ..draft("am", &["alert.*"])
    };
    put(&rig, "am", manager).await;
    raise(&rig, "i1");
    pass(185.0).await;
    let taken = receivers.taken("am");
    let lists: Vec<Value> = taken.iter().map(|(_, request)| body(request)).collect();
    assert_eq!(lists.len(), 4, "its opening, and three minutes");
    for list in &lists {
        assert_eq!(list[0]["labels"], lists[0][0]["labels"]);
        assert_eq!(list[0].get("endsAt"), None);
    }
    rig.orchestrator.alerts().clear(AlertKind::Flapping, "i1");
    pass(185.0).await;
    let [(_, closed)] = receivers.taken("am").try_into().unwrap();
    assert!(body(&closed)[0]["endsAt"].is_string());
}

#[actix::test]
async fn a_day_of_failures_ends_in_a_dead_letter() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    receivers.behave("a", Conduct::Status(500));
    raise(&rig, "i1");
    pass(600.0).await;
    let [row] = rows(&rig, "ops").await.try_into().unwrap();
    assert_eq!(row.state, DeliveryState::Pending);
    let rig = later(rig, &receivers, Duration::from_secs(24 * 3_600 - 700)).await;
    receivers.taken("a");
    pass(101.0).await;
    let row = rows(&rig, "ops").await.pop().unwrap();
    assert_eq!(row.state, DeliveryState::Failed);
    assert!(row.last_answer.unwrap().contains("HTTP 500"));
    assert!(!receivers.taken("a").is_empty(), "tried until then");
    pass(600.0).await;
    assert!(
        receivers
            .taken("a")
            .iter()
            .all(|(_, it)| it.id != row.message.id)
    );
    assert_eq!(view(&rig, "ops").await.given_up, 1);
}

#[actix::test]
async fn targets_of_the_file_replace_those_of_their_name_and_cannot_be_changed() {
    let (rig, receivers) = started().await;
    let mut settings = settings();
    let from_file = TargetDraft {
        secret: Secret::from_bytes(vec![3; 32]),
        ..draft("f", &["alert.*"])
    };
    settings.webhooks.from_file = vec![("ops".to_owned(), from_file.clone())];
    let clock = VirtualTime::starting_at(rig.clock.wall());
    let rig = on(rig.store, &receivers, clock, settings.clone()).await;
    pass(1.5).await;
    raise(&rig, "i1");
    settle_down().await;
    assert_eq!(receivers.types("f"), ["alert.opened"]);
    let changed = rig
        .orchestrator
        .put_webhook("ops".to_owned(), draft("a", &["*"]));
    let refused = WebhookRefusal::FromFile("ops".to_owned());
    assert_eq!(changed.await, Err(refused.clone()));
    let deleted = rig.orchestrator.delete_webhook("ops".to_owned());
    assert_eq!(deleted.await, Err(refused));
    let clock = VirtualTime::starting_at(rig.clock.wall());
    let rig = on(rig.store, &receivers, clock, settings).await;
    pass(1.5).await;
    assert_eq!(
        rows(&rig, "ops").await.len(),
        1,
        "the same target as before"
    );
    let rig = again(rig, &receivers).await;
    pass(1.5).await;
    assert_eq!(
        rig.orchestrator.webhooks().await.unwrap(),
        [],
        "it left the file"
    );
    assert_eq!(rig.store.webhooks().await.unwrap(), []);
}

#[actix::test]
async fn a_file_that_was_read_again_waits_for_the_store_and_then_has_its_targets_alone() {
    expect_errors(&["alert store_unavailable", "the store is out"]);
    let (rig, receivers) = started().await;
    put(&rig, "api", draft("a", &["alert.*"])).await;
    let filed = |host: &str| TargetDraft {
        secret: Secret::from_bytes(vec![3; 32]),
        ..draft(host, &["alert.*"])
    };
    let read = |targets: &[(&str, &str)]| {
        let targets = targets.iter();
        let from_file = targets.map(|(name, host)| ((*name).to_owned(), filed(host)));
        rig.orchestrator.change_webhooks(WebhookSettings {
            from_file: from_file.collect(),
        });
    };
    read(&[("kept", "k"), ("gone", "g")]);
    settle_down().await;
    raise(&rig, "i1");
    settle_down().await;
    assert_eq!(receivers.types("k"), ["alert.opened"]);
    assert_eq!(receivers.types("g"), ["alert.opened"]);
    assert_eq!(receivers.types("a"), ["alert.opened"]);

    rig.store.set_outage(Some(Outage::Refusing));
    // Only the last file counts.
    read(&[]);
    read(&[("kept", "other"), ("new", "n")]);
    pass(10.0).await;
    assert_eq!(view(&rig, "kept").await.url.to_string(), "https://k/x");
    rig.store.set_outage(None);
    pass(100.0).await;
    for host in ["k", "g", "a", "other", "n"] {
        receivers.taken(host);
    }
    raise(&rig, "i2");
    settle_down().await;
    for (host, types) in [
        ("k", &[] as &[&str]),
        ("g", &[]),
        ("a", &["alert.opened"]),
        ("other", &["alert.opened"]),
        ("n", &["alert.opened"]),
    ] {
        assert_eq!(receivers.types(host), types, "{host}");
    }
    let stored = rig.store.webhooks().await.unwrap();
    let names = stored.iter().map(|webhook| webhook.target.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["api", "kept", "new"]);
}

#[actix::test]
async fn a_deleted_target_gets_nothing_more() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    receivers.behave("a", Conduct::Status(500));
    raise(&rig, "i1");
    pass(1.0).await;
    rig.orchestrator
        .delete_webhook("ops".to_owned())
        .await
        .unwrap();
    receivers.taken("a");
    raise(&rig, "i2");
    pass(100.0).await;
    assert!(receivers.taken("a").is_empty());
    let unknown = rig.orchestrator.delete_webhook("ops".to_owned()).await;
    assert_eq!(unknown, Err(WebhookRefusal::Unknown("ops".to_owned())));
}

#[actix::test]
async fn a_test_is_sent_at_once_and_closes_the_breaker() {
    let (rig, receivers) = started().await;
    put(&rig, "ops", draft("a", &["alert.*"])).await;
    receivers.behave("a", Conduct::Status(500));
    raise(&rig, "i1");
    pass(200.0).await;
    let failed = rig
        .orchestrator
        .test_webhook("ops".to_owned())
        .await
        .unwrap();
    assert_eq!(
        (failed.state, failed.last_status),
        (DeliveryState::Failed, Some(500))
    );
    receivers.behave("a", Conduct::Status(200));
    receivers.taken("a");
    let passed = rig
        .orchestrator
        .test_webhook("ops".to_owned())
        .await
        .unwrap();
    assert_eq!(passed.state, DeliveryState::Delivered);
    settle_down().await;
    assert_eq!(receivers.types("a"), ["webhook.test", "alert.opened"]);
}
