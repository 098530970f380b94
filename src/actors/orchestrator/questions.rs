//! How things are: totals, health, failures, alerts, metrics, invariants.

use std::sync::Arc;
use std::time::Duration;

use super::facade::{Orchestrator, ask};
use crate::actors::alerts::{AlertPage, AskAlerts};
use crate::actors::consistency;
use crate::actors::event_tail::{Announcements, FollowEvents};
use crate::actors::headroom::AskHeadroom;
use crate::actors::health::{
    AskFailures, AskHealth, AskHealthHistory, Failures, HealthPage, HealthReport,
};
use crate::actors::heartbeat_log::{AskHistory, History};
use crate::actors::refusal::Refusal;
use crate::actors::series::AskSeries;
use crate::domain::consistency::Consistency;
use crate::domain::headroom::{Headroom, HomelessStreams, Loss, LossScope, Unplaced};
use crate::domain::ids::{InstanceId, StreamId};
use crate::domain::lease::runs;
use crate::domain::patterns::{Pattern, find_patterns};
use crate::domain::queries::{
    FailedInstances, FleetFacts, FleetTotals, HeadroomFacts, StreamsOfLost, Totals,
};
use crate::domain::series::{SeriesName, SeriesSpan};
use crate::domain::time::WallTime;

impl Orchestrator {
    /// How much there is of everything, and what of it runs now.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn totals(&self) -> Result<Totals, Refusal> {
        let leases = self.registry.leases(self.clock.now());
        self.ask(FleetTotals { leases }).await
    }

    /// Whether the streams an instance owns run now, as far as can be known.
    pub fn runs(&self, id: &InstanceId) -> bool {
        let Some(entry) = self.registry.get(id) else {
            return false;
        };
        let standing = entry.standing();
        let granted_until = entry.granted_until();
        runs(
            standing.status,
            standing.leased,
            granted_until,
            self.clock.now(),
        )
    }

    /// How the whole system is, as of now.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn system_health(&self) -> Result<HealthReport, Refusal> {
        let report = ask(&self.health, AskHealth).await?;
        report.ok_or(Refusal::ShuttingDown)
    }

    /// What is remembered of failures.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn failures(&self) -> Result<Failures, Refusal> {
        let failed = self.ask(FailedInstances).await?;
        let mut failures = ask(&self.health, AskFailures(failed)).await?;
        // Incidents outlive their instance.
        let counts = &mut failures.counts;
        counts.retain(|id, _| self.registry.get(id).is_some());
        Ok(failures)
    }

    /// A page of the history of the system's health.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn health_history(&self, question: AskHealthHistory) -> Result<HealthPage, Refusal> {
        ask(&self.health, question).await
    }

    /// What the failures of registered instances within a time that ends now have in common, and
    /// how many they were. Those of instances that were removed are left out.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn patterns(&self, within: Duration) -> Result<(Vec<Pattern>, usize), Refusal> {
        let facts = self.ask(FleetFacts).await?;
        let lately = self.clock.recent(within);
        let mut incidents = self.archive.detected_in(&lately);
        incidents.retain(|incident| facts.contains_key(&incident.instance));
        // Many failures take a while to compare; no request waits for it on this thread.
        let found = tokio::task::spawn_blocking(move || {
            (find_patterns(&incidents, &facts), incidents.len())
        });
        found.await.map_err(|_| Refusal::ShuttingDown)
    }

    /// New events from now on, with their numbers.
    ///
    /// # Errors
    /// If the store does not answer, or the system ends.
    pub async fn follow_events(&self) -> Result<Announcements, Refusal> {
        ask(&self.event_tail, FollowEvents).await?
    }

    /// What the fleet can absorb, as of now.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn headroom(&self) -> Result<Arc<Headroom>, Refusal> {
        let headroom = ask(&self.headroom, AskHeadroom).await?;
        headroom.ok_or(Refusal::ShuttingDown)
    }

    /// What the loss of some instances would leave without a home; none if no instance is meant.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn loss(&self, scope: LossScope) -> Result<Option<Loss>, Refusal> {
        let holders = self.ask(HeadroomFacts).await?;
        // Many instances take a while to compare; no request waits for it on this thread.
        let found = tokio::task::spawn_blocking(move || Loss::of(&holders, &scope));
        found.await.map_err(|_| Refusal::ShuttingDown)
    }

    /// The streams of lost instances that would have no home, ascending, at most `most`. They are looked for a part
    /// at a time, between which commands are decided.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn homeless(
        &self,
        scope: LossScope,
        unplaced: Unplaced,
        most: usize,
    ) -> Result<Vec<StreamId>, Refusal> {
        if unplaced.is_empty() {
            return Ok(Vec::new());
        }
        let mut homeless = HomelessStreams::new(unplaced, most);
        let mut after = None;
        loop {
            let scope = scope.clone();
            let part = self.ask(StreamsOfLost { scope, after }).await?;
            for stream in part.streams {
                homeless.consider(stream);
            }
            after = part.next;
            if after.is_none() {
                return Ok(homeless.into_ids());
            }
        }
    }

    /// A page of alerts.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn alert_page(&self, question: AskAlerts) -> Result<AlertPage, Refusal> {
        ask(self.alerts.book(), question).await
    }

    /// The points of a series.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn series(
        &self,
        name: SeriesName,
        span: SeriesSpan,
    ) -> Result<Vec<(WallTime, f64)>, Refusal> {
        ask(&self.series, AskSeries { name, span }).await
    }

    /// The metrics of an instance.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn history(&self, question: AskHistory) -> Result<History, Refusal> {
        ask(&self.heartbeats, question).await
    }

    /// Checks the invariants of the saved fleet, and that the store holds the same.
    ///
    /// # Errors
    /// Only while the system ends. A store that could not be read is named in the report.
    pub async fn consistency(&self) -> Result<Consistency, Refusal> {
        consistency::check(&self.fleet, &self.archive, &self.alerts).await
    }
}
