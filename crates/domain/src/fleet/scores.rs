//! How heavily an instance's load counts when streams are moved: busy machines get fewer streams.
//!
//! The readings of a worker never decide *whether* it is assigned streams, only in which order. If
//! readings cannot be true, or take too long to collect, the load alone decides; a recovery never
//! waits for them. Old readings count as none: the machine may be idle by now.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ids::InstanceId;
use crate::placement::Strain;
use crate::settings::LivenessThresholds;

/// How long collecting and scoring may take before the load alone decides.
pub const SCORING_LIMIT: Duration = Duration::from_millis(200);

/// From this percentage on a machine counts as busy.
const BUSY: f32 = 80.0;

/// From this percentage on a machine counts as nearly exhausted.
const EXHAUSTED: f32 = 90.0;

/// From this load average per processor on a machine counts as busy: for two processes that run, one
/// waits, for the processor or for a disk.
const BUSY_QUEUE: f32 = 1.5;

/// From this load average per processor on a machine counts as nearly exhausted.
const EXHAUSTED_QUEUE: f32 = 3.0;

/// Returns how old a reading may be. An instance that is silent for longer is late and gets no streams;
/// so an older one means that heartbeats bring none any more.
pub const fn oldest_reading(thresholds: &LivenessThresholds) -> Duration {
    thresholds.warning
}

/// The last readings of a machine; a missing one is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reading {
    /// The use of its processors, in percent.
    pub cpu: Option<f32>,
    /// The use of its memory, in percent.
    pub memory: Option<f32>,
    /// The load average of the last minute, for each processor.
    pub queue: Option<f32>,
    /// How long ago a heartbeat brought them.
    pub age: Duration,
}

/// A reading that cannot be true.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Absurd {
    pub instance: InstanceId,
    pub reading: f32,
}

