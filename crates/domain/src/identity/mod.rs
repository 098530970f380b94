//! Do two processes run under one name?
//!
//! Each registration begins a new incarnation of an instance, and only the newest is served: a call
//! that names an older one is refused. One such call proves nothing: it may be the last packet of a
//! process that is dead, or a process that was replaced and ends when it gets the answer. A
//! *duplicate* is a process that continues:
//!
//! ```text
//!          sighting              another, apart, the newest life spoke in between
//!   clear ──────────▶ suspected ─────────────────────────────────────▶ duplicate: found
//!     ▲                   │ not sighted for a timeout                      │ the same: over
//!     └───────────────────┴────────────────────────────────────────────────┘
//! ```
//!
//! A *sighting* is a call of an older incarnation after the newest has itself sent a call. Two are
//! apart if so much time lies between them that the sender of the first has given up its request:
//! one late packet, delivered twice, is not two sightings. Incarnations are not told apart here, so
//! two processes that take the name from each other again and again, each ending when it is refused
//! and started anew, are found as well. A finding is returned once, however long it lasts.
//!
//! Workers that send no incarnation are known by the address of their registrations: `address`.

mod address;
mod finding;

use std::time::Duration;

use super::settings::{LivenessThresholds, WorkerLimits};
use super::time::Timestamp;

pub use address::{Address, AddressMachine, WINDOW_TIMEOUTS};
pub use finding::Finding;

/// The limits by which the machines judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentityLimits {
    /// Two sightings that lie at least so far apart are not one late request.
    pub apart: Duration,
    /// An older incarnation without a sighting for so long has ended.
    pub quiet: Duration,
    /// How long an address that a registration left is remembered.
    pub address_window: Duration,
}

impl IdentityLimits {
    /// Derives the limits from the contract of workers: a request is given up after its limit, and
    /// an incarnation that is silent for the timeout has ended.
    pub fn from_thresholds(thresholds: &LivenessThresholds) -> Self {
        Self {
            apart: WorkerLimits::from_thresholds(thresholds).request_timeout,
            quiet: thresholds.timeout,
            address_window: thresholds.timeout * WINDOW_TIMEOUTS,
        }
    }
}

/// Watches one name from its first sighting on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentityMachine {
    limits: IdentityLimits,
    first: Timestamp,
    last: Timestamp,
    is_duplicate: bool,
}

