//! The worker library against an orchestrator that does what the test says.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use orchestrator_client::machine::digest;
use orchestrator_client::testing::{Call, FakeOrchestrator};
use orchestrator_client::{
    Epoch, Failure, Handoff, Notice, Permit, Runner, StopReason, StreamAssignment, StreamId,
    Worker, WorkerError,
};
use serde_json::json;

/// Nothing here takes longer unless something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
enum Happened {
    Started(StreamId, Epoch, Permit),
    Stopped(StreamId, Epoch, StopReason),
    LivenessChanged(Notice),
}

/// Tells the test what it is told.
struct Teller {
    tell: Sender<Happened>,
    refuses: BTreeSet<StreamId>,
    panics: bool,
}

impl Runner for Teller {
    fn start(&mut self, stream: &StreamAssignment, permit: Permit) -> Result<(), Failure> {
        assert!(!self.panics, "as the test wants it");
        if self.refuses.contains(&stream.id) {
            return Err("no such radio".into());
        }
        assert!(permit.is_valid());
        let happened = Happened::Started(stream.id, stream.epoch, permit);
        let _ = self.tell.send(happened);
        Ok(())
    }

    fn stop(&mut self, stream: &StreamAssignment, reason: StopReason) {
        let _ = self
            .tell
            .send(Happened::Stopped(stream.id, stream.epoch, reason));
    }

    fn notice(&mut self, notice: &Notice) {
        let _ = self.tell.send(Happened::LivenessChanged(notice.clone()));
    }
}

/// What a worker does, as it happens.
struct Story(Receiver<Happened>);

impl Story {
    fn next(&self) -> Happened {
        self.0.recv_timeout(PATIENCE).unwrap()
    }

    fn started(&self) -> (StreamId, Epoch, Permit) {
        loop {
            match self.next() {
                Happened::Started(id, epoch, permit) => return (id, epoch, permit),
                Happened::LivenessChanged(_) => {}
                Happened::Stopped(id, _, reason) => panic!("{id} stopped: {reason}"),
            }
        }
    }

    fn stopped(&self) -> (StreamId, Epoch, StopReason) {
        loop {
            match self.next() {
                Happened::Stopped(id, epoch, reason) => return (id, epoch, reason),
                Happened::LivenessChanged(_) => {}
                Happened::Started(id, ..) => panic!("{id} started"),
            }
        }
    }

    fn noticed(&self, wanted: &Notice) {
        loop {
            match self.next() {
                Happened::LivenessChanged(notice) if notice == *wanted => return,
                Happened::LivenessChanged(_) => {}
                other => panic!("{other:?} instead of {wanted}"),
            }
        }
    }

    /// Starts and stops that nobody looked at.
    fn rest(&self) -> Vec<Happened> {
        let rest = self.0.try_iter();
        rest.filter(|happened| !matches!(happened, Happened::LivenessChanged(_)))
            .collect()
    }
}

fn live(fake: &FakeOrchestrator) -> (Worker, Story) {
    live_with(fake, [], false)
}

fn live_with(
    fake: &FakeOrchestrator,
    refuses: impl IntoIterator<Item = StreamId>,
    panics: bool,
) -> (Worker, Story) {
    live_at(&fake.url(), refuses, panics)
}

fn live_at(
    urls: &str,
    refuses: impl IntoIterator<Item = StreamId>,
    panics: bool,
) -> (Worker, Story) {
    let (tell, story) = mpsc::channel();
    let refuses = refuses.into_iter().collect();
    let worker = Worker::builder(urls, "worker/1")
        .max_streams(5)
        .labels([("zone", "a")])
        .address("192.0.2.7", 9_000)
        .start(Teller {
            tell,
            refuses,
            panics,
        })
        .unwrap();
    (worker, Story(story))
}

