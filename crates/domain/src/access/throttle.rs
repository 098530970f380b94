//! Slows down callers whose credentials do not do.
//!
//! Each address has a number of free attempts, which come back one by one. An address that has none left is answered
//! 429 and told when to come again. A good key is let in from any address at any time: the workers behind one
//! address must not be shut out by the one among them with an old key, and no caller can guess 256 bits.
//!
//! The memory is bounded: the address whose last failure is the oldest is forgotten first.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::network::of_one_caller;
use crate::time::Timestamp;

/// How many addresses are remembered.
pub const MAX_ADDRESSES: usize = 10_000;

/// How many attempts an address has at once.
const FREE_ATTEMPTS: u32 = 10;

/// How soon one of them comes back.
const REFILL: Duration = Duration::from_secs(6);

/// One address: when all its attempts will be back, and its last failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Debt {
    settled_at: Timestamp,
    last: Timestamp,
}

/// Remembers which addresses have failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Throttle {
    addresses: BTreeMap<IpAddr, Debt>,
    by_age: BTreeSet<(Timestamp, IpAddr)>,
}

impl Throttle {
    /// Notes a failed attempt. Returns how long the caller is to wait if it had none left.
    pub fn failed(&mut self, address: IpAddr, now: Timestamp) -> Option<Duration> {
        let address = of_one_caller(address);
        let known = self.addresses.get(&address).copied();
        if let Some(debt) = known {
            self.by_age.remove(&(debt.last, address));
        }
        let settled_at = known.map_or(now, |debt| debt.settled_at.max(now));
        let owed = settled_at.since(now);
        let most = REFILL * (FREE_ATTEMPTS - 1);
        let wait = owed.checked_sub(most).filter(|wait| !wait.is_zero());
        let settled_at = match wait {
            // A caller that goes on all the time waits no longer than one that stops.
            Some(_) => settled_at,
            None => settled_at + REFILL,
        };
        self.addresses.insert(
            address,
            Debt {
                settled_at,
                last: now,
            },
        );
        self.by_age.insert((now, address));
        if self.addresses.len() > MAX_ADDRESSES
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.addresses.remove(&oldest);
        }
        wait
    }

    /// Returns how many addresses are remembered.
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// Returns whether no address is remembered.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn ten_attempts_are_free_and_come_back_one_by_one() {
        let mut throttle = Throttle::default();
        for attempt in 0..10 {
            assert_eq!(throttle.failed(FIRST, at(0)), None, "{attempt}");
        }
        assert_eq!(throttle.failed(FIRST, at(0)), Some(REFILL));
        assert_eq!(throttle.failed(FIRST, at(5)), Some(Duration::from_secs(1)));
        assert_eq!(throttle.failed(FIRST, at(6)), None);
        assert_eq!(throttle.failed(FIRST, at(6)), Some(REFILL));
        let other = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
        assert_eq!(throttle.failed(other, at(6)), None);
        for attempt in 0..10 {
            assert_eq!(throttle.failed(FIRST, at(1_000)), None, "{attempt}");
        }
    }

    #[test]
    fn one_machine_is_one_caller_whichever_of_its_addresses_it_uses() {
        let mut throttle = Throttle::default();
        for host in 0..10 {
            let address = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host));
            assert_eq!(throttle.failed(address, at(0)), None);
        }
        let next = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 9, 9, 9, 9));
        assert!(throttle.failed(next, at(0)).is_some());
        assert_eq!(throttle.len(), 1);
    }

    #[test]
    fn the_oldest_address_is_forgotten_first() {
        let mut throttle = Throttle::default();
        let most = u32::try_from(MAX_ADDRESSES).unwrap();
        for number in 0..most + 5 {
            let address = IpAddr::V4(Ipv4Addr::from(number));
            let moment = Timestamp::from_micros(u64::from(number));
            assert_eq!(throttle.failed(address, moment), None);
        }
        assert_eq!(throttle.len(), MAX_ADDRESSES);
        assert_eq!(throttle.by_age.len(), MAX_ADDRESSES);
        assert!(
            !throttle
                .addresses
                .contains_key(&IpAddr::V4(Ipv4Addr::from(4)))
        );
        assert!(
            throttle
                .addresses
                .contains_key(&IpAddr::V4(Ipv4Addr::from(5)))
        );
    }
}
