//! Workers that are suspended, cut off or killed, each a process of its own, with a sink that asks
//! the real orchestrator about every result.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use crate::support::postgres::Database;
use crate::support::process::{self, Orchestrator, start};
use crate::support::proxy::Proxy;
use crate::support::worker::{Kind, WorkerProcess};
use orchestrator_client::testing::FakeOrchestrator;
use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

/// Nothing here takes longer unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A lease of 2.4 s, of which a worker uses 2.16 s.
const TIMEOUT: (&str, &str) = ("HEARTBEAT_TIMEOUT", "3s");

const STREAMS: [i64; 3] = [1, 2, 3];

fn boot_millis() -> i64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
}

/// A result as it arrived, and whether the orchestrator said that its epoch is current.
#[derive(Debug, Clone)]
struct Entry {
    worker: &'static str,
    stream: i64,
    epoch: i64,
    /// When it was made.
    millis: i64,
    is_accepted: bool,
}

/// Stores results of current owners only (`docs/FENCING.md`).
struct Sink {
    results: Sender<Entry>,
    judged: Receiver<Entry>,
    seen: Vec<Entry>,
}

impl Sink {
    fn of(orchestrator: &Orchestrator) -> Self {
        let (agent, address) = orchestrator.client();
        let (results, arriving) = mpsc::channel::<Entry>();
        let (judge, judged) = mpsc::channel();
        thread::spawn(move || {
            for mut entry in arriving {
                let claim = json!({"stream_id": entry.stream, "epoch": entry.epoch});
                let claims = json!({"claims": [claim]});
                let answer = process::post(&agent, &address, "/streams/verify", &claims);
                entry.is_accepted =
                    answer.is_some_and(|(_, answer)| answer["claims"][0]["current"] == true);
                if judge.send(entry).is_err() {
                    break;
                }
            }
        });
        Self {
            results,
            judged,
            seen: Vec::new(),
        }
    }

    /// A worker that hands its results in here.
    fn hire(&self, url: &str, worker: &'static str) -> WorkerProcess {
        let results = self.results.clone();
        WorkerProcess::start_with_results(Kind::Fenced, url, worker, move |line| {
            let numbers: Vec<i64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
            let [stream, epoch, millis] = numbers[..] else {
                panic!("`{line}` is no result");
            };
            let entry = Entry {
                worker,
                stream,
                epoch,
                millis,
                is_accepted: false,
            };
            let _ = results.send(entry);
        })
    }

    /// Waits until results of this worker, made after this, are accepted for all streams.
    fn wait_for(&mut self, worker: &str, millis: i64, streams: &[i64]) {
        let mut missing = streams.to_vec();
        while !missing.is_empty() {
            let entry = self.judged.recv_timeout(PATIENCE);
            let entry = entry.unwrap_or_else(|_| panic!("{worker} is silent about {missing:?}"));
            if entry.is_accepted && entry.worker == worker && entry.millis > millis {
                missing.retain(|stream| *stream != entry.stream);
            }
            self.seen.push(entry);
        }
    }

    /// The results a worker made for a stream so far.
    fn of_worker<'a>(
        &'a self,
        worker: &'a str,
        stream: i64,
    ) -> impl Iterator<Item = &'a Entry> + 'a {
        let is_it = move |entry: &&Entry| entry.worker == worker && entry.stream == stream;
        self.seen.iter().filter(is_it)
    }

    /// Every stream was handed over cleanly: the former owner made its last result before the new
    /// one made its first, and none of it was accepted after one of the new one was.
    fn check_handed_over(&self, former: &str, new: &str) {
        for stream in STREAMS {
            let last = self.of_worker(former, stream).map(|entry| entry.millis);
            let first = self.of_worker(new, stream).map(|entry| entry.millis);
            let (last, first) = (last.max().unwrap(), first.min().unwrap());
            assert!(last < first, "stream {stream} ran twice: {last} {first}");
        }
        for stream in STREAMS {
            let of_stream = self.seen.iter().filter(|entry| entry.stream == stream);
            let accepted = of_stream.filter(|entry| entry.is_accepted);
            let epochs: Vec<i64> = accepted.map(|entry| entry.epoch).collect();
            assert!(
                epochs.is_sorted(),
                "a former owner's was accepted: {epochs:?}"
            );
        }
    }
}

