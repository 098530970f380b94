//! Deletes what is past its time.
//!
//! The first clean-up comes soon after the start, the next ones every [`INTERVAL`]. What the other
//! actors remember is forgotten first: that needs no store, and what was forgotten is in no answer.
//! Then the store deletes in bounded steps (`store/retention.rs`), each a transaction of its own.
//! While the store is out, or after a step that failed, the clean-up comes again after
//! `RETRY_INTERVAL`.
//!
//! What is past its time is decided by running time (`domain/timeline.rs`): a wall clock that jumps
//! ahead deletes nothing that was written a moment ago.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::{info, warn};

use super::archive::IncidentMemory;
use super::db_breaker::StoreAccess;
use super::fatal::Vital;
use super::store_calls::{Answer, StoreOp};
use crate::clock::Clock;
use crate::store::{Expiry, Store, StoreError};

/// How soon after the start the first clean-up comes: when the rush of the start is over.
pub const FIRST_AFTER: Duration = Duration::from_secs(20);

/// The wait between two clean-ups.
pub const INTERVAL: Duration = Duration::from_secs(3_600);

/// The wait after one that did not come to its end.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// How long what is written is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Metrics.
    pub metrics: Duration,
    /// Events, and alerts after they were closed.
    pub events: Duration,
    /// Incidents after their end.
    pub incidents: Duration,
    /// The system's history.
    pub health: Duration,
    /// Points of the system's history at the most.
    pub most_health_rows: u32,
}

impl Retention {
    /// What is kept at this moment.
    fn expiry(&self, clock: &Clock) -> Expiry {
        Expiry {
            metrics: clock.recent(self.metrics),
            events: clock.recent(self.events),
            alerts: clock.recent(self.events),
            incidents: clock.recent(self.incidents),
            health: clock.recent(self.health),
            most_health_rows: self.most_health_rows,
        }
    }
}

/// Whatever else remembers what the store does.
#[derive(Debug, Clone)]
pub struct Memories {
    pub(super) alerts: Recipient<Forget>,
    pub(super) health: Recipient<Forget>,
    pub(super) incidents: Arc<IncidentMemory>,
}

/// What is past its time is to be forgotten.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Forget(pub Arc<Expiry>);

/// Cleans up from time to time.
#[derive(Debug)]
pub struct Cleaner {
    access: StoreAccess,
    memories: Memories,
    clock: Clock,
    retention: Retention,
    _vital: Vital,
}

impl Cleaner {
    /// Cleans up the store and what is remembered of it.
    pub fn new(
        access: StoreAccess,
        memories: Memories,
        clock: Clock,
        retention: Retention,
        vital: Vital,
    ) -> Self {
        Self {
            access,
            memories,
            clock,
            retention,
            _vital: vital,
        }
    }

    fn clean_up(&self, ctx: &mut Context<Self>) {
        let expiry = Arc::new(self.retention.expiry(&self.clock));
        self.memories.incidents.recent().forget(&expiry.incidents);
        self.memories.alerts.do_send(Forget(expiry.clone()));
        self.memories.health.do_send(Forget(expiry.clone()));
        let prune = |store: Arc<dyn Store>| async move {
            let mut rows = 0;
            loop {
                match store.prune(&expiry).await {
                    Ok(0) => {
                        break Pruned {
                            rows,
                            result: Ok(()),
                        };
                    }
                    Ok(gone) => rows += gone,
                    Err(error) => {
                        break Pruned {
                            rows,
                            result: Err(error),
                        };
                    }
                }
            }
        };
        let Some(prune) = self.access.write(StoreOp::Prune, prune) else {
            return clean_up_in(RETRY_INTERVAL, ctx);
        };
        ctx.spawn(prune.into_actor(self).map(|pruned, _, ctx| {
            clean_up_in(report(pruned), ctx);
        }));
    }
}

/// What a clean-up came to.
struct Pruned {
    rows: u64,
    result: Result<(), StoreError>,
}

impl Answer for Pruned {
    fn error(&self) -> Option<&StoreError> {
        self.result.error()
    }
}

/// Logs what a clean-up came to; returns when the next one comes.
fn report(Pruned { rows, result }: Pruned) -> Duration {
    if rows > 0 {
        info!(rows; "clean-up deleted {rows} rows that were past their retention");
    }
    match result {
        Ok(()) => INTERVAL,
        Err(error) => {
            warn!(error:%; "clean-up was interrupted and continues in a minute: {error}");
            RETRY_INTERVAL
        }
    }
}

fn clean_up_in(wait: Duration, ctx: &mut Context<Cleaner>) {
    ctx.run_later(wait, |actor, ctx| actor.clean_up(ctx));
}

/// Keeps what is written for another time, beginning with the next clean-up.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct ChangeRetention(pub Retention);

impl Handler<ChangeRetention> for Cleaner {
    type Result = ();

    fn handle(&mut self, ChangeRetention(retention): ChangeRetention, _: &mut Self::Context) {
        self.retention = retention;
    }
}

impl Actor for Cleaner {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        clean_up_in(FIRST_AFTER, ctx);
    }
}
