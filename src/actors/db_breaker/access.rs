//! The way to the store: every call needs a permit, and every outcome is reported to the breakers and
//! counted.

use std::sync::Arc;

use actix::Recipient;

use super::gate::StoreGate;
use super::outcome::StoreOutcome;
use crate::actors::store_calls::{Answer, StoreOp};
use crate::actors::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::breaker::BreakerName;
use crate::store::{Store, StoreError};

/// The way to the store, past its breakers. Clones lead to the same ones.
#[derive(Debug, Clone)]
pub struct StoreAccess {
    store: Arc<dyn Store>,
    gate: Arc<StoreGate>,
    breakers: Recipient<StoreOutcome>,
    clock: Clock,
    telemetry: Arc<Telemetry>,
}

impl StoreAccess {
    pub(in crate::actors) fn new(
        store: Arc<dyn Store>,
        gate: Arc<StoreGate>,
        breakers: Recipient<StoreOutcome>,
        clock: Clock,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Self {
            store,
            gate,
            breakers,
            clock,
            telemetry,
        }
    }

    /// What the breakers show.
    pub fn gate(&self) -> &StoreGate {
        &self.gate
    }

    /// A call that reads, if reads are let through now. A call that is dropped before its answer counts as
    /// a failure.
    pub(in crate::actors) fn read<C, F>(
        &self,
        op: StoreOp,
        call: C,
    ) -> Option<impl Future<Output = F::Output> + use<C, F>>
    where
        C: FnOnce(Arc<dyn Store>) -> F,
        F: Future<Output: Answer>,
    {
        let permitted = self.gate.reads().lets_through();
        permitted.then(|| self.call(op, BreakerName::STORE_READS, call))
    }

    /// A call that writes, if writes are let through now. A call that is dropped before its answer counts as
    /// a failure.
    pub(in crate::actors) fn write<C, F>(
        &self,
        op: StoreOp,
        call: C,
    ) -> Option<impl Future<Output = F::Output> + use<C, F>>
    where
        C: FnOnce(Arc<dyn Store>) -> F,
        F: Future<Output: Answer>,
    {
        let permitted = self.gate.writes().lets_through();
        permitted.then(|| self.call(op, BreakerName::STORE_WRITES, call))
    }

    /// A call that writes whatever the gate shows: for probes, and for what the owner of the guard
    /// must know.
    pub(in crate::actors) fn write_unasked<C, F>(
        &self,
        op: StoreOp,
        call: C,
    ) -> impl Future<Output = F::Output> + use<C, F>
    where
        C: FnOnce(Arc<dyn Store>) -> F,
        F: Future<Output: Answer>,
    {
        self.call(op, BreakerName::STORE_WRITES, call)
    }

    /// Ends the work with the store.
    pub(in crate::actors) async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }

    fn call<C, F>(
        &self,
        op: StoreOp,
        breaker: BreakerName,
        call: C,
    ) -> impl Future<Output = F::Output> + use<C, F>
    where
        C: FnOnce(Arc<dyn Store>) -> F,
        F: Future<Output: Answer>,
    {
        let permit = Permit {
            breaker: Some(breaker),
            breakers: self.breakers.clone(),
        };
        let call = call(self.store.clone());
        let (clock, telemetry) = (self.clock.clone(), self.telemetry.clone());
        async move {
            let began = clock.since_made();
            let answer = call.await;
            let took = clock.since_made().saturating_sub(began);
            telemetry.store_calls.count(op, took, answer.error());
            permit.report(answer.error());
            answer
        }
    }
}

/// One call that may be made. Dropping it without a report counts as a failure.
#[derive(Debug)]
struct Permit {
    breaker: Option<BreakerName>,
    breakers: Recipient<StoreOutcome>,
}

impl Permit {
    /// The call is over.
    fn report(mut self, error: Option<&StoreError>) {
        if let Some(breaker) = self.breaker.take() {
            self.breakers.do_send(StoreOutcome::of(breaker, error));
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