#[test]
fn each_request_shows_the_key_and_no_debug_text_does() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.assign([1]);
    let (tell, story) = mpsc::channel();
    let key = "ork_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    let builder = Worker::builder(fake.url(), "worker/1").key(format!(" {key}\n"));
    assert!(!format!("{builder:?}").contains(&key[4..]));
    let worker = builder
        .start(Teller {
            tell,
            refuses: BTreeSet::new(),
            panics: false,
        })
        .unwrap();
    assert_eq!(Story(story).started().0, 1);
    for path in ["/register", "/heartbeat"] {
        let call = fake.wait_for(|call| call.path == path).unwrap();
        assert_eq!(call.authorization, Some(format!("Bearer {key}")), "{path}");
    }
    worker.leave().unwrap();
    let goodbye = fake.wait_for(|call| call.method == "DELETE").unwrap();
    assert!(goodbye.authorization.is_some());
}

#[test]
fn streams_come_and_go_and_are_given_back_at_the_end() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.set_lease(PATIENCE);
    let last = fake.assign([1, 2]);
    let (worker, story) = live(&fake);
    let (id, epoch, one) = story.started();
    assert_eq!((id, epoch), (1, last - 1));
    assert_eq!(story.started().0, 2);
    let registration = fake.wait_for(|call| call.path == "/register").unwrap();
    assert_eq!(
        registration.body,
        json!({"server_id": "worker/1", "ip": "192.0.2.7", "port": 9000, "max_streams": 5,
               "labels": {"zone": "a"}, "auto_assign": true})
    );
    let beat = fake.wait_until_running(&[1, 2]).unwrap();
    assert_eq!(beat.body["current_streams"], 2);
    assert_eq!(beat.body["incarnation"], 1);

    fake.revoke([1]);
    assert_eq!(story.stopped(), (1, last - 1, StopReason::Revoked));
    assert!(!one.is_valid());
    let again = fake.assign([2, 3]);
    assert_eq!(story.stopped(), (2, last, StopReason::Replaced));
    assert_eq!(story.started().0, 2);
    assert_eq!(story.started().1, again);
    fake.tell_everything();
    fake.wait_until_running(&[2, 3]).unwrap();

    worker.leave().unwrap();
    assert_eq!(story.stopped().2, StopReason::Leaving);
    assert_eq!(story.stopped().2, StopReason::Leaving);
    assert!(story.rest().is_empty());
    let calls = fake.calls();
    let [release, leave] = &calls[calls.len() - 2..] else {
        panic!("two goodbyes");
    };
    assert_eq!(
        (release.path.as_str(), &release.body["stream_ids"]),
        ("/streams/release", &json!([2, 3]))
    );
    assert_eq!(leave.path, "/instances/worker%2F1?incarnation=1");
    assert_eq!(leave.method, "DELETE");
}

#[test]
fn the_lease_ends_while_a_request_hangs_and_overlap_streams_go_on() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.set_lease(Duration::from_secs(2));
    fake.assign([1]);
    fake.assign_overlap(2);
    let (_worker, story) = live(&fake);
    let (_, epoch, exclusive) = story.started();
    let (_, _, overlap) = story.started();
    fake.wait_until_running(&[1, 2]).unwrap();
    fake.fall_silent();
    let stopped = story.stopped();
    assert_eq!(stopped, (1, epoch, StopReason::LeaseEnded));
    assert!(!exclusive.is_valid());
    assert!(overlap.is_valid());
    // It is heard again, and nothing has changed: the stream is still its own.
    fake.answer();
    let (id, again, exclusive) = story.started();
    assert_eq!((id, again), (1, epoch));
    assert!(exclusive.is_valid());
    fake.wait_until_running(&[1, 2]).unwrap();
}

#[test]
fn a_short_silence_stops_nothing() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.set_lease(PATIENCE);
    fake.assign([1]);
    let (worker, story) = live(&fake);
    story.started();
    fake.fall_silent();
    let reachable = loop {
        if let Happened::LivenessChanged(notice) = story.next()
            && matches!(notice, Notice::Unreachable(_))
        {
            fake.answer();
            break Notice::Reachable;
        }
    };
    story.noticed(&reachable);
    fake.wait_until_running(&[1]).unwrap();
    assert!(story.rest().is_empty());
    drop(worker);
    assert_eq!(story.stopped().2, StopReason::Leaving, "a drop is a leave");
}

