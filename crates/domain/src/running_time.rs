//! Running time: the time during which the orchestrator itself was awake and listened.
//!
//! A process that was stopped, starved or asleep received no heartbeats, and that silence is its
//! own, not its instances' (I6). So every gap between two readings that is too long to be ordinary
//! scheduling does not count.
//!
//! After such a gap the heartbeats that were sent meanwhile still wait in the sockets. Running time
//! therefore stands still for another *grace* in which they are read: a deadline that was not due
//! before the gap does not become due before they are read. No other part needs to know of this,
//! because every judgement goes by running time.
//!
//! A standstill of up to [`LONGEST_ORDINARY_GAP`] is not seen: it counts as time, as does a gap
//! that only some of the threads had. It is far below any sensible threshold. A process that stands
//! still again and again within each grace judges no instance at all: what it has received is no
//! basis for a judgement.
//!
//! For the same reason running time stands still while no heartbeat can arrive: before HTTP is
//! served, and from the moment the listener stops accepting connections
//! ([`RunningTime::stop_listening`]). Callers that were received before go on waiting meanwhile;
//! their waits go by [`RunningTime::awake`], which leaves out standstills only.

use std::time::Duration;

use super::settings::LivenessThresholds;
use super::time::Timestamp;

/// Gaps up to this long are ordinary scheduling and count as time.
pub const LONGEST_ORDINARY_GAP: Duration = Duration::from_millis(500);

/// How often the clock must be read, so that gaps can be detected.
pub const READING_INTERVAL: Duration = Duration::from_millis(100);

/// The longest grace: enough to read what ten thousand workers sent.
pub const LONGEST_GRACE: Duration = Duration::from_secs(1);

/// Returns how long running time stands still after a gap: a second, or a tenth of a timeout that is
/// shorter than ten seconds.
pub fn grace_for(thresholds: &LivenessThresholds) -> Duration {
    LONGEST_GRACE.min(thresholds.timeout / 10)
}

/// Turns readings of a clock that never stops into running time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningTime {
    grace: Duration,
    last_reading: Duration,
    /// The time that counted so far.
    running: Duration,
    /// The time that would have counted, had heartbeats been able to arrive.
    unheard: Duration,
    /// Whether heartbeats can arrive.
    listens: bool,
    /// The sum of the gaps so far.
    lost: Duration,
    /// The reading up to which time stands still.
    settled_at: Duration,
}

impl RunningTime {
    /// Shows `begin` at the first reading.
    pub const fn starting_at(reading: Duration, grace: Duration, begin: Timestamp) -> Self {
        Self {
            grace,
            last_reading: reading,
            running: Duration::from_micros(begin.as_micros()),
            unheard: Duration::ZERO,
            listens: true,
            lost: Duration::ZERO,
            settled_at: reading,
        }
    }

    /// Returns the running time at a reading. Readings that arrive out of order count as the
    /// latest.
    pub fn at(&mut self, reading: Duration) -> Timestamp {
        if reading.saturating_sub(self.last_reading) > LONGEST_ORDINARY_GAP {
            self.stand_still(reading)
        } else {
            self.go_on(reading)
        }
    }

    /// Returns the running time at a reading up to which the process ran, however long that was.
    pub fn go_on(&mut self, reading: Duration) -> Timestamp {
        let counts_from = self.last_reading.max(self.settled_at);
        let passed = reading.saturating_sub(counts_from);
        if self.listens {
            self.running += passed;
        } else {
            self.unheard += passed;
        }
        self.read(reading)
    }

    /// Returns the running time at a reading up to which the process stood still.
    pub fn stand_still(&mut self, reading: Duration) -> Timestamp {
        self.lost += reading.saturating_sub(self.last_reading);
        self.settled_at = reading + self.grace;
        self.read(reading)
    }

    fn read(&mut self, reading: Duration) -> Timestamp {
        self.last_reading = self.last_reading.max(reading);
        Timestamp::ZERO + self.running
    }

    /// Notes that no heartbeat can arrive from the last reading on: running time stands still until
    /// [`RunningTime::start_listening`].
    pub fn stop_listening(&mut self) {
        self.listens = false;
    }

    /// Notes that heartbeats can arrive from the last reading on. Those that were sent meanwhile
    /// are read within the grace.
    pub fn start_listening(&mut self) {
        self.listens = true;
        self.settled_at = self.last_reading + self.grace;
    }

    /// Returns the running time plus the time during which no heartbeat could arrive: for the waits
    /// of callers, which go on while the program closes. Never to be compared with running time.
    pub fn awake(&self) -> Timestamp {
        Timestamp::ZERO + self.running + self.unheard
    }

    /// Returns how long it will stand still from the last reading on, at least.
    pub fn unsettled_for(&self) -> Duration {
        if self.listens {
            self.settled_at.saturating_sub(self.last_reading)
        } else {
            self.grace
        }
    }

