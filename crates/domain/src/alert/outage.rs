//! What the breakers mean for the alerts: one outage is one alert, whichever of them found it.

use std::collections::BTreeMap;

use super::cause::DATABASE;
use super::kind::AlertKind;
use super::news::News;
use crate::breaker::{BreakerName, BreakerState, Force};

/// What is said of a database whose file is not where it was opened.
const FILE_REPLACED: &str = "The database file was moved, deleted or replaced while the \
     orchestrator had it open: changes are refused, heartbeats are answered from memory. Put the \
     file back, or restart the orchestrator to go on with what is there.";

/// What an open breaker of the database says is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    NoAnswer,
    FileReplaced,
}

/// The breakers of the database that are open.
#[derive(Debug, Clone, Default)]
pub struct StoreOutages(BTreeMap<BreakerName, Outage>);

impl StoreOutages {
    /// Notes the state of a breaker. Returns what that means; none if it is no breaker of the database.
    pub fn changed(
        &mut self,
        breaker: &BreakerName,
        state: BreakerState,
        file_replaced: bool,
    ) -> Option<News> {
        if ![BreakerName::STORE_READS, BreakerName::STORE_WRITES].contains(breaker) {
            return None;
        }
        match state {
            BreakerState::Open => {
                let outage = match file_replaced {
                    true => Outage::FileReplaced,
                    false => Outage::NoAnswer,
                };
                self.0.insert(breaker.clone(), outage);
            }
            // A probe is under way: nothing is known yet.
            BreakerState::HalfOpen => {}
            BreakerState::Closed => {
                self.0.remove(breaker);
            }
        }
        Some(self.news())
    }

    fn news(&self) -> News {
        let raise = |detail| News::raise(AlertKind::StoreUnavailable, DATABASE, detail);
        if self
            .0
            .values()
            .any(|outage| *outage == Outage::FileReplaced)
        {
            return raise(FILE_REPLACED.to_owned());
        }
        let is_out = |name: BreakerName| self.0.contains_key(&name);
        let reads = is_out(BreakerName::STORE_READS);
        let writes = is_out(BreakerName::STORE_WRITES);
        let what = match (reads, writes) {
            (false, false) => {
                return News::Clear {
                    kinds: vec![AlertKind::StoreUnavailable],
                    subject: DATABASE.to_owned(),
                };
            }
            (true, true) => "does not answer: changes are refused, what is read comes from memory",
            (false, true) => "takes no changes: they are refused, reads are answered",
            (true, false) => "answers no reads: they come from memory, changes are saved",
        };
        raise(format!(
            "The database {what}, and the system is critical. It is probed until it is back."
        ))
    }
}

/// What it means that a breaker is held by hand, or is not. One that is held the other way is another alert.
pub fn held_by_hand(breaker: &BreakerName, held: Option<(Force, &str)>) -> Vec<News> {
    let clear = News::Clear {
        kinds: vec![AlertKind::BreakerForced],
        subject: breaker.as_str().to_owned(),
    };
    let raise = held.map(|(force, reason)| {
        let detail = format!(
            "Breaker {breaker} is held {} by hand: {reason}",
            force.as_str()
        );
        News::raise(AlertKind::BreakerForced, breaker.as_str(), detail)
    });
    std::iter::once(clear).chain(raise).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(news: Option<News>) -> Option<String> {
        match news {
            Some(News::Raise { detail, .. }) => Some(detail),
            Some(
                News::Lost(_) | News::Reword { .. } | News::Clear { .. } | News::Forget { .. },
            )
            | None => None,
        }
    }

    #[test]
    fn one_alert_says_what_of_the_database_is_out() {
        use BreakerState::{Closed, HalfOpen, Open};
        let (reads, writes) = (BreakerName::STORE_READS, BreakerName::STORE_WRITES);
        let mut outages = StoreOutages::default();
        for (breaker, state, replaced, expected) in [
            (&writes, Open, false, Some("takes no changes")),
            (&reads, Open, false, Some("does not answer")),
            (&reads, HalfOpen, false, Some("does not answer")),
            (&writes, Open, true, Some("was moved, deleted or replaced")),
            (&writes, Closed, false, Some("answers no reads")),
            (&reads, Closed, false, None),
        ] {
            let said = detail(outages.changed(breaker, state, replaced));
            match expected {
                Some(part) => assert!(said.unwrap().contains(part), "{breaker} {state:?}"),
                None => assert_eq!(said, None),
            }
        }
    }

    #[test]
    fn a_breaker_held_the_other_way_is_another_alert() {
        let name = BreakerName::STORE_WRITES;
        let news = held_by_hand(&name, Some((Force::Open, "maintenance")));
        assert!(
            matches!(&news[..], [News::Clear { .. }, News::Raise { detail, .. }]
            if detail.ends_with("by hand: maintenance"))
        );
        assert!(matches!(
            &held_by_hand(&name, None)[..],
            [News::Clear { .. }]
        ));
    }
}
