//! Leading without the database: the leader asks the orchestrators that may take over. The rules are in
//! `domain/leadership/failsafe`; `confirming` has the answers.
//!
//! ```text
//!   renewal failed ──▶ may others take over? ──none──▶ each moment is proven until the horizon
//!        ▲                     │ some
//!        │                     ▼
//!        │             asks all at once, for at most the limit of a statement ──all confirm──▶ proof
//!        └── R, or an answer waits ──┘                                └──▶ none: leases shrink
//! ```
//!
//! While a renewal of a silent database is under way, the members are asked at the pace of renewals, because a database
//! that hangs answers no renewal before its limit.
//!
//! Failsafe is called *active* once the database has not answered for the time after which a standby takes over. Shorter
//! silences are proven in the same way, and are no news.
//!
//! | failure | consequence |
//! | --- | --- |
//! | a member does not answer, or refuses | no proof; leases end as they were granted |
//! | a member names a higher term | no failsafe any more: the next renewal finds the other leader |
//! | this process is stopped while it asks | the proof is as old as the first question |

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use log::{debug, info, warn};
use tokio::time::{sleep, timeout};

use super::calls::FailsafeCalls;
use super::prover::Prover;
use super::view::{ClusterView, FailsafeSpan};
use crate::actors::alerts::Alerts;
use crate::domain::alert::AlertKind;
use crate::domain::leadership::{
    FailsafeAnswer, FailsafeMember, FailsafeQuestion, FailsafeRound, LeadershipLimits, SteadyTime,
    Unconfirmed,
};
use crate::domain::time::WallTime;
use crate::store::StoreError;

/// The shortest pause after a renewal that failed, however many answers wait for a proof.
pub(super) const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What is known of the others when a renewal fails.
#[derive(Debug)]
pub(super) struct Known {
    /// Those that may take over; `None` before they were read.
    pub(super) members: Option<Vec<FailsafeMember>>,
    /// When the newest renewal that was answered was sent.
    pub(super) last_renewal: SteadyTime,
}

/// Why failsafe proves nothing.
#[derive(Debug, thiserror::Error)]
enum NoFailsafe {
    #[error("the other orchestrators have not been read from the database yet")]
    Unread,
    #[error("a worker or another orchestrator has named a higher term")]
    Overtaken,
    #[error("CLUSTER_FAILSAFE ({}) is over", humantime::format_duration(*.0))]
    Over(Duration),
    #[error("{0}")]
    Unconfirmed(Unconfirmed),
    #[error("the database was promoted, and no term is taken there yet")]
    Promoted,
}

/// The proof of a term while renewals fail.
#[derive(Debug)]
pub(super) struct Failsafe {
    pub(super) limits: LeadershipLimits,
    pub(super) prover: Prover,
    pub(super) view: ClusterView,
    pub(super) alerts: Alerts,
    /// The way to the other orchestrators; none: none of them is asked.
    pub(super) calls: Option<Rc<dyn FailsafeCalls>>,
    /// Whether the newest renewal failed.
    pub(super) is_silent: bool,
    /// Whether the alert says that the term is not proven.
    pub(super) is_unproven: bool,
}

impl Failsafe {
    /// Awaits a renewal of a database that did not answer the last one, and proves the term meanwhile.
    pub(super) async fn proving_meanwhile<T>(
        &self,
        known: &Known,
        renewal: impl Future<Output = T>,
    ) -> T {
        let mut renewal = pin!(renewal);
        loop {
            let next = async {
                if let Err(reason) = self.prove_without_database(known).await {
                    debug!("no failsafe: {reason}");
                }
                sleep(PAUSE_AFTER_FAILURE).await;
                let rest = self.limits.renewal_interval;
                tokio::select! {
                    () = sleep(rest.saturating_sub(PAUSE_AFTER_FAILURE)) => {}
                    () = self.prover.wanted() => {}
                }
            };
            tokio::select! {
                biased;
                renewed = &mut renewal => return renewed,
                () = next => {}
            }
        }
    }

    /// A renewal failed.
    pub(super) async fn renewal_failed(&mut self, known: &Known, error: &StoreError) {
        self.is_silent = true;
        let proven = self.prove_without_database(known).await;
        let silent_for = self.prover.moment().since(known.last_renewal);
        if silent_for <= self.limits.take_over_after {
            return;
        }
        match proven {
            Ok(members) => self.begin(silent_for, &members),
            // The proof before, or a change that was saved, is young enough.
            Err(_) if self.prover.is_proven() => {}
            Err(reason) => self.lose_the_proof(silent_for, error, &reason),
        }
    }

    /// A renewal was answered by a database that was promoted since the term began, where no term was taken yet. What
    /// was confirmed before says nothing about that database.
    pub(super) fn found_promoted(&mut self, known: &Known) {
        self.is_silent = false;
        self.prover.set_alone_until(None);
        let silent_for = self.prover.moment().since(known.last_renewal);
        if silent_for > self.limits.take_over_after {
            let error = StoreError::Unavailable("another server answers".to_owned());
            self.lose_the_proof(silent_for, &error, &NoFailsafe::Promoted);
        }
    }

    /// A renewal was answered.
    pub(super) fn renewed(&mut self) {
        self.is_silent = false;
        self.prover.set_alone_until(None);
        if self.view.now().failsafe.is_some() {
            self.end();
            info!("the database confirms again that this orchestrator leads; failsafe is over");
        }
        if std::mem::take(&mut self.is_unproven) {
            info!("the database confirms again that this orchestrator leads");
            self.alerts
                .clear(AlertKind::LeaderUnproven, self.view.me().node.as_str());
        }
    }

