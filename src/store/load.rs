//! Loading the fleet: what is loaded, how far a load is, and where its rows go.
//!
//! The rows come in chunks by key, all from one moment of the database. Each chunk is bounded as any
//! call, and the load as a whole by a limit of its own, because it grows with the fleet. Each row
//! goes where it stays: a second copy of a large fleet would double the memory of a start.

use std::fmt;
use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::error::StoreError;
use super::guard::Guard;
use crate::domain::fleet::{Fleet, FleetBuilder, Snapshot, SnapshotError};
use crate::domain::heartbeat::BeatWatermark;
use crate::domain::ids::{Epoch, InstanceId};
use crate::domain::instance::Instance;
use crate::domain::leadership::{FleetMoment, WalTimeline};
use crate::domain::planned::Roll;
use crate::domain::stream::{Place, Stream};
use crate::domain::time::WallTime;

/// How many rows one chunk has at the most: some ten milliseconds, and a few megabytes.
pub(super) const CHUNK: usize = 10_000;

/// The fleet as it was at one moment, ready for use.
#[derive(Debug)]
pub struct LoadedFleet {
    /// The history of the database that was read.
    pub timeline: WalTimeline,
    /// Who might write at that moment, and how many transactions there were.
    pub guard: Guard,
    /// The fleet with its indexes.
    pub fleet: Fleet,
    /// The last saved heartbeat of each instance, ascending by instance.
    pub last_beats: Vec<(InstanceId, WallTime)>,
    /// Up to when they are complete; `None` if no orchestrator ever said.
    pub watermark: Option<BeatWatermark>,
}

/// The ages of heartbeats, as they were saved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedAges {
    /// The last saved heartbeat of each instance, ascending by instance.
    pub last_beats: Vec<(InstanceId, WallTime)>,
    /// Up to when they are complete; `None` if no orchestrator ever said.
    pub watermark: Option<BeatWatermark>,
}

/// How far a load is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadProgress {
    /// The moment that is read.
    pub moment: FleetMoment,
    /// Rows that were read.
    pub rows: u64,
    /// Rows there are.
    pub total: u64,
}

/// Hears after each chunk how far a load is, and says whether it goes on. It runs between two chunks, so
/// it must be quick.
pub type OnProgress = Box<dyn FnMut(LoadProgress) -> ControlFlow<()> + Send>;

/// The error of a load that its caller has given up.
fn given_up() -> StoreError {
    StoreError::Unavailable("its caller no longer waits".to_owned())
}

/// What a load finds first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) timeline: WalTimeline,
    pub(super) guard: Guard,
    pub(super) counter: Epoch,
    pub(super) watermark: Option<BeatWatermark>,
    pub(super) total: u64,
}

/// Takes what a load reads: the head, the instances, the streams, the last heartbeats.
pub(super) trait LoadSink: Send {
    fn head(&mut self, head: Head);

    fn instance(&mut self, instance: Instance);

    fn roll(&mut self, roll: Roll);

    /// # Errors
    /// If the stream cannot be part of the fleet.
    fn stream(&mut self, stream: Stream, place: Place) -> Result<(), StoreError>;

    fn beat(&mut self, instance: InstanceId, at: WallTime);

    /// A chunk is over.
    ///
    /// # Errors
    /// If the start does not wait for the load any more.
    fn chunk(&mut self, rows: usize) -> Result<(), StoreError>;
}

const fn moment(timeline: WalTimeline, guard: Guard) -> FleetMoment {
    FleetMoment {
        timeline,
        term: guard.term,
        version: guard.version,
    }
}

/// That the content of a database is not a fleet.
pub(super) fn damaged(error: &SnapshotError) -> StoreError {
    StoreError::Unusable(format!("the database is damaged: {error}"))
}

impl LoadedFleet {
    /// The moment of the fleet.
    pub const fn moment(&self) -> FleetMoment {
        moment(self.timeline, self.guard)
    }

    /// The fleet of a snapshot in memory, which has one history.
    ///
    /// # Errors
    /// `Unusable` if it is not a fleet.
    pub(super) fn of(
        guard: Guard,
        snapshot: Snapshot,
        mut progress: OnProgress,
    ) -> Result<Self, StoreError> {
        let rows = snapshot.instances.len() + snapshot.streams.len() + snapshot.last_beats.len();
        let rows = rows as u64;
        let timeline = WalTimeline::default();
        let made = LoadProgress {
            moment: moment(timeline, guard),
            rows,
            total: rows,
        };
        if progress(made).is_break() {
            return Err(given_up());
        }
        let mut builder = FleetBuilder::new(snapshot.counter);
        for instance in snapshot.instances {
            builder.add_instance(instance);
        }
        for roll in snapshot.rolls {
            builder.add_roll(roll);
        }
        for (stream, place) in snapshot.streams {
            let added = builder.add_stream(stream, place);
            added.map_err(|error| damaged(&error))?;
        }
        Ok(Self {
            timeline,
            guard,
            fleet: builder.finish().map_err(|error| damaged(&error))?,
            last_beats: snapshot.last_beats,
            watermark: snapshot.watermark,
        })
    }
}

/// Collects rows as they are.
#[derive(Debug, Default)]
pub(super) struct SnapshotSink {
    guard: Guard,
    snapshot: Snapshot,
}

impl SnapshotSink {
    pub(super) fn finish(self) -> (Guard, Snapshot) {
        let Self {
            guard,
            mut snapshot,
        } = self;
        // In the order of the bytes, which is not that of every database's collation.
        snapshot.instances.sort_by(|a, b| a.id.cmp(&b.id));
        snapshot.last_beats.sort();
        (guard, snapshot)
    }
}