    /// Returns how long the process stood still so far, without the graces.
    pub const fn lost(&self) -> Duration {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GRACE: u64 = 300;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn starting_at(millis: u64) -> RunningTime {
        RunningTime::starting_at(ms(millis), ms(GRACE), Timestamp::ZERO)
    }

    fn shown(millis: u64) -> Timestamp {
        Timestamp::ZERO + ms(millis)
    }

    #[test]
    fn ordinary_gaps_count_and_long_ones_do_not() {
        let mut time = starting_at(10_000);
        assert_eq!(time.at(ms(10_000)), Timestamp::ZERO);
        assert_eq!(time.at(ms(10_500)), shown(500));
        assert_eq!(time.at(ms(3_610_500)), shown(500), "an hour asleep");
        assert_eq!(time.lost(), ms(3_600_000));
    }

    #[test]
    fn after_a_gap_it_stands_still_until_what_was_sent_is_read() {
        let mut time = starting_at(0);
        time.at(ms(100));
        assert_eq!(time.at(ms(10_000)), shown(100));
        assert_eq!(time.unsettled_for(), ms(GRACE));
        assert_eq!(time.at(ms(10_200)), shown(100));
        assert_eq!(time.unsettled_for(), ms(100));
        assert_eq!(time.at(ms(10_310)), shown(110), "10 ms after the grace");
        assert_eq!(time.unsettled_for(), Duration::ZERO);
        assert_eq!(time.at(ms(10_400)), shown(200));
        assert_eq!(time.lost(), ms(9_900), "the grace is no standstill");
    }

    #[test]
    fn a_gap_within_the_grace_starts_it_anew() {
        let mut time = starting_at(0);
        time.at(ms(1_000));
        time.at(ms(1_100));
        assert_eq!(time.at(ms(2_000)), Timestamp::ZERO);
        assert_eq!(time.at(ms(2_250)), Timestamp::ZERO);
        assert_eq!(time.at(ms(2_301)), shown(1));
        assert_eq!(time.lost(), ms(1_900));
    }

    #[test]
    fn a_reading_from_another_thread_that_comes_late_takes_nothing_back() {
        let mut time = starting_at(0);
        assert_eq!(time.at(ms(200)), shown(200));
        assert_eq!(time.at(ms(150)), shown(200));
        assert_eq!(time.at(ms(300)), shown(300));
    }

    #[test]
    fn time_in_which_nobody_can_be_heard_counts_for_callers_only() {
        let mut time = starting_at(0);
        time.at(ms(500));
        time.stop_listening();
        assert_eq!(time.at(ms(900)), shown(500));
        assert_eq!(time.at(ms(1_300)), shown(500));
        assert_eq!(time.awake(), shown(1_300));
        assert_eq!(time.unsettled_for(), ms(GRACE), "timers come no earlier");
        time.at(ms(1_400));
        time.start_listening();
        assert_eq!(time.at(ms(1_700)), shown(500), "the grace");
        assert_eq!(time.at(ms(1_800)), shown(600));
        assert_eq!(
            time.lost(),
            Duration::ZERO,
            "the process did not stand still"
        );
    }

    #[test]
    fn a_clock_that_does_not_listen_yet_starts_at_zero_with_the_grace() {
        let mut time = starting_at(0);
        time.stop_listening();
        time.at(ms(60_000));
        time.start_listening();
        assert_eq!(time.at(ms(60_300)), Timestamp::ZERO);
        assert_eq!(time.at(ms(60_400)), shown(100));
    }

    #[test]
    fn the_grace_is_a_second_or_a_tenth_of_a_short_timeout() {
        let grace = |timeout| grace_for(&LivenessThresholds::from_timeout(ms(timeout)));
        assert_eq!(grace(300_000), ms(1_000));
        assert_eq!(grace(10_000), ms(1_000));
        assert_eq!(grace(3_000), ms(300));
    }

    proptest! {
        /// It never goes back, never outruns the clock, and once the clock is read often it
        /// loses nothing more.
        #[test]
        fn it_moves_forward_and_never_faster_than_the_clock(
            gaps in prop::collection::vec(0_u64..2_000, 1..60),
        ) {
            let mut time = starting_at(0);
            let (mut now, mut last) = (0, Timestamp::ZERO);
            for gap in gaps {
                now += gap;
                let next = time.at(ms(now));
                prop_assert!(next >= last);
                prop_assert!(next.since(last) <= ms(gap));
                prop_assert!(gap <= 500 || next == last, "no gap counts");
                last = next;
            }
            for _ in 0..3 {
                now += 100;
                last = time.at(ms(now));
            }
            now += 100;
            prop_assert_eq!(time.at(ms(now)), last + ms(100));
        }
    }
}
