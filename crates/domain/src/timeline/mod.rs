//! The wall times that this process saw, on running time.
//!
//! The wall clock jumps: a dead battery, a first contact with a time server, a typo. Whatever is
//! stored carries a wall time, so the age of a row must not be a difference of two wall times. The
//! timeline remembers *stretches* of running time during which both clocks went side by side; each
//! jump begins another stretch. If this process stamped a row, then the row's wall time lies in a
//! stretch, and its age is running time. A row from before the start is as old as it was at the
//! start by the wall clock of that moment, plus the running time since; one dated after the start
//! counts as written at the start.
//!
//! ```text
//!   running time   0 ───────────────┬──────────┬──────────▶ now
//!   wall time      12:00 ──▶ 12:40  │ 1970 ──▶ │ 12:50 ──▶
//!                  first stretch      second     current
//! ```
//!
//! A wall time in several stretches belongs to the youngest: nothing is forgotten too early.
//!
//! *Slewing* (a time server that speeds the clock up or slows it down) is followed. A *step* is a
//! difference above [`STEP_THRESHOLD`] between two readings, beyond what slewing explains; it is
//! measured against the clock that goes on while the process stands still, so a stopped process or
//! a sleeping machine is no step.

use std::time::Duration;

use super::time::{Timestamp, WallTime};

/// Larger jumps are steps, and are reported to the operator. A leap second and the corrections of a
/// time server that slews are below this.
pub const STEP_THRESHOLD: Duration = Duration::from_secs(2);

/// How far the two clocks may drift apart within a stretch.
const STRETCH_TOLERANCE: Duration = Duration::from_secs(1);

/// A slewed clock gains or loses at most one part in so many: more than any time server asks for.
const SLEW_DIVISOR: i64 = 10;

/// How many stretches are remembered. Beyond that, two old ones become one.
const MAX_STRETCHES: usize = 128;

/// How far apart in their order two stretches may be that become one.
const MERGE_DISTANCE: usize = 3;

/// How many spans of wall time a [`Recent`] has: each is a condition of a statement.
const MAX_SPANS: usize = 8;

/// A stretch of running time during which the wall clock went steadily.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    began: Timestamp,
    ended: Timestamp,
    earliest: WallTime,
    latest: WallTime,
    /// The wall time at its end.
    shown: WallTime,
    /// Whether it stands for several stretches: only its end is known.
    is_merged: bool,
}

impl Stretch {
    const fn starting_at(now: Timestamp, wall: WallTime) -> Self {
        Self {
            began: now,
            ended: now,
            earliest: wall,
            latest: wall,
            shown: wall,
            is_merged: false,
        }
    }

    fn contains(&self, wall: WallTime) -> bool {
        (self.earliest..=self.latest).contains(&wall)
    }

    /// Returns the latest moment at which the wall clock may have shown `wall`.
    fn moment_of(&self, wall: WallTime) -> Timestamp {
        if self.is_merged {
            return self.ended;
        }
        back(self.ended, self.shown.since(wall)).max(self.began)
    }

    /// Returns how much precision is lost if a later stretch absorbs this one: by how much wall
    /// times and moments would be mistaken, compared with their age.
    fn blur_with(&self, later: &Self, now: Timestamp) -> u128 {
        let first = self.earliest.min(later.earliest);
        let width = self.latest.max(later.latest).since(first);
        let span = width + later.ended.since(self.began);
        let age = now.since(later.ended) + Duration::from_secs(1);
        span.as_micros() * 1_000 / age.as_micros()
    }

    fn take_in(&mut self, earlier: &Self) {
        self.began = self.began.min(earlier.began);
        self.earliest = self.earliest.min(earlier.earliest);
        self.latest = self.latest.max(earlier.latest);
        self.is_merged = true;
    }

    /// Returns the wall times at and after a moment.
    fn span_from(&self, moment: Timestamp) -> Option<Span> {
        if self.ended < moment {
            return None;
        }
        let earliest = if self.is_merged || self.began >= moment {
            self.earliest
        } else {
            (self.shown - self.ended.since(moment)).max(self.earliest)
        };
        Some(Span {
            first: earliest.min(self.latest),
            last: self.latest,
        })
    }
}

