//! A worker registers, leaves, and waits for changes.

use super::facade::Orchestrator;
use crate::actors::identity::AddressChanged;
use crate::actors::long_poll::{AssignmentPoll, Found};
use crate::actors::recovery::{Departure, Remove};
use crate::actors::refusal::Refusal;
use crate::domain::commands::{RegisterInstance, Registered, SayGoodbye};
use crate::domain::ids::Incarnation;
use crate::domain::queries::{SetUpdate, WorkerUpdate};

impl Orchestrator {
    /// Begins a life of an instance; returns once it is saved.
    ///
    /// # Errors
    /// If it was not, with the reason.
    pub async fn register(&self, command: RegisterInstance) -> Result<Registered, Refusal> {
        let registered = self.execute(command).await?;
        if let Some(changed) = AddressChanged::by(&registered) {
            self.identity.do_send(changed);
        }
        Ok(registered)
    }

    /// The worker of an instance leaves for good; it has stopped everything.
    ///
    /// # Errors
    /// If it is not known, leads another life, or that could not be saved.
    pub async fn leave(
        &self,
        order: Remove,
        incarnation: Incarnation,
    ) -> Result<Departure, Refusal> {
        if let Some(entry) = self.registry.get(&order.id) {
            self.check_life(&entry, Some(incarnation))
                .map_err(Refusal::Rejected)?;
        }
        self.remove(order).await
    }

    /// The worker of an instance leaves for a while; it has stopped everything. Returns the number of
    /// streams that are reserved for it.
    ///
    /// # Errors
    /// If it is not known, leads another life, or that could not be saved.
    pub async fn leave_until(
        &self,
        goodbye: SayGoodbye,
        is_dry_run: bool,
    ) -> Result<usize, Refusal> {
        if let Some(entry) = self.registry.get(&goodbye.id) {
            self.check_life(&entry, Some(goodbye.incarnation))
                .map_err(Refusal::Rejected)?;
        }
        self.execute_or_try(goodbye, is_dry_run).await
    }

    /// Answers as soon as the instance has another version than the worker, or else when the wait
    /// is over.
    ///
    /// # Errors
    /// If the instance is not registered, or leads another life than the worker names; then, or
    /// as soon as that happens.
    pub async fn await_changes(&self, poll: AssignmentPoll) -> Result<WorkerUpdate, Refusal> {
        let known = self.registry().get(&poll.id);
        let entry = known.ok_or_else(|| poll.unknown())?;
        // Only the call itself shows that a process speaks, not its being woken.
        self.check_life(&entry, poll.incarnation)?;
        let question = match poll.watch(&self.registry, &self.polls_end, entry).await? {
            Found::News(question) => question,
            Found::Nothing(standing) => {
                return Ok(WorkerUpdate {
                    standing,
                    update: SetUpdate::UpToDate,
                });
            }
        };
        let update = self.ask(question).await?.ok_or_else(|| poll.unknown())?;
        poll.same_life(update.standing.incarnation)?;
        Ok(update)
    }

    /// Returns once calls that wait are to end.
    pub async fn polls_ended(&self) {
        self.polls_end.ended().await;
    }

    /// Answers every call that waits, now and from now on.
    pub fn end_polls(&self) {
        self.polls_end.end();
    }
}
