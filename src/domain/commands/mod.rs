//! Everything that can be done to the fleet, one command a file.
//!
//! A command looks at the fleet and either drafts its changes or is rejected; it knows neither
//! the clock nor the store. Rejections are for the caller to read: each says what is in the way.

mod assign;
mod catalogue;
mod confirm;
mod incident;
mod lease;
mod maintenance;
mod record;
mod recover;
mod register;
mod release;
mod relocate;
mod remove;
mod returned;
mod settle;
mod status;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::fleet::Draft;
use super::ids::{Incarnation, InstanceId, StreamId};
use super::instance::InstanceStatus;

pub use assign::{AssignOutcome, AssignStreams};
pub use catalogue::{DeleteStream, SaveStreams, StreamSpec, StreamsSaved};
pub use confirm::{ConfirmDelivery, Confirmed};
pub use incident::{EndIncident, EscalateIncident, OpenIncident, Opening, Unmoved};
pub use lease::{AgreeLease, WithdrawLease, Withdrawn};
pub use maintenance::EndMaintenance;
pub use record::RecordEvents;
pub use recover::{RecoverInstance, Recovered};
pub use register::{RegisterInstance, Registered};
pub use release::{ReleaseStreams, Released};
pub use relocate::{AbandonHandovers, MoveProgress, MoveStreams, Relocated, Relocation};
pub use remove::{ForgetFailed, Removal, RemoveInstance};
pub use returned::ContinueReturned;
pub use settle::{Difference, SettleDifference};
pub use status::{
    ClearSuspicion, ForgiveInstance, PlaceWaiting, ReturnInstance, StatusChange, SuspectInstance,
    TrustInstance,
};

/// Something that can be done to the fleet.
pub trait Command: fmt::Debug + Send + 'static {
    /// What the caller is told once it is saved.
    type Reply: fmt::Debug + Send + 'static;

    /// Whether its caller is told only when it is certain what was saved, however long that takes:
    /// doing it twice would show, and nobody waits.
    const WAITS_FOR_CERTAINTY: bool = false;

    /// Drafts the changes.
    ///
    /// # Errors
    /// If the command does not fit the fleet as it is. Nothing is changed then.
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Self::Reply, Rejection>;

    /// Adds to the reply how long it took to decide, for who wants to write that down.
    fn timed(_reply: &mut Self::Reply, _took: Duration) {}
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// No instance of that name is registered.
    UnknownInstance(InstanceId),
    /// There is no stream of that id.
    UnknownStream(StreamId),
    /// The command is about another life of the instance than the current one.
    OtherIncarnation {
        /// Which instance.
        instance: InstanceId,
        /// The life the command names.
        given: Incarnation,
        /// The life it leads now.
        current: Incarnation,
    },
    /// The instance is not in a state the command applies to.
    WrongStatus {
        /// Which instance.
        instance: InstanceId,
        /// The state it is in.
        status: InstanceStatus,
    },
    /// The worker of the instance may run its streams under a lease.
    LeaseRuns(InstanceId),
    /// The stream is not to be run.
    StreamDisabled(StreamId),
    /// The instance has no room for one more stream; none: no instance has.
    NoRoom(Option<InstanceId>),
    /// Another stream has that name.
    NameTaken {
        /// Position of the entry in the request.
        index: usize,
        /// The name.
        name: Arc<str>,
        /// Who has it.
        owner: StreamId,
        /// Whether that one was deleted, and may still be run.
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
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownInstance(id) => {
                write!(f, "No instance `{id}` is registered; register it first.")
            }
            Self::UnknownStream(id) => write!(f, "There is no stream {id}."),
            Self::StreamDisabled(id) => {
                write!(f, "Stream {id} is disabled; it is run nowhere.")
            }
            Self::LeaseRuns(id) => write!(
                f,
                "The worker of instance `{id}` may still run its streams: its lease is not over."
            ),
            Self::NoRoom(Some(id)) => write!(f, "Instance `{id}` has no room for another stream."),
            Self::NoRoom(None) => f.write_str("No active instance has room for another stream."),
            Self::OtherIncarnation {
                instance,
                given,
                current,
            } if given < current => write!(
                f,
                "Instance `{instance}` has registered again since: incarnation {given} is over, \
                 {current} is the current one."
            ),
            Self::OtherIncarnation {
                instance,
                given,
                current,
            } => write!(
                f,
                "Instance `{instance}` never had incarnation {given}; the current one is {current}."
            ),
            Self::WrongStatus { instance, status } => {
                write!(
                    f,
                    "Instance `{instance}` is {status}; that cannot be done now."
                )
            }
            Self::NameTaken {
                name,
                owner,
                is_deleted: true,
                ..
            } => write!(
                f,
                "The name `{name}` belongs to stream {owner}, which was deleted and may still be \
                 run by its last worker. Make it again under that id, or try again in a while."
            ),
            Self::NameTaken { name, owner, .. } => {
                write!(f, "The name `{name}` belongs to stream {owner}.")
            }
            Self::NameMissing { index } => {
                write!(f, "streams[{index}] is new and needs a `name`.")
            }
            Self::IdsExhausted { index } => write!(
                f,
                "streams[{index}] needs an `id` of its own: the highest possible one is taken."
            ),
        }
    }
}

impl std::error::Error for Rejection {}

/// The instance, if it exists and still leads the life the command is about.
fn current_life(
    draft: &Draft<'_>,
    id: &InstanceId,
    incarnation: Incarnation,
) -> Result<super::instance::Instance, Rejection> {
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

/// The instance, if it exists.
fn known(draft: &Draft<'_>, id: &InstanceId) -> Result<super::instance::Instance, Rejection> {
    draft
        .fleet()
        .instance(id)
        .map(|slot| super::instance::Instance::clone(slot.instance()))
        .ok_or_else(|| Rejection::UnknownInstance(id.clone()))
}