fn lines(what: &str, ids: impl IntoIterator<Item = i64>) -> Vec<String> {
    ids.into_iter().map(|id| format!("{what} {id}")).collect()
}

/// Where an orchestrator lives.
struct Ground {
    folder: TempDir,
    url: String,
    _database: Option<Database>,
}

impl Ground {
    fn on_sqlite() -> Self {
        let folder = tempdir().unwrap();
        Self {
            url: format!("sqlite://{}", folder.path().join("fleet.db").display()),
            folder,
            _database: None,
        }
    }

    fn on_postgres() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let database = runtime.block_on(Database::new());
        Self {
            folder: tempdir().unwrap(),
            url: database.url(),
            _database: Some(database),
        }
    }
}

/// Each of these on both databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[test]
            fn $name() {
                super::$name(&super::Ground::on_sqlite());
            })+
        }

        mod on_postgres {
            $(#[test]
            fn $name() {
                super::$name(&super::Ground::on_postgres());
            })+
        }
    };
}

on_both!(
    who_was_suspended_beyond_the_lease_has_no_further_result,
    who_is_cut_off_stops_before_its_streams_run_elsewhere,
    who_is_heard_but_hears_nothing_stops_and_goes_on_when_it_hears_again,
    who_is_killed_and_comes_back_in_time_goes_on,
);

fn with_streams(ground: &Ground) -> Orchestrator {
    let settings = [TIMEOUT, ("DATABASE_URL", ground.url.as_str())];
    let orchestrator = start(ground.folder.path(), &settings);
    let streams = STREAMS.map(|id| json!({"id": id, "name": format!("s{id}")}));
    let (status, answer) = orchestrator.post("/streams", &json!({ "streams": streams }));
    assert_eq!(status, 200, "{answer}");
    orchestrator
}

fn held_by(orchestrator: &Orchestrator, name: &str) -> Value {
    let (_, answer) = orchestrator.get(&format!("/instances/{name}"));
    answer["data"]["assigned_streams"].clone()
}

fn wait_until_registered(orchestrator: &Orchestrator, worker: &mut WorkerProcess, name: &str) {
    worker.wait_for("registered");
    assert_eq!(orchestrator.get(&format!("/instances/{name}")).0, 200);
}

fn proxy_of(url: &str) -> (Proxy, String) {
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::in_front_of(port);
    let url = format!("http://127.0.0.1:{}", proxy.port());
    (proxy, url)
}

fn who_was_suspended_beyond_the_lease_has_no_further_result(ground: &Ground) {
    let orchestrator = with_streams(ground);
    let mut sink = Sink::of(&orchestrator);
    let mut one = sink.hire(orchestrator.address(), "one");
    one.expect(lines("start", STREAMS));
    sink.wait_for("one", 0, &STREAMS);
    let mut two = sink.hire(orchestrator.address(), "two");
    wait_until_registered(&orchestrator, &mut two, "two");

    one.signal(Signal::STOP);
    two.expect(lines("start", STREAMS));
    sink.wait_for("two", 0, &STREAMS);
    let continued = boot_millis();
    one.signal(Signal::CONT);
    one.expect(lines("stop", STREAMS));
    sink.wait_for("two", boot_millis(), &STREAMS);
    sink.check_handed_over("one", "two");
    assert!(
        sink.seen
            .iter()
            .all(|entry| entry.worker == "two" || entry.millis < continued)
    );
    assert_eq!(one.unexpected(), [""; 0]);
    assert_eq!(held_by(&orchestrator, "two"), json!(STREAMS));
}