#[test]
fn who_is_forgotten_begins_anew_with_nothing() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.set_lease(PATIENCE);
    fake.assign([1]);
    fake.assign_overlap(2);
    let (_worker, story) = live(&fake);
    story.started();
    story.started();
    fake.forget();
    assert_eq!(story.stopped().2, StopReason::Unregistered);
    assert_eq!(story.stopped().2, StopReason::Unregistered);
    story.noticed(&Notice::Registered { incarnation: 2 });
    fake.assign([7]);
    assert_eq!(story.started().0, 7);
}

#[test]
fn a_second_process_of_the_same_name_ends_the_first() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.set_lease(PATIENCE);
    fake.assign_overlap(1);
    let (worker, story) = live(&fake);
    let (_, _, permit) = story.started();
    fake.let_another_register();
    let error = worker.wait().unwrap_err();
    assert!(matches!(error, WorkerError::OtherProcess(_)), "{error}");
    assert!(error.to_string().contains("another process"), "{error}");
    assert_eq!(story.stopped().2, StopReason::OtherProcess);
    assert!(!permit.is_valid());
    let farewell = |call: &Call| call.path == "/streams/release" || call.method == "DELETE";
    assert!(
        !fake.calls().iter().any(farewell),
        "the newer process stays registered"
    );
}

#[test]
fn a_registration_that_is_refused_is_an_error_and_one_that_must_wait_is_not() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.refuse(503, Some(1));
    let (worker, story) = live(&fake);
    fake.wait_for(|call| call.path == "/register").unwrap();
    fake.refuse(422, None);
    let error = worker.wait().unwrap_err();
    assert!(matches!(error, WorkerError::Refused(_)), "{error}");
    assert_eq!(fake.calls().len(), 2);
    assert!(story.rest().is_empty());
}

#[test]
fn what_cannot_be_started_is_given_back() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.set_lease(PATIENCE);
    fake.assign([1, 2, 3]);
    let (worker, story) = live_with(&fake, [2], false);
    assert_eq!((story.started().0, story.started().0), (1, 3));
    let release = |ids: StreamId| {
        let call = fake.wait_for(|call| call.path == "/streams/release");
        let body = call.unwrap().body;
        assert_eq!(body["stream_ids"], json!([ids]));
        body["reason"].clone()
    };
    assert_eq!(release(2), "no such radio", "people are to see why");
    worker.handle().give_back(3);
    assert_eq!(story.stopped().2, StopReason::GivenBack);
    assert_eq!(release(3), json!(null), "nobody said why");
    fake.wait_until_running(&[1]).unwrap();
    assert!(story.rest().is_empty());
}

#[test]
fn an_orchestrator_that_does_not_tell_is_asked() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.be_classic();
    fake.assign([1, 2]);
    let (_worker, story) = live(&fake);
    assert_eq!((story.started().0, story.started().0), (1, 2));
    fake.revoke([1]);
    assert_eq!(story.stopped().0, 1);
    let ask = fake
        .wait_for(|call| call.path == "/streams/assign")
        .unwrap();
    assert_eq!(ask.body["requested_count"], 5);
}

#[test]
fn a_runner_that_panics_takes_its_permits_along() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.set_lease(PATIENCE);
    fake.assign([1]);
    let (worker, _story) = live_with(&fake, [], true);
    let error = worker.wait().unwrap_err();
    assert!(matches!(error, WorkerError::RunnerPanicked), "{error}");
}

/// What a worker with this key says of the orchestrator at this URL, until the first request has failed.
fn said_about(url: &str, key: &str) -> Vec<Notice> {
    let (tell, story) = mpsc::channel();
    let teller = Teller {
        tell,
        refuses: BTreeSet::new(),
        panics: false,
    };
    let worker = Worker::builder(url, "w").key(key).start(teller).unwrap();
    let mut notices = Vec::new();
    while let Ok(Happened::LivenessChanged(notice)) = story.recv_timeout(PATIENCE) {
        let is_over = matches!(notice, Notice::Unreachable(_));
        notices.push(notice);
        if is_over {
            break;
        }
    }
    worker.leave().unwrap();
    notices.pop();
    notices.extend(story.try_iter().filter_map(|happened| match happened {
        Happened::LivenessChanged(notice) => Some(notice),
        Happened::Started(..) | Happened::Stopped(..) => None,
    }));
    notices
}

