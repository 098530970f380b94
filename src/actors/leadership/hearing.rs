//! What a standby keeps of what it hears: the way to the leader, and the heartbeats that it answered with an echo.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::leadership::{Echoes, LeaderLink, WitnessFlow};

/// The way to the leader, the heartbeats that no leader knows yet, and their way into the database.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    link: Mutex<LeaderLink>,
    echoes: Mutex<Echoes>,
    flow: Mutex<WitnessFlow>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hearing {
    pub(super) fn link(&self) -> MutexGuard<'_, LeaderLink> {
        locked(&self.link)
    }

    pub(super) fn echoes(&self) -> MutexGuard<'_, Echoes> {
        locked(&self.echoes)
    }

    pub(super) fn flow(&self) -> MutexGuard<'_, WitnessFlow> {
        locked(&self.flow)
    }
}
