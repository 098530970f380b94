//! A worker whose results carry their epoch, so that whoever stores them can refuse those of a
//! former owner (`docs/FENCING.md`): `cargo run --example fenced -- http://localhost:8001 worker-1`
//!
//! It prints `result STREAM EPOCH MILLISECONDS` ten times a second for each of its streams; the
//! milliseconds are those since the machine started.
#![expect(clippy::print_stdout, reason = "its results are what it is for")]

use std::collections::HashMap;
use std::error::Error;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use orchestrator_client::{
    Failure, Notice, Permit, Runner, StopReason, StreamAssignment, StreamId, Worker,
};
use rustix::time::{ClockId, clock_gettime};

/// Every stream has a thread, which ends when its channel is closed.
#[derive(Default)]
struct Fenced(HashMap<StreamId, (Sender<()>, JoinHandle<()>)>);

impl Runner for Fenced {
    fn start(&mut self, stream: &StreamAssignment, permit: Permit) -> Result<(), Failure> {
        let (stop, stopped) = mpsc::channel();
        let (id, epoch) = (stream.id, stream.epoch);
        let work = move || {
            while let Err(RecvTimeoutError::Timeout) =
                stopped.recv_timeout(Duration::from_millis(100))
            {
                // The time first and the permit then: a process that is suspended between the
                // two, and wakes up without its lease, has no result.
                let time = clock_gettime(ClockId::Boottime);
                if permit.is_valid() {
                    let millis = time.tv_sec * 1_000 + time.tv_nsec / 1_000_000;
                    println!("result {id} {epoch} {millis}");
                }
            }
        };
        println!("start {id} epoch {epoch}");
        self.0.insert(id, (stop, thread::spawn(work)));
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

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, name] = arguments.as_slice() else {
        return Err("usage: fenced URL NAME".into());
    };
    Ok(Worker::builder(url, name)
        .start(Fenced::default())?
        .wait()?)
}