#[test]
fn a_key_that_leaves_the_machine_without_encryption_is_said_once() {
    let key = "ork_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    // Nothing listens there; the address counts as another machine's.
    let said = said_about("http://0.0.0.0:1,http://0.0.0.0:1/behind", key);
    let masked = "http://0.0.0.0/…".to_owned();
    assert_eq!(said, [Notice::KeyInCleartext(masked)]);
    assert!(said_about("http://0.0.0.0:1", "").is_empty());
    assert!(said_about("http://127.0.0.1:1", key).is_empty());
}

#[test]
fn nobody_there_is_no_reason_to_give_up_but_leaving_is() {
    let url = FakeOrchestrator::start().unwrap().url(); // it ends at once
    let (tell, story) = mpsc::channel();
    let teller = Teller {
        tell,
        refuses: BTreeSet::new(),
        panics: false,
    };
    let worker = Worker::builder(url, "w").start(teller).unwrap();
    let Ok(Happened::LivenessChanged(Notice::Unreachable(why))) = story.recv_timeout(PATIENCE)
    else {
        panic!("it says that nobody is there");
    };
    assert!(!why.is_empty());
    worker.leave().unwrap();
}

/// Two orchestrators, and the text that names both.
fn two() -> (FakeOrchestrator, FakeOrchestrator, String) {
    let (a, b) = (
        FakeOrchestrator::start().unwrap(),
        FakeOrchestrator::start().unwrap(),
    );
    let urls = format!("{}/, {}", a.url(), b.url());
    (a, b, urls)
}

fn is_path(path: &str) -> impl FnMut(&Call) -> bool {
    move |call| call.path == path
}

#[test]
fn a_worker_turns_to_another_orchestrator_when_its_own_refuses() {
    let (a, b, urls) = two();
    a.refuse(503, Some(1));
    let (worker, story) = live_at(&urls, [], false);
    b.wait_for(is_path("/register")).unwrap();
    b.assign([1]);
    story.started();
    // It stays with the one that serves.
    a.answer();
    b.wait_until_running(&[1]).unwrap();
    assert!(a.calls().iter().all(|call| call.path == "/register"));
    b.refuse(503, None);
    a.wait_for(is_path("/heartbeat")).unwrap();
    worker.handle().leave();
    worker.wait().unwrap();
}

#[test]
fn a_worker_turns_to_another_orchestrator_when_its_own_grants_no_lease() {
    let (a, b, urls) = two();
    a.set_lease(Duration::ZERO);
    let (worker, _story) = live_at(&urls, [], false);
    b.wait_for(is_path("/heartbeat")).unwrap();
    worker.handle().leave();
    worker.wait().unwrap();
}

#[test]
fn a_worker_learns_of_other_orchestrators_when_it_registers() {
    let (a, b, _) = two();
    a.name_others([b.url()]);
    let (worker, _story) = live_at(&a.url(), [], false);
    a.wait_for(is_path("/heartbeat")).unwrap();
    a.fall_silent();
    b.wait_for(is_path("/heartbeat")).unwrap();
    worker.handle().leave();
    worker.wait().unwrap();
}

#[test]
fn changes_arrive_at_once_and_not_with_the_next_heartbeat() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.set_lease(PATIENCE * 100);
    fake.set_interval(PATIENCE * 20);
    let (_worker, story) = live(&fake);
    fake.wait_for(is_for_news).unwrap();
    fake.assign([1]);
    assert_eq!(story.started().0, 1);
    fake.wait_until_running(&[1]).unwrap();
    fake.revoke([1]);
    assert_eq!(story.stopped().0, 1);
    fake.wait_until_running(&[]).unwrap();
}

