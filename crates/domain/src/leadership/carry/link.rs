//! The way from a standby to the leader: whether it is reached, and its clock.
//!
//! A standby asks the leader who it is, every renewal interval. Each answer has a reading of the leader's own
//! clock. With it the standby stamps what it carries: [`LeaderLink::stamp`] is a moment of the *leader's* clock
//! at which the request had not come yet. So the leader knows how old a carried request is at most, whatever
//! the standby was doing meanwhile: also one that was stopped between its last decision and the sending. No
//! clock is compared with another: the reading came before the request, or the standby's own clock says by how
//! much it came after.

use std::time::Duration;

use crate::ids::Term;
use crate::leadership::proof::SteadyTime;
use crate::leadership::row::RunId;

/// A leader that has not answered for so long is not reached.
pub(super) const LINK_SILENCE: Duration = Duration::from_secs(2);

/// A moment of the clock of one leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaderMoment {
    /// The process whose clock it is.
    pub run: RunId,
    /// Milliseconds on that clock. What came before the clock was made is negative.
    pub millis: i64,
}

impl LeaderMoment {
    /// A moment of the clock of this process.
    pub fn of(run: RunId, at: SteadyTime) -> Self {
        Self {
            run,
            millis: millis(at.since(SteadyTime::default())),
        }
    }

    /// How long ago the moment was, for the process whose clock it is; none for any other process.
    pub fn age(self, run: RunId, now: SteadyTime) -> Option<Duration> {
        let age = Self::of(run, now).millis.saturating_sub(self.millis);
        (self.run == run).then(|| Duration::from_millis(u64::try_from(age).unwrap_or(0)))
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// What a standby knows of the way to the leader.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeaderLink {
    newest: Option<Answer>,
    is_broken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answer {
    term: Term,
    moment: LeaderMoment,
    is_proven: bool,
    at: SteadyTime,
}

impl LeaderLink {
    /// Notes an answer of the leader of a term, which came at `at`.
    pub const fn answered(
        &mut self,
        term: Term,
        moment: LeaderMoment,
        is_proven: bool,
        at: SteadyTime,
    ) {
        self.newest = Some(Answer {
            term,
            moment,
            is_proven,
            at,
        });
        self.is_broken = false;
    }

    /// Notes that the leader's address refuses connections, or that another process answers there. Nothing
    /// more is sent before the next answer.
    pub const fn broke(&mut self) {
        self.is_broken = true;
    }

    fn answer(&self, term: Term, now: SteadyTime) -> Option<&Answer> {
        let newest = self.newest.as_ref().filter(|_| !self.is_broken)?;
        (newest.term == term && now.since(newest.at) <= LINK_SILENCE).then_some(newest)
    }

    /// Returns whether the leader of this term is reached.
    pub fn reaches(&self, term: Term, now: SteadyTime) -> bool {
        self.answer(term, now).is_some()
    }

    /// Returns whether the leader of this term is reached and was sure of its term.
    pub fn reaches_proven(&self, term: Term, now: SteadyTime) -> bool {
        self.answer(term, now)
            .is_some_and(|answer| answer.is_proven)
    }

    /// How long ago a leader answered; none if none ever did.
    pub fn silent_for(&self, now: SteadyTime) -> Option<Duration> {
        self.newest.map(|newest| now.since(newest.at))
    }

    /// Returns a moment of the leader's clock at which a request that came at `came` had not come yet.
    pub fn stamp(&self, came: SteadyTime) -> Option<LeaderMoment> {
        let newest = self.newest?;
        // If the request came first, then the reading is newer than the request by at most this.
        let newer_by = millis(newest.at.since(came));
        Some(LeaderMoment {
            run: newest.moment.run,
            millis: newest.moment.millis.saturating_sub(newer_by),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TERM: Term = Term::new(4);
    const RUN: RunId = RunId::new(9);

    fn at(millis: u64) -> SteadyTime {
        SteadyTime::new(Duration::from_millis(millis))
    }

    fn moment(millis: i64) -> LeaderMoment {
        LeaderMoment { run: RUN, millis }
    }

    #[test]
    fn a_leader_is_reached_while_it_answers() {
        let mut link = LeaderLink::default();
        assert!(!link.reaches(TERM, at(0)));
        assert_eq!(link.silent_for(at(0)), None);
        link.answered(TERM, moment(100), true, at(1_000));
        assert!(link.reaches(TERM, at(3_000)) && link.reaches_proven(TERM, at(3_000)));
        assert!(!link.reaches(TERM, at(3_001)), "silent for too long");
        assert!(
            !link.reaches(Term::new(5), at(1_000)),
            "another term leads by now"
        );
        link.broke();
        assert!(!link.reaches(TERM, at(1_000)));
        link.answered(TERM, moment(600), false, at(1_500));
        assert!(link.reaches(TERM, at(1_500)));
        assert!(!link.reaches_proven(TERM, at(1_500)));
        assert_eq!(link.silent_for(at(2_000)), Some(Duration::from_millis(500)));
    }

    #[test]
    fn an_age_is_known_to_the_process_whose_clock_it_is() {
        let second = Duration::from_secs(1);
        assert_eq!(moment(500).age(RUN, at(1_500)), Some(second));
        assert_eq!(moment(-500).age(RUN, at(500)), Some(second));
        assert_eq!(moment(2_000).age(RUN, at(500)), Some(Duration::ZERO));
        assert_eq!(moment(500).age(RunId::new(1), at(1_500)), None);
    }

    proptest! {
        #[test]
        fn a_carried_request_is_never_younger_than_its_leader_takes_it_for(
            // True times: the reading, its arrival, the request, its arrival at the leader. The clocks of both
            // processes began at other times.
            read in 0_u64..100_000, travel in 0_u64..100_000, came in 0_u64..200_000,
            late in 0_u64..500_000, leader_began in 0_u64..100_000, own_began in 0_u64..100_000,
        ) {
            let leader = |time: u64| SteadyTime::new(Duration::from_millis(time + leader_began));
            let own = |time: u64| SteadyTime::new(Duration::from_millis(time + own_began));
            let mut link = LeaderLink::default();
            link.answered(TERM, LeaderMoment::of(RUN, leader(read)), true, own(read + travel));
            let stamp = link.stamp(own(came)).unwrap();
            let arrives = came.max(read + travel) + late;
            let age = stamp.age(RUN, leader(arrives)).unwrap();
            prop_assert!(age >= Duration::from_millis(arrives - came));
        }
    }
}
