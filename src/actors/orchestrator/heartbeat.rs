//! The heartbeat path.
//!
//! A heartbeat never waits for the store or for the FleetActor's decisions: its time is stamped
//! on the registry's entry, then its instance's actor judges it. If that actor is gone or busy, the
//! answer is the same, only without a lease. What the answer tells is decided in
//! `domain/heartbeat_outcome.rs`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::facade::Orchestrator;
use crate::actors::heartbeat_log::Record;
use crate::actors::identity::OlderLife;
use crate::actors::instance_link::{Beat, Pulse};
use crate::actors::registry::Entry;
use crate::actors::telemetry::BeatResult;
use crate::domain::commands::{AgreeLease, Rejection};
use crate::domain::heartbeat::{Heartbeat, LastBeat, MetricsRecord};
use crate::domain::heartbeat_outcome::{HeartbeatOutcome, News, Question};
use crate::domain::ids::{AssignmentVersion, Incarnation, InstanceId};
use crate::domain::leadership::SteadyTime;
use crate::domain::lease::{Agreement, agreement};
use crate::domain::queries::{Query, WorkerUpdate};

/// How long a heartbeat waits for its instance's actor before it is answered without it.
const PULSE_LIMIT: Duration = Duration::from_millis(250);

/// How long the first heartbeat of a life waits until it is saved that it goes by leases.
const AGREEMENT_LIMIT: Duration = Duration::from_millis(500);

/// How long a heartbeat waits to learn of changes before it is answered without them.
const CHANGES_LIMIT: Duration = Duration::from_millis(250);

impl Orchestrator {
    /// Takes a heartbeat.
    ///
    /// # Errors
    /// If the instance is not registered, or names another life than its current one.
    pub async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<HeartbeatOutcome, Rejection> {
        let came = self.prover.moment();
        let Some(entry) = self.registry.get(&heartbeat.id) else {
            let result = BeatResult::UnknownInstance;
            self.telemetry.count_heartbeat(result, 1);
            return Err(Rejection::UnknownInstance(heartbeat.id));
        };
        self.check_life(&entry, heartbeat.incarnation)
            .inspect_err(|_| {
                let result = BeatResult::OtherIncarnation;
                self.telemetry.count_heartbeat(result, 1);
            })?;
        if let Some(heard) = heartbeat.term {
            self.prover.hear_of(heard);
        }
        self.note(&entry, &heartbeat);
        self.agree_lease(&entry, heartbeat.incarnation).await;
        let now = self.clock.now();
        let lease_runs = entry.granted_until().is_some_and(|until| now < until);
        let is_frozen = self.frozen_for().is_some();
        let heartbeat = Arc::new(heartbeat);
        let pulse = if is_frozen {
            pulse(&entry, Arc::new(without_set(&heartbeat))).await
        } else {
            pulse(&entry, heartbeat.clone()).await
        };
        self.telemetry.count_heartbeat(BeatResult::Accepted, 1);
        let standing = entry.standing();
        let tells_again = pulse.tells_again;
        let term = self.prover.term();
        let question = if is_frozen {
            Question::after_loss(&heartbeat, &standing)
        } else {
            Question::of(&heartbeat, &standing, tells_again, term, lease_runs)
        };
        let known = heartbeat.version.unwrap_or(standing.assignment_version);
        let news = self.news(question, known, came).await;
        Ok(HeartbeatOutcome::new(
            standing,
            pulse.is_trusted,
            pulse.granted,
            // Read last: the lease is reported as it is when the answer leaves.
            self.prover.age(),
            news,
        ))
    }

    /// From here on the heartbeat cannot be lost.
    fn note(&self, entry: &Entry, heartbeat: &Heartbeat) {
        let now = self.clock.now();
        let (heard, at) = (now - heartbeat.age, self.clock.wall() - heartbeat.age);
        let silence = heard.since(entry.last_beat());
        self.telemetry.heartbeat_silence.observe(silence);
        entry.stamp(heard, at);
        entry.report(&heartbeat.status, heartbeat.current_streams);
        if let Some(metrics) = &heartbeat.metrics {
            entry.measure(metrics, now);
        }
        self.telemetry.heartbeat_mailbox.inc();
        self.heartbeats.do_send(Record {
            beat: LastBeat {
                instance: heartbeat.id.clone(),
                at,
                reported_status: heartbeat.status.as_ref().to_owned(),
                reported_streams: heartbeat.current_streams,
            },
            metrics: heartbeat.metrics.map(|metrics| MetricsRecord {
                instance: heartbeat.id.clone(),
                recorded_at: at,
                metrics,
            }),
        });
    }

