//! Which streams are without an owner for a long time, and why.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::explain::ExplainStream;
use super::query::Query;
use crate::fleet::Fleet;
use crate::ids::StreamId;
use crate::stream::Place;
use crate::timeline::Recent;

/// How many streams are named.
const MAX_NAMED: usize = 5;

/// How many waiting streams are looked at: no command waits for longer.
const MAX_LOOKED_AT: usize = 50_000;

/// Returns the streams that are without an owner since before these times. Paused and quarantined ones have
/// alerts of their own. Walks streams without an owner, and the instances for those that are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongWaiting {
    /// The times that are not long ago.
    pub lately: Recent,
}

/// The answer to [`LongWaiting`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WaitingLong {
    /// How many wait to be requested.
    pub unclaimed: usize,
    /// How many lost their instance.
    pub orphaned: usize,
    /// Whether there are more, which were not looked at.
    pub has_more: bool,
    /// The first ones with their names and the reason for each.
    pub first: Vec<(StreamId, Arc<str>, String)>,
    /// Whether any stream is without an owner, however short.
    pub any: bool,
}

impl Query for LongWaiting {
    type Answer = WaitingLong;

    fn answer(&self, fleet: &Fleet) -> WaitingLong {
        let orphaned = fleet.ready_orphaned();
        let mut waiting = orphaned.chain(fleet.ready_unclaimed());
        let mut long = WaitingLong::default();
        for id in waiting.by_ref().take(MAX_LOOKED_AT) {
            long.any = true;
            let Some(slot) = fleet.stream(id) else {
                continue;
            };
            let (since, count) = match slot.place() {
                Place::Unclaimed { since, .. } => (since, &mut long.unclaimed),
                Place::Orphaned { since, .. } => (since, &mut long.orphaned),
                Place::Assigned(_) | Place::Disabled => continue,
            };
            if self.lately.contains(*since) {
                continue;
            }
            *count += 1;
            if long.first.len() < MAX_NAMED {
                let because = ExplainStream { id }
                    .answer(fleet)
                    .map(|found| found.because);
                let name = slot.stream().name.clone();
                long.first.push((id, name, because.unwrap_or_default()));
            }
        }
        long.has_more = waiting.next().is_some();
        long
    }
}

impl WaitingLong {
    /// Says which streams wait for longer than `limit`, and why; `None` if there are none.
    pub fn sentence(&self, limit: Duration) -> Option<String> {
        let count = self.unclaimed + self.orphaned;
        if count == 0 {
            return None;
        }
        let (streams, have) = match count {
            1 => ("stream", "has"),
            _ => ("streams", "have"),
        };
        let more = if self.has_more { "At least " } else { "" };
        let mut text = format!(
            "{more}{count} {streams} {have} had no owner for more than {} s ({} unclaimed, {} \
             orphaned).",
            limit.as_secs_f64(),
            self.unclaimed,
            self.orphaned
        );
        let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (id, name, because) in &self.first {
            reasons
                .entry(because)
                .or_default()
                .push(format!("{id} (`{name}`)"));
        }
        for (because, named) in reasons {
            text.push_str(&format!(" {}: {because}", named.join(", ")));
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn waiting(seconds: u64) -> WaitingLong {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::register("a", 4));
        sample::run(&mut ledger, sample::streams(1..=10));
        sample::run(&mut ledger, sample::ask("a", 2));
        sample::recover(&mut ledger, "a");
        let now = sample::NOW + Duration::from_secs(seconds);
        let lately = Recent::since(now - Duration::from_secs(60));
        LongWaiting { lately }.answer(ledger.saved())
    }

    #[test]
    fn streams_that_wait_for_longer_than_the_limit_are_counted_and_explained() {
        let long = waiting(61);
        assert_eq!((long.unclaimed, long.orphaned, long.first.len()), (8, 2, 5));
        let text = long.sentence(Duration::from_secs(60)).unwrap();
        let begins = "10 streams have had no owner for more than 60 s (8 unclaimed, 2 orphaned).";
        assert!(text.starts_with(begins), "{text}");
        assert!(text.contains(" 1 (`"), "{text}");
        assert!(text.contains("excluded are 1 by `status`"), "{text}");
        assert!(text.len() < 600, "{text}");
    }

    #[test]
    fn a_short_wait_is_no_alert() {
        let long = waiting(59);
        assert!(long.any);
        assert_eq!(long.sentence(Duration::from_secs(60)), None);
    }

    #[test]
    fn one_stream_is_said_in_the_singular() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=1));
        let lately = Recent::since(sample::NOW + Duration::from_secs(1));
        let long = LongWaiting { lately }.answer(ledger.saved());
        assert_eq!((long.unclaimed, long.has_more), (1, false));
        assert!(
            long.sentence(Duration::from_secs(1))
                .unwrap()
                .starts_with("1 stream has had")
        );
    }
}
