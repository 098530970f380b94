//! What a command is, and why it is rejected.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::fleet::Draft;
use crate::ids::{Incarnation, InstanceId, RollId, StreamId};
use crate::instance::InstanceStatus;
use crate::placement::Exclusion;
use crate::planned::{DrainState, RollState};
use crate::stream::StreamState;

/// A change that can be made to the fleet.
pub trait Command: fmt::Debug + Send + 'static {
    /// What the caller gets once the change is saved.
    type Reply: fmt::Debug + Send + 'static;

    /// Whether the caller is answered only when it is certain what was saved, however long that
    /// takes: repeating the command would have an effect, and no HTTP request waits for it.
    const WAITS_FOR_CERTAINTY: bool = false;

    /// Whether the changes are undone as soon as they are decided ([`DryRun`](super::DryRun)).
    const IS_DRY_RUN: bool = false;

    /// Drafts the changes.
    ///
    /// # Errors
    /// Returns an error if the command does not fit the fleet as it is. Nothing is changed then.
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Self::Reply, Rejection>;

    /// Adds to the reply how long the decision took, for callers that record it.
    fn timed(_reply: &mut Self::Reply, _took: Duration) {}
}

/// Why a command was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Rejection {
    /// No instance of that name is registered.
    UnknownInstance(InstanceId),
    /// No stream has that id.
    UnknownStream(StreamId),
    /// The command names another incarnation than the current one.
    #[expect(missing_docs, reason = "the names say it")]
    OtherIncarnation {
        instance: InstanceId,
        given: Incarnation,
        current: Incarnation,
    },
    /// The command does not apply to the state of the instance.
    #[expect(missing_docs, reason = "the names say it")]
    WrongStatus {
        instance: InstanceId,
        status: InstanceStatus,
    },
    /// The instance is cordoned: it is given no streams.
    Cordoned(InstanceId),
    /// The state of the instance does not allow a drain.
    #[expect(missing_docs, reason = "the names say it")]
    NotDrainable {
        instance: InstanceId,
        status: InstanceStatus,
        /// The drain that is in force.
        drain: Option<DrainState>,
    },
    /// No active instance has room for these streams of an instance that is to drain.
    #[expect(missing_docs, reason = "the names say it")]
    WouldNotFit {
        instance: InstanceId,
        streams: Vec<StreamId>,
    },
    /// The instance never had a drain.
    NoDrain(InstanceId),
    /// The drain of the instance is over, and keeps it from nothing.
    #[expect(missing_docs, reason = "the names say it")]
    DrainOver {
        instance: InstanceId,
        drain: DrainState,
        status: InstanceStatus,
    },
    /// No instance is selected.
    EmptySelection,
    /// There is no roll of that number.
    UnknownRoll(RollId),
    /// The roll is over.
    #[expect(missing_docs, reason = "the names say it")]
    RollOver { roll: RollId, state: RollState },
    /// The worker of the instance may run its streams under a lease.
    LeaseRuns(InstanceId),
    /// The stream is disabled.
    StreamDisabled(StreamId),
    /// The stream is quarantined.
    StreamQuarantined(StreamId),
    /// The stream is not quarantined.
    #[expect(missing_docs, reason = "the names say it")]
    NotQuarantined {
        stream: StreamId,
        state: StreamState,
    },
    /// The instance has no room for one more stream; `None`: no instance has.
    NoRoom(Option<InstanceId>),
    /// A hard rule of placement keeps the stream from the instance.
    #[expect(missing_docs, reason = "the names say it")]
    DoesNotFit {
        stream: StreamId,
        instance: InstanceId,
        exclusion: Exclusion,
    },
    /// Another stream has that name.
    NameTaken {
        /// Position of the entry in the request.
        index: usize,
        name: Arc<str>,
        /// The stream that has the name.
        owner: StreamId,
        /// Whether that stream was deleted and may still run.
        is_deleted: bool,
    },
    /// A new stream needs a name.
    NameMissing {
        /// Position of the entry in the request.
        index: usize,
    },
    /// A new stream came without an id, and the highest id there can be is taken.
    IdsExhausted {
        /// Position of the entry in the request.
        index: usize,
    },
    /// Several entries of one request are rejected, in the order of the request.
    SeveralEntries(Vec<Rejection>),
}

impl Rejection {
    /// Returns the rejection of a whole request for those of its entries; none without any.
    pub(super) fn of_entries(mut rejected: Vec<Self>) -> Option<Self> {
        if rejected.len() > 1 {
            return Some(Self::SeveralEntries(rejected));
        }
        rejected.pop()
    }
}