/// The stretches of one process, oldest first.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// What running time showed at the start.
    began: Timestamp,
    started_at: WallTime,
    past: Vec<Stretch>,
    current: Stretch,
}

impl Timeline {
    /// Starts with the first reading of both clocks.
    pub const fn starting_at(now: Timestamp, wall: WallTime) -> Self {
        Self {
            began: now,
            started_at: wall,
            past: Vec::new(),
            current: Stretch::starting_at(now, wall),
        }
    }

    /// Notes a reading of both clocks. Every wall time that is used anywhere must pass through
    /// here.
    pub fn note(&mut self, now: Timestamp, wall: WallTime) {
        let expected = self.current.shown + now.since(self.current.ended);
        if apart(expected, wall) > STRETCH_TOLERANCE {
            self.past.push(std::mem::replace(
                &mut self.current,
                Stretch::starting_at(now, wall),
            ));
            self.merge(now);
            return;
        }
        let current = &mut self.current;
        current.ended = current.ended.max(now);
        current.shown = wall;
        current.earliest = current.earliest.min(wall);
        current.latest = current.latest.max(wall);
    }

    /// Returns how long ago the wall clock showed `wall`: running time if this process saw it.
    pub fn age(&self, wall: WallTime, now: Timestamp) -> Duration {
        let newest_first = std::iter::once(&self.current).chain(self.past.iter().rev());
        let mut seen = newest_first.filter(|stretch| stretch.contains(wall));
        match seen.next() {
            Some(stretch) => now.since(stretch.moment_of(wall)),
            None => self.started_at.since(wall) + now.since(self.began),
        }
    }

    /// Returns the wall times that are at most `within` old.
    pub fn recent(&self, within: Duration, now: Timestamp) -> Recent {
        let running = now.since(self.began);
        let cutoff = back(now, within);
        let mut spans: Vec<Span> = self
            .past
            .iter()
            .filter_map(|stretch| stretch.span_from(cutoff))
            .collect();
        if let Some(span) = self.current.span_from(cutoff) {
            // Rows that are stamped while the answer is used are recent too. The margin ends, so
            // that a row from the future of another clock is not kept for ever.
            spans.push(Span {
                last: span.last + within,
                ..span
            });
        }
        if let Some(before_start) = within.checked_sub(running) {
            spans.push(Span {
                first: self.started_at - before_start,
                last: WallTime::from_micros(i64::MAX),
            });
        }
        Recent::of(spans)
    }

    /// Keeps the number of stretches bounded by merging two: afterwards only the end of the later
    /// one is known. Stretches that are close to each other for their age are merged first. A clock
    /// that jumps to and fro has its similar stretch not next to it, but one further.
    fn merge(&mut self, now: Timestamp) {
        while self.past.len() > MAX_STRETCHES {
            let pairs = (0..self.past.len()).flat_map(|index| {
                let others = index + 1..self.past.len().min(index + 1 + MERGE_DISTANCE);
                others.map(move |other| (index, other))
            });
            let closest = pairs
                .min_by_key(|(index, other)| self.past[*index].blur_with(&self.past[*other], now));
            let Some((index, other)) = closest else {
                return;
            };
            let earlier = self.past[index];
            self.past[other].take_in(&earlier);
            self.past.remove(index);
        }
    }
}

/// Wall times from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Span {
    pub first: WallTime,
    pub last: WallTime,
}

/// The wall times that count as recent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent {
    /// Ascending, with gaps between them.
    spans: Vec<Span>,
}

impl Recent {
    /// Selects everything from a moment on, for a clock that never jumps.
    pub fn since(first: WallTime) -> Self {
        Self::of(vec![Span {
            first,
            last: WallTime::from_micros(i64::MAX),
        }])
    }

