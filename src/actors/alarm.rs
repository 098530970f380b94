//! One timer of an actor, armed for one deadline.
//!
//! An actor declares for each alarm where it keeps it and what it does when it rings. It may ring too early:
//! after [`TIMER_CAP`], or because running time stood still. The actor then finds nothing due and arms it again.
//! The timer ends with its actor.

use std::fmt;
use std::time::Duration;

use actix::prelude::*;

use crate::clock::Clock;
use crate::domain::time::Timestamp;

/// The longest time for which a timer is armed.
const TIMER_CAP: Duration = Duration::from_secs(24 * 3_600);

/// A timer for the first of an actor's deadlines.
pub(super) struct Alarm<A: Actor> {
    armed: Option<(Timestamp, SpawnHandle)>,
    /// Where the actor keeps this alarm.
    place: fn(&mut A) -> &mut Self,
    ring: fn(&mut A, &mut A::Context),
    wait: fn(&Clock, Timestamp) -> Duration,
}

impl<A: Actor<Context = Context<A>>> Alarm<A> {
    /// An alarm whose deadlines are of running time.
    pub(super) fn new(place: fn(&mut A) -> &mut Self, ring: fn(&mut A, &mut A::Context)) -> Self {
        Self {
            armed: None,
            place,
            ring,
            wait: Clock::wait_until,
        }
    }

    /// An alarm whose deadlines are of [`Clock::awake`].
    pub(super) fn of_waits(
        place: fn(&mut A) -> &mut Self,
        ring: fn(&mut A, &mut A::Context),
    ) -> Self {
        Self {
            wait: |clock, deadline| deadline.since(clock.awake()),
            ..Self::new(place, ring)
        }
    }

    /// Arms it for `deadline`, or for nothing.
    pub(super) fn set(&mut self, deadline: Option<Timestamp>, clock: &Clock, ctx: &mut A::Context) {
        if self.armed.map(|(at, _)| at) == deadline {
            return;
        }
        if let Some((_, timer)) = self.armed.take() {
            ctx.cancel_future(timer);
        }
        let Some(deadline) = deadline else {
            return;
        };
        let wait = (self.wait)(clock, deadline).min(TIMER_CAP);
        let (place, ring) = (self.place, self.ring);
        let timer = ctx.run_later(wait, move |actor, ctx| {
            place(actor).armed = None;
            ring(actor, ctx);
        });
        self.armed = Some((deadline, timer));
    }

    /// Sees to it that it rings no later than at `deadline`. An earlier deadline stays: moving it with each
    /// heartbeat would cost more than one ring for nothing.
    pub(super) fn set_by(&mut self, deadline: Timestamp, clock: &Clock, ctx: &mut A::Context) {
        if self.armed.is_none_or(|(armed, _)| armed > deadline) {
            self.set(Some(deadline), clock, ctx);
        }
    }
}

impl<A: Actor> fmt::Debug for Alarm<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alarm({:?})", self.armed.map(|(at, _)| at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ONE_DAY;
    use crate::clock::testing::VirtualTime;
    use crate::domain::time::WallTime;

    struct Sleeper {
        clock: Clock,
        alarm: Alarm<Self>,
        rang_at: Vec<u64>,
    }

    impl Actor for Sleeper {
        type Context = Context<Self>;
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    enum Order {
        At(Option<u64>),
        By(u64),
    }

    #[derive(Message)]
    #[rtype(result = "Vec<u64>")]
    struct WhenItRang;

    fn second(at: u64) -> Timestamp {
        ONE_DAY + Duration::from_secs(at)
    }

    impl Handler<Order> for Sleeper {
        type Result = ();

        fn handle(&mut self, order: Order, ctx: &mut Self::Context) {
            match order {
                Order::At(at) => self.alarm.set(at.map(second), &self.clock, ctx),
                Order::By(at) => self.alarm.set_by(second(at), &self.clock, ctx),
            }
        }
    }

    impl Handler<WhenItRang> for Sleeper {
        type Result = Vec<u64>;

        fn handle(&mut self, _: WhenItRang, _: &mut Self::Context) -> Vec<u64> {
            self.rang_at.clone()
        }
    }

    async fn rings(orders: impl IntoIterator<Item = Order>) -> Vec<u64> {
        let clock = VirtualTime::starting_at(WallTime::default()).clock();
        let sleeper = Sleeper {
            clock,
            rang_at: Vec::new(),
            alarm: Alarm::new(
                |actor| &mut actor.alarm,
                |actor, _| {
                    let since = actor.clock.now().since(ONE_DAY);
                    actor.rang_at.push(since.as_secs());
                },
            ),
        };
        let sleeper = sleeper.start();
        for order in orders {
            sleeper.send(order).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
        sleeper.send(WhenItRang).await.unwrap()
    }

    #[actix::test]
    async fn an_alarm_rings_once_at_the_last_deadline_it_was_set_for() {
        tokio::time::pause();
        assert_eq!(rings([Order::At(Some(5))]).await, [5]);
        assert_eq!(rings([Order::At(Some(5)), Order::At(Some(3))]).await, [3]);
        assert_eq!(rings([Order::At(Some(3)), Order::At(Some(5))]).await, [5]);
        assert_eq!(rings([Order::At(Some(3)), Order::At(None)]).await, [0; 0]);
    }

    #[actix::test]
    async fn a_latest_moment_moves_an_alarm_only_earlier() {
        tokio::time::pause();
        assert_eq!(rings([Order::By(3), Order::By(5)]).await, [3]);
        assert_eq!(rings([Order::By(5), Order::By(3)]).await, [3]);
    }
}
