//! The vocabulary of events.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::access::Role;
use crate::brake::{BrakeAction, Ending};
use crate::handover::AbandonReason;
use crate::ids::{
    AlertId, Epoch, Incarnation, IncidentId, InstanceId, KeyId, RollId, SilenceId, StreamId, Term,
};
use crate::incident::{FailureCause, IncidentOutcome};
use crate::instance::InstanceStatus;
use crate::planned::{DrainState, Requester, RollState};
use crate::quarantine::{OwnerFailure, QuarantineEnd};
use crate::reason::{AssignReason, OrphanReason, RebalanceMethod, RebalanceReason};
use crate::request::EventOrigin;
use crate::returns::ReturnsEnd;
use crate::string_enum::string_enum;
use crate::time::WallTime;
use crate::withdrawal::WithdrawalCause;

/// One thing that happened to the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Event {
    /// A worker registered, for the first time or again.
    InstanceRegistered {
        instance: InstanceId,
        /// The life that began.
        incarnation: Incarnation,
        /// How many streams it will take.
        max_streams: u32,
        /// Whether it was known before.
        reregistration: bool,
    },
    /// An instance is late with its heartbeat.
    InstanceSuspected {
        instance: InstanceId,
        incarnation: Incarnation,
    },
    /// A late instance beat again in time.
    InstanceOnTime {
        instance: InstanceId,
        incarnation: Incarnation,
    },
    /// An instance was declared failed.
    InstanceFailed {
        instance: InstanceId,
        incarnation: Incarnation,
        cause: FailureCause,
        /// How many streams it owned at that moment, or when its lease was withdrawn.
        streams: u32,
        /// The last heartbeat before it was fenced, if the program received one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_heartbeat: Option<WallTime>,
        /// The incident it belongs to. Unknown in events of old versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
    },
    /// A failed instance beats again and is on probation.
    InstanceReturned {
        instance: InstanceId,
        incarnation: Incarnation,
    },
    /// An instance has served its probation.
    InstanceTrusted {
        instance: InstanceId,
        incarnation: Incarnation,
    },
    /// An instance failed while it was on probation: its next one is longer.
    InstanceFlapping {
        instance: InstanceId,
        incarnation: Incarnation,
        /// How often, as far as it is not forgiven.
        flaps: u32,
    },
    /// A trusted instance beat steadily for so long that one of its flaps is forgiven.
    InstanceForgiven {
        instance: InstanceId,
        incarnation: Incarnation,
        /// How many are left.
        flaps: u32,
    },
    /// The first heartbeat of an instance's life said whether it goes by leases.
    LeaseAgreed {
        instance: InstanceId,
        incarnation: Incarnation,
        /// Whether it does.
        leased: bool,
    },
    /// The lease of an instance is not renewed any more; its streams move once it is over, or
    /// once its worker has released them.
    LeaseWithdrawn {
        instance: InstanceId,
        incarnation: Incarnation,
        cause: WithdrawalCause,
        /// How many streams it owns.
        streams: u32,
        /// Who asked for the removal, if the cause is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Requester>,
        /// Why it was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The incident it belongs to, if it is not a removal. Unknown in events of old versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
    },
    /// Two processes live under one name; recorded once, however long it lasts.
    DuplicateIdentity {
        /// Which name.
        instance: InstanceId,
        /// The newest life, which is served.
        incarnation: Incarnation,
        /// The older one: it goes on calling and is refused, or its address has come back.
        older: Incarnation,
    },
    /// A worker does not run its streams, although they were sent again; recorded once, however
    /// long it lasts.
    StreamsDiffer {
        /// Whose worker.
        instance: InstanceId,
        incarnation: Incarnation,
        /// How many streams it is to run and does not; unknown if it sent a digest only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        missing: Option<u32>,
        /// How many streams it runs and is not to; unknown if it sent a digest only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        surplus: Option<u32>,
    },
    /// An instance left for good.
    InstanceRemoved {
        instance: InstanceId,
        reason: RemovalReason,
        /// How many of its streams run elsewhere. Unknown in events of old versions.
        #[serde(default)]
        moved: u32,
        /// How many of them found no room. Unknown in events of old versions.
        #[serde(default)]
        orphaned: u32,
        /// Who asked for it. Unknown in events of old versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Requester>,
        /// Why, in the requester's words; `reason` is the rule.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// So many instances fell silent at once that their recovery is held. The time is its own:
    /// it may be saved later than it happened, as the two that follow.
    MassFailureHeld {
        /// How many are late.
        late: u32,
        /// Of how many.
        active: u32,
        /// When that was found.
        held_at: WallTime,
        /// Until when it is held unless an operator orders otherwise.
        until: WallTime,
    },
    /// A hold of a mass failure is over.
    MassFailureEnded {
        ending: Ending,
        /// How many stayed silent and are recovered now.
        silent: u32,
        /// When it was over.
        ended_at: WallTime,
    },
    /// An operator gave the mass-failure brake an order, which was carried out.
    BrakeOrdered {
        action: BrakeAction,
        /// When the hold ends since then.
        until: WallTime,
        /// Why, in the operator's words.
        reason: String,
        /// When it was given.
        ordered_at: WallTime,
    },
    /// The leader hands over to another orchestrator, because that one hears many instances and the leader few.
    LeaderHandedOver {
        /// The node of the leader.
        from: String,
        /// The node that leads from then on.
        to: String,
        /// How many instances that one heard lately.
        hears: u64,
        /// How many the leader heard.
        leader_hears: u64,
        /// How many instances serve.
        serving: u64,
        /// When it was decided.
        at: WallTime,
    },
    /// An operator has seen an alert. The time is its own, as of the two that follow.
    AlertAcknowledged {
        alert: AlertId,
        /// What the alert is about.
        alert_kind: String,
        /// Whom it is about.
        subject: String,
        by: Requester,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        ordered_at: WallTime,
    },
    /// Alerts that match are silenced until a moment.
    SilenceAdded {
        silence: SilenceId,
        /// Which alerts, such as `kind=flapping`.
        matchers: Vec<String>,
        until: WallTime,
        by: Requester,
        /// Why, in the operator's words.
        reason: String,
        ordered_at: WallTime,
    },
    /// A silence is over, because its end was reached or by an order.
    SilenceEnded {
        silence: SilenceId,
        by: Requester,
        ended_at: WallTime,
    },
    /// An admin made a key.
    KeyCreated {
        key: KeyId,
        name: String,
        role: Role,
    },
    /// An admin revoked a key.
    KeyRevoked { key: KeyId, name: String },
    /// An operator ordered a standby to take over, and it leads now.
    TakeoverOrdered {
        /// The orchestrator that took over.
        node: String,
        /// The term that ended.
        from_term: Term,
        /// The term that began.
        to_term: Term,
        reason: String,
    },
    /// An operator ordered the leader to hand over, and the hand-over begins.
    StepDownOrdered {
        /// The orchestrator that leads.
        node: String,
        /// The one that is to take over.
        to: String,
        /// The term that is to end.
        term: Term,
        reason: String,
    },
    /// An operator ordered that an orchestrator is forgotten.
    MemberForgotten { node: String },
    /// Streams begin to move so that each instance has its fair share.
    RebalanceBegun {
        /// Who ordered it.
        by: Requester,
        method: RebalanceMethod,
        reason: RebalanceReason,
        /// How many streams are to move.
        moves: u32,
        /// How many instances give or get some.
        instances: u32,
    },
    /// An instance was emptied and taken out of use, or failed, in an emergency.
    EmergencyRecovered {
        /// The incident it belongs to.
        incident: IncidentId,
        instance: InstanceId,
        incarnation: Incarnation,
        /// The state it was put into.
        status: InstanceStatus,
        /// How many streams it owned.
        streams: u32,
    },
    /// The maintenance of an instance has ended: by an order, a registration or its end.
    MaintenanceEnded {
        instance: InstanceId,
        incarnation: Incarnation,
        /// The state it is in now.
        status: InstanceStatus,
        /// Who ended it. Unknown in events of old versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Requester>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// An instance is given no streams from now on; it keeps those it has.
    InstanceCordoned {
        instance: InstanceId,
        incarnation: Incarnation,
        by: Requester,
        /// When that ends by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<WallTime>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// An instance may be given streams again.
    InstanceUncordoned {
        instance: InstanceId,
        incarnation: Incarnation,
        by: Requester,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// An instance is being emptied.
    DrainStarted {
        instance: InstanceId,
        incarnation: Incarnation,
        by: Requester,
        /// How many streams it owns.
        streams: u32,
        deadline_at: WallTime,
        /// Whether streams that fit nowhere are left without an owner at the deadline.
        force: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The drain of an instance is over, or keeps it from nothing any more.
    DrainEnded {
        instance: InstanceId,
        incarnation: Incarnation,
        /// How it ended.
        state: DrainState,
        by: Requester,
        /// How many streams have a confirmed new owner.
        moved: u32,
        /// How many streams it owns still.
        left: u32,
        /// Whether the instance takes streams again.
        #[serde(default)]
        takes_streams: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A roll of the fleet began, or came into another state.
    RollChanged {
        roll: RollId,
        state: RollState,
        by: Requester,
        /// How many instances it is about.
        instances: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The silence of an instance is expected until a moment.
    MaintenanceStarted {
        instance: InstanceId,
        incarnation: Incarnation,
        by: Requester,
        until: WallTime,
        /// How many streams are reserved for it.
        streams: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The attempts of a recovery are used up; it goes on as an emergency.
    RecoveryEscalated {
        /// The incident it belongs to.
        incident: IncidentId,
        /// Who is being recovered.
        instance: InstanceId,
        /// How many attempts failed.
        attempts: u32,
    },
    /// A recovery came to its end.
    RecoveryEnded {
        /// The incident it belongs to.
        incident: IncidentId,
        /// Whose streams were moved.
        instance: InstanceId,
        /// How it ended.
        outcome: IncidentOutcome,
        /// Streams that run elsewhere now.
        moved: u32,
        /// Streams for which no instance had room.
        orphaned: u32,
    },
    /// A stream came into the catalogue.
    StreamCreated { stream: StreamId },
    /// What the catalogue says of a stream changed.
    StreamUpdated {
        stream: StreamId,
        /// Whether it is to be run now.
        enabled: bool,
    },
    /// A stream left the catalogue.
    StreamDeleted { stream: StreamId },
    /// A stream was given to an instance.
    StreamAssigned {
        stream: StreamId,
        instance: InstanceId,
        /// The fencing token of the assignment.
        epoch: Epoch,
        reason: AssignReason,
        /// Who ran it immediately before, if it was moved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<InstanceId>,
        /// The fencing token of that one, which is void now. Unknown in events of old versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from_epoch: Option<Epoch>,
        /// The incident whose recovery moved it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
    },
    /// An instance released a stream.
    StreamReleased {
        stream: StreamId,
        /// By whom.
        instance: InstanceId,
        /// The fencing token that is void now.
        epoch: Epoch,
        /// Why, if the worker says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Arc<str>>,
    },
    /// A stream was given back again before it ran steadily; it is paused.
    StreamReturned {
        stream: StreamId,
        /// Its name.
        name: Arc<str>,
        /// By whom.
        instance: InstanceId,
        /// How often in a row.
        returns: u32,
        /// Who gave it back lately, the last one last.
        workers: Vec<InstanceId>,
        /// The last reason that was given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Arc<str>>,
        /// Until when it waits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<WallTime>,
    },
    /// That a stream was given back again and again is forgotten.
    ReturnsOver {
        stream: StreamId,
        /// How often it was, in a row.
        returns: u32,
        because: ReturnsEnd,
    },
    /// The last owners of a stream failed: it is kept away from the fleet, or is so again after a
    /// retry.
    StreamQuarantined {
        stream: StreamId,
        /// Its name.
        name: Arc<str>,
        /// The evidence, the newest last.
        failures: Vec<OwnerFailure>,
        /// How many streams share all of it, this one included.
        suspects: u32,
        /// How many retries failed.
        retries: u32,
        /// When it is retried.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<WallTime>,
    },
    /// A quarantined stream is tried on an instance.
    QuarantineRetried {
        stream: StreamId,
        instance: InstanceId,
    },
    /// A stream has left its quarantine.
    QuarantineOver {
        stream: StreamId,
        because: QuarantineEnd,
        /// Who ended it. Unknown in events of old versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Requester>,
        /// Why, in the operator's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Arc<str>>,
    },
    /// The owner of a stream is asked to release it, so that it can move.
    StreamReleasing {
        stream: StreamId,
        /// The owner.
        instance: InstanceId,
        /// The fencing token of the owner.
        epoch: Epoch,
        /// Who is to have it then, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<InstanceId>,
        /// Why the next owner gets it, unless something else happens meanwhile. Unknown in events
        /// of old versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<AssignReason>,
        /// The incident whose recovery asks for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
    },
    /// The owner of a stream that was to release it keeps it.
    HandoverAbandoned {
        stream: StreamId,
        /// The owner.
        instance: InstanceId,
        /// The fencing token of the owner.
        epoch: Epoch,
        #[serde(default)]
        reason: AbandonReason,
    },
    /// A stream that two instances ran while it moved is run by its new owner alone.
    OverlapEnded {
        stream: StreamId,
        /// The former owner.
        instance: InstanceId,
        /// The fencing token that is void now.
        epoch: Epoch,
    },
    /// A stream lost its instance, and no other one had room.
    StreamOrphaned {
        stream: StreamId,
        /// Whom it lost.
        from: InstanceId,
        /// The fencing token that is void now. Unknown in events of old versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
        reason: OrphanReason,
        /// The incident whose recovery found no room for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
    },
    /// The assignment of a stream ended because it was disabled or deleted.
    StreamWithdrawn {
        stream: StreamId,
        /// From whom.
        instance: InstanceId,
        /// The fencing token that is void now.
        epoch: Epoch,
    },
    /// Streams were delivered to, or confirmed by, the instance that runs them.
    StreamsDelivered {
        /// By whom.
        instance: InstanceId,
        /// In which of its lives.
        incarnation: Incarnation,
        streams: Vec<StreamId>,
        /// The fencing token of each, in the same order. Empty in events of old versions.
        #[serde(default)]
        epochs: Vec<Epoch>,
    },
}

string_enum! {
    /// Why an instance left for good.
    RemovalReason {
        /// An operator or the worker requested it.
        Requested = "requested",
        /// It had failed, owned nothing, and its retention was over.
        RetentionOver = "retention_over",
    }
}

/// An event with the moment it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DatedEvent {
    pub at: WallTime,
    /// Who gave the order that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Arc<EventOrigin>>,
    #[serde(flatten)]
    pub event: Event,
}
