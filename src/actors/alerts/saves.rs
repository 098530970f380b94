//! Notifies those that read alerts from the store, once they are there.

use actix::prelude::*;

use super::actor::{AlertBookActor, AlertsSaved, BookChanged};

/// Asks for [`AlertsSaved`] from now on, and for [`BookChanged`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FollowSaves<A: Actor>(pub Addr<A>);

impl<A> Handler<FollowSaves<A>> for AlertBookActor
where
    A: Actor<Context = Context<A>> + Handler<AlertsSaved> + Handler<BookChanged>,
{
    type Result = ();

    fn handle(&mut self, FollowSaves(follower): FollowSaves<A>, _: &mut Self::Context) {
        self.listeners.push(follower.clone().recipient());
        self.savers.push(follower.recipient());
    }
}
