//! Proof: how an orchestrator that was replaced, and does not know it, stays harmless.
//!
//! A *proof* is a transaction that verified the term in the database and committed: a renewal of
//! the leadership row, or a saved change of the fleet. While the database answers no orchestrator, the
//! confirmation of each process that may take over is a proof as well (`failsafe`). A proof counts from the moment it was *sent*,
//! its *anchor*. If a proof was sent at `a`, no take-over had committed at `a`, because take-over
//! and proof change rows that only one of them can find unchanged. So what an answer may do
//! depends on the age of the newest anchor, and on nothing that a clock of another machine says.
//!
//! Everything here is on [`SteadyTime`]. Running time would not do: it leaves out the time during
//! which this process was stopped, and during that time another orchestrator may have taken over.
//! `docs/LEADERSHIP.md` has the whole argument.

use std::time::Duration;

use super::limits::LeadershipLimits;
use crate::settings::WorkerLimits;

/// A moment on the clock that counts since the machine was started and never leaves anything out,
/// as a distance from a fixed moment. Never stored, never sent to another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SteadyTime(Duration);

impl SteadyTime {
    /// Wraps a reading of the clock.
    pub const fn new(reading: Duration) -> Self {
        Self(reading)
    }

    /// How long ago `earlier` was; zero if it is not in the past.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for SteadyTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// The moment before the first byte of a transaction, or of the first question, that proved the term was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Anchor(SteadyTime);

impl Anchor {
    /// The transaction was sent at `sent_at`, found the term unchanged, and is known to have
    /// committed. A transaction whose outcome is unknown proves nothing.
    pub const fn sent_at(sent_at: SteadyTime) -> Self {
        Self(sent_at)
    }
}

/// Shows that no other orchestrator led when a request came. Answers that start, stop, deny or
/// judge anything are made of one, so that no path can forget to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    at: SteadyTime,
}

impl Proof {
    /// A proof for a request: only one that was sent after the request came. If the two moments
    /// are equal, the proof counts, because a request takes longer to arrive than the clock takes
    /// to move on.
    pub fn after(request_came: SteadyTime, sent_at: Anchor) -> Option<Self> {
        (sent_at.0 >= request_came).then_some(Self { at: sent_at.0 })
    }

    /// The moment at which no take-over had committed.
    pub const fn at(self) -> SteadyTime {
        self.at
    }
}

/// A lease as it is reported to a worker. Both count from the moment the worker sent its heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToldLease {
    /// When the orchestrator counts the lease as over. Zero grants no lease and takes none back.
    pub lease: Duration,
    /// When the worker stops its exclusive streams by itself.
    pub stop: Duration,
}

impl ToldLease {
    /// Grants no lease, and takes none back.
    pub const NONE: Self = Self {
        lease: Duration::ZERO,
        stop: Duration::ZERO,
    };

    /// Whether it grants anything.
    pub const fn grants(&self) -> bool {
        !self.lease.is_zero()
    }
}

/// How well the term is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProofStanding {
    /// Renewals arrive.
    Normal,
    /// A renewal is overdue. Answers that need a fresh proof wait for it, and are withheld then.
    Waiting,
    /// Another orchestrator may have taken over by now.
    Unproven,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Always,
    Newest(Anchor),
}

/// The newest proof of one term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofClock {
    source: Source,
    /// Failsafe: no other process can take over until then, although the database does not answer.
    alone_until: Option<SteadyTime>,
}

impl ProofClock {
    /// For a database that only one process can open (SQLite, memory): a lock excludes a second
    /// leader, so each moment is proven.
    pub const fn always() -> Self {
        Self {
            source: Source::Always,
            alone_until: None,
        }
    }

    /// A term that was just taken: the take-over is the first proof.
    pub const fn starting_at(take_over: Anchor) -> Self {
        Self {
            source: Source::Newest(take_over),
            alone_until: None,
        }
    }

    /// Notes a proof. The answers of two proofs may arrive in the other order: the newest counts.
    pub fn prove(&mut self, proof: Anchor) {
        if let Source::Newest(newest) = &mut self.source {
            *newest = proof.max(*newest);
        }
    }

