//! Do registrations of one name alternate between addresses?
//!
//! Classic workers send no incarnation, so the lives of two processes under one name look
//! the same. Each registration names an address, though. A worker that restarts on another port, or
//! moves to another machine, leaves its old address for good. Two processes that both live register
//! in turns: an address that was left comes back.
//!
//! ```text
//!          address changes          changes back within the window
//!   clear ────────────────▶ left A ────────────────────────────────▶ duplicate: found
//!     ▲                       │ a window without a change back           │ the same: over
//!     └───────────────────────┴──────────────────────────────────────────┘
//! ```
//!
//! The window counts from the moment an address is *left*, because the process there may have
//! registered long before. A classic worker registers again only after a failed heartbeat, so the
//! window is several timeouts long ([`WINDOW_TIMEOUTS`]).
//!
//! The address is the one that the registration names. The peer address of a request says nothing:
//! behind a NAT gateway or a proxy all workers have the same, a proxy with several addresses gives
//! one worker many, and a pod or a phone gets a new one while it lives. What this cannot see: two
//! processes that name the same address, and two of which neither registers again.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::finding::Finding;
use crate::time::Timestamp;

/// How many timeouts an address that was left is remembered: an hour with the default of 300 s.
pub const WINDOW_TIMEOUTS: u32 = 12;

/// How many addresses that were left are remembered for one name. A worker that takes another one
/// at each restart fills them; an address that comes back is among the last.
const MAX_LEFT: usize = 8;

/// Where a registration says its worker is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Address {
    pub ip: String,
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.ip, self.port)
    }
}

/// Watches one name from the first change of its address on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressMachine {
    window: Duration,
    /// The addresses that were left, and when; the newest last.
    left: VecDeque<(Address, Timestamp)>,
    last_return: Option<Timestamp>,
}

impl AddressMachine {
    /// Creates a machine that knows of no change.
    pub const fn new(window: Duration) -> Self {
        Self {
            window,
            left: VecDeque::new(),
            last_return: None,
        }
    }

    /// Notes that a registration leaves `from` for `to`.
    pub fn changed(&mut self, from: Address, to: &Address, now: Timestamp) -> Option<Finding> {
        let window = self.window;
        self.left.retain(|(_, at)| now < *at + window);
        let comes_back = self.left.iter().any(|(address, _)| address == to);
        self.left.retain(|(address, _)| *address != from);
        self.left.push_back((from, now));
        if self.left.len() > MAX_LEFT {
            self.left.pop_front();
        }
        if !comes_back {
            return None;
        }
        let is_new = self.last_return.replace(now).is_none();
        Some(if is_new {
            Finding::Duplicate
        } else {
            Finding::StillThere
        })
    }

    /// Returns whether a second process was found.
    pub const fn is_duplicate(&self) -> bool {
        self.last_return.is_some()
    }

    /// Checks the time. May be called at any time: early, late or repeated calls change nothing.
    /// Once it returns a finding, the machine is finished.
    pub fn handle_deadline(&self, now: Timestamp) -> Option<Finding> {
        (now >= self.next_deadline()).then_some(match self.last_return {
            Some(_) => Finding::Over,
            None => Finding::Cleared,
        })
    }

    /// Returns when a window without a change back is over.
    pub fn next_deadline(&self) -> Timestamp {
        let last_left = self.left.back().map(|(_, at)| *at);
        let since = self.last_return.or(last_left);
        since.unwrap_or(Timestamp::ZERO) + self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: u64 = 3_600;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn address(letter: char) -> Address {
        Address {
            ip: format!("host-{letter}"),
            port: 8_080,
        }
    }

    fn machine() -> AddressMachine {
        AddressMachine::new(Duration::from_secs(WINDOW))
    }

    /// When, and from which host.
    type Registration = (u64, char);

    /// When a second process is found.
    fn found(registrations: &[Registration]) -> Option<u64> {
        let mut machine = machine();
        let pairs = registrations.iter().zip(registrations.iter().skip(1));
        for ((_, from), (now, to)) in pairs {
            if from == to {
                continue;
            }
            let finding = machine.changed(address(*from), &address(*to), at(*now));
            if finding == Some(Finding::Duplicate) {
                return Some(*now);
            }
        }
        None
    }

    #[test]
    fn an_address_that_comes_back_is_told_from_one_that_is_left() {
        let cases: &[(&str, &[Registration], Option<u64>)] = &[
            ("one registration", &[(0, 'a')], None),
            ("it registers again", &[(0, 'a'), (9, 'a'), (18, 'a')], None),
            ("it moves once", &[(0, 'a'), (9, 'b'), (18, 'b')], None),
            (
                "another port at each restart",
                &[(0, 'a'), (9, 'b'), (18, 'c'), (27, 'd'), (36, 'e')],
                None,
            ),
            ("it alternates", &[(0, 'a'), (9, 'b'), (18, 'a')], Some(18)),
            (
                "between three",
                &[(0, 'a'), (9, 'b'), (18, 'c'), (27, 'b')],
                Some(27),
            ),
            (
                "the first has lived for days",
                &[(0, 'a'), (900_000, 'b'), (900_060, 'a')],
                Some(900_060),
            ),
            (
                "within the window",
                &[(0, 'a'), (9, 'b'), (9 + WINDOW - 1, 'a')],
                Some(9 + WINDOW - 1),
            ),
            (
                "moved back later",
                &[(0, 'a'), (9, 'b'), (9 + WINDOW, 'a')],
                None,
            ),
        ];
        for (name, registrations, expected) in cases {
            assert_eq!(found(registrations), *expected, "{name}");
        }
    }

    #[test]
    fn a_change_of_the_port_alone_is_a_change() {
        let on = |port| Address {
            port,
            ..address('a')
        };
        let mut machine = machine();
        assert_eq!(machine.changed(on(1), &on(2), at(1)), None);
        let back = machine.changed(on(2), &on(1), at(2));
        assert_eq!(back, Some(Finding::Duplicate));
    }

    #[test]
    fn it_is_over_one_window_after_the_last_return() {
        let mut machine = machine();
        assert_eq!(machine.changed(address('a'), &address('b'), at(0)), None);
        assert_eq!(machine.handle_deadline(at(WINDOW - 1)), None);
        assert_eq!(machine.handle_deadline(at(WINDOW)), Some(Finding::Cleared));
        machine.changed(address('b'), &address('a'), at(100));
        let again = machine.changed(address('a'), &address('b'), at(200));
        assert_eq!(again, Some(Finding::StillThere), "one finding");
        machine.changed(address('b'), &address('z'), at(300));
        assert_eq!(machine.next_deadline(), at(200 + WINDOW));
        assert_eq!(machine.handle_deadline(at(199 + WINDOW)), None);
        assert_eq!(
            machine.handle_deadline(at(200 + WINDOW)),
            Some(Finding::Over)
        );
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_who_never_comes_back_is_no_duplicate(
            steps in proptest::collection::vec((0_u64..5_000, 0_u16..12), 1..80),
            comes_back: bool,
        ) {
            let mut machine = machine();
            let (mut now, mut from) = (0, Address { port: 0, ..address('a') });
            for (number, (step, port)) in steps.into_iter().enumerate() {
                now += step;
                let port = if comes_back { port } else { 1 + number as u16 };
                let to = Address { port, ..address('a') };
                if to != from {
                    let finding = machine.changed(from, &to, at(now));
                    prop_assert!(comes_back || finding.is_none());
                    prop_assert!(machine.left.len() <= MAX_LEFT);
                }
                from = to;
            }
        }
    }
}
