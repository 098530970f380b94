//! Clients in a closed loop: each connection sends its next request once the last one is answered. Their rate says what a
//! server can do, and nothing about how long a request waits when more of them come (`open_loop` does).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// Returns how many requests were answered each second. Each connection goes through its share of the instances in turn;
/// `request` writes what is sent for one of them, and anything but a 200 ends the bench.
pub(crate) fn rate(
    address: SocketAddr,
    connections: usize,
    instances: usize,
    during: Duration,
    request: impl Fn(usize) -> String + Sync,
) -> f64 {
    let (answered, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let began = now();
    thread::scope(|scope| {
        for connection in 0..connections {
            let (answered, is_over, request) = (&answered, &is_over, &request);
            scope.spawn(move || {
                let mut numbers = (connection..instances).step_by(connections).cycle();
                let mut client = TcpStream::connect(address).expect("a connection");
                client.set_nodelay(true).expect("no delay");
                let mut buffer = [0; 4_096];
                while !is_over.load(Ordering::Relaxed) {
                    let request = request(numbers.next().unwrap_or_default());
                    client.write_all(request.as_bytes()).expect("a request");
                    let length = client.read(&mut buffer).expect("an answer");
                    assert!(buffer[..length].starts_with(b"HTTP/1.1 200 OK"));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while now().duration_since(began) < during {
            thread::park_timeout(Duration::from_millis(10));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    answered.load(Ordering::Relaxed) as f64 / now().duration_since(began).as_secs_f64()
}
