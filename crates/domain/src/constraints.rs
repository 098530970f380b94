//! Where a stream may run, and where it should run if there is a choice.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::ids::InstanceId;

/// What a stream may cost the instance that owns it.
pub const STREAM_WEIGHTS: RangeInclusive<u32> = 1..=1_000;

/// The weight of a stream for which none was given.
pub const DEFAULT_WEIGHT: u32 = 1;

/// Conditions on the owner of a stream. Most streams have none, so a stream holds a pointer to them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Constraints {
    /// Labels that the owner must have, with these values. A hard rule: without such an instance the
    /// stream waits.
    pub requires: BTreeMap<String, String>,
    /// Streams of one group are kept on different instances, and under different values of the label
    /// `SPREAD_LABEL`, where there is a choice.
    pub group: Option<Arc<str>>,
    /// The instance it belongs on. A failure or a drain may move it away; it goes back when that
    /// instance is active again.
    pub pinned: Option<InstanceId>,
}

impl Constraints {
    /// Returns the conditions as a stream holds them: nothing if there are none.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_without_conditions_holds_nothing() {
        assert_eq!(Constraints::default().boxed(), None);
        let grouped = Constraints {
            group: Some("a".into()),
            ..Constraints::default()
        };
        assert_eq!(grouped.clone().boxed().as_deref(), Some(&grouped));
    }
}
