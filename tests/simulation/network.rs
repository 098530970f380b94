//! What lies between a worker and the orchestrator: requests and answers are late, lost, doubled
//! and overtake each other, and cables break in one direction or in both.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::world::{Shared, World};

/// The state of a worker's cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    Fine,
    RequestsLost,
    AnswersLost,
    Cut,
}

impl Network {
    fn loses_requests(self) -> bool {
        matches!(self, Self::RequestsLost | Self::Cut)
    }

    fn loses_answers(self) -> bool {
        matches!(self, Self::AnswersLost | Self::Cut)
    }
}

/// What becomes of one message.
#[derive(Debug, Clone, Copy)]
struct Fate {
    /// After how long the request arrives, if it does.
    arrives: Option<Duration>,
    /// After how long a second copy of it does, if there is one.
    copy: Option<Duration>,
    /// How long the answer takes, if it is not lost.
    returns: Option<Duration>,
}

impl World {
    fn delay(&mut self) -> Duration {
        let (roughness, rng) = (self.roughness, &mut self.rng);
        // Where clocks are at their edge, answers are too.
        if self.scene.is_at_the_edge() && rng.u8(0..3) == 0 {
            return Duration::from_millis(rng.u64(0..1_200));
        }
        let millis = match rng.u32(0..1_000) {
            dice if dice < roughness / 10 => rng.u64(0..20_000),
            dice if dice < roughness => rng.u64(0..3_000),
            _ => rng.u64(0..60),
        };
        Duration::from_millis(millis)
    }

    fn is_lost(&mut self) -> bool {
        self.rng.u32(0..1_000) < self.roughness / 2
    }

    fn fate(&mut self, number: usize) -> Fate {
        let is_cut = self.workers[number].network.loses_requests();
        let arrives = (!is_cut && !self.is_lost()).then(|| self.delay());
        let copied = !is_cut && self.is_lost();
        Fate {
            arrives,
            copy: copied.then(|| self.delay()),
            returns: (!self.is_lost()).then(|| self.delay()),
        }
    }
}

/// Sends a request; `None` if it failed, or no answer was heard within `limit`. What arrived is
/// carried out whether somebody still waits or not.
pub(crate) async fn carry<T, F>(
    world: &Shared,
    number: usize,
    limit: Duration,
    serve: impl Fn() -> F + 'static,
) -> Option<T>
where
    T: 'static,
    F: Future<Output = Option<T>> + 'static,
{
    let fate = world.borrow_mut().fate(number);
    let serve = Rc::new(serve);
    let (sender, answer) = oneshot::channel();
    if let Some(copy) = fate.copy {
        let serve = serve.clone();
        world.borrow_mut().counters.copies += 1;
        actix::spawn(async move {
            sleep(copy).await;
            serve().await;
        });
    }
    if let Some(delay) = fate.arrives {
        let world = world.clone();
        actix::spawn(async move {
            sleep(delay).await;
            let answer = serve().await;
            let Some(delay) = fate.returns else {
                return hold(sender).await;
            };
            sleep(delay).await;
            let network = world.borrow().workers[number].network;
            if network.loses_answers() {
                return hold(sender).await;
            }
            let _ = sender.send(answer);
        });
        return timeout(limit, answer).await.ok()?.ok()?;
    }
    sleep(limit).await;
    None
}

/// Nobody hears that an answer is lost; whoever waits for it gives up by itself.
async fn hold<T>(mut sender: oneshot::Sender<T>) {
    sender.closed().await;
}
