//! The drain of one instance: what is saved about it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::requester::Requester;
use crate::ids::StreamId;
use crate::string_enum::string_enum;
use crate::time::WallTime;

string_enum! {
    /// How far a drain is.
    DrainState {
        /// Streams are being moved.
        Draining = "draining",
        /// Each stream has a confirmed new owner, or none by force.
        Drained = "drained",
        /// It was cancelled: what has moved stays where it is.
        Cancelled = "cancelled",
        /// Its deadline passed first: the streams that are left stay.
        Expired = "expired",
    }
}

/// A drain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Drain {
    pub state: DrainState,
    pub started_at: WallTime,
    pub deadline_at: WallTime,
    /// When it reached its last state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<WallTime>,
    pub by: Requester,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether streams that fit nowhere are left without an owner at the deadline.
    #[serde(default)]
    pub force: bool,
    /// How many streams the instance owned when it began.
    pub streams: u32,
    /// How many streams have a confirmed new owner.
    #[serde(default)]
    pub moved: u32,
    /// How many streams were left without an owner, by force.
    #[serde(default)]
    pub orphaned: u32,
    /// The streams whose moves have begun and are not confirmed: as many as the pace allows.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub moving: BTreeSet<StreamId>,
    /// The streams whose moves were ordered elsewhere, and are not confirmed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub followed: BTreeSet<StreamId>,
    /// Whether its deadline has passed while it is forced.
    #[serde(default)]
    pub is_overdue: bool,
    /// Whether the instance takes nothing because of it.
    pub in_force: bool,
    /// The end of the maintenance that follows, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then_absent_until: Option<WallTime>,
}

impl Drain {
    /// Returns whether streams are being moved.
    pub fn is_under_way(&self) -> bool {
        self.state == DrainState::Draining
    }

    /// Returns the streams whose new owners have not confirmed them.
    pub fn unconfirmed(&self) -> impl Iterator<Item = StreamId> {
        self.moving.iter().chain(&self.followed).copied()
    }

    /// Returns whether the instance has drained and is kept empty: its silence is expected.
    pub fn is_kept_empty(&self) -> bool {
        self.in_force && self.state == DrainState::Drained
    }

    /// Returns when a drain that is under way may be over, judged by how fast it was so far; `None`
    /// before the first stream has moved.
    pub fn expected_end(&self, left: usize, now: WallTime) -> Option<WallTime> {
        if !self.is_under_way() || self.moved == 0 {
            return None;
        }
        let spent = now.since(self.started_at);
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        let more = spent.as_secs_f64() * f64::from(left) / f64::from(self.moved);
        let more = Duration::try_from_secs_f64(more).ok()?;
        Some(now + more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain() -> Drain {
        Drain {
            state: DrainState::Draining,
            started_at: WallTime::from_micros(0),
            deadline_at: WallTime::from_micros(9_000_000),
            ended_at: None,
            by: Requester::Operator,
            reason: None,
            force: false,
            streams: 10,
            moved: 0,
            orphaned: 0,
            moving: BTreeSet::new(),
            followed: BTreeSet::new(),
            is_overdue: false,
            in_force: true,
            then_absent_until: None,
        }
    }

    #[test]
    fn the_end_is_expected_at_the_speed_so_far() {
        let now = WallTime::from_micros(4_000_000);
        assert_eq!(drain().expected_end(10, now), None, "nothing has moved");
        let half = Drain {
            moved: 4,
            ..drain()
        };
        let end = half.expected_end(6, now);
        assert_eq!(end, Some(WallTime::from_micros(10_000_000)));
        let over = Drain {
            state: DrainState::Drained,
            ..half
        };
        assert_eq!(over.expected_end(0, now), None);
    }

    #[test]
    fn what_is_saved_reads_back() {
        let full = Drain {
            reason: Some("update".to_owned()),
            moving: [StreamId::new(3), StreamId::new(5)].into(),
            followed: [StreamId::new(4)].into(),
            then_absent_until: Some(WallTime::from_micros(7)),
            ..drain()
        };
        for drain in [drain(), full] {
            let text = serde_json::to_string(&drain).unwrap();
            assert_eq!(serde_json::from_str::<Drain>(&text).unwrap(), drain);
        }
    }
}
