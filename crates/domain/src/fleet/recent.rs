//! The recent changes of an instance's set of streams, so that its worker can be sent the
//! difference.

use std::collections::{BTreeSet, VecDeque};

use crate::ids::{AssignmentVersion, StreamId};

/// How many recent changes of its set are remembered per instance. A worker that is further
/// behind is sent its whole set instead of the difference.
pub const REMEMBERED_CHANGES: usize = 256;

/// Which streams came or went in which of the last versions of an instance's set.
#[derive(Debug, Clone)]
pub(super) struct RecentChanges {
    known_from: AssignmentVersion,
    changes: VecDeque<(AssignmentVersion, StreamId)>,
}

impl RecentChanges {
    /// Creates an empty memory: earlier changes are unknown.
    pub(super) fn starting_at(version: AssignmentVersion) -> Self {
        Self {
            known_from: version,
            changes: VecDeque::new(),
        }
    }

    /// Notes that a stream came or went in a version.
    pub(super) fn note(&mut self, version: AssignmentVersion, stream: StreamId) {
        if self.changes.back() == Some(&(version, stream)) {
            return;
        }
        if self.changes.len() == REMEMBERED_CHANGES
            && let Some((forgotten, _)) = self.changes.pop_front()
        {
            self.known_from = forgotten;
        }
        self.changes.push_back((version, stream));
    }

    /// Follows a change of the version; if it moved back, later changes never happened.
    pub(super) fn follow(&mut self, before: AssignmentVersion, after: AssignmentVersion) {
        if after < before {
            while self
                .changes
                .back()
                .is_some_and(|(version, _)| *version > after)
            {
                self.changes.pop_back();
            }
            if self.known_from > after {
                *self = Self::starting_at(after);
            }
        }
    }

    /// Returns the streams that came or went after a version; `None` if that is too long ago to
    /// know.
    pub(super) fn since(&self, version: AssignmentVersion) -> Option<BTreeSet<StreamId>> {
        (version >= self.known_from).then(|| {
            self.changes
                .iter()
                .rev()
                .take_while(|(changed, _)| *changed > version)
                .map(|(_, stream)| *stream)
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_known_for_a_while() {
        let version = AssignmentVersion::new;
        let stream = StreamId::new;
        let mut recent = RecentChanges::starting_at(version(1));
        recent.note(version(2), stream(10));
        recent.note(version(3), stream(11));
        assert_eq!(
            recent.since(version(1)),
            Some(BTreeSet::from([stream(10), stream(11)]))
        );
        assert_eq!(recent.since(version(2)), Some(BTreeSet::from([stream(11)])));
        assert_eq!(recent.since(version(3)), Some(BTreeSet::new()));
        assert_eq!(recent.since(version(0)), None, "before the memory begins");

        recent.follow(version(3), version(2));
        assert_eq!(
            recent.since(version(1)),
            Some(BTreeSet::from([stream(10)])),
            "undone"
        );

        for number in 0..=REMEMBERED_CHANGES as i64 {
            recent.note(version(3 + number), stream(number));
        }
        assert_eq!(
            recent.since(version(2)),
            None,
            "forgotten: the whole set is sent instead"
        );
    }
}
