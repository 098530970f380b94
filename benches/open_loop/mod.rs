//! Heartbeats in an open loop: each has its moment, whether earlier ones are answered or not, and
//! its latency counts from that moment. A server that stands still cannot slow its own measurement
//! down. With it comes the yardstick, an echo: the same HTTP server and the same requests, answered
//! by a handler that knows nothing.

pub(crate) mod fleet;

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::future::join_all;
use resilient_orchestrator::http;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::Semaphore;

/// How many requests of a connection are sent before the first of them is answered. Later ones wait at
/// the client, from the moment they are due on. The server's HTTP library reads no further behind more of
/// them until the client sends another byte, and the last ones would have no answer.
const PIPELINED: usize = 16;
pub(crate) const CONNECTIONS: usize = 64;
pub(crate) const HEARTBEATS_A_SECOND: u64 = 10_000;
const WINDOW: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_millis(20);

/// What the workers of one connection say.
pub(crate) trait Workers {
    /// Returns the next request. It does not wait for earlier answers.
    fn request(&self) -> String;

    /// Takes the answer of the earliest request that has none.
    fn answered(&self, _answer: &[u8]) {}
}

/// Workers that beat in turns and heed no answer.
pub(crate) struct Classic {
    next: Cell<usize>,
    first: usize,
    instances: usize,
}

impl Classic {
    /// Every [`CONNECTIONS`]th of so many instances, from the one with the number of the
    /// connection on.
    pub(crate) fn new(connection: usize, instances: usize) -> Self {
        Self {
            next: Cell::new(connection),
            first: connection,
            instances,
        }
    }
}

impl Workers for Classic {
    fn request(&self) -> String {
        let number = self.next.get();
        let next = number + CONNECTIONS;
        self.next.set(if next < self.instances {
            next
        } else {
            self.first
        });
        let body = format!(
            r#"{{"server_id":"{}","current_streams":10,"status":"active"}}"#,
            name(number)
        );
        heartbeat(&body)
    }
}

pub(crate) fn name(number: usize) -> String {
    format!("worker-{number:06}")
}

pub(crate) fn heartbeat(body: &str) -> String {
    format!(
        "POST /heartbeat HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// One answered heartbeat: when it was due since the beginning, and how long after that its answer
/// was there.
#[derive(Clone, Copy)]
pub(crate) struct Answered {
    due: Duration,
    latency: Duration,
}

/// Sends heartbeats in an open loop, and waits for all answers. The workers of each connection are
/// made from its number.
pub(crate) fn load<W: Workers>(
    address: SocketAddr,
    during: Duration,
    workers: impl Fn(usize) -> W,
) -> Vec<Answered> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async move {
        let period = Duration::from_secs(1) * CONNECTIONS as u32 / HEARTBEATS_A_SECOND as u32;
        let began = now() + Duration::from_millis(100);
        let connections = (0..CONNECTIONS).map(|connection| {
            let workers = workers(connection);
            async move {
                let stream = TcpStream::connect(address).await.expect("a connection");
                stream.set_nodelay(true).expect("no delay");
                let offset = period * connection as u32 / CONNECTIONS as u32;
                let count = (during.as_nanos() / period.as_nanos()) as u32;
                let (reader, mut writer) = stream.into_split();
                let due = move |number: u32| offset + period * number;
                let unanswered = Semaphore::new(PIPELINED);
                let write = async {
                    for number in 0..count {
                        tokio::time::sleep_until((began + due(number)).into()).await;
                        unanswered.acquire().await.expect("it is open").forget();
                        let request = workers.request();
                        writer
                            .write_all(request.as_bytes())
                            .await
                            .expect("a request");
                    }
                };
                let read = read_answers(reader, count, |number, answer| {
                    let due = due(number);
                    let latency = now().saturating_duration_since(began + due);
                    workers.answered(answer);
                    unanswered.add_permits(1);
                    Answered { due, latency }
                });
                let ((), answered) = tokio::join!(write, read);
                answered
            }
        });
        join_all(connections).await.concat()
    })
}

