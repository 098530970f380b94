//! The answers to requests that no leader answers.

use super::super::cluster::who_leads;
use super::super::problem::Problem;
use super::forwarder::Forwarder;
use crate::actors::leadership::ClusterView;
use crate::domain::leadership::{CarryRefusal, RowState};

/// Whether this process holds the row; it answers by itself once it has the fleet.
fn has_taken_over(view: &ClusterView) -> bool {
    view.leader()
        .is_some_and(|row| row.state == RowState::Held && row.run == view.me().run)
}

/// Returns the answer to a request that is refused.
pub(super) fn problem(forwarder: &Forwarder, refusal: CarryRefusal) -> Problem {
    let view = forwarder.view();
    let why = match refusal {
        CarryRefusal::NoLeader if has_taken_over(view) => {
            "This is it, and it is still loading the fleet. Nothing was changed; try again soon."
        }
        CarryRefusal::NoLeader => {
            "It does not reach a leader. Nothing was changed; try again soon."
        }
        CarryRefusal::MayBeApplied => {
            return Problem::outcome_unknown(format!(
                "{} The leader was lost before it answered: the request may or may not have been applied. \
                 Repeating it is safe.",
                who_leads(view, &view.now())
            ));
        }
        CarryRefusal::TooOld => {
            "The request waited here for longer than a worker's request may take. Nothing was changed; \
             try again."
        }
        CarryRefusal::Full => {
            "Too many requests wait for a leader. Nothing was changed; try again soon."
        }
        CarryRefusal::Closing => return Problem::shutting_down(),
    };
    Problem::standby(format!("{} {why}", who_leads(view, &view.now())))
}