fn who_is_cut_off_stops_before_its_streams_run_elsewhere(ground: &Ground) {
    let orchestrator = with_streams(ground);
    let mut sink = Sink::of(&orchestrator);
    let (proxy, url) = proxy_of(orchestrator.address());
    let mut one = sink.hire(&url, "one");
    one.expect(lines("start", STREAMS));
    sink.wait_for("one", 0, &STREAMS);
    let mut two = sink.hire(orchestrator.address(), "two");
    wait_until_registered(&orchestrator, &mut two, "two");

    proxy.freeze();
    one.expect(lines("stop", STREAMS));
    two.expect(lines("start", STREAMS));
    sink.wait_for("two", 0, &STREAMS);
    // Whatever was held back arrives late, and nothing comes of it.
    proxy.thaw();
    one.wait_for("the orchestrator answers again");
    sink.wait_for("two", boot_millis(), &STREAMS);
    sink.check_handed_over("one", "two");
    assert_eq!(one.unexpected(), [""; 0]);
    assert_eq!(held_by(&orchestrator, "two"), json!(STREAMS));
}

fn who_is_heard_but_hears_nothing_stops_and_goes_on_when_it_hears_again(ground: &Ground) {
    let orchestrator = with_streams(ground);
    let mut sink = Sink::of(&orchestrator);
    let (proxy, url) = proxy_of(orchestrator.address());
    let mut one = sink.hire(&url, "one");
    one.expect(lines("start", STREAMS));
    sink.wait_for("one", 0, &STREAMS);

    proxy.freeze_answers();
    let cut = boot_millis();
    one.expect(lines("stop", STREAMS));
    let stopped = boot_millis();
    // The orchestrator hears it: nothing is given away.
    assert_eq!(held_by(&orchestrator, "one"), json!(STREAMS));
    proxy.thaw();
    one.expect(lines("start", STREAMS));
    sink.wait_for("one", stopped, &STREAMS);
    let between = |entry: &&Entry| entry.millis > cut + 2_160 && entry.millis < stopped;
    assert_eq!(sink.seen.iter().filter(between).count(), 0);
}

#[test]
fn what_may_overlap_goes_on_while_the_network_is_cut() {
    for cut in [Proxy::freeze, Proxy::freeze_answers] {
        let fake = FakeOrchestrator::start().unwrap();
        fake.set_lease(Duration::from_secs(2));
        let (proxy, url) = proxy_of(&fake.url());
        let (tell, results) = mpsc::channel::<String>();
        let mut worker = WorkerProcess::start_with_results(Kind::Fenced, &url, "w", move |line| {
            let _ = tell.send(line.to_owned());
        });
        fake.assign([1]);
        fake.assign_overlap(2);
        worker.expect(lines("start", [1, 2]));
        fake.wait_until_running(&[1, 2]).unwrap();
        cut(&proxy);
        worker.expect(lines("stop", [1]));
        // All of these were made after the stop of the other one.
        while results.try_recv().is_ok() {}
        for _ in 0..5 {
            let line = results.recv_timeout(PATIENCE).unwrap();
            assert!(line.starts_with("2 "), "{line}");
        }
        proxy.thaw();
        worker.expect(lines("start", [1]));
        assert_eq!(worker.unexpected(), [""; 0], "2 was never stopped");
    }
}

fn who_is_killed_and_comes_back_in_time_goes_on(ground: &Ground) {
    let orchestrator = with_streams(ground);
    let mut sink = Sink::of(&orchestrator);
    let mut one = sink.hire(orchestrator.address(), "one");
    one.expect(lines("start", STREAMS));
    sink.wait_for("one", 0, &STREAMS);
    let mut two = sink.hire(orchestrator.address(), "two");
    wait_until_registered(&orchestrator, &mut two, "two");

    one.signal(Signal::KILL);
    let killed = boot_millis();
    let mut again = sink.hire(orchestrator.address(), "one");
    again.expect(lines("start", STREAMS));
    sink.wait_for("one", killed, &STREAMS);
    assert_eq!(held_by(&orchestrator, "one"), json!(STREAMS));

    // And when it does not come back, they run elsewhere, and stay there when it does.
    again.signal(Signal::KILL);
    two.expect(lines("start", STREAMS));
    sink.wait_for("two", 0, &STREAMS);
    let mut late = sink.hire(orchestrator.address(), "one");
    wait_until_registered(&orchestrator, &mut late, "one");
    sink.wait_for("two", boot_millis(), &STREAMS);
    sink.check_handed_over("one", "two");
    assert_eq!(late.unexpected(), [""; 0]);
    assert_eq!(two.unexpected(), [""; 0]);
}
