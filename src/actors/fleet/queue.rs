//! Commands that wait to be decided, and the answers to their callers.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::actors::refusal::Refusal;
use crate::clock::Clock;
use crate::domain::commands::{Command, Rejection};
use crate::domain::ledger::Ledger;
use crate::domain::request::RequestContext;
use crate::domain::time::{Timestamp, WallTime};

/// How long a command waits to be decided before it is refused.
pub const COMMAND_WAIT_LIMIT: Duration = Duration::from_secs(3);

/// How many commands may wait. More could not be decided within [`COMMAND_WAIT_LIMIT`] anyway.
pub const MAX_WAITING: usize = 20_000;

/// A command of any kind, with the caller that waits for its answer.
pub(super) trait PendingCommand: Send {
    /// Decides it on the draft. Whether it has to be answered at once is seen from the ledger.
    fn decide(&mut self, ledger: &mut Ledger, now: WallTime, clock: &Clock);

    /// Tells the caller what was decided; it is saved.
    fn tell(self: Box<Self>);

    /// Tells the caller that it was not carried out.
    fn refuse(self: Box<Self>, refusal: Refusal);

    /// Whether the caller gets no answer while it is unknown what was saved.
    fn waits_for_certainty(&self) -> bool;

    /// What it is, for the log.
    fn name(&self) -> &dyn fmt::Debug;

    /// The request that gave it, if one did.
    fn request(&self) -> Option<&RequestContext>;
}

struct Caller<C: Command> {
    command: C,
    request: Option<RequestContext>,
    decided: Option<Result<C::Reply, Rejection>>,
    answer: oneshot::Sender<Result<C::Reply, Refusal>>,
}

impl<C: Command> PendingCommand for Caller<C> {
    fn decide(&mut self, ledger: &mut Ledger, now: WallTime, clock: &Clock) {
        let began = clock.now();
        let mut decided = ledger.decide_for(&self.command, now, self.request.as_ref());
        if let Ok(reply) = &mut decided {
            C::timed(reply, clock.now().since(began));
        }
        self.decided = Some(decided);
    }

    fn tell(self: Box<Self>) {
        let answer = match self.decided {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(rejection)) => Err(Refusal::Rejected(rejection)),
            None => Err(Refusal::Overloaded),
        };
        // A caller that left does not undo what it asked for.
        let _ = self.answer.send(answer);
    }

    fn refuse(self: Box<Self>, refusal: Refusal) {
        let refusal = match self.decided {
            Some(Err(rejection)) => Refusal::Rejected(rejection),
            Some(Ok(_)) | None => refusal,
        };
        let _ = self.answer.send(Err(refusal));
    }

    fn waits_for_certainty(&self) -> bool {
        C::WAITS_FOR_CERTAINTY
    }

    fn name(&self) -> &dyn fmt::Debug {
        &self.command
    }

    fn request(&self) -> Option<&RequestContext> {
        self.request.as_ref()
    }
}

/// Where an answer will arrive.
pub(super) type Answer<C> = oneshot::Receiver<Result<<C as Command>::Reply, Refusal>>;

/// Commands in the order they arrived.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<(Timestamp, Box<dyn PendingCommand>)>,
}

impl Queue {
    /// Adds a command of the program's own, or refuses it at once if too many wait.
    pub(super) fn push<C: Command>(&mut self, command: C, now: Timestamp) -> Answer<C> {
        self.push_for(command, None, now)
    }

    /// Adds a command that a request gave, or refuses it at once if too many wait.
    pub(super) fn push_for<C: Command>(
        &mut self,
        command: C,
        request: Option<RequestContext>,
        now: Timestamp,
    ) -> Answer<C> {
        let (answer, receiver) = oneshot::channel();
        let caller = Box::new(Caller {
            command,
            request,
            decided: None,
            answer,
        });
        if self.waiting.len() >= MAX_WAITING {
            caller.refuse(Refusal::Overloaded);
        } else {
            self.waiting.push_back((now, caller));
        }
        receiver
    }

    /// Lets a command wait that was decided before, and is to be decided again.
    pub(super) fn push_again(&mut self, waiting: Box<dyn PendingCommand>, now: Timestamp) {
        self.waiting.push_back((now, waiting));
    }

    /// The next command that has not waited too long.
    pub(super) fn pop(&mut self) -> Option<Box<dyn PendingCommand>> {
        self.waiting.pop_front().map(|(_, waiting)| waiting)
    }

    /// Refuses everything that has waited too long.
    pub(super) fn expire(&mut self, now: Timestamp, refusal: &Refusal) {
        while let Some((since, _)) = self.waiting.front()
            && now.since(*since) >= COMMAND_WAIT_LIMIT
        {
            if let Some((_, waiting)) = self.waiting.pop_front() {
                waiting.refuse(refusal.clone());
            }
        }
    }

    /// Refuses everything.
    pub(super) fn clear(&mut self, refusal: &Refusal) {
        for (_, waiting) in self.waiting.drain(..) {
            waiting.refuse(refusal.clone());
        }
    }

    /// When the next command will have waited too long.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.waiting
            .front()
            .map(|(since, _)| *since + COMMAND_WAIT_LIMIT)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waiting commands", self.waiting.len())
    }
}

/// Refuses every caller.
pub(super) fn refuse_all(
    callers: impl IntoIterator<Item = Box<dyn PendingCommand>>,
    refusal: &Refusal,
) {
    callers
        .into_iter()
        .for_each(|caller| caller.refuse(refusal.clone()));
}
