//! Which history of the database this process goes by.
//!
//! A promoted standby goes on with a higher timeline. Two mistakes are possible with it, and each is refused
//! where a connection is made, because a server has one timeline for as long as it answers as the primary:
//!
//! - a transaction of the fleet is saved there before the leader has taken a term there. It would be a
//!   proof of a term that may have been followed by another one, which was lost;
//! - of several servers, the old primary is connected to after the new one was.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::domain::leadership::WalTimeline;

/// What goes over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::postgres) enum Use {
    /// Transactions of the fleet.
    Fleet,
    /// Looks, terms and renewals: how a process learns of a promotion.
    Leadership,
}

/// The timelines that this process has seen, and the one that it leads on.
#[derive(Debug, Default)]
pub(in crate::store) struct History {
    newest: AtomicU32,
    /// The timeline of the own term; 0 before the first one.
    led: AtomicU32,
}

impl History {
    /// This process has a term on this timeline.
    pub(in crate::store::postgres) fn lead_on(&self, timeline: WalTimeline) {
        self.led.store(timeline.get(), Ordering::Release);
    }

    /// Judges a connection that was made. `has_others` says that the URL names other servers.
    ///
    /// # Errors
    /// Returns why it must not be used.
    pub(super) fn judge(
        &self,
        found: WalTimeline,
        has_others: bool,
        serves: Use,
    ) -> Result<(), String> {
        let found = found.get();
        let newest = self.newest.fetch_max(found, Ordering::AcqRel);
        if has_others && found < newest {
            return Err(format!(
                "it takes writes on timeline {found}, and another server does on timeline {newest}: it was \
                 replaced, and has to become a standby of the new primary"
            ));
        }
        let led = self.led.load(Ordering::Acquire);
        if serves == Use::Fleet && led > 0 && found > led {
            return Err(format!(
                "it was promoted (timeline {found}), and this orchestrator has no term there yet (its term is \
                 of timeline {led})"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Use::{Fleet, Leadership};
    use super::*;

    #[test]
    fn a_server_is_used_if_its_history_is_the_newest_and_the_term_is_of_it() {
        // newest seen, led, found, has others, use, whether it is used
        let table = [
            (0, 0, 1, true, Fleet, true),
            (1, 1, 1, true, Fleet, true),
            (1, 1, 2, true, Fleet, false),
            (1, 1, 2, true, Leadership, true),
            (1, 0, 2, true, Fleet, true),
            (2, 2, 1, true, Fleet, false),
            (2, 2, 1, true, Leadership, false),
            // One server alone that went back was restored, which its term shows.
            (2, 2, 1, false, Leadership, true),
        ];
        for (newest, led, found, has_others, serves, expected) in table {
            let history = History::default();
            history.newest.store(newest, Ordering::Release);
            history.lead_on(WalTimeline::new(led));
            let judged = history.judge(WalTimeline::new(found), has_others, serves);
            assert_eq!(
                judged.is_ok(),
                expected,
                "{newest}, {led}, {found}: {judged:?}"
            );
        }
    }
}
