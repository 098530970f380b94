//! An operator gives orders.

use super::facade::{Orchestrator, ask};
use crate::actors::alerts::{
    Acknowledge, Acknowledged, AddSilence, AskSilences, EndSilence, NotAcknowledged, NotSilenced,
};
use crate::actors::balance::{
    AskBalance, AskBalanceStats, BalanceRefusal, BalanceState, OrderRebalance, Rebalanced,
};
use crate::actors::db_breaker::{AskBreakers, BreakerReport, ForceBreaker};
use crate::actors::on_behalf::OnBehalf;
use crate::actors::recovery::{
    AskBrake, AskRecoveryPlan, BrakeReport, Departure, EmergencyReport, ForceRecovery, Forced,
    OrderBrake, PlannedFor, PlannedRecovery, Remove, ReportFailure, StartEmergency,
};
use crate::actors::refusal::Refusal;
use crate::domain::alert::Silence;
use crate::domain::balance::BalanceStats;
use crate::domain::brake::OrderRefused;
use crate::domain::commands::Recovered;
use crate::domain::ids::InstanceId;
use crate::domain::incident::OrderReason;

impl Orchestrator {
    /// Recovers an instance that is reported as failed.
    ///
    /// # Errors
    /// If it could not be, with the reason.
    pub async fn report_failure(&self, id: InstanceId) -> Result<Recovered, Refusal> {
        self.check_store_for(&id)?;
        self.change(&self.recovery, OnBehalf::of_current(ReportFailure { id }))
            .await
    }

    /// Removes an instance for good. What its worker may still run waits for the end of its lease.
    ///
    /// # Errors
    /// If it is not known, or that could not be saved.
    pub async fn remove(&self, order: Remove) -> Result<Departure, Refusal> {
        self.check_store_for(&order.id)?;
        self.change(&self.recovery, OnBehalf::of_current(order))
            .await
    }

    /// A known instance cannot be recovered while nothing can be saved; the caller is refused
    /// before anything is done.
    fn check_store_for(&self, id: &InstanceId) -> Result<(), Refusal> {
        if self.registry.get(id).is_some() && !self.gate.writes().lets_through() {
            return Err(self.gate.writes().refusal());
        }
        Ok(())
    }

    /// Forces a recovery of an instance that has failed, or ends its maintenance.
    ///
    /// # Errors
    /// If that could not be saved.
    pub async fn force_recovery(&self, id: InstanceId) -> Result<Forced, Refusal> {
        self.change(&self.recovery, OnBehalf::of_current(ForceRecovery { id }))
            .await
    }

    /// Empties an instance and takes it out of use, whether it beats or not; returns when its
    /// moves are saved.
    ///
    /// # Errors
    /// If it is not known, or its moves could not be saved.
    pub async fn emergency(
        &self,
        id: InstanceId,
        reason: impl Into<OrderReason>,
    ) -> Result<EmergencyReport, Refusal> {
        self.check_store_for(&id)?;
        let reason = reason.into();
        let order = StartEmergency { id, reason };
        self.change(&self.recovery, OnBehalf::of_current(order))
            .await
    }

    /// Returns what a recovery of an instance would do now; nothing is changed.
    ///
    /// # Errors
    /// If it is not known, or could not be recovered so.
    pub async fn plan_recovery(
        &self,
        id: InstanceId,
        planned_for: PlannedFor,
    ) -> Result<PlannedRecovery, Refusal> {
        let question = AskRecoveryPlan { id, planned_for };
        self.change(&self.recovery, question).await
    }

    /// An operator has seen an alert.
    ///
    /// # Errors
    /// If the actor does not answer; the inner one if no such alert is open.
    pub async fn acknowledge(
        &self,
        order: Acknowledge,
    ) -> Result<Result<Acknowledged, NotAcknowledged>, Refusal> {
        ask(self.alerts.book(), OnBehalf::of_current(order)).await
    }

    /// The active silences, newest first.
    ///
    /// # Errors
    /// If the actor does not answer.
    pub async fn silences(&self) -> Result<Vec<Silence>, Refusal> {
        ask(self.alerts.book(), AskSilences).await
    }

    /// Silences the alerts that match.
    ///
    /// # Errors
    /// If the actor does not answer; the inner one if it was not saved.
    pub async fn silence(
        &self,
        order: AddSilence,
    ) -> Result<Result<Silence, NotSilenced>, Refusal> {
        ask(self.alerts.book(), OnBehalf::of_current(order)).await
    }

    /// Ends a silence.
    ///
    /// # Errors
    /// If the actor does not answer; the inner one if it was not ended.
    pub async fn end_silence(
        &self,
        order: EndSilence,
    ) -> Result<Result<Silence, NotSilenced>, Refusal> {
        ask(self.alerts.book(), OnBehalf::of_current(order)).await
    }

    /// What the mass-failure brake does.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn brake(&self) -> Result<BrakeReport, Refusal> {
        ask(&self.recovery, AskBrake).await
    }

    /// Releases or prolongs a hold; the inner error means that there is none.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn order_brake(
        &self,
        order: OrderBrake,
    ) -> Result<Result<BrakeReport, OrderRefused>, Refusal> {
        ask(&self.recovery, OnBehalf::of_current(order)).await
    }

    /// Balances the fleet, or plans it.
    ///
    /// # Errors
    /// If something more urgent is under way, or nothing could be saved.
    pub async fn rebalance(&self, order: OrderRebalance) -> Result<Rebalanced, BalanceRefusal> {
        if !order.is_dry_run && !self.gate.writes().lets_through() {
            return Err(self.gate.writes().refusal().into());
        }
        ask(&self.balance, OnBehalf::of_current(order)).await?
    }

    /// How balanced the fleet is.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn balance(&self) -> Result<BalanceState, Refusal> {
        ask(&self.balance, AskBalance).await?
    }

    /// What rebalances have done since the start of the program.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn balance_stats(&self) -> Result<BalanceStats, Refusal> {
        ask(&self.balance, AskBalanceStats).await
    }

    /// The circuit breakers.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn breakers(&self) -> Result<Vec<BreakerReport>, Refusal> {
        ask(&self.breaker, AskBreakers).await
    }

    /// Forces a circuit breaker or releases it; none if there is no such breaker.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn force_breaker(
        &self,
        order: ForceBreaker,
    ) -> Result<Option<BreakerReport>, Refusal> {
        ask(&self.breaker, OnBehalf::of_current(order)).await
    }
}
