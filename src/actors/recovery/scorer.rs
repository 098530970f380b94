//! Collects what the machines say of themselves, for placement.

use std::time::Duration;

use super::links::RecoveryLinks;
use crate::domain::fleet::{Scores, Scoring};
use crate::domain::time::Timestamp;

/// How long a collection is good for: instances that fail together share one.
const FRESH: Duration = Duration::from_secs(1);

/// The last collection.
#[derive(Debug, Default)]
pub(super) struct Scorer {
    last: Option<(Timestamp, Scoring)>,
}

impl Scorer {
    /// How heavily the instances' loads count now; readings that are older count as none.
    pub(super) fn scoring(&mut self, links: &RecoveryLinks, oldest: Duration) -> Scoring {
        let began = links.clock.now();
        if let Some((made, scoring)) = &self.last
            && began.since(*made) < FRESH
        {
            return scoring.clone();
        }
        let readings = links
            .registry
            .map(|entry| (entry.id().clone(), entry.reading(began)));
        let scores = Scores::of(readings, oldest);
        let scoring = Scoring::judge(scores, links.clock.now().since(began));
        self.last = Some((began, scoring.clone()));
        scoring
    }
}