/// Writes the current state, the state that is needed, and the call that leads there.
fn write_wrong_status(
    f: &mut fmt::Formatter<'_>,
    instance: &InstanceId,
    status: InstanceStatus,
) -> fmt::Result {
    write!(f, "Instance `{instance}` is `{status}`")?;
    match status {
        InstanceStatus::Active => f.write_str(
            ", but its lease is withdrawn, because it was reported as failed, ordered out of use \
             or removed; no streams can be moved to it. Choose another instance.",
        ),
        InstanceStatus::Suspect => f.write_str(
            "; streams can be moved only to an `active` instance. It becomes active with its next \
             heartbeat.",
        ),
        InstanceStatus::Recovering => f.write_str(
            "; streams can be moved only to an `active` instance. It becomes active at the end of \
             its probation.",
        ),
        InstanceStatus::Failed => f.write_str(
            "; streams can be moved only to an `active` instance. Its next heartbeat begins a \
             probation, and it is active after that.",
        ),
        InstanceStatus::Maintenance => write!(
            f,
            "; it gets no streams, and has none to recover. It is active again once it registers, \
             or once POST /resilience/recovery/{instance} ends the maintenance."
        ),
        InstanceStatus::Draining | InstanceStatus::Inactive => f.write_str(
            "; streams can be moved only to an `active` instance. It becomes active when it \
             registers again.",
        ),
    }
}

/// Writes why an instance cannot be drained, and the call that leads there.
fn write_not_drainable(
    f: &mut fmt::Formatter<'_>,
    instance: &InstanceId,
    status: InstanceStatus,
    drain: Option<DrainState>,
) -> fmt::Result {
    write!(f, "Instance `{instance}` is `{status}`")?;
    match (status, drain) {
        (InstanceStatus::Draining, Some(DrainState::Drained)) => write!(
            f,
            " and has drained already. DELETE /instances/{instance}/drain makes it active again; so \
             does its registration."
        ),
        (InstanceStatus::Draining, _) => write!(
            f,
            " already; GET /instances/{instance}/drain shows how far it is, DELETE \
             /instances/{instance}/drain cancels it."
        ),
        (InstanceStatus::Failed, _) => f.write_str(
            "; only an `active`, `suspect` or `recovering` instance can be drained. Its streams are \
             being recovered; it is on probation with its next heartbeat.",
        ),
        (InstanceStatus::Maintenance, _) => write!(
            f,
            "; only an `active`, `suspect` or `recovering` instance can be drained. It is active once \
             it registers, or once POST /resilience/recovery/{instance} ends the maintenance."
        ),
        (
            InstanceStatus::Active
            | InstanceStatus::Suspect
            | InstanceStatus::Recovering
            | InstanceStatus::Inactive,
            _,
        ) => f.write_str(
            ", and its lease is withdrawn, because it was reported as failed, ordered out of use or \
             removed: it is being emptied already.",
        ),
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownInstance(id) => {
                write!(f, "No instance `{id}` is registered; register it first.")
            }
            Self::UnknownStream(id) => {
                write!(f, "There is no stream {id}; GET /streams lists them.")
            }
            Self::StreamDisabled(id) => {
                write!(
                    f,
                    "Stream {id} is disabled and cannot be moved; POST /streams with `enabled: true` enables it."
                )
            }
            Self::StreamQuarantined(id) => write!(
                f,
                "Stream {id} is `quarantined`, because its last owners failed; only a stream that is \
                 not can be moved. POST /streams/{id}/release-quarantine releases it."
            ),
            Self::NotQuarantined { stream, state } => write!(
                f,
                "Stream {stream} is `{state}`; only a `quarantined` stream, or one on trial, can be \
                 released. GET /streams?state=quarantined lists them."
            ),
            Self::Cordoned(id) => write!(
                f,
                "Instance `{id}` is cordoned: it keeps its streams and is given no others. Choose \
                 another instance, or end the cordon with POST /instances/{id}/uncordon."
            ),
            Self::NotDrainable {
                instance,
                status,
                drain,
            } => write_not_drainable(f, instance, *status, *drain),
            Self::WouldNotFit { instance, streams } => write!(
                f,
                "For {} streams of instance `{instance}` no active instance has room; \
                 `would_not_fit` names them. Start a worker, or register one with a larger \
                 `max_streams`, or repeat the call with `force: true`, which leaves them without an \
                 owner at the deadline. Nothing was changed.",
                streams.len()
            ),
            Self::NoDrain(id) => write!(
                f,
                "Instance `{id}` has no drain. POST /instances/{id}/drain begins one."
            ),
            Self::DrainOver {
                instance,
                drain,
                status,
            } => write!(
                f,
                "The drain of instance `{instance}` is `{drain}` and keeps it from nothing: the \
                 instance is `{status}`. Only a drain in force (`draining`, `drained` or `expired`) \
                 can be cancelled; POST /instances/{instance}/drain begins one."
            ),
            Self::EmptySelection => f.write_str(
                "No instance is selected. GET /instances lists them with their labels.",
            ),
            Self::UnknownRoll(id) => {
                write!(f, "There is no roll {id}; GET /rolls lists them.")
            }
            Self::RollOver { roll, state } => write!(
                f,
                "Roll {roll} is `{state}`; only a `running` or `paused` roll takes orders. POST /rolls \
                 begins another one."
            ),
            Self::LeaseRuns(id) => write!(
                f,
                "The worker of instance `{id}` may still run its streams: its lease is not over. Try \
                 again when it is."
            ),
            Self::NoRoom(Some(id)) => write!(
                f,
                "Instance `{id}` has no room for another stream. Choose another instance, or \
                 register it with a larger `max_streams`."
            ),
            Self::NoRoom(None) => f.write_str(
                "No active instance has room for another stream. Start a worker, or register one with \
                 a larger `max_streams`.",
            ),
            Self::DoesNotFit {
                stream,
                instance,
                exclusion,
            } => write!(
                f,
                "Instance `{instance}` cannot have stream {stream}: it {}. Choose another instance, or \
                 omit `to`: GET /streams/{stream} shows what the stream requires.",
                exclusion.sentence()
            ),
            Self::OtherIncarnation {
                instance,
                given,
                current,
            } if given < current => write!(
                f,
                "Instance `{instance}` has registered again since: incarnation {given} is over, \
                 {current} is the current one. A process with the older incarnation must stop its \
                 streams and end."
            ),
            Self::OtherIncarnation {
                instance,
                given,
                current,
            } => write!(
                f,
                "Instance `{instance}` never had incarnation {given}; the current one is {current}. \
                 Register again: the answer has a new incarnation."
            ),
            Self::WrongStatus { instance, status } => write_wrong_status(f, instance, *status),
            Self::NameTaken {
                name,
                owner,
                is_deleted: true,
                ..
            } => write!(
                f,
                "The name `{name}` belongs to stream {owner}, which was deleted and may still be \
                 run by its last worker. Create it again under that id, or try again in a while."
            ),
            Self::NameTaken { name, owner, .. } => {
                write!(f, "The name `{name}` belongs to stream {owner}. Choose another name, or update that \
                     stream by its id.")
            }
            Self::NameMissing { index } => {
                write!(f, "streams[{index}] is new and needs a `name`.")
            }
            Self::IdsExhausted { index } => write!(
                f,
                "streams[{index}] needs an `id` of its own: the highest possible one is taken."
            ),
            Self::SeveralEntries(rejected) => {
                let others = rejected.len().saturating_sub(1);
                if let Some(first) = rejected.first() {
                    write!(f, "{first} ")?;
                }
                match others {
                    1 => f.write_str("One more entry is rejected; `errors` names both."),
                    others => write!(f, "{others} more entries are rejected; `errors` names them."),
                }
            }
        }
    }
}

