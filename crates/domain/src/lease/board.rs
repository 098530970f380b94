//! The ends of all leases side by side, so that the streams that run are counted without a visit to each
//! instance.
//!
//! Each heartbeat moves the end of one lease; a count of the leases that run would change with time alone.
//! So the board keeps two numbers for each instance next to each other in memory: the end of its last lease,
//! and how many streams run while it lasts. A heartbeat writes the first in one step, whatever the size of the
//! fleet; a saved change writes the second. A question reads them in one go: 16 bytes an instance.
//!
//! An instance has a [`Seat`] for as long as anything refers to it, so a late heartbeat of an instance that
//! was removed never writes the end of the lease of another one.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::fleet::Standing;
use crate::time::Timestamp;

/// How many seats are allocated together.
const ROW: usize = 1_024;

/// One instance.
#[derive(Debug, Default)]
struct Cell {
    /// Zero: no lease was ever granted.
    granted_until: AtomicU64,
    /// The streams that run while the lease does.
    bound: AtomicU64,
}

type Row = Arc<[Cell]>;

/// The leases of a fleet.
#[derive(Debug, Default)]
pub struct LeaseBoard {
    rows: RwLock<Vec<Row>>,
    /// Seats without an instance.
    vacant: Mutex<Vec<(Row, usize)>>,
}

impl LeaseBoard {
    /// Gives a seat to an instance that no lease was granted yet.
    pub fn seat(self: &Arc<Self>) -> Seat {
        let mut vacant = self.vacant.lock().unwrap_or_else(PoisonError::into_inner);
        if vacant.is_empty() {
            let row: Row = (0..ROW).map(|_| Cell::default()).collect();
            vacant.extend((0..ROW).rev().map(|index| (row.clone(), index)));
            self.rows
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .push(row);
        }
        let (row, index) = vacant.pop().unwrap_or_else(|| (Arc::default(), 0));
        Seat {
            board: self.clone(),
            row,
            index,
        }
    }

    /// Returns how many streams of leased instances run at a moment.
    fn running(&self, now: Timestamp) -> u64 {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let cells = rows.iter().flat_map(|row| row.iter());
        cells
            .filter(|cell| now.as_micros() < cell.granted_until.load(Ordering::Acquire))
            .map(|cell| cell.bound.load(Ordering::Acquire))
            .sum()
    }
}

/// The place of one instance on the board.
pub struct Seat {
    board: Arc<LeaseBoard>,
    row: Row,
    index: usize,
}

impl Seat {
    fn cell(&self) -> Option<&Cell> {
        self.row.get(self.index)
    }

    /// Returns until when its worker may run under the last lease that was granted.
    pub fn granted_until(&self) -> Option<Timestamp> {
        let until = self.cell()?.granted_until.load(Ordering::Acquire);
        (until > 0).then(|| Timestamp::from_micros(until))
    }

    /// Notes a lease that was granted; an earlier one may last longer.
    pub fn grant_until(&self, end: Timestamp) {
        if let Some(cell) = self.cell() {
            cell.granted_until
                .fetch_max(end.as_micros(), Ordering::AcqRel);
        }
    }

    /// Notes what is saved about the instance.
    pub fn show(&self, standing: &Standing) {
        let is_bound = standing.leased && standing.status.is_serving();
        self.bind(if is_bound { standing.owned as u64 } else { 0 });
    }

    /// Notes that the instance was removed.
    pub fn leave(&self) {
        self.bind(0);
    }

    fn bind(&self, streams: u64) {
        if let Some(cell) = self.cell() {
            cell.bound.store(streams, Ordering::Release);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
        if let Some(cell) = self.cell() {
            cell.granted_until.store(0, Ordering::Release);
        }
        let vacant = &self.board.vacant;
        let mut vacant = vacant.lock().unwrap_or_else(PoisonError::into_inner);
        vacant.push((self.row.clone(), self.index));
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Seat").field(&self.cell()).finish()
    }
}

/// The leases as of a moment.
#[derive(Debug, Clone, Default)]
pub struct Leases {
    now: Timestamp,
    board: Arc<LeaseBoard>,
}

impl Leases {
    /// Of a board at `now`.
    pub fn new(now: Timestamp, board: Arc<LeaseBoard>) -> Self {
        Self { now, board }
    }

    /// Returns how many streams of serving leased instances run.
    pub fn running(&self) -> usize {
        usize::try_from(self.board.running(self.now)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::InstanceStatus;
    use crate::sample;

    fn standing(leased: bool, status: InstanceStatus, owned: usize) -> Standing {
        Standing {
            status,
            leased,
            owned,
            held: owned,
            ..sample::standing()
        }
    }

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn the_streams_of_a_serving_leased_instance_run_until_its_lease_ends() {
        use InstanceStatus::{Active, Failed, Suspect};
        let board = Arc::new(LeaseBoard::default());
        let running = |now| Leases::new(at(now), board.clone()).running();
        let (one, two, classic) = (board.seat(), board.seat(), board.seat());
        one.show(&standing(true, Active, 3));
        two.show(&standing(true, Suspect, 4));
        classic.show(&standing(false, Active, 100));
        classic.grant_until(at(50));
        assert_eq!((one.granted_until(), running(0)), (None, 0));
        one.grant_until(at(10));
        one.grant_until(at(8));
        two.grant_until(at(20));
        assert_eq!(one.granted_until(), Some(at(10)), "the longest one counts");
        assert_eq!([running(9), running(10), running(20)], [7, 4, 0]);
        two.show(&standing(true, Failed, 4));
        assert_eq!(running(9), 3);
        one.show(&standing(true, Active, 5));
        assert_eq!(running(9), 5);
    }

    #[test]
    fn a_seat_is_given_away_only_when_nothing_refers_to_its_instance() {
        let board = Arc::new(LeaseBoard::default());
        let running = || Leases::new(at(0), board.clone()).running();
        let seats: Vec<Seat> = (0..=ROW).map(|_| board.seat()).collect();
        for seat in &seats {
            seat.show(&standing(true, InstanceStatus::Active, 1));
            seat.grant_until(at(1));
        }
        assert_eq!(running(), ROW + 1);
        let mut seats = seats.into_iter();
        let removed = seats.next().unwrap();
        removed.leave();
        let new = board.seat();
        removed.grant_until(at(9));
        assert_eq!((new.granted_until(), running()), (None, ROW));
        drop((removed, new, seats));
        assert_eq!(running(), 0);
        assert_eq!(board.seat().granted_until(), None);
        assert_eq!(board.rows.read().unwrap().len(), 2, "seats are used again");
    }
}
