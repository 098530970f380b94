//! A term that starts after a loss: the database lacks changes that were acknowledged, or may lack them.
//!
//! ```text
//!   take-over on a newer timeline without the word of the leader before (`promotion`)
//!        │ marks the row, moves terms, epochs and the versions of all instances
//!        ▼
//!   nothing starts (lease and margin) ──▶ the leader removes the mark ──▶ as always
//!        ▲                 │ leader ends, another one takes over
//!        └─────────────────┘ the mark is still there: it begins anew
//! ```
//!
//! Leases that the lost history granted are over after the longest lease and the margin, because no leader
//! renews them. Until then an exclusive stream may run on a worker of which the database does not know:
//! one that it calls unclaimed, or another's. So until then **no stream is started anywhere**:
//!
//! - a heartbeat with the streams that the worker runs is answered with those of them that the database
//!   gives it too, as its whole set, and with a lease. It stops the others;
//! - one with the digest of the set that the database gives it is answered with that set, and with a lease;
//! - any other is granted no lease, and told nothing: its worker stops by itself;
//! - registrations, requests for streams and long polls are answered 503.
//!
//! The versions of instances move by [`VERSION_JUMP`], so that no version names two sets: the lost history
//! may have given a worker a version that the database counts again. After the loss each worker
//! names a version that the database has not, and gets its whole set.
//!
//! Workers without leases are promised nothing here: they start what they are given elsewhere.

use std::time::Duration;

use crate::time::Timestamp;

/// By how much the versions of instances grow with a loss.
pub const VERSION_JUMP: i64 = 1 << 20;

/// The time after a loss in which no stream is started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StartFreeze {
    until: Option<Timestamp>,
}

impl StartFreeze {
    /// Nothing was lost.
    pub const NONE: Self = Self { until: None };

    /// From `now` on, for as long as a lease of the lost history may run.
    pub fn after_loss(now: Timestamp, longest_lease: Duration, margin: Duration) -> Self {
        Self {
            until: Some(now + longest_lease + margin),
        }
    }

