//! The points of all series.

use std::collections::BTreeMap;

use super::name::SeriesName;
use super::point::{Resolution, Ring, SeriesPoint, micros};
use super::span::SeriesSpan;
use crate::time::WallTime;

/// How often what counts happened since the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counters {
    pub heartbeats: u64,
    pub failures: u64,
    pub moves: u64,
}

/// How much there is now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Levels {
    pub waiting: usize,
    pub active_instances: usize,
    pub load_percentage: f64,
}

/// What is read at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SeriesSample {
    pub at: WallTime,
    pub counters: Counters,
    pub levels: Levels,
}

/// Keeps the points.
#[derive(Debug, Clone)]
pub struct SeriesHistory {
    rings: [Ring; 2],
    counted: Counters,
}

impl SeriesHistory {
    /// Goes on with saved points, of which those after `now` are dropped. What the process has counted
    /// before is not in the first sample.
    pub fn new(mut saved: Vec<SeriesPoint>, now: WallTime, counted: Counters) -> Self {
        saved.sort_unstable_by_key(|point| point.slot);
        let mut rings = [Resolution::Fine, Resolution::Coarse].map(Ring::new);
        for ring in &mut rings {
            let (resolution, newest) = (ring.resolution, ring.resolution.slot(now));
            for point in saved.iter().filter(|one| one.resolution == resolution) {
                ring.restore(*point, newest);
            }
        }
        Self { rings, counted }
    }

    /// Adds a sample. Counts are what happened since the last one.
    pub fn note(&mut self, sample: SeriesSample) {
        let (before, now) = (self.counted, sample.counters);
        self.counted = now;
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let levels = sample.levels;
        for ring in &mut self.rings {
            ring.add(SeriesPoint {
                resolution: ring.resolution,
                slot: ring.resolution.slot(sample.at),
                samples: 1,
                heartbeats: now.heartbeats.saturating_sub(before.heartbeats),
                failures: now.failures.saturating_sub(before.failures),
                moves: now.moves.saturating_sub(before.moves),
                waiting: number(levels.waiting),
                instances: number(levels.active_instances),
                load: (levels.load_percentage.max(0.0) * 1_000.0).round() as u64,
            });
        }
    }

    /// Returns the points of a series, ascending: the moment at which a step began, and its value. Steps without a
    /// sample are absent.
    pub fn points(&self, name: SeriesName, span: &SeriesSpan) -> Vec<(WallTime, f64)> {
        let Some(ring) = self
            .rings
            .iter()
            .find(|ring| ring.resolution == span.resolution())
        else {
            return Vec::new();
        };
        let step = micros(span.step());
        let mut steps: BTreeMap<i64, SeriesPoint> = BTreeMap::new();
        let first = ring.resolution.slot(span.from());
        for point in ring.from(first).take_while(|point| point.at() < span.to()) {
            let begin = point.at().as_micros().div_euclid(step) * step;
            let sum = steps.entry(begin);
            sum.and_modify(|sum| sum.add(point)).or_insert(*point);
        }
        let shown =
            |(begin, sum): (i64, SeriesPoint)| (WallTime::from_micros(begin), sum.value(name));
        steps.into_iter().map(shown).collect()
    }

    /// Takes the points that are not saved, or have grown since.
    pub fn take_unsaved(&mut self) -> Vec<SeriesPoint> {
        let taken = self.rings.iter_mut().map(Ring::take_unsaved);
        taken.flatten().collect()
    }

    /// Takes back points that could not be saved; the next save has them as they are then.
    pub fn put_back(&mut self, points: &[SeriesPoint]) {
        for ring in &mut self.rings {
            ring.put_back(points);
        }
    }
}
