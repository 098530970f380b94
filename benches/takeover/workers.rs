//! Workers of the library, which know both members and keep their own intervals. They show that no exclusive stream has to
//! stop, and that none has two runners.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator_client::{Permit, Runner, StopReason, StreamAssignment, StreamId, Worker};

use super::clients::{FIRST_WORKER, WORKERS};
use super::fleet::{Size, name};
use super::members::{Failure, until};

/// What they did.
#[derive(Debug, Default)]
struct Heard {
    /// How many workers run each stream.
    runners: BTreeMap<StreamId, usize>,
    stops: usize,
    doubled: usize,
}

/// The workers. They leave when it is dropped.
#[derive(Debug)]
pub(super) struct Workers {
    workers: Vec<Worker>,
    heard: Arc<Mutex<Heard>>,
}

impl Workers {
    /// Starts them, and waits until they run their streams.
    pub(super) fn start(urls: &[String], size: Size) -> Result<Self, Failure> {
        let heard = Arc::<Mutex<Heard>>::default();
        let start = |number: usize| {
            let mut urls = urls.to_vec();
            let first = number % urls.len();
            urls.rotate_left(first);
            let worker = Worker::builder(urls.join(","), name(FIRST_WORKER + number));
            let worker = worker.address("10.0.0.1", 8000).max_streams(size.room);
            worker.start(Streams(heard.clone()))
        };
        let workers = (0..WORKERS).map(start).collect::<Result<_, _>>()?;
        let workers = Self { workers, heard };
        let all = WORKERS * usize::try_from(size.each)?;
        until("all workers run their streams", || {
            (locked(&workers.heard).runners.len() >= all).then_some(())
        })?;
        Ok(workers)
    }

    /// How often one of them stopped a stream.
    pub(super) fn stopped(&self) -> usize {
        locked(&self.heard).stops
    }

    /// How often a stream was started that another one of them ran.
    pub(super) fn doubled(&self) -> usize {
        locked(&self.heard).doubled
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // All at once; each is waited for when it is dropped itself.
        for worker in &self.workers {
            worker.handle().leave();
        }
    }
}

/// The streams of a worker, which are no work here.
#[derive(Debug)]
struct Streams(Arc<Mutex<Heard>>);

impl Runner for Streams {
    fn start(&mut self, stream: &StreamAssignment, _: Permit) -> Result<(), Failure> {
        let mut heard = locked(&self.0);
        let runners = heard.runners.entry(stream.id).or_default();
        *runners += 1;
        let is_doubled = *runners > 1;
        heard.doubled += usize::from(is_doubled);
        Ok(())
    }

    fn stop(&mut self, stream: &StreamAssignment, reason: StopReason) {
        let mut heard = locked(&self.0);
        if let Some(runners) = heard.runners.get_mut(&stream.id) {
            *runners = runners.saturating_sub(1);
        }
        heard.stops += usize::from(reason != StopReason::Leaving);
    }
}

fn locked(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
