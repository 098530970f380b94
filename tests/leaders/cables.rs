//! What lies between two orchestrators: a leader without a database asks the other one.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use resilient_orchestrator::actors::leadership::FailsafeCalls;
use resilient_orchestrator::domain::leadership::{
    FailsafeAnswer, FailsafeMember, FailsafeQuestion,
};
use tokio::time::{sleep, timeout};

use crate::node::Node;
use crate::scene::Mutation;
use crate::world::{Shared, leadership_limits};

/// The cables of one orchestrator to the others.
pub(crate) struct Cables {
    pub(crate) world: Shared,
    /// Whose they are.
    pub(crate) from: usize,
}

impl fmt::Debug for Cables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cables")
    }
}

impl FailsafeCalls for Cables {
    fn ask(
        &self,
        member: FailsafeMember,
        question: FailsafeQuestion,
    ) -> Pin<Box<dyn Future<Output = Option<FailsafeAnswer>>>> {
        let (world, from) = (self.world.clone(), self.from);
        Box::pin(async move {
            let heard = ask_member(&world, from, &member, question).await;
            let mut world = world.borrow_mut();
            world.counters.asked += 1;
            let is_taken_for_yes = match &heard {
                None => world.scene.breaks(Mutation::CountsSilenceAsYes),
                Some(_) => world.scene.breaks(Mutation::ConfirmsBlindly),
            };
            let heard = if is_taken_for_yes {
                Some(FailsafeAnswer {
                    node: member.node,
                    run: member.run,
                    verdict: Ok(()),
                })
            } else {
                heard
            };
            let confirms = heard.as_ref().is_some_and(|heard| heard.verdict.is_ok());
            world.counters.confirmed += u32::from(confirms);
            heard
        })
    }
}

/// Asks the process at an address, which answers unless it is stopped; none if there is none, or a cable is cut.
async fn ask_member(
    world: &Shared,
    from: usize,
    member: &FailsafeMember,
    question: FailsafeQuestion,
) -> Option<FailsafeAnswer> {
    let is_addressed = |node: &Node| node.name.as_str() == member.address;
    let to = world.borrow().nodes.iter().position(is_addressed)?;
    let way = way_between(world, from, to)?;
    sleep(way).await;
    let answering = {
        let world = world.borrow();
        let life = world.nodes[to].life.as_ref()?;
        let view = life.view.clone();
        life.process
            .begin(async move { view.confirm_leader(&question) })
    };
    let limit = leadership_limits().statement_limit;
    let answer = timeout(limit, answering).await.ok()?.ok()?;
    sleep(way_between(world, to, from)?).await;
    Some(answer)
}

/// How long a message between two orchestrators is on its way; none if it is lost.
fn way_between(world: &Shared, from: usize, to: usize) -> Option<Duration> {
    let mut world = world.borrow_mut();
    let is_cut = world.are_members_apart || world.cut_ways.contains(&(from, to));
    let is_lost = is_cut || world.chance(10);
    let way = world.millis(1..50);
    (!is_lost).then_some(way)
}