/// Reads answers one after the other; each is noted as its last byte is there.
async fn read_answers(
    mut reader: OwnedReadHalf,
    count: u32,
    note: impl Fn(u32, &[u8]) -> Answered,
) -> Vec<Answered> {
    let mut answered = Vec::with_capacity(count as usize);
    let mut buffer = Vec::new();
    let mut piece = [0; 16_384];
    while (answered.len() as u32) < count {
        let read = reader.read(&mut piece).await.expect("an answer");
        assert!(read > 0, "the server closed a connection");
        buffer.extend_from_slice(&piece[..read]);
        let mut begin = 0;
        while let Some(length) = answer_length(&buffer[begin..]) {
            let answer = &buffer[begin..begin + length];
            answered.push(note(answered.len() as u32, answer));
            begin += length;
        }
        buffer.drain(..begin);
    }
    answered
}

/// The length of the first answer of a buffer, if all of it is there.
fn answer_length(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    assert!(
        buffer.starts_with(b"HTTP/1.1 200 OK"),
        "not answered with 200"
    );
    let text = std::str::from_utf8(&buffer[..head]).expect("a head of text");
    let body = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.eq_ignore_ascii_case("content-length")).then(|| value.trim().parse::<usize>().ok())?
    });
    let length = head + body.expect("a length");
    (buffer.len() >= length).then_some(length)
}

/// Prints the latencies, in parts of ten seconds and as a whole, and the pauses.
pub(crate) fn report(what: &str, during: Duration, answered: Vec<Answered>) {
    for window in 0..during.as_secs().div_ceil(WINDOW.as_secs()) {
        let window = window as u32;
        let lies_in = |due: Duration| due >= WINDOW * window && due < WINDOW * (window + 1);
        let part = answered.iter().filter(|answer| lies_in(answer.due));
        line(
            &format!("{what}, from {:>3} s", (WINDOW * window).as_secs()),
            part.map(|answer| answer.latency).collect(),
        );
    }
    let pauses = pauses(&answered);
    if !pauses.is_empty() {
        println!("{what}, pauses: {}", pauses.join(", "));
    }
    let rate = answered.len() as f64 / during.as_secs_f64();
    line(
        &format!("{what}, all, {rate:.0}/s"),
        answered.into_iter().map(|answer| answer.latency).collect(),
    );
}

/// When heartbeats waited for more than [`LONG`], and how long the first of them waited.
fn pauses(answered: &[Answered]) -> Vec<String> {
    let mut late: Vec<Answered> = (answered.iter().copied())
        .filter(|answer| answer.latency > LONG)
        .collect();
    late.sort_unstable_by_key(|answer| answer.due);
    let mut found: Vec<(Duration, Duration, Duration)> = Vec::new();
    for Answered { due, latency } in late {
        let end = due + latency;
        match found.last_mut() {
            Some((_, until, longest)) if due <= *until => {
                *until = end.max(*until);
                *longest = latency.max(*longest);
            }
            Some(_) | None => found.push((due, end, latency)),
        }
    }
    let shown = found.into_iter().map(|(due, _, longest)| {
        let (at, ms) = (due.as_secs_f64(), longest.as_millis());
        format!("{at:.2} s ({ms} ms)")
    });
    shown.collect()
}

/// Prints the latencies in one line.
pub(crate) fn line(what: &str, mut latencies: Vec<Duration>) {
    latencies.sort_unstable();
    let at = |share: f64| {
        let last = latencies.len().saturating_sub(1);
        let index = (last as f64 * share) as usize;
        latencies
            .get(index)
            .copied()
            .unwrap_or_default()
            .as_secs_f64()
            * 1e3
    };
    println!(
        "{what:<28} p50 {:>7.2} ms   p99 {:>7.2}   p99.9 {:>7.2}   longest {:>7.2}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

/// Serves the echo in a system of its own, on a thread of its own, for as long as the process
/// lives.
pub(crate) fn serve_echo() -> SocketAddr {
    let (ready, address) = mpsc::channel();
    thread::spawn(move || {
        actix::System::new().block_on(async move {
            let listener = http::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
            ready
                .send(listener.local_addr().expect("an address"))
                .expect("it is waited for");
            let app = || {
                let echo = |body: web::Bytes| async move {
                    assert!(!body.is_empty());
                    HttpResponse::Ok()
                        .content_type("application/json")
                        .body(r#"{"status":"heartbeat_updated"}"#)
                };
                App::new().route("/heartbeat", web::post().to(echo))
            };
            let server = HttpServer::new(app)
                .workers(2)
                .listen(listener)
                .expect("a server");
            server.run().await.expect("it serves");
        });
    });
    address.recv().expect("an address")
}
