//! What an import created, updated and left unchanged, as a sentence.

use std::ops::AddAssign;

use serde_json::Value;

/// Streams by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) unchanged: u64,
}

impl Counts {
    /// Reads the answer to `POST /streams`.
    pub(super) fn of(answer: &Value) -> Self {
        let count = |name| answer[name].as_u64().unwrap_or_default();
        Self {
            created: count("created"),
            updated: count("updated"),
            unchanged: count("unchanged"),
        }
    }

    /// Returns how many streams there are.
    pub(super) fn total(self) -> u64 {
        self.created + self.updated + self.unchanged
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
    }
}
