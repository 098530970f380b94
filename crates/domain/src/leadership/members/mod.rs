//! The other orchestrators as one of them sees them: who lives, and who is ready to lead.
//!
//! ```text
//!          row changes          row changes, admitted
//!   new ───────────────▶ waiting ───────────────────▶ ready
//!    │                      │  ◀──── dismissed ─────── │
//!    └──── no change for AWAY ──▶ away ◀───────────────┘
//! ```
//!
//! Each process times the changes of the others' rows on its own clock, so a row that was written long
//! ago is `new` to it at first. The leader writes no row of its own while it leads; it is no member of
//! its own list, and a standby shows it as the leader.

use std::collections::BTreeMap;
use std::time::Duration;

use super::member::{MemberRow, SchemaVersion};
use super::row::NodeName;

/// How another orchestrator fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberStanding {
    /// Its row has not changed since it was first seen.
    New,
    /// It writes its row, and the leader has not admitted it yet.
    Waiting,
    /// It writes its row and may take over.
    Ready,
    /// It writes its row, and its release is too old for the database: it does not take over.
    Outdated,
    /// Its row has not changed for long.
    Away,
}

impl MemberStanding {
    /// Every standing.
    pub const ALL: [Self; 5] = [
        Self::New,
        Self::Waiting,
        Self::Ready,
        Self::Outdated,
        Self::Away,
    ];

    /// The word for it in answers and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Outdated => "outdated",
            Self::Away => "away",
        }
    }
}

/// Another orchestrator, and when its row last changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenMember {
    /// Its row.
    pub row: MemberRow,
    /// How long its row has not changed, as this process saw it.
    pub unchanged_for: Duration,
    /// How it fares.
    pub standing: MemberStanding,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    row: MemberRow,
    since: Duration,
    has_changed: bool,
}

/// Returns how many others take over before `me`: those that may, and have not been away. Which goes first follows from
/// the names.
pub fn rank(others: &[SeenMember], me: &NodeName, leader: Option<&NodeName>) -> u32 {
    let before = others.iter().filter(|other| {
        let can_lead = match other.standing {
            MemberStanding::New | MemberStanding::Waiting | MemberStanding::Ready => true,
            MemberStanding::Outdated | MemberStanding::Away => false,
        };
        let node = &other.row.node;
        other.row.is_admitted && can_lead && node < me && Some(node) != leader
    });
    u32::try_from(before.count()).unwrap_or(u32::MAX)
}

/// Times the rows of the others. All moments are on the process's steady time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberWatch {
    away_after: Duration,
    known: BTreeMap<NodeName, Known>,
}

impl MemberWatch {
    /// No row was read so far. A member is away once its row has not changed for `away_after`.
    pub const fn new(away_after: Duration) -> Self {
        Self {
            away_after,
            known: BTreeMap::new(),
        }
    }

    /// The rows of all others were read, on a database with this schema.
    pub fn observe(
        &mut self,
        rows: Vec<MemberRow>,
        database: &SchemaVersion,
        now: Duration,
    ) -> Vec<SeenMember> {
        let mut before = std::mem::take(&mut self.known);
        for row in rows {
            let node = row.node.clone();
            let known = match before.remove(&node) {
                Some(known) if (known.row.run, known.row.beat) == (row.run, row.beat) => {
                    Known { row, ..known }
                }
                Some(_) => Known {
                    row,
                    since: now,
                    has_changed: true,
                },
                None => Known {
                    row,
                    since: now,
                    has_changed: false,
                },
            };
            self.known.insert(node, known);
        }
        self.seen(database, now)
    }

    fn seen(&self, database: &SchemaVersion, now: Duration) -> Vec<SeenMember> {
        let seen = self.known.values().map(|known| {
            let unchanged_for = now.saturating_sub(known.since);
            SeenMember {
                row: known.row.clone(),
                unchanged_for,
                standing: self.standing(known, unchanged_for, database),
            }
        });
        seen.collect()
    }

    fn standing(
        &self,
        known: &Known,
        unchanged_for: Duration,
        database: &SchemaVersion,
    ) -> MemberStanding {
        if unchanged_for >= self.away_after {
            MemberStanding::Away
        } else if !known.has_changed {
            MemberStanding::New
        } else if known.row.schema.is_too_old_for(database) {
            MemberStanding::Outdated
        } else if known.row.is_admitted {
            MemberStanding::Ready
        } else {
            MemberStanding::Waiting
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
