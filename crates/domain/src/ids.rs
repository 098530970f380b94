//! The names and numbers that identify instances, streams, assignments and records.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The `server_id` with which a worker registered: 1 to 128 characters, none of them a control
/// character (checked in `http/`). Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    /// Wraps a checked `server_id`.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// Returns the text as the worker sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for InstanceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for InstanceId {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

/// Declares a newtype over `i64`: what databases store, and less than 2^53 as JSON needs it.
macro_rules! number {
    ($(#[doc = $doc:literal])* $name:ident) => {
        $(#[doc = $doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Wraps the number.
            pub const fn new(number: i64) -> Self {
                Self(number)
            }

            /// Returns the number itself.
            pub const fn get(self) -> i64 {
                self.0
            }

            /// Returns the successor.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        #[cfg(feature = "openapi")]
        crate::schemas::has_schema! {
            $name = crate::schemas::number(&[$($doc),*]);
        }
    };
}

number! {
    /// The key of a stream, at least 1.
    StreamId
}
number! {
    /// A fencing token: each new assignment gets a higher one than any before it. Drawn from one
    /// counter of the whole fleet, so it grows across restarts, deletions and re-creations too.
    Epoch
}
number! {
    /// One life of an instance, from a registration to the next. Drawn from the same counter as
    /// epochs, so a later registration always has a greater number, even if the instance was
    /// deleted in between.
    Incarnation
}
number! {
    /// One life of the orchestrator: the one that started last has the highest term, and only that
    /// one may write.
    Term
}
number! {
    /// Counts the fleet transactions of one database; each transaction checks it (`store/`).
    Version
}
number! {
    /// Counts the changes of one instance's set of streams; at least 1.
    AssignmentVersion
}
number! {
    /// The key of an incident.
    IncidentId
}
number! {
    /// The key of a roll. Drawn from the same counter as epochs.
    RollId
}
number! {
    /// The key of an alert: the microsecond it was opened, or one more if that is taken.
    AlertId
}
number! {
    /// The key of a silence: the microsecond it was added, or one more if that is taken.
    SilenceId
}
number! {
    /// The key of an access key, given by the database.
    KeyId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_their_bare_value() {
        let id = InstanceId::from("radio-1");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"radio-1\"");
        assert_eq!(serde_json::to_string(&StreamId::new(7)).unwrap(), "7");
        assert_eq!(Epoch::new(i64::MAX).next().get(), i64::MAX);
    }
}