fn is_for_news(call: &Call) -> bool {
    call.path
        .starts_with("/instances/worker%2F1/assignments?version=")
}

#[test]
fn an_orchestrator_without_news_is_not_asked_again_in_that_life() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.set_lease(PATIENCE);
    fake.have_no_news();
    let (_worker, story) = live(&fake);
    fake.wait_for(is_for_news).unwrap();
    for id in 1..5 {
        fake.assign([id]);
        assert_eq!(story.started().0, id);
    }
    let asked = || fake.calls().iter().filter(|call| is_for_news(call)).count();
    assert_eq!(asked(), 1);
    fake.forget();
    fake.wait_for(is_for_news).unwrap();
    assert_eq!(asked(), 2);
}

#[test]
fn a_permit_follows_what_becomes_of_its_stream() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.set_lease(Duration::from_secs(2));
    fake.assign([1]);
    fake.assign_overlap(2);
    let (_worker, story) = live(&fake);
    let (_, _, one) = story.started();
    let (_, _, two) = story.started();
    fake.wait_until_running(&[1, 2]).unwrap();
    fake.set_handoff(1, Handoff::Overlap);
    fake.set_handoff(2, Handoff::Exclusive);
    let beat = |call: &Call| call.body["assignment_version"] == 6;
    fake.wait_for(beat).unwrap();
    fake.fall_silent();
    assert_eq!(story.stopped().0, 2);
    assert!(one.is_valid());
    assert!(!two.is_valid());
}

#[test]
fn an_orchestrator_that_lost_its_memory_is_no_other_process() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.set_lease(PATIENCE);
    fake.assign([1, 2]);
    let (_worker, story) = live(&fake);
    story.started();
    story.started();
    fake.lose_memory();
    assert_eq!(story.stopped().2, StopReason::Unregistered);
    assert_eq!(story.stopped().2, StopReason::Unregistered);
    assert_eq!(fake.assign([2]), 1);
    let (id, epoch, _) = story.started();
    assert_eq!((id, epoch), (2, 1), "epochs count anew");
}

/// Takes its time for each stop, until it is told to go on.
struct Slow {
    tell: Sender<&'static str>,
    go_on: Receiver<()>,
}

impl Runner for Slow {
    fn start(&mut self, _stream: &StreamAssignment, _permit: Permit) -> Result<(), Failure> {
        self.tell.send("started")?;
        Ok(())
    }

    fn stop(&mut self, _stream: &StreamAssignment, _reason: StopReason) {
        let _ = self.tell.send("stops");
        let _ = self.go_on.recv_timeout(PATIENCE);
    }
}

#[test]
fn heartbeats_go_on_beside_a_slow_call_and_do_not_confirm_it() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.set_lease(PATIENCE);
    fake.assign([1]);
    let (tell, told) = mpsc::channel();
    let (go_on, waits) = mpsc::channel();
    let slow = Slow { tell, go_on: waits };
    let worker = Worker::builder(fake.url(), "w").start(slow).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "started");
    fake.wait_until_running(&[1]).unwrap();
    fake.revoke([1]);
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "stops");
    for _ in 0..3 {
        let call = fake.wait_for(|call| {
            call.path == "/heartbeat" && call.body.get("assignment_version").is_none()
        });
        assert_eq!(call.unwrap().body["streams"], json!([1]));
    }
    go_on.send(()).unwrap();
    let call = fake.wait_until_running(&[]).unwrap();
    assert_eq!(call.body["assignment_version"], 4);
    worker.leave().unwrap();
}

#[test]
fn a_large_set_is_told_as_a_digest() {
    let fake = FakeOrchestrator::start().unwrap();
    fake.set_lease(PATIENCE);
    fake.assign(1..=101);
    let (_worker, _story) = live(&fake);
    let digest = format!("{:016x}", digest(1..=101));
    let call = fake.wait_for(|call| call.body["streams_digest"] == digest);
    let body = call.unwrap().body;
    assert_eq!(body["current_streams"], 101);
    assert!(body.get("streams").is_none());
}
