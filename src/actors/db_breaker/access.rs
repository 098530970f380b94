//! The way to the store: every call needs a permit, and every outcome is reported to the breakers.

use std::sync::Arc;

use actix::Recipient;

use super::gate::StoreGate;
use super::outcome::StoreOutcome;
use crate::domain::breaker::BreakerName;
use crate::store::StoreError;

/// The way to the store, past its breakers. Clones lead to the same ones.
#[derive(Debug, Clone)]
pub struct StoreAccess {
    gate: Arc<StoreGate>,
    breakers: Recipient<StoreOutcome>,
}

impl StoreAccess {
    pub(crate) fn new(gate: Arc<StoreGate>, breakers: Recipient<StoreOutcome>) -> Self {
        Self { gate, breakers }
    }

    /// What the breakers show.
    pub fn gate(&self) -> &StoreGate {
        &self.gate
    }

    /// A permit to read, if reads are let through.
    pub fn to_read(&self) -> Option<Permit> {
        let permitted = self.gate.reads().lets_through();
        permitted.then(|| self.permit(BreakerName::STORE_READS))
    }

    /// A permit to write, if writes are let through.
    pub fn to_write(&self) -> Option<Permit> {
        let permitted = self.gate.writes().lets_through();
        permitted.then(|| self.permit(BreakerName::STORE_WRITES))
    }

    /// A permit to write whatever the gate shows: for probes, and for what the owner of the guard
    /// must know.
    pub(crate) fn to_probe_writes(&self) -> Permit {
        self.permit(BreakerName::STORE_WRITES)
    }

    fn permit(&self, breaker: BreakerName) -> Permit {
        Permit {
            breaker: Some(breaker),
            breakers: self.breakers.clone(),
        }
    }
}

/// One call that may be made. Dropping it without telling how the call went counts as a failure.
#[derive(Debug)]
#[must_use = "a permit that is dropped counts as a failure"]
pub struct Permit {
    breaker: Option<BreakerName>,
    breakers: Recipient<StoreOutcome>,
}

impl Permit {
    /// The call is over.
    pub fn tell<T>(mut self, result: &Result<T, StoreError>) {
        if let Some(breaker) = self.breaker.take() {
            self.breakers.do_send(StoreOutcome::of(breaker, result));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(breaker) = self.breaker.take() {
            self.breakers.do_send(StoreOutcome::given_up(breaker));
        }
    }
}