    fn of(mut spans: Vec<Span>) -> Self {
        spans.sort_by_key(|span| span.first);
        let mut joined: Vec<Span> = Vec::new();
        for span in spans {
            match joined.last_mut() {
                Some(before) if span.first <= before.last + Duration::from_micros(1) => {
                    before.last = before.last.max(span.last);
                }
                _ => joined.push(span),
            }
        }
        while joined.len() > MAX_SPANS {
            let gaps = joined
                .windows(2)
                .map(|pair| pair[1].first.since(pair[0].last))
                .enumerate();
            let Some((index, _)) = gaps.min_by_key(|(_, gap)| *gap) else {
                break;
            };
            let later = joined.remove(index + 1);
            joined[index].last = later.last;
        }
        Self { spans: joined }
    }

    /// Returns whether a moment is recent.
    pub fn contains(&self, wall: WallTime) -> bool {
        let mut spans = self.spans.iter();
        spans.any(|span| (span.first..=span.last).contains(&wall))
    }

    /// Returns the earliest wall time that may be recent.
    pub fn earliest(&self) -> WallTime {
        let first = self.spans.first().map(|span| span.first);
        first.unwrap_or(WallTime::from_micros(i64::MAX))
    }

    /// Returns all other wall times, in as few spans as possible.
    pub fn past(&self) -> Vec<Span> {
        let micro = Duration::from_micros(1);
        let mut past = Vec::with_capacity(self.spans.len() + 1);
        let mut next = Some(WallTime::from_micros(i64::MIN));
        for span in &self.spans {
            if let Some(first) = next.filter(|first| *first < span.first) {
                past.push(Span {
                    first,
                    last: span.first - micro,
                });
            }
            next = (span.last.as_micros() < i64::MAX).then(|| span.last + micro);
        }
        past.extend(next.map(|first| Span {
            first,
            last: WallTime::from_micros(i64::MAX),
        }));
        past
    }
}

/// A jump of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockStep {
    /// How many steps there were so far, this one included.
    pub count: u64,
    /// By how many microseconds; negative if the clock went back.
    pub by_micros: i64,
}

/// Detects steps: compares the wall clock with one that never jumps.
#[derive(Debug, Clone)]
pub struct StepDetector {
    read_at: Duration,
    /// The wall time less the other clock, in microseconds.
    offset: i64,
    last: Option<ClockStep>,
}

impl StepDetector {
    /// Starts with the first reading of both clocks.
    pub fn starting_at(reading: Duration, wall: WallTime) -> Self {
        Self {
            read_at: reading,
            offset: offset(reading, wall),
            last: None,
        }
    }

    /// Notes a reading of both clocks at one moment.
    pub fn note(&mut self, reading: Duration, wall: WallTime) {
        let elapsed = reading.saturating_sub(self.read_at);
        let found = offset(reading, wall);
        let by_micros = found.saturating_sub(self.offset);
        let slewed = micros(elapsed) / SLEW_DIVISOR;
        self.read_at = self.read_at.max(reading);
        if by_micros.unsigned_abs() > (micros(STEP_THRESHOLD) + slewed).unsigned_abs() {
            self.offset = found;
            let count = self.last.map_or(1, |last| last.count + 1);
            self.last = Some(ClockStep { count, by_micros });
        } else {
            // Small jumps that add up are reported as a step in the end.
            self.offset += by_micros.clamp(-slewed, slewed);
        }
    }

    /// Returns the last step, if there was one.
    pub const fn last(&self) -> Option<ClockStep> {
        self.last
    }
}

fn offset(reading: Duration, wall: WallTime) -> i64 {
    wall.as_micros().saturating_sub(micros(reading))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn apart(a: WallTime, b: WallTime) -> Duration {
    a.since(b).max(b.since(a))
}

/// Returns the moment that was `by` before another; the start if that was before it.
fn back(moment: Timestamp, by: Duration) -> Timestamp {
    let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
    Timestamp::from_micros(moment.as_micros().saturating_sub(by))
}

#[cfg(test)]
mod tests;
