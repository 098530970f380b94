//! What balance waits for.

use std::fmt;

use crate::ids::InstanceId;

/// Why the fleet is not balanced now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// Streams of failed instances are being moved.
    Recovery {
        /// One of the instances.
        instance: InstanceId,
        /// How many there are.
        count: usize,
    },
    /// A mass failure is held, or its instances are being released one by one.
    MassFailure,
    /// The system is critical or worse.
    Health,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recovery { instance, count } => {
                let more = match count.saturating_sub(1) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                write!(
                    f,
                    "A recovery is under way (`{instance}`{more}), and the fleet is balanced only while \
                     none is. Nothing was moved. GET /resilience/incidents shows when it has ended; \
                     order the rebalance again then."
                )
            }
            Self::MassFailure => f.write_str(
                "The recovery of a mass failure is held back, and the fleet is balanced only while the \
                 brake is `open`. Nothing was moved. GET /resilience/brake shows until when; POST \
                 /resilience/brake releases it.",
            ),
            Self::Health => f.write_str(
                "The system is critical or worse. The fleet is balanced by itself once it is better; \
                 GET /resilience/status has the rules that decide.",
            ),
        }
    }
}
