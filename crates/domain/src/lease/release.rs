//! What a heartbeat shows of the streams that its worker starts and releases.
//!
//! A worker shows that it has followed by naming a version of its set, and by reporting the streams
//! it runs. A stream is released if the worker has a version that leaves it out and does not report
//! it as running. It is started if the worker reports it, or has a version that contains it; of two
//! runners that overlap the first is stopped only when the second reports the stream.

use std::collections::BTreeSet;

use crate::fleet::Standing;
use crate::ids::{AssignmentVersion, Incarnation, StreamId};
use crate::stream::Assignment;

/// Whether a heartbeat may show that its worker has followed something it has not shown yet. If
/// not, it needs no command.
pub fn shows_news(
    standing: &Standing,
    named: Option<Incarnation>,
    version: Option<AssignmentVersion>,
    lists_streams: bool,
) -> bool {
    let is_current = named.is_none_or(|life| life == standing.incarnation);
    let is_awaited = standing.unconfirmed + standing.releasing > 0;
    // The first heartbeat of a life ends the one before.
    let ends_a_life = named.is_some() && standing.releasing > 0;
    let shows = lists_streams || ends_a_life || version.is_some_and(|version| version.get() > 0);
    is_current && is_awaited && shows
}

/// Whether the worker of an instance whose leases are withdrawn has released everything exclusive:
/// the end of its last lease is waited for no longer.
pub const fn is_rid_of_all(standing: &Standing) -> bool {
    standing.withdrawn.is_some() && standing.exclusive == 0
}

/// What a heartbeat shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    version: AssignmentVersion,
    running: Option<BTreeSet<StreamId>>,
}

impl Shown {
    /// Of a worker that names `version` and reports `running`. A version that its instance does not
    /// have yet shows nothing.
    pub fn new(
        version: Option<AssignmentVersion>,
        running: Option<&[StreamId]>,
        newest: AssignmentVersion,
    ) -> Self {
        Self {
            version: version
                .filter(|version| *version <= newest)
                .unwrap_or_default(),
            running: running.map(|running| running.iter().copied().collect()),
        }
    }

    fn reports(&self, stream: StreamId) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| running.contains(&stream))
    }

    /// Whether the worker knows of a stream it owns, or runs it if the stream overlaps.
    pub fn confirms(&self, stream: StreamId, assignment: &Assignment) -> bool {
        // A version may be had before its streams are started, and a stream that overlaps must not
        // be stopped elsewhere before it is.
        let is_had = assignment.version <= self.version;
        let may_wait = assignment.former().is_some() && self.running.is_some();
        self.reports(stream) || (is_had && !may_wait)
    }

    /// Whether the worker has released a stream which its set leaves out since that version.
    pub fn releases(&self, stream: StreamId, left_out: AssignmentVersion) -> bool {
        !self.reports(stream) && left_out <= self.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handover::Handover;
    use crate::ids::Epoch;
    use crate::reason::AssignReason;
    use crate::sample;
    use crate::time::WallTime;
    use crate::withdrawal::WithdrawalCause;

    const STREAM: StreamId = StreamId::new(1);

    fn version(number: i64) -> AssignmentVersion {
        AssignmentVersion::new(number)
    }

    /// Of a worker whose instance has version 7.
    fn shown(named: Option<i64>, running: Option<&[i64]>) -> Shown {
        let running = running.map(|ids| sample::ids(ids.iter().copied()));
        Shown::new(named.map(version), running.as_deref(), version(7))
    }

    #[test]
    fn a_stream_is_released_by_a_version_that_leaves_it_out_unless_it_is_reported() {
        // named version, reported streams, the version that leaves stream 1 out, released
        type Case<'a> = (Option<i64>, Option<&'a [i64]>, i64, bool);
        let table: [Case<'_>; 9] = [
            (Some(7), None, 7, true),
            (Some(7), None, 5, true),
            (Some(6), None, 7, false),
            (Some(8), None, 7, false),
            (Some(0), None, 1, false),
            (None, Some(&[]), 1, false),
            (Some(7), Some(&[2]), 7, true),
            (Some(7), Some(&[1, 2]), 7, false),
            (Some(6), Some(&[2]), 7, false),
        ];
        for (named, running, left_out, expected) in table {
            let found = shown(named, running).releases(STREAM, version(left_out));
            assert_eq!(found, expected, "{named:?}, {running:?}, {left_out}");
        }
    }

    #[test]
    fn a_stream_is_confirmed_by_a_version_or_a_report_and_an_overlap_by_the_report() {
        let assignment = |overlaps: bool| Assignment {
            instance: "a".into(),
            epoch: Epoch::new(1),
            reason: AssignReason::PlannedMove,
            delivered: None,
            version: version(5),
            assigned_at: WallTime::default(),
            handover: overlaps.then(|| Handover::Overlapping {
                from: "b".into(),
                epoch: Epoch::new(0),
                since: WallTime::default(),
            }),
        };
        // overlaps, named version, reported streams, confirmed
        type Case<'a> = (bool, Option<i64>, Option<&'a [i64]>, bool);
        let table: [Case<'_>; 11] = [
            (false, Some(5), None, true),
            (false, Some(4), None, false),
            (false, Some(8), None, false),
            (false, None, Some(&[1]), true),
            (false, None, Some(&[2]), false),
            (false, Some(5), Some(&[]), true),
            (true, Some(5), None, true),
            (true, Some(5), Some(&[]), false),
            (true, Some(5), Some(&[1]), true),
            (true, Some(4), Some(&[1]), true),
            (true, None, None, false),
        ];
        for (overlaps, named, running, expected) in table {
            let found = shown(named, running).confirms(STREAM, &assignment(overlaps));
            assert_eq!(found, expected, "{overlaps}, {named:?}, {running:?}");
        }
    }

    #[test]
    fn a_heartbeat_shows_news_if_something_is_awaited_and_it_says_something_of_its_set() {
        let life = Incarnation::new(3);
        let (known, other) = (Some(life), Some(Incarnation::new(2)));
        // unconfirmed, releasing, named life, named version, lists its streams, shows news
        let table = [
            (1, 0, known, Some(1), false, true),
            (0, 1, known, Some(1), false, true),
            (0, 0, known, Some(1), true, false),
            (1, 0, known, Some(0), false, false),
            (1, 0, known, None, false, false),
            (1, 0, known, None, true, true),
            (1, 0, None, Some(1), false, true),
            (1, 1, other, Some(1), true, false),
        ];
        for (unconfirmed, releasing, named, version, lists, expected) in table {
            let standing = Standing {
                incarnation: life,
                unconfirmed,
                releasing,
                ..sample::standing()
            };
            let version = version.map(AssignmentVersion::new);
            let found = shows_news(&standing, named, version, lists);
            assert_eq!(
                found, expected,
                "{unconfirmed}, {releasing}, {named:?}, {version:?}, {lists}"
            );
        }
    }

    #[test]
    fn a_worker_without_exclusive_streams_ends_the_wait_for_its_withdrawn_lease() {
        for (withdrawn, exclusive, expected) in [
            (Some(WithdrawalCause::Removal), 0, true),
            (Some(WithdrawalCause::Removal), 1, false),
            (None, 0, false),
        ] {
            let standing = Standing {
                withdrawn,
                exclusive,
                ..sample::standing()
            };
            assert_eq!(is_rid_of_all(&standing), expected, "{standing:?}");
        }
    }
}