impl fmt::Display for Absurd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` reports a reading of {}, which cannot be true",
            self.instance, self.reading
        )
    }
}

/// The strains of the instances whose strain is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scores(BTreeMap<InstanceId, Strain>);

impl Scores {
    /// Scores the readings of machines that are not older than `oldest`.
    ///
    /// # Errors
    /// Returns an error if one of them cannot be true: then none is trusted.
    pub fn of(
        readings: impl IntoIterator<Item = (InstanceId, Reading)>,
        oldest: Duration,
    ) -> Result<Self, Absurd> {
        let mut strains = BTreeMap::new();
        for (instance, reading) in readings {
            if reading.age > oldest {
                continue;
            }
            let used = [
                (reading.cpu, 100.0, BUSY, EXHAUSTED),
                (reading.memory, 100.0, BUSY, EXHAUSTED),
                (reading.queue, f32::MAX, BUSY_QUEUE, EXHAUSTED_QUEUE),
            ];
            let mut strain = Strain::Unknown;
            for (reading, most, busy, exhausted) in used {
                let Some(reading) = reading else {
                    continue;
                };
                if !(0.0..=most).contains(&reading) {
                    return Err(Absurd { instance, reading });
                }
                strain = strain.max(if reading >= exhausted {
                    Strain::Exhausted
                } else if reading >= busy {
                    Strain::Busy
                } else {
                    Strain::Normal
                });
            }
            if strain != Strain::Unknown {
                strains.insert(instance, strain);
            }
        }
        Ok(Self(strains))
    }

    /// Returns how heavily the load of an instance counts.
    pub fn strain(&self, id: &InstanceId) -> Strain {
        self.0.get(id).copied().unwrap_or_default()
    }
}

/// How placement weighs loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scoring {
    /// The load, weighted.
    Weighted(Arc<Scores>),
    /// The load alone, for the reason in the text.
    LoadAlone(String),
}

impl Scoring {
    /// Uses scores, unless collecting them took too long.
    pub fn judge(scores: Result<Scores, Absurd>, took: Duration) -> Self {
        match scores {
            Err(absurd) => Self::LoadAlone(absurd.to_string()),
            Ok(_) if took > SCORING_LIMIT => Self::LoadAlone(format!(
                "scoring took {} ms, more than {} ms",
                took.as_millis(),
                SCORING_LIMIT.as_millis()
            )),
            Ok(scores) => Self::Weighted(Arc::new(scores)),
        }
    }

    /// Returns how heavily the load of an instance counts.
    pub fn strain(&self, id: &InstanceId) -> Strain {
        match self {
            Self::Weighted(scores) => scores.strain(id),
            Self::LoadAlone(_) => Strain::Unknown,
        }
    }
}

impl Default for Scoring {
    fn default() -> Self {
        Self::Weighted(Arc::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(cpu: f32, memory: f32) -> Reading {
        Reading {
            cpu: Some(cpu),
            memory: Some(memory),
            queue: None,
            age: Duration::ZERO,
        }
    }

    const OLDEST: Duration = Duration::from_secs(120);

    #[test]
    fn the_busier_of_processor_and_memory_counts() {
        let table = [
            (Reading::default(), Strain::Unknown),
            (reading(0.0, 0.0), Strain::Normal),
            (reading(0.0, 79.9), Strain::Normal),
            (reading(80.0, 0.0), Strain::Busy),
            (reading(10.0, 89.9), Strain::Busy),
            (reading(80.0, 90.0), Strain::Exhausted),
            (reading(100.0, 100.0), Strain::Exhausted),
        ];
        for (reading, weight) in table {
            let scores = Scores::of([("a".into(), reading)], OLDEST).unwrap();
            assert_eq!(scores.strain(&"a".into()), weight, "{reading:?}");
            assert_eq!(scores.strain(&"b".into()), Strain::Unknown);
        }
    }

    #[test]
    fn processes_that_wait_make_a_machine_busy_whatever_its_processors_do() {
        for (queue, strain) in [
            (0.0, Strain::Normal),
            (1.49, Strain::Normal),
            (1.5, Strain::Busy),
            (3.0, Strain::Exhausted),
        ] {
            let reading = Reading {
                queue: Some(queue),
                ..reading(10.0, 10.0)
            };
            let scores = Scores::of([("a".into(), reading)], OLDEST).unwrap();
            assert_eq!(scores.strain(&"a".into()), strain, "{queue}");
        }
        let absurd = Reading {
            queue: Some(-1.0),
            ..Reading::default()
        };
        assert!(Scores::of([("a".into(), absurd)], OLDEST).is_err());
    }

    #[test]
    fn an_old_reading_counts_as_none() {
        let thresholds = LivenessThresholds::from_timeout(Duration::from_secs(300));
        let oldest = oldest_reading(&thresholds);
        for (age, strain) in [
            (oldest, Strain::Exhausted),
            (oldest + Duration::from_millis(1), Strain::Unknown),
        ] {
            let reading = Reading {
                age,
                ..reading(99.0, 0.0)
            };
            let scores = Scores::of([("a".into(), reading)], oldest).unwrap();
            assert_eq!(scores.strain(&"a".into()), strain, "{age:?}");
        }
        // One that cannot be true is forgotten with the others.
        let absurd = Reading {
            age: oldest * 2,
            ..reading(101.0, 0.0)
        };
        assert!(Scores::of([("a".into(), absurd)], oldest).is_ok());
    }

    #[test]
    fn one_absurd_reading_and_one_slow_scoring_leave_the_load_alone() {
        for percent in [-0.1, 100.1, f32::NAN, f32::INFINITY] {
            let sane = ("a".into(), reading(90.0, 0.0));
            let scores = Scores::of([sane, ("b".into(), reading(percent, 0.0))], OLDEST);
            let Scoring::LoadAlone(because) = Scoring::judge(scores, Duration::ZERO) else {
                panic!("{percent}");
            };
            assert!(because.contains("`b`"), "{because}");
        }
        let scores = || Scores::of([("a".into(), reading(90.0, 0.0))], OLDEST);
        let judged = |millis| Scoring::judge(scores(), Duration::from_millis(millis));
        assert_eq!(judged(200).strain(&"a".into()), Strain::Exhausted);
        assert_eq!(
            judged(201),
            Scoring::LoadAlone("scoring took 201 ms, more than 200 ms".to_owned())
        );
        assert_eq!(judged(201).strain(&"a".into()), Strain::Unknown);
    }
}