impl std::error::Error for Rejection {}

/// Returns the instance if it is registered and its incarnation is the one of the command.
pub(super) fn current_life(
    draft: &Draft<'_>,
    id: &InstanceId,
    incarnation: Incarnation,
) -> Result<crate::instance::Instance, Rejection> {
    let instance = known(draft, id)?;
    if instance.incarnation == incarnation {
        Ok(instance)
    } else {
        Err(Rejection::OtherIncarnation {
            instance: id.clone(),
            given: incarnation,
            current: instance.incarnation,
        })
    }
}

/// Returns the instance if it is registered.
pub(super) fn known(
    draft: &Draft<'_>,
    id: &InstanceId,
) -> Result<crate::instance::Instance, Rejection> {
    draft
        .fleet()
        .instance(id)
        .map(|slot| crate::instance::Instance::clone(slot.instance()))
        .ok_or_else(|| Rejection::UnknownInstance(id.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_status_names_the_state_that_is_and_what_leads_out_of_it() {
        for status in InstanceStatus::ALL {
            let instance = InstanceId::from("b");
            let text = Rejection::WrongStatus { instance, status }.to_string();
            let state = format!("Instance `b` is `{status}`");
            assert!(text.starts_with(&state), "{text}");
            let way_out = ["active with", "active at", "active after", "active when"];
            let others = ["active again once", "Choose another instance"];
            let names_one = |words: &[&str]| words.iter().any(|word| text.contains(word));
            assert!(names_one(&way_out) || names_one(&others), "{text}");
        }
    }
}
