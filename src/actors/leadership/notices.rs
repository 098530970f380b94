//! What the leader says to a standby while it hands over: "read the fleet ahead" and "the term is released".
//!
//! ```text
//!   HTTP of the standby ── prepare, released ──▶ Notices ── Notice ──▶ Candidate
//!            ◀──────────── the moment of the copy ────────────────────────┘
//! ```
//!
//! A notice decides nothing. The candidate looks at the row after "released", and takes what the row gives; a copy is
//! compared with what the take-over finds. So a notice that is lost, late or forged costs time, never a stream.

use tokio::sync::{Mutex, mpsc, oneshot};

use crate::domain::leadership::{FleetMoment, SavedFleet};

/// How many notices wait for the candidate.
const MOST_WAITING: usize = 8;

/// One of them.
#[derive(Debug)]
pub(super) enum Notice {
    /// The leader is about to hand this fleet over.
    Prepare {
        fleet: SavedFleet,
        /// The moment of the copy.
        reply: oneshot::Sender<Option<FleetMoment>>,
    },
    /// The leader has released its term.
    Released,
}

/// Too many notices wait for the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyNotices;

/// The notices that wait for the candidate. A process that is no standby heeds none.
#[derive(Debug)]
pub struct Notices {
    sender: mpsc::Sender<Notice>,
    receiver: Mutex<mpsc::Receiver<Notice>>,
}

impl Default for Notices {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        Self {
            sender,
            receiver: Mutex::new(receiver),
        }
    }
}

impl Notices {
    /// Has this standby read the fleet ahead that the leader is about to hand over. Returns the moment of the copy;
    /// `None` if the copy was given up, because the fleet changed or could not be read.
    ///
    /// # Errors
    /// If too many notices wait.
    pub async fn prepare(&self, fleet: SavedFleet) -> Result<Option<FleetMoment>, TooManyNotices> {
        let (reply, copied) = oneshot::channel();
        let notice = Notice::Prepare { fleet, reply };
        self.sender.try_send(notice).map_err(|_| TooManyNotices)?;
        Ok(copied.await.ok().flatten())
    }

    /// Has this standby look at the row at once, because the leader says that it has released its term.
    pub fn released(&self) {
        // Without room it looks at its usual time.
        let _ = self.sender.try_send(Notice::Released);
    }

    /// Returns the next notice of the leader.
    pub(super) async fn next(&self) -> Notice {
        match self.receiver.lock().await.recv().await {
            Some(notice) => notice,
            None => std::future::pending().await,
        }
    }
}
