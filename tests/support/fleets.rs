//! Instances, streams and transactions to try stores with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::fleet::Rows;
use resilient_orchestrator::domain::handover::HandoverMode;
use resilient_orchestrator::domain::heartbeat::BeatWatermark;
use resilient_orchestrator::domain::ids::{
    AssignmentVersion, Epoch, Incarnation, InstanceId, RollId, StreamId, Term,
};
use resilient_orchestrator::domain::instance::{Instance, InstanceStatus};
use resilient_orchestrator::domain::ledger::Batch;
use resilient_orchestrator::domain::planned::Roll;
use resilient_orchestrator::domain::stream::{AssignReason, Assignment, Place, Stream};
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::store::Save;

/// The moment number `micros`.
pub fn at(micros: i64) -> WallTime {
    WallTime::from_micros(micros)
}

/// That the heartbeats of a term are saved up to the moment number `micros`.
pub fn heard(term: i64, micros: i64) -> BeatWatermark {
    BeatWatermark {
        term: Term::new(term),
        through: at(micros),
    }
}

/// An ordinary instance.
pub fn instance(id: &str) -> Instance {
    Instance {
        id: id.into(),
        incarnation: Incarnation::new(1),
        status: InstanceStatus::Active,
        status_since: at(10),
        ip: "10.0.0.1".to_owned(),
        port: 8000,
        max_streams: 20,
        capacity: None,
        labels: BTreeMap::from([("zone".to_owned(), "a".to_owned())]),
        heartbeat_interval: Some(Duration::from_millis(1500)),
        auto_assign: true,
        assignment_version: AssignmentVersion::new(1),
        registered_at: at(10),
        flaps: 0,
        lease: Duration::ZERO,
        withdrawn: None,
        handed_over: None,
        planned: None,
    }
}

/// An ordinary stream.
pub fn stream(id: i64) -> Stream {
    Stream {
        id: StreamId::new(id),
        name: format!("stream {id}").into(),
        url: Some("http://example.org/live".into()),
        labels: BTreeMap::new(),
        priority: 0,
        weight: 1,
        constraints: None,
        enabled: true,
        handoff: HandoverMode::Exclusive,
        created_at: at(5),
        deleted: false,
        returns: None,
        suspicion: None,
    }
}

/// A stream run by an instance.
pub fn assigned(to: &str, epoch: i64) -> Place {
    Place::Assigned(Assignment {
        instance: to.into(),
        epoch: Epoch::new(epoch),
        reason: AssignReason::Requested,
        delivered: Some(Incarnation::new(1)),
        version: AssignmentVersion::new(2),
        assigned_at: at(20),
        handover: None,
    })
}

/// A stream without an owner.
pub fn unclaimed() -> Place {
    Place::Unclaimed {
        released_by: None,
        since: at(6),
    }
}

/// A transaction in the making.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    rows: Rows,
    events: Vec<Event>,
}

impl Draft {
    /// Writes an instance.
    pub fn instance(mut self, instance: Instance) -> Self {
        self.rows
            .instances
            .insert(instance.id.clone(), Some(Arc::new(instance)));
        self
    }

    /// Deletes an instance.
    pub fn without_instance(mut self, id: &str) -> Self {
        self.rows.instances.insert(InstanceId::from(id), None);
        self
    }

    /// Writes a stream and where it is.
    pub fn stream(mut self, stream: Stream, place: Place) -> Self {
        self.rows.places.insert(stream.id, Some(place));
        self.rows.streams.insert(stream.id, Some(Arc::new(stream)));
        self
    }

    /// Writes a roll.
    pub fn roll(mut self, roll: Roll) -> Self {
        self.rows.rolls.insert(roll.id, Some(Arc::new(roll)));
        self
    }

    /// Deletes a roll.
    pub fn without_roll(mut self, id: i64) -> Self {
        self.rows.rolls.insert(RollId::new(id), None);
        self
    }

    /// Writes where a stream is.
    pub fn place(mut self, id: i64, place: Place) -> Self {
        self.rows.places.insert(StreamId::new(id), Some(place));
        self
    }

    /// Deletes a stream and where it was.
    pub fn without_stream(mut self, id: i64) -> Self {
        self.rows.places.insert(StreamId::new(id), None);
        self.rows.streams.insert(StreamId::new(id), None);
        self
    }

    /// Adds to the rows in any way.
    pub fn with(mut self, change: impl FnOnce(&mut Rows)) -> Self {
        change(&mut self.rows);
        self
    }

    /// Reports what happened.
    pub fn event(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }

    /// The transaction, decided at a moment, with the last epoch given out.
    pub fn decided(self, moment: i64, counter: i64) -> Arc<Save> {
        Arc::new(Save {
            at: at(moment),
            counter: Epoch::new(counter),
            rows: self.rows,
            events: self.events,
            origins: Vec::new(),
        })
    }
}

/// The transaction that saves a batch of decisions.
pub fn save_of(batch: &Batch) -> Arc<Save> {
    Arc::new(Save {
        at: batch.at(),
        counter: batch.counter(),
        rows: batch.rows(),
        events: batch.events().cloned().collect(),
        origins: Vec::new(),
    })
}
