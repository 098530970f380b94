//! The series by name.

use crate::string_enum::string_enum;

string_enum! {
    /// A number whose past is kept.
    SeriesName {
        /// Heartbeats that were accepted.
        Heartbeats = "heartbeats",
        /// Instances that were declared failed.
        Failures = "failures",
        /// Streams that went from one instance to another.
        Moves = "moves",
        /// Streams that should run and have no owner.
        Waiting = "waiting",
        /// Active instances.
        Instances = "instances",
        /// Load of the serving instances, in percent of their capacity.
        Load = "load",
    }
}

string_enum! {
    /// How the points of a longer step follow from those of shorter ones.
    SeriesKind {
        /// How often something happened: the sum.
        Count = "count",
        /// How much there is: the mean.
        Level = "level",
    }
}

impl SeriesName {
    /// Returns how its points are added up.
    pub const fn kind(self) -> SeriesKind {
        match self {
            Self::Heartbeats | Self::Failures | Self::Moves => SeriesKind::Count,
            Self::Waiting | Self::Instances | Self::Load => SeriesKind::Level,
        }
    }
}
