//! What a stream needs of its owner, and what an instance has left.

use std::collections::BTreeMap;

use crate::constraints::DEFAULT_WEIGHT;
use crate::stream::Stream;

/// What a stream needs of its owner. Streams with the same need can run on the same instances, so
/// waiting streams are filed by their need.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// What the stream costs its owner.
    pub weight: u32,
    /// Labels that the owner must have; empty for most streams.
    pub requires: BTreeMap<String, String>,
}

impl Need {
    /// Returns the need of a stream.
    pub fn of(stream: &Stream) -> Self {
        Self {
            weight: stream.weight,
            requires: stream.requires().cloned().unwrap_or_default(),
        }
    }

    /// Returns whether every instance with room meets the need.
    pub fn is_plain(&self) -> bool {
        self.weight <= DEFAULT_WEIGHT && self.requires.is_empty()
    }

    /// Returns whether an instance with these labels has every label that is required.
    pub fn is_met_by(&self, labels: &BTreeMap<String, String>) -> bool {
        (self.requires.iter()).all(|(key, value)| labels.get(key) == Some(value))
    }
}

impl Default for Need {
    fn default() -> Self {
        Self {
            weight: DEFAULT_WEIGHT,
            requires: BTreeMap::new(),
        }
    }
}

/// What an instance has left: how many more streams it may own, and how much more weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Room {
    pub streams: u32,
    /// `u32::MAX` for an instance without a capacity.
    pub weight: u32,
}

impl Room {
    /// Returns what is left under these limits.
    pub fn left(max_streams: u32, capacity: Option<u32>, streams: usize, weight: u64) -> Self {
        let streams = u32::try_from(streams).unwrap_or(u32::MAX);
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        Self {
            streams: max_streams.saturating_sub(streams),
            weight: capacity.map_or(u32::MAX, |capacity| capacity.saturating_sub(weight)),
        }
    }

    /// Returns whether nothing more fits.
    pub const fn is_full(self) -> bool {
        self.streams == 0 || self.weight == 0
    }

    /// Returns what is left beside one more stream of that weight.
    #[must_use]
    pub fn beside(self, weight: u32) -> Self {
        self.beside_many(1, weight)
    }

    /// Returns what is left beside so many more streams of that weight.
    #[must_use]
    pub fn beside_many(self, streams: usize, weight: u32) -> Self {
        let streams = u32::try_from(streams).unwrap_or(u32::MAX);
        Self {
            streams: self.streams.saturating_sub(streams),
            weight: if self.weight == u32::MAX {
                u32::MAX
            } else {
                self.weight.saturating_sub(streams.saturating_mul(weight))
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn every_required_label_must_be_there_with_its_value() {
        let need = Need {
            requires: labels(&[("zone", "north"), ("gpu", "yes")]),
            ..Need::default()
        };
        for (given, is_met) in [
            (
                &[("zone", "north"), ("gpu", "yes"), ("rack", "r1")][..],
                true,
            ),
            (&[("zone", "north"), ("gpu", "no")], false),
            (&[("zone", "north")], false),
            (&[], false),
        ] {
            assert_eq!(need.is_met_by(&labels(given)), is_met, "{given:?}");
        }
        assert!(Need::default().is_met_by(&labels(&[])));
    }

    #[test]
    fn both_limits_are_hard() {
        let room = Room::left(3, Some(10), 2, 9);
        assert_eq!((room.streams, room.weight), (1, 1));
        assert!(!room.is_full());
        assert!(Room::left(3, Some(10), 2, 10).is_full());
        assert!(Room::left(3, None, 3, 3).is_full());
        let wide = Room::left(3, None, 2, 5_000);
        assert_eq!(wide.beside(1_000).weight, u32::MAX);
        assert!(wide.beside(1).is_full());
        assert_eq!(
            Room::left(1, Some(2), 9, 9),
            Room {
                streams: 0,
                weight: 0
            }
        );
    }
}
