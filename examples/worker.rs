//! A complete worker: `cargo run --release --example worker -- http://localhost:8001 worker-1`
//!
//! If the orchestrator needs keys, the one of this worker is in the variable `ORCHESTRATOR_KEY`.
//! An orchestrator that speaks TLS: `https://…`, and the PEM files that `ORCHESTRATOR_CA`,
//! `ORCHESTRATOR_CLIENT_CERT` and `ORCHESTRATOR_CLIENT_KEY` name.
//!
//! Type `leave` and it gives its streams back and ends. Kill it, stop it (`kill -STOP`) or take
//! its network away, and its streams run elsewhere once its lease is over.
#![expect(clippy::print_stdout, reason = "saying what it does is what it is for")]

use std::collections::HashMap;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use orchestrator_client::{
    Failure, Notice, Permit, Runner, StopReason, StreamAssignment, StreamId, TlsFiles, Worker,
};

/// Every stream has a thread, which ends when its channel is closed.
#[derive(Default)]
struct Radios(HashMap<StreamId, (Sender<()>, JoinHandle<()>)>);

impl Runner for Radios {
    fn start(&mut self, stream: &StreamAssignment, permit: Permit) -> Result<(), Failure> {
        let (stop, stopped) = mpsc::channel();
        let work = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(Duration::from_secs(1))
                && permit.is_valid()
            {
                // Work on a second of `stream.url`; store the results with `stream.epoch`.
            }
        };
        self.0.insert(stream.id, (stop, thread::spawn(work)));
        println!("start {} epoch {}", stream.id, stream.epoch);
        Ok(())
    }

    fn stop(&mut self, stream: &StreamAssignment, reason: StopReason) {
        if let Some((stop, thread)) = self.0.remove(&stream.id) {
            drop(stop);
            let _ = thread.join();
        }
        println!("stop {}: {reason}", stream.id);
    }

    fn notice(&mut self, notice: &Notice) {
        println!("{notice}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a worker has no configuration of the orchestrator's kind"
)]
fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let (url, name, most) = match arguments.as_slice() {
        [_, url, name] => (url, name, 20),
        [_, url, name, most] => (url, name, most.parse()?),
        _ => return Err("usage: worker URL NAME [MAX_STREAMS]".into()),
    };
    // Never an argument: every user of a machine sees the arguments of its programs.
    let key = std::env::var("ORCHESTRATOR_KEY").unwrap_or_default();
    let worker = Worker::builder(url, name)
        .max_streams(most)
        .key(key)
        .tls(TlsFiles::from_env());
    let worker = worker.start(Radios::default())?;
    let handle = worker.handle();
    thread::spawn(move || {
        let mut lines = std::io::stdin().lines().map_while(Result::ok);
        lines.any(|line| line == "leave").then(|| handle.leave())
    });
    Ok(worker.wait()?)
}