impl IdentityMachine {
    /// Begins with a call of an older incarnation. Returns `None` if that is no sighting, because
    /// the newest has sent no call. `newest_spoke` is the time of its last call.
    pub fn begin(
        limits: IdentityLimits,
        newest_spoke: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Self> {
        newest_spoke.map(|_| Self {
            limits,
            first: now,
            last: now,
            is_duplicate: false,
        })
    }

    /// Notes another call of an older incarnation.
    pub fn sighted(&mut self, newest_spoke: Option<Timestamp>, now: Timestamp) -> Option<Finding> {
        let newest_spoke = newest_spoke?;
        self.last = self.last.max(now);
        if self.is_duplicate {
            return Some(Finding::StillThere);
        }
        let is_apart = now >= self.first + self.limits.apart;
        self.is_duplicate = is_apart && newest_spoke > self.first;
        self.is_duplicate.then_some(Finding::Duplicate)
    }

    /// Returns whether a second process was found.
    pub const fn is_duplicate(&self) -> bool {
        self.is_duplicate
    }

    /// Checks the time. May be called at any time: early, late or repeated calls change nothing.
    /// Once it returns a finding, the machine is finished.
    pub fn handle_deadline(&self, now: Timestamp) -> Option<Finding> {
        (now >= self.next_deadline()).then_some(if self.is_duplicate {
            Finding::Over
        } else {
            Finding::Cleared
        })
    }

    /// Returns when the silence will have lasted long enough.
    pub fn next_deadline(&self) -> Timestamp {
        self.last + self.limits.quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: IdentityLimits = IdentityLimits {
        apart: Duration::from_secs(15),
        quiet: Duration::from_secs(300),
        address_window: Duration::from_secs(3_600),
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    /// A call of an older life at a time, and when the newest had last spoken then.
    type Call = (u64, Option<u64>);

    fn found(calls: &[Call]) -> Option<u64> {
        let mut machine: Option<IdentityMachine> = None;
        for (now, spoke) in calls {
            let sighting = spoke.map(at);
            match &mut machine {
                None => machine = IdentityMachine::begin(LIMITS, sighting, at(*now)),
                Some(machine) => {
                    if machine.sighted(sighting, at(*now)) == Some(Finding::Duplicate) {
                        return Some(*now);
                    }
                }
            }
        }
        None
    }

    #[test]
    fn late_packets_are_told_from_a_process_that_goes_on() {
        let told: &[(&str, &[Call], Option<u64>)] = &[
            ("one late call", &[(100, Some(99))], None),
            (
                "before the newest has spoken",
                &[(100, None), (130, None)],
                None,
            ),
            (
                "delivered twice at once",
                &[(100, Some(99)), (100, Some(99))],
                None,
            ),
            (
                "a burst, though the newest spoke in it",
                &[(100, Some(99)), (107, Some(105)), (114, Some(110))],
                None,
            ),
            (
                "the newest is dead itself",
                &[(100, Some(99)), (130, Some(99)), (160, Some(99))],
                None,
            ),
            (
                "it goes on",
                &[(100, Some(99)), (130, Some(129))],
                Some(130),
            ),
            (
                "the first does not count",
                &[
                    (70, None),
                    (100, Some(99)),
                    (114, Some(112)),
                    (130, Some(129)),
                ],
                Some(130),
            ),
            (
                "exactly apart",
                &[(100, Some(99)), (115, Some(101))],
                Some(115),
            ),
        ];
        for (name, calls, expected) in told {
            assert_eq!(found(calls), *expected, "{name}");
        }
    }

    #[test]
    fn it_is_over_one_timeout_after_the_last_sighting() {
        let sighting = |spoke| Some(at(spoke));
        let mut machine = IdentityMachine::begin(LIMITS, sighting(99), at(100)).unwrap();
        assert_eq!(machine.handle_deadline(at(399)), None);
        assert_eq!(machine.handle_deadline(at(400)), Some(Finding::Cleared));
        machine.sighted(sighting(129), at(130));
        let again = machine.sighted(sighting(159), at(160));
        assert_eq!(again, Some(Finding::StillThere), "told once");
        assert_eq!(machine.next_deadline(), at(460));
        assert_eq!(machine.handle_deadline(at(459)), None);
        assert_eq!(machine.handle_deadline(at(460)), Some(Finding::Over));
    }

    proptest! {
        #[test]
        fn found_at_most_once_and_never_without_two_sightings_apart(
            calls in proptest::collection::vec((0_u64..60, proptest::option::of(0_u64..60)), 1..40)
        ) {
            let mut now = 1_000;
            let mut machine: Option<IdentityMachine> = None;
            let (mut first, mut duplicates) = (None, 0);
            for (step, spoke) in calls {
                now += step;
                let sighting = spoke.map(|ago| at(now - ago));
                let finding = match &mut machine {
                    None => {
                        machine = IdentityMachine::begin(LIMITS, sighting, at(now));
                        first = machine.as_ref().map(|_| now);
                        None
                    }
                    Some(machine) => machine.sighted(sighting, at(now)),
                };
                if finding == Some(Finding::Duplicate) {
                    duplicates += 1;
                    prop_assert!(now >= first.unwrap() + LIMITS.apart.as_secs());
                    prop_assert!(now - spoke.unwrap() > first.unwrap());
                }
            }
            prop_assert!(duplicates <= 1);
        }
    }
}
