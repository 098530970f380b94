//! A point of all series, and the rings that hold such points.

use std::collections::VecDeque;
use std::time::Duration;

use super::name::{SeriesKind, SeriesName};
use crate::string_enum::string_enum;
use crate::time::WallTime;

string_enum! {
    /// How much time a point stands for.
    Resolution {
        /// 10 seconds, for 6 hours.
        Fine = "fine",
        /// 5 minutes, for 7 days.
        Coarse = "coarse",
    }
}

impl Resolution {
    /// Returns the time that a point stands for.
    pub const fn step(self) -> Duration {
        match self {
            Self::Fine => Duration::from_secs(10),
            Self::Coarse => Duration::from_secs(300),
        }
    }

    /// Returns how many points are kept.
    pub const fn places(self) -> usize {
        match self {
            Self::Fine => 2_160,
            Self::Coarse => 2_016,
        }
    }

    /// Returns the time up to now of which points are kept.
    pub fn span(self) -> Duration {
        self.step() * u32::try_from(self.places()).unwrap_or(u32::MAX)
    }

    /// Returns the number of the step in which a moment lies.
    pub fn slot(self, at: WallTime) -> i64 {
        at.as_micros().div_euclid(micros(self.step()))
    }
}

/// Returns a duration in microseconds.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// One step of all series: sums over its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SeriesPoint {
    pub resolution: Resolution,
    /// The number of the step, counted from 1970.
    pub slot: i64,
    pub samples: u64,
    pub heartbeats: u64,
    pub failures: u64,
    pub moves: u64,
    pub waiting: u64,
    pub instances: u64,
    /// In thousandths of a percent.
    pub load: u64,
}

impl SeriesPoint {
    /// Returns where the row of this point is kept: a later point of the same place replaces it, so there are
    /// never more rows than places.
    pub fn place(&self) -> i64 {
        let places = i64::try_from(self.resolution.places()).unwrap_or(i64::MAX);
        self.slot.rem_euclid(places)
    }

    /// Returns the moment at which its step began.
    pub fn at(&self) -> WallTime {
        WallTime::from_micros(self.slot.saturating_mul(micros(self.resolution.step())))
    }

    /// Returns the sum over the samples.
    const fn sum(&self, name: SeriesName) -> u64 {
        match name {
            SeriesName::Heartbeats => self.heartbeats,
            SeriesName::Failures => self.failures,
            SeriesName::Moves => self.moves,
            SeriesName::Waiting => self.waiting,
            SeriesName::Instances => self.instances,
            SeriesName::Load => self.load,
        }
    }

    /// Adds the samples of another point.
    pub(super) fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.heartbeats += other.heartbeats;
        self.failures += other.failures;
        self.moves += other.moves;
        self.waiting += other.waiting;
        self.instances += other.instances;
        self.load += other.load;
    }

    /// Returns what a series shows for this point.
    pub(super) fn value(&self, name: SeriesName) -> f64 {
        let sum = self.sum(name) as f64;
        let unit = match name {
            SeriesName::Load => 1_000.0,
            SeriesName::Heartbeats
            | SeriesName::Failures
            | SeriesName::Moves
            | SeriesName::Waiting
            | SeriesName::Instances => 1.0,
        };
        let value = match name.kind() {
            SeriesKind::Count => sum / unit,
            SeriesKind::Level => sum / unit / self.samples.max(1) as f64,
        };
        (value * 1_000.0).round() / 1_000.0
    }
}

/// The newest points of one resolution, ascending.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    pub(super) resolution: Resolution,
    points: VecDeque<SeriesPoint>,
    /// The first step with samples that are not saved.
    unsaved: Option<i64>,
}

impl Ring {
    pub(super) fn new(resolution: Resolution) -> Self {
        Self {
            resolution,
            points: VecDeque::with_capacity(resolution.places()),
            unsaved: None,
        }
    }

    /// Adds the samples of a point to those of its step.
    pub(super) fn add(&mut self, point: SeriesPoint) {
        let slot = point.slot;
        while self.points.back().is_some_and(|last| last.slot > slot) {
            self.points.pop_back();
        }
        match self.points.back_mut() {
            Some(last) if last.slot == slot => last.add(&point),
            _ => self.points.push_back(point),
        }
        self.forget_before(slot);
        self.note_unsaved(slot);
    }

    /// Goes on with a saved point; the points come in ascending order.
    pub(super) fn restore(&mut self, point: SeriesPoint, now: i64) {
        let last = self.points.back().map(|last| last.slot);
        if point.slot <= now && last.is_none_or(|last| last < point.slot) {
            self.points.push_back(point);
            self.forget_before(now);
        }
    }

    fn forget_before(&mut self, newest: i64) {
        let places = i64::try_from(self.resolution.places()).unwrap_or(i64::MAX);
        while (self.points.front()).is_some_and(|first| first.slot <= newest - places) {
            self.points.pop_front();
        }
    }

    fn note_unsaved(&mut self, slot: i64) {
        self.unsaved = Some(self.unsaved.map_or(slot, |first| first.min(slot)));
    }

    /// Takes the points to save.
    pub(super) fn take_unsaved(&mut self) -> Vec<SeriesPoint> {
        let Some(first) = self.unsaved.take() else {
            return Vec::new();
        };
        self.from(first).copied().collect()
    }

    /// Takes back points that could not be saved.
    pub(super) fn put_back(&mut self, points: &[SeriesPoint]) {
        let of_mine = points
            .iter()
            .filter(|one| one.resolution == self.resolution);
        for slot in of_mine.map(|point| point.slot).collect::<Vec<_>>() {
            self.note_unsaved(slot);
        }
    }

    /// Returns the points from a step on.
    pub(super) fn from(&self, slot: i64) -> impl Iterator<Item = &SeriesPoint> {
        let begin = self.points.partition_point(|point| point.slot < slot);
        self.points.range(begin..)
    }
}
