//! Where the fleet is kept: one trait, three adapters.
//!
//! A store writes what the domain decided and knows no rules itself. Every fleet transaction is
//! guarded by [`Guard`], so that only the newest orchestrator writes, and so that a transaction
//! whose outcome is unknown can be settled afterwards (`docs/decisions/0002`). One conformance
//! suite (`tests/store/conformance.rs`) runs on all adapters. May use `domain` and diesel.
//!
//! `open` turns a URL into a store. `operations` holds every statement, written once; `sqlite` and
//! `postgres` run them as transactions with a time limit, and know what a failure leaves behind
//! (`failure`). `schema`, `rows` and `write_set` are the way between tables and domain.

mod failure;
mod memory;
mod migrations;
mod open;
mod operations;
mod postgres;
mod retention;
mod rows;
mod schema;
mod sqlite;
mod write_set;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::alert::{Alert, AlertFilter};
use crate::domain::event_filter::EventFilter;
use crate::domain::events::{DatedEvent, Event};
use crate::domain::fleet::{Rows, Snapshot};
use crate::domain::health::HealthRecord;
use crate::domain::heartbeat::{LastBeat, MetricsRecord};
use crate::domain::ids::{Epoch, IncidentId, InstanceId, Term, Version};
use crate::domain::incident::{Incident, IncidentFilter};
use crate::domain::ledger::Batch;
use crate::domain::time::WallTime;

pub use memory::MemoryStore;
pub use open::{migrate, open, open_for, revert_last};
pub use postgres::PostgresStore;
pub use retention::{Expiry, Owner, TABLES};
pub use sqlite::SqliteStore;

/// The state a fleet transaction expects to find: `fleet_state(term, version)`. The transaction
/// begins with `UPDATE … SET version = version + 1 WHERE term = … AND version = …`; if that
/// matches nothing, nothing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// The life of the orchestrator that writes.
    pub term: Term,
    /// The last version it knows of.
    pub version: Version,
}

impl Guard {
    /// The guard after one more saved transaction.
    #[must_use]
    pub const fn after_save(self) -> Self {
        Self {
            term: self.term,
            version: self.version.next(),
        }
    }

    /// The guard after a transaction in doubt was defeated by [`Store::settle`]. It moves the
    /// version by two, so that the two possible outcomes leave different versions behind and
    /// settling can itself be repeated when its own outcome is unknown.
    #[must_use]
    pub const fn after_defeat(self) -> Self {
        Self {
            term: self.term,
            version: self.version.next().next(),
        }
    }
}

/// One fleet transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Save {
    /// When it was decided.
    pub at: WallTime,
    /// The last epoch given out.
    pub counter: Epoch,
    /// The rows as they are to be.
    pub rows: Rows,
    /// What happened, in order.
    pub events: Vec<Event>,
}

impl From<&Batch> for Save {
    fn from(batch: &Batch) -> Self {
        Self {
            at: batch.at(),
            counter: batch.counter(),
            rows: batch.rows(),
            events: batch.events().cloned().collect(),
        }
    }
}

/// What became of a transaction in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// It was committed after all.
    Committed,
    /// It is not there and never will be; the version is now [`Guard::after_defeat`].
    Defeated,
}

/// A count of what is kept, to compare with memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// Who may write, and how many transactions there were.
    pub guard: Guard,
    /// The last epoch given out.
    pub counter: Epoch,
    /// Registered instances.
    pub instances: i64,
    /// Streams in the catalogue.
    pub streams: i64,
    /// Owners of streams with how many each owns, ascending by owner; owners of none left out.
    pub owned: Vec<(InstanceId, i64)>,
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place in the order of all events; grows, with gaps.
    pub sequence: i64,
    /// When and what.
    pub event: DatedEvent,
}

/// Why a store did not do as asked. The texts are for the log, never for an HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It could not be reached, or was too slow to begin. Nothing was written.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A write was under way when contact was lost: it may have happened or not.
    #[error("the outcome of a write is unknown: {0}")]
    InDoubt(String),
    /// The content of a write was refused (a constraint). Nothing was written.
    #[error("the store refused the content: {0}")]
    Refused(String),
    /// A newer orchestrator has taken the term. Nothing was written, and nothing ever will be.
    #[error("another orchestrator has taken over this database (term {current}, ours was {ours})")]
    Deposed {
        /// The term that lost.
        ours: Term,
        /// The term that holds.
        current: Term,
    },
    /// The version in the store is not the one this orchestrator left there although the term is
    /// its own: memory and store have parted ways.
    #[error("the store is at version {found}, expected {expected}")]
    VersionMismatch {
        /// What this orchestrator expected.
        expected: Version,
        /// What it found.
        found: Version,
    },
    /// What is there cannot be used: damaged, or written by a newer release.
    #[error("{0}")]
    Unusable(String),
    /// Another process has the database to itself. Waiting does not help: somebody has to stop
    /// that process. Nothing was looked at.
    #[error("{0}")]
    InUse(String),
    /// The file that was opened is no longer the one under its name. Nothing was written, and
    /// nothing will be, unless it is put back.
    #[error("{0}")]
    FileReplaced(String),
}

