//! What lies between a worker and the orchestrators: requests and answers are late, lost and doubled,
//! and cables break.

use std::time::Duration;

use orchestrator_client::machine::{Answer, Request};
use resilient_orchestrator::domain::time::WallTime;
use tokio::time::sleep;

use crate::wire::serve;
use crate::world::{Shared, World};

/// A request on its way.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) worker: usize,
    pub(crate) node: usize,
    pub(crate) sent: WallTime,
    pub(crate) request: Request,
}

impl World {
    /// How long a message is on its way; none if it is lost.
    fn way(&mut self, worker: usize, node: usize) -> Option<Duration> {
        let is_cut = self.workers[worker].is_cut_off[node];
        let roughness = self.roughness;
        let is_lost = is_cut || self.rng.u32(0..1_000) < roughness / 2;
        let slowest = if self.rng.u32(0..1_000) < roughness {
            3_000
        } else {
            60
        };
        let way = self.millis(0..slowest);
        (!is_lost).then_some(way)
    }
}

/// Sends a request; none if no answer arrives.
pub(crate) async fn carry(world: &Shared, letter: Letter) -> Option<Answer> {
    let (worker, node) = (letter.worker, letter.node);
    let (way, copy) = {
        let mut world = world.borrow_mut();
        let roughness = world.roughness;
        let is_copied = world.rng.u32(0..1_000) < roughness / 2;
        let copy = is_copied.then(|| world.way(worker, node)).flatten();
        (world.way(worker, node), copy)
    };
    if let Some(copy) = copy {
        let (world, letter) = (world.clone(), letter.clone());
        actix::spawn(async move {
            sleep(copy).await;
            deliver(&world, letter).await;
        });
    }
    sleep(way?).await;
    let answer = deliver(world, letter).await;
    let way = world.borrow_mut().way(worker, node)?;
    sleep(way).await;
    Some(answer)
}

/// The request arrives at the machine of the orchestrator.
async fn deliver(world: &Shared, letter: Letter) -> Answer {
    let refused = Answer::Failed { retry_after: None };
    let handler = {
        let shared = world.clone();
        let world = world.borrow();
        let life = world.nodes[letter.node].life.as_ref();
        life.map(|life| life.process.begin(serve(shared, letter)))
    };
    match handler {
        Some(handler) => handler.await.unwrap_or(refused),
        None => refused,
    }
}