    /// Proves the term by all processes that may take over. Returns those that were asked.
    async fn prove_without_database(
        &self,
        known: &Known,
    ) -> Result<Vec<FailsafeMember>, NoFailsafe> {
        let round = self.round(known);
        let round = round.inspect_err(|_| self.prover.set_alone_until(None))?;
        if round.members().is_empty() {
            // No other process may take over, and none is admitted without the database: what was
            // true at the last renewal is true now.
            let until = known.last_renewal + self.view.horizon();
            self.prover.set_alone_until(Some(until));
            return Ok(Vec::new());
        }
        self.prover.set_alone_until(None);
        let answers = self.ask_all(round.members()).await;
        let proof = round.judge(&answers).map_err(|unconfirmed| {
            if let Some(term) = unconfirmed.higher_term() {
                self.prover.hear_of(term);
            }
            NoFailsafe::Unconfirmed(unconfirmed)
        })?;
        if self.prover.is_overtaken() {
            return Err(NoFailsafe::Overtaken);
        }
        self.prover.accept(proof);
        Ok(round.members().to_vec())
    }

    fn round(&self, known: &Known) -> Result<FailsafeRound, NoFailsafe> {
        let members = known.members.clone().ok_or(NoFailsafe::Unread)?;
        if self.prover.is_overtaken() {
            return Err(NoFailsafe::Overtaken);
        }
        let (now, horizon) = (self.prover.moment(), self.view.horizon());
        FailsafeRound::begin(members, now, known.last_renewal, horizon)
            .ok_or(NoFailsafe::Over(horizon))
    }

    /// The answers, in the order of the members.
    async fn ask_all(&self, members: &[FailsafeMember]) -> Vec<Option<FailsafeAnswer>> {
        let Some(calls) = &self.calls else {
            return Vec::new();
        };
        let question = FailsafeQuestion {
            term: self.prover.term(),
            node: self.view.me().node.clone(),
            run: self.view.me().run,
        };
        let limit = self.limits.statement_limit;
        let asked = members.iter().map(|member| {
            let answer = calls.ask(member.clone(), question.clone());
            async move { timeout(limit, answer).await.ok().flatten() }
        });
        join_all(asked).await
    }

    fn begin(&mut self, silent_for: Duration, members: &[FailsafeMember]) {
        if self.view.now().failsafe.is_some() {
            return;
        }
        let now = self.view.clock().wall();
        let left = self.view.horizon().saturating_sub(silent_for);
        let span = FailsafeSpan {
            since: now - silent_for,
            until: now + left,
        };
        self.view.change(|known| known.failsafe = Some(span));
        let because = because(members);
        let seconds = silent_for.as_secs_f64();
        let left = humantime::format_duration(Duration::from_secs(left.as_secs())).to_string();
        warn!(seconds, left = left.as_str();
            "failsafe: the database has not answered for {seconds:.1} s, and this orchestrator leads on for \
             at most {left}, because {because}");
        let node = self.view.me().node.as_str();
        self.alerts.raise(
            AlertKind::Failsafe,
            node,
            format!(
                "The database has not answered for {seconds:.1} s. This orchestrator leads on, because \
                 {because}. Leases run out unless the database answers by {}.",
                whole_seconds(span.until)
            ),
        );
        if std::mem::take(&mut self.is_unproven) {
            self.alerts.clear(AlertKind::LeaderUnproven, node);
        }
    }

    fn end(&self) {
        self.view.change(|known| known.failsafe = None);
        self.alerts
            .clear(AlertKind::Failsafe, self.view.me().node.as_str());
    }

    fn lose_the_proof(&mut self, silent_for: Duration, error: &StoreError, reason: &NoFailsafe) {
        if self.view.now().failsafe.is_some() {
            self.end();
            warn!(reason:%; "failsafe is over before the database answers: {reason}");
        }
        if std::mem::replace(&mut self.is_unproven, true) {
            return;
        }
        let seconds = silent_for.as_secs_f64();
        warn!(error:%, reason:%;
            "the database has not confirmed for {seconds:.1} s that this orchestrator leads: no worker \
             is told to start or stop a stream until it does, and leases end as they were granted; no \
             failsafe: {reason}");
        self.alerts.raise(
            AlertKind::LeaderUnproven,
            self.view.me().node.as_str(),
            format!(
                "The database has not confirmed for {seconds:.1} s that this orchestrator leads, and \
                 failsafe does not replace it: {reason}. Leases run out unless the database does; a \
                 standby that reaches it takes over."
            ),
        );
    }
}

/// A moment for a sentence.
fn whole_seconds(moment: WallTime) -> WallTime {
    let micros = moment.as_micros();
    WallTime::from_micros(micros - micros % 1_000_000)
}

/// Why the term is proven without the database.
fn because(members: &[FailsafeMember]) -> String {
    let names: Vec<String> = members
        .iter()
        .map(|member| format!("`{}`", member.node))
        .collect();
    match names.as_slice() {
        [] => "no other orchestrator may take over".to_owned(),
        [one] => format!(
            "{one}, which may take over, confirms that it does not reach the database either"
        ),
        several => format!(
            "{}, which may take over, confirm that they do not reach the database either",
            several.join(", ")
        ),
    }
}
