//! Addresses that exist before their actors, so that actors which know each other need no introduction.

use actix::dev::channel::{AddressReceiver, channel};
use actix::prelude::*;

/// How many messages wait in a mailbox before a sender that waits for the answer has to wait for
/// room too. What is sent without waiting always finds room.
pub(super) const MAILBOX: usize = 16;

/// The mailbox of an actor that is not started yet. What is sent meanwhile waits in it.
pub(super) struct Reserved<A: Actor> {
    mailbox: AddressReceiver<A>,
}

/// An address whose mailbox takes `capacity` messages from senders that wait for room.
pub(super) fn reserve<A: Actor>(capacity: usize) -> (Addr<A>, Reserved<A>) {
    let (sender, mailbox) = channel(capacity);
    (Addr::new(sender), Reserved { mailbox })
}

impl<A: Actor<Context = Context<A>> + Send> Reserved<A> {
    /// Starts the actor on an arbiter, or on the current one.
    pub(super) fn start(self, arbiter: Option<&ArbiterHandle>, actor: A) {
        let mailbox = self.mailbox;
        match arbiter {
            None => {
                Context::with_receiver(mailbox).run(actor);
            }
            Some(arbiter) => {
                arbiter.spawn_fn(move || {
                    Context::with_receiver(mailbox).run(actor);
                });
            }
        }
    }
}
