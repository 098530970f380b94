//! The instances: all of them, newest registration first, or one.

use std::sync::Arc;

use super::query::{Page, Query, UnknownCursor, page};
use crate::fleet::{Fleet, InstanceSlot};
use crate::ids::InstanceId;
use crate::instance::{Instance, InstanceStatus};
use crate::labels::has_labels;
use crate::stream::Holding;

/// A page of the instances, newest registration first. An instance that registers again while the
/// pages are read moves to the front; no other instance is passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceList {
    /// Only instances that follow this one.
    pub after: Option<InstanceId>,
    /// At most so many; `None`: all.
    pub limit: Option<usize>,
    /// Only instances in this status.
    pub status: Option<InstanceStatus>,
    /// Only instances with all of these labels, each `key:value`.
    pub labels: Vec<String>,
}

/// An instance in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct InstanceLine {
    pub instance: Arc<Instance>,
    /// How many streams of the catalogue it owns.
    pub owned: usize,
    /// How many streams its worker should run.
    pub to_run: usize,
}

impl InstanceLine {
    fn of(slot: &InstanceSlot) -> Self {
        Self {
            instance: slot.instance().clone(),
            owned: slot.owned(),
            to_run: slot.to_run_count(),
        }
    }
}

impl Query for InstanceList {
    type Answer = Result<Page<InstanceLine>, UnknownCursor>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let after = match &self.after {
            None => None,
            Some(id) => match fleet.instance(id) {
                None => return Err(UnknownCursor(id.clone())),
                Some(slot) => Some(slot.instance().as_ref()),
            },
        };
        let lines = fleet
            .instances_newest_first(after)
            .filter(|slot| {
                let instance = slot.instance();
                let fits = self.status.is_none_or(|status| instance.status == status);
                fits && has_labels(&instance.labels, &self.labels)
            })
            .map(InstanceLine::of);
        Ok(page(lines, self.limit))
    }
}

/// One instance with the streams it should run, ascending, each with its epoch; `None` if it is not
/// registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct InstanceDetail {
    pub id: InstanceId,
}

impl Query for InstanceDetail {
    type Answer = Option<(InstanceLine, Vec<Holding>)>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let slot = fleet.instance(&self.id)?;
        Some((
            InstanceLine::of(slot),
            fleet.holdings(slot, slot.to_run()).collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::RemoveInstance;
    use crate::sample;

    fn list(fleet: &Fleet, after: Option<&str>, limit: Option<usize>) -> (Vec<String>, bool) {
        let list = InstanceList {
            after: after.map(InstanceId::from),
            limit,
            ..InstanceList::default()
        };
        let page = list.answer(fleet).unwrap();
        let names = page.items.iter().map(|line| line.instance.id.to_string());
        (names.collect(), page.more)
    }

    #[test]
    fn the_newest_registration_comes_first_and_pages_follow_each_other() {
        let mut ledger = sample::ledger();
        for id in ["b", "c", "a", "b"] {
            sample::run(&mut ledger, sample::register(id, 3));
        }
        let fleet = ledger.saved();
        assert_eq!(list(fleet, None, None).0, ["b", "a", "c"]);
        assert_eq!(
            list(fleet, None, Some(2)),
            (vec!["b".into(), "a".into()], true)
        );
        assert_eq!(list(fleet, Some("a"), Some(2)), (vec!["c".into()], false));

        sample::run(&mut ledger, RemoveInstance::new("a".into()));
        assert_eq!(list(ledger.saved(), None, None).0, ["b", "c"]);
        let lost = InstanceList {
            after: Some("a".into()),
            ..InstanceList::default()
        };
        assert_eq!(lost.answer(ledger.saved()), Err(UnknownCursor("a".into())));
    }

    #[test]
    fn one_instance_is_shown_with_its_streams_ascending() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::register("a", 3));
        sample::run(&mut ledger, sample::streams([30, 4, 100]));
        sample::run(&mut ledger, sample::ask("a", 2));
        let detail = |id: &str| InstanceDetail { id: id.into() }.answer(ledger.saved());
        let (_, held) = detail("a").unwrap();
        let streams: Vec<_> = held.iter().map(|holding| holding.stream).collect();
        assert_eq!(streams, sample::ids([4, 30]));
        assert!(held[0].epoch < held[1].epoch, "each has its own");
        assert_eq!(detail("z"), None);
    }
}
