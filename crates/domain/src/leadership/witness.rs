//! What a standby hears for a leader that it does not reach.
//!
//! ```text
//!   worker ── heartbeat ──▶ standby ──✂── leader
//!                              │             ▲ before an instance fails for silence:
//!                              ▼             │ one statement for all that are late
//!                         table `witnessed`, in database time
//! ```
//!
//! A standby writes the heartbeats that it echoed while the leader renews its row and is not reached from here
//! ([`is_wanted`]), in batches. A [`Witness`] is a heartbeat with its age. Ages are taken in the database, so no clock
//! of a process is compared with another one: the writer subtracts the time for which it had the heartbeat, and the
//! reader gets the time since then.
//!
//! **What a witness counts for.** An instance that a witness heard does not fail before the witness is as old as
//! the timeout; the emergency threshold and the mass-failure brake count it too. It stays *late*, because the leader
//! does not hear it and cannot notify it: a late instance gets no stream. No lease is granted for a witness.
//!
//! | hazard | rule |
//! | --- | --- |
//! | the instance has registered again | a witness that names another life counts for nothing ([`Witness::is_of`]); each life has a row of its own. One that names none is older than the registration, or of a process that goes on |
//! | the standby's clock is wrong | only the time that it measured itself is used |
//! | the clock of the database was set back, or another server answers | a witness from the future counts for nothing, and the next one replaces it |
//! | the database does not answer | the standby keeps what it heard, and writes it later with its age ([`WitnessFlow`]); the leader decides by what it heard itself |
//! | the standby cannot write for long | it echoes nothing any more, so workers turn elsewhere |

use std::time::Duration;

use super::carry::ECHO_HORIZON;
use super::proof::SteadyTime;
use crate::ids::{Incarnation, InstanceId};

/// How many witnesses one statement writes at most: with two statements a second a fleet of a hundred thousand
/// is written at its usual interval.
pub const MOST_WITNESSES: usize = 2_000;

/// A leader that lives renews its row at least so often.
pub const LONGEST_BEAT: Duration = Duration::from_secs(3);

/// A life of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Life {
    pub id: InstanceId,
    pub incarnation: Incarnation,
}

/// A heartbeat that an orchestrator heard that did not reach the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Whose heartbeat it was.
    pub id: InstanceId,
    /// The life that its worker named, if it named one.
    pub incarnation: Option<Incarnation>,
    /// How long ago it came: when it is written, or when it is read.
    pub age: Duration,
}

impl Witness {
    /// Returns whether it was of this life, as far as it says.
    pub fn is_of(&self, life: Incarnation) -> bool {
        self.incarnation.is_none_or(|named| named == life)
    }
}

/// Returns whether a standby writes what it heard: a leader lives, by its row, and is not reached from here. A
/// leader that is reached is told directly, and without a leader the next one is waited for.
pub fn is_wanted(reaches_leader: bool, row_unchanged_for: Option<Duration>) -> bool {
    !reaches_leader && leader_lives(row_unchanged_for)
}

/// Returns whether another process renews its row; `None`: no other one holds it.
pub fn leader_lives(row_unchanged_for: Option<Duration>) -> bool {
    row_unchanged_for.is_some_and(|unchanged| unchanged <= LONGEST_BEAT)
}

/// Whether what a standby hears gets into the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WitnessFlow {
    failing_since: Option<SteadyTime>,
}

impl WitnessFlow {
    /// A batch was written, or none is wanted.
    pub const fn written(&mut self) {
        self.failing_since = None;
    }

    /// A batch was not written, as far as is known.
    pub fn failed(&mut self, now: SteadyTime) {
        self.failing_since.get_or_insert(now);
    }

    /// Returns whether a heartbeat that is echoed now may be expected to be written in time.
    pub fn flows(&self, now: SteadyTime) -> bool {
        self.failing_since
            .is_none_or(|since| now.since(since) <= ECHO_HORIZON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SteadyTime {
        SteadyTime::new(Duration::from_secs(seconds))
    }

    #[test]
    fn a_witness_is_of_the_life_that_it_names_or_of_any() {
        let table = [
            (None, true),
            (Some(4), true),
            (Some(3), false),
            (Some(5), false),
        ];
        for (named, expected) in table {
            let witness = Witness {
                id: "a".into(),
                incarnation: named.map(Incarnation::new),
                age: Duration::ZERO,
            };
            assert_eq!(witness.is_of(Incarnation::new(4)), expected, "{named:?}");
        }
    }

    #[test]
    fn witnesses_are_wanted_while_a_leader_lives_and_is_not_reached() {
        let secs = |seconds| Some(Duration::from_secs(seconds));
        let table = [
            (false, secs(0), true),
            (false, secs(3), true),
            (false, secs(4), false),
            (false, None, false),
            (true, secs(0), false),
        ];
        for (reaches, unchanged, expected) in table {
            assert_eq!(
                is_wanted(reaches, unchanged),
                expected,
                "{reaches} {unchanged:?}"
            );
        }
    }

    #[test]
    fn witnesses_flow_until_they_could_not_be_written_for_long() {
        let mut flow = WitnessFlow::default();
        assert!(flow.flows(at(100)));
        flow.failed(at(100));
        flow.failed(at(105));
        assert!(flow.flows(at(110)));
        assert!(!flow.flows(at(111)));
        flow.written();
        assert!(flow.flows(at(200)));
    }
}