    /// Notes until when no other process can take over, although the database does not answer; none:
    /// the database answers again, or another process may take over.
    ///
    /// Each moment up to then is proven: if no other process may take the term, and none is admitted
    /// without the database, then none had taken it.
    pub fn set_alone_until(&mut self, until: Option<SteadyTime>) {
        self.alone_until = until;
    }

    /// How long ago the newest proof was sent, or the last moment was that failsafe covers.
    pub fn age(&self, now: SteadyTime) -> Duration {
        match self.source {
            Source::Always => Duration::ZERO,
            Source::Newest(Anchor(at)) => {
                let alone = self.alone_until.unwrap_or(at);
                now.since(at.max(alone))
            }
        }
    }

    /// The proof for a request that came then; none: it has to wait for the next one.
    pub fn proof_for(&self, request_came: SteadyTime) -> Option<Proof> {
        match self.source {
            Source::Always => Some(Proof { at: request_came }),
            Source::Newest(newest) => {
                let alone = self.alone_until.filter(|until| request_came <= *until);
                let alone = alone.map(|_| Proof { at: request_came });
                Proof::after(request_came, newest).or(alone)
            }
        }
    }

    /// Returns the lease that a heartbeat is answered with at `now`: shorter by the age of the newest
    /// proof, rounded down to a millisecond. So each lease ends within one lease of its proof,
    /// however late the answer is.
    ///
    /// If the proof is older than half of the worker's stop, no lease is granted: the worker's
    /// heartbeats before brought the same end, and workers with short leases send
    /// heartbeats too often.
    pub fn lease(&self, limits: &WorkerLimits, now: SteadyTime) -> ToldLease {
        let age = self.age(now);
        if age > limits.worker_stop / 2 {
            return ToldLease::NONE;
        }
        ToldLease {
            lease: whole_millis(limits.lease.saturating_sub(age)),
            stop: whole_millis(limits.worker_stop.saturating_sub(age)),
        }
    }

    /// How well the term is proven at `now`.
    pub fn standing(&self, limits: &LeadershipLimits, now: SteadyTime) -> ProofStanding {
        let age = self.age(now);
        if age > limits.take_over_after {
            ProofStanding::Unproven
        } else if age > limits.renewal_interval + limits.statement_limit {
            ProofStanding::Waiting
        } else {
            ProofStanding::Normal
        }
    }
}

