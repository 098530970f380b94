//! The orchestrator's process is stopped, starved or put to sleep, and goes on later. Its workers
//! go on meanwhile: what they send waits in the sockets, and is read within the grace.

use std::time::Duration;

use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::domain::running_time::LONGEST_GRACE;
use tokio::time::{advance, sleep};

use crate::history::Standstill;
use crate::network::Network;
use crate::scene::Mutation;
use crate::worker::Link;
use crate::world::{INTERVAL, Shared, TIMEOUT};

/// How soon after a standstill everything that waited is read; less than the grace.
const READ_WITHIN_MS: u64 = 900;

/// Perhaps nothing at all happens here for a while, at times for longer than the timeout. All
/// timers of that while then expire at once, before anything that waits is read.
pub(crate) async fn perhaps_stand_still(shared: &Shared, orchestrator: &Orchestrator) {
    let gap = {
        let mut world = shared.borrow_mut();
        if world.scene.is_fair() || !world.chance(200) {
            return;
        }
        let longest = [2, TIMEOUT.as_secs() + 1, 4 * TIMEOUT.as_secs()][world.rng.usize(0..3)];
        let gap = Duration::from_millis(500) + world.seconds(0..longest);
        let from = world.now();
        world.counters.standstills += 1;
        if world.scene.mutation != Some(Mutation::CountsStandstills) {
            world.clock.stand_still(gap);
        }
        world.history.standstills.push(Standstill {
            from,
            until: from + gap + LONGEST_GRACE,
        });
        gap
    };
    let count = shared.borrow().workers.len();
    for number in 0..count {
        let link = Link {
            world: shared.clone(),
            number,
            orchestrator: Some(orchestrator.clone()),
        };
        link.go_on_alone(gap);
    }
    advance(gap).await;
    read_what_waited(shared, orchestrator, gap);
}

/// Classic workers who went on sent as many heartbeats as there was time for.
fn read_what_waited(shared: &Shared, orchestrator: &Orchestrator, gap: Duration) {
    let mut world = shared.borrow_mut();
    let now = world.now();
    let waited = 1 + (gap.as_millis() / INTERVAL.as_millis()).min(3);
    for number in 0..world.workers.len() {
        let worker = &world.workers[number];
        if worker.host.is_some() {
            continue;
        }
        let slept = worker.asleep_until.is_some_and(|until| until > now);
        let was_cut_off = worker.network == Network::RequestsLost;
        if slept || was_cut_off || worker.is_local || !worker.is_registered {
            continue;
        }
        for _ in 0..waited {
            let read_after = Duration::from_millis(world.rng.u64(0..READ_WITHIN_MS));
            let link = Link {
                world: shared.clone(),
                number,
                orchestrator: Some(orchestrator.clone()),
            };
            let orchestrator = orchestrator.clone();
            actix::spawn(async move {
                sleep(read_after).await;
                // Nobody waits for this answer any more.
                let _ = link.be_heard(&orchestrator).await;
            });
        }
    }
}
