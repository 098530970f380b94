//! Which instance runs which stream.

use std::sync::Arc;

use super::query::{Page, Query, page, start};
use crate::fleet::Fleet;
use crate::ids::StreamId;
use crate::instance::Instance;
use crate::stream::Assignment;

/// A page of the assignments, ascending by stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AssignmentList {
    /// Only streams with a greater id.
    pub after: Option<StreamId>,
    /// At most so many; `None`: all.
    pub limit: Option<usize>,
}

/// An assignment with its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AssignmentLine {
    pub stream: StreamId,
    pub assignment: Assignment,
    pub owner: Arc<Instance>,
}

impl Query for AssignmentList {
    type Answer = Page<AssignmentLine>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let lines = fleet.listed_after(start(self.after)).filter_map(|slot| {
            let assignment = slot.place().assignment()?;
            // A disabled stream is only waiting to be released.
            if !slot.stream().enabled {
                return None;
            }
            let owner = fleet.instance(&assignment.instance)?;
            Some(AssignmentLine {
                stream: slot.stream().id,
                assignment: assignment.clone(),
                owner: owner.instance().clone(),
            })
        });
        page(lines, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn assignments_come_with_their_owner_and_skip_what_nobody_runs() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=5));
        sample::run(&mut ledger, sample::register("a", 9));
        sample::run(&mut ledger, sample::register("b", 9));
        sample::run(&mut ledger, sample::ask("b", 2));
        sample::run(&mut ledger, sample::ask("a", 1));
        let list = |after, limit| {
            let page = AssignmentList { after, limit }.answer(ledger.saved());
            let lines = page.items.into_iter();
            let lines = lines.map(|line| (line.stream.get(), line.owner.ip.clone()));
            (lines.collect::<Vec<_>>(), page.more)
        };
        let line = |id, ip: &str| (id, ip.to_owned());
        let (b, a) = ("ip-of-b", "ip-of-a");
        assert_eq!(
            list(None, None),
            (vec![line(1, b), line(2, b), line(3, a)], false)
        );
        assert_eq!(
            list(Some(StreamId::new(1)), Some(1)),
            (vec![line(2, b)], true)
        );
    }
}