fn whole_millis(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::LivenessThresholds;
    use proptest::prelude::*;

    fn at(millis: u64) -> SteadyTime {
        SteadyTime::new(Duration::from_millis(millis))
    }

    fn sent(millis: u64) -> Anchor {
        Anchor::sent_at(at(millis))
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn workers(timeout_ms: u64) -> WorkerLimits {
        WorkerLimits::from_thresholds(&LivenessThresholds::from_timeout(ms(timeout_ms)))
    }

    #[test]
    fn a_proof_counts_for_requests_that_came_before_it_was_sent() {
        // request came, proof sent, whether it counts
        let table = [
            (100, 101, true),
            (100, 100, true),
            (100, 99, false),
            (100, 0, false),
        ];
        for (came, proof, expected) in table {
            let found = Proof::after(at(came), sent(proof));
            assert_eq!(found.map(Proof::at), expected.then_some(at(proof)));
            let clock = ProofClock::starting_at(sent(proof));
            assert_eq!(clock.proof_for(at(came)), found);
        }
    }

    #[test]
    fn an_older_proof_that_is_heard_later_takes_nothing_back() {
        let mut clock = ProofClock::starting_at(sent(10));
        clock.prove(sent(500));
        clock.prove(sent(400));
        assert_eq!(clock.age(at(600)), ms(100));
        assert_eq!(clock.age(at(400)), Duration::ZERO, "not in the past");
    }

    #[test]
    fn a_lease_is_shorter_by_the_age_of_the_proof() {
        // age, lease, stop, for a lease of 240 s and a stop of 216 s
        let table = [
            (0, 240_000, 216_000),
            (500, 239_500, 215_500),
            (90_000, 150_000, 126_000),
            (108_000, 132_000, 108_000),
            (108_001, 0, 0),
            (240_000, 0, 0),
            (1_000_000, 0, 0),
        ];
        let clock = ProofClock::starting_at(sent(7));
        for (age, lease, stop) in table {
            let told = clock.lease(&workers(300_000), at(7 + age));
            assert_eq!((told.lease, told.stop), (ms(lease), ms(stop)), "{age}");
            assert_eq!(told.grants(), lease > 0);
        }
    }

    #[test]
    fn a_lease_is_rounded_down() {
        let clock = ProofClock::starting_at(sent(0));
        let now = SteadyTime::new(Duration::from_micros(1_200));
        let told = clock.lease(&workers(300_000), now);
        assert_eq!((told.lease, told.stop), (ms(239_998), ms(215_998)));
    }

    #[test]
    fn the_term_is_proven_waited_for_and_unproven() {
        let limits = LeadershipLimits::from_timeout(ms(300_000));
        let clock = ProofClock::starting_at(sent(0));
        // age, standing, for a renewal each 0.5 s, a limit of 1 s, and a take-over after 3 s
        let table = [
            (0, ProofStanding::Normal),
            (1_500, ProofStanding::Normal),
            (1_501, ProofStanding::Waiting),
            (3_000, ProofStanding::Waiting),
            (3_001, ProofStanding::Unproven),
        ];
        for (age, expected) in table {
            assert_eq!(clock.standing(&limits, at(age)), expected, "{age}");
        }
    }

    #[test]
    fn the_only_process_on_its_database_is_proven_at_each_moment() {
        let mut clock = ProofClock::always();
        clock.prove(sent(5));
        let limits = LeadershipLimits::from_timeout(ms(300_000));
        let late = at(9_000_000);
        assert_eq!(clock.age(late), Duration::ZERO);
        assert_eq!(clock.proof_for(late).map(Proof::at), Some(late));
        assert_eq!(clock.standing(&limits, late), ProofStanding::Normal);
        assert_eq!(clock.lease(&workers(300_000), late).lease, ms(240_000));
    }

    #[test]
    fn failsafe_proves_each_moment_up_to_its_end_and_is_taken_back() {
        let mut clock = ProofClock::starting_at(sent(1_000));
        clock.set_alone_until(Some(at(5_000)));
        assert_eq!(clock.age(at(4_000)), Duration::ZERO);
        assert_eq!(clock.age(at(5_000)), Duration::ZERO);
        assert_eq!(clock.age(at(7_000)), ms(2_000), "counted from its end");
        assert_eq!(clock.proof_for(at(4_000)).map(Proof::at), Some(at(4_000)));
        assert_eq!(clock.proof_for(at(5_001)), None);
        clock.set_alone_until(None);
        assert_eq!(clock.age(at(4_000)), ms(3_000));
        assert_eq!(clock.proof_for(at(4_000)), None);
    }

    proptest! {
        /// The lemma of leases: no lease outlasts its proof by more than a lease, whenever the
        /// heartbeat came and whenever the answer leaves.
        #[test]
        fn a_lease_ends_within_a_lease_of_its_proof(
            timeout in 1_000_u64..600_000,
            proofs in prop::collection::vec(0_u64..400_000, 1..6),
            sent_before in 0_u64..20_000,
            now in 400_000_u64..900_000,
        ) {
            let limits = workers(timeout);
            let mut clock = ProofClock::starting_at(sent(proofs[0]));
            for proof in &proofs {
                clock.prove(sent(*proof));
            }
            let newest = proofs.iter().max().copied().unwrap_or(0);
            let told = clock.lease(&limits, at(now));
            // The worker counts from the moment it sent the heartbeat, which is not later than now.
            let ends = at(now - sent_before) + told.lease;
            prop_assert!(!told.grants() || ends <= at(newest) + limits.lease);
            let stops = at(now - sent_before) + told.stop;
            prop_assert!(!told.grants() || stops <= at(newest) + limits.worker_stop);
            prop_assert!(told.stop <= told.lease);
        }
    }
}