    /// Saves whether the instance goes by leases, if the heartbeat changes that. While it cannot be
    /// saved, no lease is granted.
    async fn agree_lease(&self, entry: &Entry, named: Option<Incarnation>) {
        let standing = entry.standing();
        let (granted, now) = (entry.granted_until(), self.clock.now());
        let agreement = agreement(&standing, named.is_some(), granted, &self.limits, now);
        let Agreement::Changes { lease } = agreement else {
            return;
        };
        if !self.gate.writes().lets_through() {
            return;
        }
        let agreement = AgreeLease {
            id: entry.id().clone(),
            incarnation: standing.incarnation,
            lease,
        };
        // What is not saved in time may be by the next heartbeat.
        let _ = timeout(AGREEMENT_LIMIT, self.execute(agreement)).await;
    }

    /// Returns the changes in the answer to a heartbeat that came at `came`. The worker has the version
    /// `known`.
    async fn news(&self, question: Question, known: AssignmentVersion, came: SteadyTime) -> News {
        if question == Question::Frozen {
            return News::Withheld(known);
        }
        if !question.needs_proof() {
            return News::None;
        }
        let proof = self.prover.after(came).await;
        match (question, proof) {
            (Question::None, _) | (Question::Confirmation, Ok(_)) => News::None,
            (Question::Surviving(set), Ok(proof)) => {
                let update = self.learn(set).await;
                update.map_or(News::Withheld(known), |update| {
                    News::Surviving(update, known, proof)
                })
            }
            (Question::Frozen, _) => News::Withheld(known),
            (Question::Again(_), Err(_)) => {
                self.telemetry.answers_withheld.inc();
                News::None
            }
            (Question::Changes(_) | Question::Confirmation | Question::Surviving(_), Err(_)) => {
                self.telemetry.answers_withheld.inc();
                News::Withheld(known)
            }
            (Question::Changes(changes), Ok(proof)) => {
                let update = self.learn(changes).await;
                update.map_or(News::Withheld(known), |update| News::Update(update, proof))
            }
            (Question::Again(again), Ok(proof)) => {
                let update = self.learn(again).await;
                update.map_or(News::None, |update| News::Update(update, proof))
            }
        }
    }

    /// None if it could not be learned in time.
    async fn learn<Q>(&self, query: Q) -> Option<WorkerUpdate>
    where
        Q: Query<Answer = Option<WorkerUpdate>>,
    {
        timeout(CHANGES_LIMIT, self.ask(query)).await.ok()?.ok()?
    }

    /// Takes a heartbeat that another orchestrator answered with an echo. It counts for the silence of its
    /// instance, and for nothing else; one of another life counts for nothing.
    pub fn echoed(&self, id: &InstanceId, incarnation: Option<Incarnation>, age: Duration) {
        let Some(entry) = self.registry.get(id) else {
            return;
        };
        let current = entry.standing().incarnation;
        if incarnation.is_some_and(|named| named != current) {
            return;
        }
        entry.stamp(self.clock.now() - age, self.clock.wall() - age);
        if let Some(actor) = entry.actor() {
            let heartbeat = Heartbeat {
                age,
                ..Heartbeat::of(id.clone())
            };
            actor.beat.do_send(Beat(Arc::new(heartbeat)));
        }
    }

    /// Takes any other request of a known instance as the sign of life it is.
    ///
    /// # Errors
    /// If the instance names another life than its current one. An unknown one is left to the
    /// request itself.
    pub fn sign_of_life(
        &self,
        id: &InstanceId,
        incarnation: Option<Incarnation>,
    ) -> Result<(), Rejection> {
        let Some(entry) = self.registry.get(id) else {
            return Ok(());
        };
        self.check_life(&entry, incarnation)?;
        entry.stamp(self.clock.now(), self.clock.wall());
        if let Some(actor) = entry.actor() {
            let heartbeat = Heartbeat::of(id.clone());
            actor.beat.do_send(Beat(Arc::new(heartbeat)));
        }
        Ok(())
    }

    pub(super) fn check_life(
        &self,
        entry: &Entry,
        given: Option<Incarnation>,
    ) -> Result<(), Rejection> {
        let current = entry.standing().incarnation;
        let Some(given) = given else {
            return Ok(());
        };
        if given == current {
            entry.named(self.clock.now());
            return Ok(());
        }
        if given < current {
            self.identity.do_send(OlderLife {
                id: entry.id().clone(),
                older: given,
                newest: current,
                newest_spoke: entry.last_named(),
            });
        }
        Err(Rejection::OtherIncarnation {
            instance: entry.id().clone(),
            given,
            current,
        })
    }
}

/// After a loss the set that a worker reports is not judged: it may be of the history that was lost.
fn without_set(heartbeat: &Heartbeat) -> Heartbeat {
    Heartbeat {
        version: None,
        streams: None,
        ..heartbeat.clone()
    }
}

/// What the instance's actor makes of a heartbeat. One that is gone or busy trusts nothing and
/// grants nothing.
async fn pulse(entry: &Entry, heartbeat: Arc<Heartbeat>) -> Pulse {
    let Some(actor) = entry.actor() else {
        return Pulse::default();
    };
    let pulse = actor.beat.send(Beat(heartbeat)).timeout(PULSE_LIMIT);
    pulse.await.unwrap_or_default()
}