impl StoreError {
    /// Whether the same call may succeed later without anybody's help: a start waits for that, and
    /// ends at once for everything else.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::InDoubt(_) => true,
            Self::Refused(_)
            | Self::Deposed { .. }
            | Self::VersionMismatch { .. }
            | Self::InUse(_)
            | Self::FileReplaced(_)
            | Self::Unusable(_) => false,
        }
    }
}

/// A place to keep the fleet.
///
/// Every call is bounded in time by the adapter; a call that runs out of it is `Unavailable` if
/// it only reads, `InDoubt` if it writes and may have been carried out.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Takes a new term, greater than any before. From then on no older orchestrator writes.
    ///
    /// # Errors
    /// If the store cannot be reached or used.
    async fn begin_term(&self) -> Result<Guard, StoreError>;

    /// Everything about the fleet and the guard that held, from one moment.
    ///
    /// # Errors
    /// If the store cannot be reached or its content is not a fleet.
    async fn load_guarded(&self) -> Result<(Guard, Snapshot), StoreError>;

    /// Everything about the fleet, from one moment.
    ///
    /// # Errors
    /// As [`Store::load_guarded`].
    async fn load(&self) -> Result<Snapshot, StoreError> {
        Ok(self.load_guarded().await?.1)
    }

    /// Carries out one fleet transaction, all or nothing.
    ///
    /// # Errors
    /// `InDoubt` if it may have happened; every other error means that it did not.
    async fn save(&self, guard: Guard, save: Arc<Save>) -> Result<(), StoreError>;

    /// Settles a transaction in doubt that was guarded by `guard`: waits for it or defeats it.
    /// May be repeated until it answers.
    ///
    /// # Errors
    /// If the store cannot say; the transaction stays in doubt.
    async fn settle(&self, guard: Guard) -> Result<Settlement, StoreError>;

    /// Counts what is kept.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn census(&self) -> Result<Census, StoreError>;

    /// Saves last heartbeats; a later one of the same instance replaces an earlier one, also if its
    /// time is smaller. Not a fleet transaction: heartbeats of forgotten instances are harmless.
    ///
    /// # Errors
    /// If the store cannot be reached. Repeating is harmless.
    async fn save_beats(&self, beats: &[LastBeat]) -> Result<(), StoreError>;

    /// Appends metrics. An exact repetition of a record is kept once.
    ///
    /// # Errors
    /// If the store cannot be reached. Repeating is harmless.
    async fn save_metrics(&self, records: &[MetricsRecord]) -> Result<(), StoreError>;

    /// The metrics of an instance since a moment, newest first, at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn metrics(
        &self,
        instance: &InstanceId,
        since: WallTime,
        limit: u32,
    ) -> Result<Vec<MetricsRecord>, StoreError>;

    /// The events a filter wants, in its order, at most `limit`. Found by an index: what is not
    /// wanted is not read.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn find_events(
        &self,
        filter: &EventFilter,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// Events after a sequence number, ascending, at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn events(&self, after: i64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        self.find_events(&EventFilter::after(after), limit).await
    }

    /// The incidents a filter wants, newest first, at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn incidents(
        &self,
        filter: &IncidentFilter,
        limit: u32,
    ) -> Result<Vec<Incident>, StoreError>;

    /// One incident; `None` if there is none of that id.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError>;

    /// Writes alerts; a later word on an alert replaces an earlier one. Not a fleet transaction.
    ///
    /// # Errors
    /// If the store cannot be reached. Repeating is harmless.
    async fn save_alerts(&self, alerts: &[Alert]) -> Result<(), StoreError>;

    /// The alerts a filter wants, newest first, at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn alerts(&self, filter: &AlertFilter, limit: u32) -> Result<Vec<Alert>, StoreError>;

    /// Appends points of the system's history; of two points of one moment the first is kept.
    ///
    /// # Errors
    /// If the store cannot be reached. Repeating is harmless.
    async fn save_health(&self, records: &[HealthRecord]) -> Result<(), StoreError>;

    /// The system's history before a moment (none: up to now), newest first, at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn health(
        &self,
        before: Option<WallTime>,
        limit: u32,
    ) -> Result<Vec<HealthRecord>, StoreError>;

    /// Deletes one bounded step of what is past its time, and of the last heartbeats of instances
    /// that are not registered any more; returns how many rows went. Call again while it returns
    /// more than zero.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn prune(&self, expiry: &Expiry) -> Result<u64, StoreError>;

    /// Whether the store answers at all.
    ///
    /// # Errors
    /// If it does not.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Ends the work with the store: waits for what is under way, leaves everything that was
    /// saved in its final place and ends every connection. Later calls are `Unavailable`. The
    /// caller bounds the wait.
    ///
    /// # Errors
    /// If what was saved is not complete where a later start, or a copy, looks for it.
    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