    /// For how much longer nothing is started; `None`: streams are started.
    pub fn left(self, now: Timestamp) -> Option<Duration> {
        let until = self.until.filter(|until| now < *until)?;
        Some(until.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::StreamsDigest;
    use crate::fleet::Standing;
    use crate::heartbeat::{Heartbeat, ReportedStreams};
    use crate::heartbeat_outcome::{HeartbeatOutcome, News, Question};
    use crate::ids::{AssignmentVersion, Term, Version};
    use crate::leadership::{
        Claim, FleetMoment, LeadersWord, LeadershipRow, ProofClock, RowState, SteadyTime,
        Succession, WalTimeline,
    };
    use crate::lease::Grant;
    use crate::queries::{SetUpdate, SurvivingSet, WorkerUpdate};
    use crate::sample;

    #[test]
    fn nothing_starts_until_every_lost_lease_is_over() {
        let at = |seconds| Timestamp::ZERO + Duration::from_secs(seconds);
        let freeze =
            StartFreeze::after_loss(at(10), Duration::from_secs(240), Duration::from_secs(30));
        assert_eq!(freeze.left(at(10)), Some(Duration::from_secs(270)));
        assert_eq!(freeze.left(at(279)), Some(Duration::from_secs(1)));
        assert_eq!(freeze.left(at(280)), None);
        assert_eq!(StartFreeze::NONE.left(at(10)), None);
    }

    const TIMELINE: i64 = 1 << 32;

    fn released(term: i64) -> LeadershipRow {
        LeadershipRow {
            state: RowState::Released,
            ..sample::leadership_row(term)
        }
    }

    #[test]
    fn a_term_on_a_newer_timeline_starts_after_a_loss_unless_the_leader_before_gives_its_word() {
        let version = |number: Option<i64>| number.map(Version::new);
        use LeadersWord::{Intact, Nothing, Restores};
        // term before, its mark, timeline, word, known to the claimant, mark of the next term, whether it begins
        // after a loss; the database has version 1000
        let at = |version| FleetMoment {
            timeline: WalTimeline::new(2),
            term: Term::new(TIMELINE + 7),
            version: Version::new(version),
        };
        let (there, beyond) = (at(1000), at(1003));
        let table = [
            (TIMELINE + 7, None, 1, Nothing, 1000, None, false),
            (TIMELINE + 7, None, 2, Intact(there), 1000, None, false),
            (TIMELINE + 7, None, 2, Nothing, 1003, Some(1003), true),
            (TIMELINE + 7, None, 2, Nothing, 0, Some(0), true),
            // The mark stands until the lost changes are written again.
            (
                TIMELINE + 7,
                None,
                2,
                Restores(there),
                1003,
                Some(1003),
                false,
            ),
            // A word about another version says nothing about this one.
            (
                TIMELINE + 7,
                None,
                2,
                Intact(beyond),
                1003,
                Some(1003),
                true,
            ),
            (
                TIMELINE + 7,
                None,
                2,
                Restores(beyond),
                1003,
                Some(1003),
                true,
            ),
            (
                // A part of them may have been written again.
                TIMELINE + 7,
                Some(1003),
                1,
                Nothing,
                1000,
                Some(1003),
                true,
            ),
            (
                TIMELINE + 7,
                Some(1003),
                2,
                Intact(there),
                1000,
                Some(1003),
                false,
            ),
            (TIMELINE + 7, Some(1003), 2, Nothing, 1001, Some(1003), true),
            // A word about another promotion says nothing about this one.
            (TIMELINE + 7, None, 3, Intact(there), 1003, Some(1003), true),
            (
                TIMELINE + 7,
                None,
                3,
                Restores(there),
                1003,
                Some(1003),
                true,
            ),
            // A new database, and terms of a release that knew no timelines.
            (0, None, 1, Nothing, 0, None, false),
            (41, None, 2, Nothing, 1003, None, false),
        ];
        for (term, marked, timeline, word, known, expected, begins) in table {
            let before = LeadershipRow {
                after_loss: version(marked),
                ..released(term)
            };
            let succession = Succession::new(before, WalTimeline::new(timeline)).unwrap();
            let claim = Claim {
                word,
                known: Version::new(known),
                ..sample::claim()
            };
            let found = succession.after_loss(&claim, Version::new(1000));
            assert_eq!(found, version(expected), "{term}, {timeline}, {word:?}");
            let found = succession.begins_after_loss(&claim, Version::new(1000));
            assert_eq!(found, begins, "{term}, {timeline}, {word:?}");
        }
    }

    fn standing(number: i64) -> Standing {
        Standing {
            assignment_version: AssignmentVersion::new(number),
            ..sample::standing()
        }
    }

    #[test]
    fn after_a_loss_a_worker_goes_on_with_what_it_runs_and_is_given() {
        let leased = Standing {
            leased: true,
            digest: StreamsDigest::of(sample::ids([1, 2])),
            ..standing(7)
        };
        let beat = |streams: Option<ReportedStreams>| Heartbeat {
            version: Some(AssignmentVersion::new(9)),
            streams,
            ..Heartbeat::of("a".into())
        };
        let listed = ReportedStreams::listed(sample::ids([1, 3]));
        let counted = |ids: &[i64]| {
            let ids = sample::ids(ids.iter().copied());
            ReportedStreams::counted(StreamsDigest::of(ids.iter().copied()), ids.len() as u64)
        };
        let surviving = |reported: &ReportedStreams| {
            Question::Surviving(SurvivingSet {
                id: "a".into(),
                reported: reported.clone(),
            })
        };
        let same = counted(&[1, 2]);
        let classic = Heartbeat::of("a".into());
        let nameless = Heartbeat {
            version: None,
            ..beat(None)
        };
        // heartbeat, standing, question
        let table = [
            (beat(Some(listed.clone())), leased, surviving(&listed)),
            (beat(Some(same.clone())), leased, surviving(&same)),
            (beat(Some(counted(&[1, 3]))), leased, Question::Frozen),
            (beat(None), leased, Question::Frozen),
            (nameless, leased, Question::Frozen),
            (classic, standing(7), Question::None),
        ];
        for (heartbeat, standing, expected) in table {
            let found = Question::after_loss(&heartbeat, &standing);
            assert_eq!(found, expected, "{heartbeat:?}");
        }
    }

    #[test]
    fn after_a_loss_the_worker_keeps_the_version_that_it_names() {
        let limits = sample::limits();
        let granted = Some(Grant {
            lease: limits.lease,
            stop_after: limits.worker_stop,
        });
        let proof = ProofClock::always()
            .proof_for(SteadyTime::default())
            .unwrap();
        let full = SetUpdate::Full { assign: Vec::new() };
        let update = WorkerUpdate {
            standing: standing(8),
            update: full.clone(),
        };
        let news = News::Surviving(update, AssignmentVersion::new(5), proof);
        let found = HeartbeatOutcome::new(standing(8), true, granted, Duration::ZERO, news);
        assert_eq!(found.granted, granted);
        let told = (found.version, found.update);
        assert_eq!(told, (AssignmentVersion::new(5), full));
    }
}