impl LoadSink for SnapshotSink {
    fn head(&mut self, head: Head) {
        self.guard = head.guard;
        self.snapshot.counter = head.counter;
        self.snapshot.watermark = head.watermark;
    }

    fn instance(&mut self, instance: Instance) {
        self.snapshot.instances.push(instance);
    }

    fn roll(&mut self, roll: Roll) {
        self.snapshot.rolls.push(roll);
    }

    fn stream(&mut self, stream: Stream, place: Place) -> Result<(), StoreError> {
        self.snapshot.streams.push((stream, place));
        Ok(())
    }

    fn beat(&mut self, instance: InstanceId, at: WallTime) {
        self.snapshot.last_beats.push((instance, at));
    }

    fn chunk(&mut self, _: usize) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Builds the fleet while its rows come.
pub(super) struct FleetSink {
    timeline: WalTimeline,
    guard: Guard,
    builder: FleetBuilder,
    last_beats: Vec<(InstanceId, WallTime)>,
    watermark: Option<BeatWatermark>,
    progress: LoadProgress,
    on_progress: OnProgress,
    steps: watch::Sender<u64>,
}

impl fmt::Debug for FleetSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetSink")
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

impl FleetSink {
    /// A sink, and what its caller waits by ([`in_steps`]).
    pub(super) fn new(on_progress: OnProgress) -> (Self, watch::Receiver<u64>) {
        let (steps, made) = watch::channel(0);
        let sink = Self {
            timeline: WalTimeline::default(),
            guard: Guard::default(),
            builder: FleetBuilder::default(),
            last_beats: Vec::new(),
            watermark: None,
            progress: LoadProgress::default(),
            on_progress,
            steps,
        };
        (sink, made)
    }

    /// Builds the fleet on another thread. The database has done its part by then, so none of its
    /// limits holds.
    ///
    /// # Errors
    /// `Unusable` if the rows are no fleet.
    pub(super) async fn build(self) -> Result<LoadedFleet, StoreError> {
        let built = tokio::task::spawn_blocking(|| self.finish()).await;
        built.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }

    fn finish(mut self) -> Result<LoadedFleet, StoreError> {
        self.last_beats.sort();
        let fleet = self.builder.finish().map_err(|error| damaged(&error))?;
        Ok(LoadedFleet {
            timeline: self.timeline,
            guard: self.guard,
            fleet,
            last_beats: self.last_beats,
            watermark: self.watermark,
        })
    }
}

impl LoadSink for FleetSink {
    fn head(&mut self, head: Head) {
        self.timeline = head.timeline;
        self.guard = head.guard;
        self.progress.moment = moment(head.timeline, head.guard);
        self.builder = FleetBuilder::new(head.counter);
        self.watermark = head.watermark;
        self.progress.total = head.total;
        // Whether it goes on is asked after the first chunk.
        let _ = (self.on_progress)(self.progress);
    }

    fn instance(&mut self, instance: Instance) {
        self.builder.add_instance(instance);
    }

    fn roll(&mut self, roll: Roll) {
        self.builder.add_roll(roll);
    }

    fn stream(&mut self, stream: Stream, place: Place) -> Result<(), StoreError> {
        let added = self.builder.add_stream(stream, place);
        added.map_err(|error| damaged(&error))
    }

    fn beat(&mut self, instance: InstanceId, at: WallTime) {
        self.last_beats.push((instance, at));
    }

    fn chunk(&mut self, rows: usize) -> Result<(), StoreError> {
        self.progress.rows += rows as u64;
        if (self.on_progress)(self.progress).is_break() {
            return Err(given_up());
        }
        self.steps.send(self.progress.rows).map_err(|_| given_up())
    }
}

/// Waits for work that makes steps.
///
/// # Errors
/// The limit that was exceeded: no step within `step`, or no end within `whole`.
pub(super) async fn in_steps<T>(
    work: impl Future<Output = T>,
    mut steps: watch::Receiver<u64>,
    step: Duration,
    whole: Duration,
) -> Result<T, Duration> {
    let mut work = pin!(work);
    let mut end = pin!(sleep(whole));
    loop {
        let made = tokio::select! {
            biased;
            result = &mut work => return Ok(result),
            () = &mut end => return Err(whole),
            made = timeout(step, steps.changed()) => made,
        };
        match made {
            Ok(Ok(())) => {}
            // The last step was made: what is left is the end of the transaction.
            Ok(Err(_)) => return timeout(step, work).await.map_err(|_| step),
            Err(_) => return Err(step),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_secs(5);
    const WHOLE: Duration = Duration::from_secs(60);

    /// Work of some steps, each of which takes as long as is said.
    async fn wait_for(steps: usize, each: Duration) -> Result<(), Duration> {
        let (sender, made) = watch::channel(0);
        let work = async move {
            for step in 1..=steps {
                sleep(each).await;
                let _ = sender.send(step as u64);
            }
        };
        in_steps(work, made, STEP, WHOLE).await
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_makes_steps_may_take_longer_than_one() {
        assert_eq!(wait_for(11, STEP / 5 * 4).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_step_and_a_long_load_are_given_up() {
        assert_eq!(wait_for(2, STEP * 2).await, Err(STEP));
        assert_eq!(wait_for(20, STEP / 5 * 4).await, Err(WHOLE));
    }

    #[tokio::test]
    async fn a_load_ends_when_nobody_waits_for_it() {
        let (mut sink, made) = FleetSink::new(Box::new(|_| ControlFlow::Continue(())));
        sink.chunk(1).unwrap();
        drop(made);
        assert!(matches!(sink.chunk(1), Err(StoreError::Unavailable(_))));
        let (mut sink, _made) = FleetSink::new(Box::new(|_| ControlFlow::Break(())));
        assert!(matches!(sink.chunk(1), Err(StoreError::Unavailable(_))));
    }
}
