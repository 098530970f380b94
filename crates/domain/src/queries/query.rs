//! What a query is, and how its answers are paged.

use std::fmt;

use crate::fleet::Fleet;
use crate::ids::{InstanceId, StreamId};

/// A question about the fleet.
pub trait Query: fmt::Debug + Send + 'static {
    /// The type of the answer.
    type Answer: fmt::Debug + Send + 'static;

    /// Returns the answer.
    fn answer(&self, fleet: &Fleet) -> Self::Answer;
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Whether the list goes on: the next page follows the last item.
    pub more: bool,
}

/// The instance that a page was to follow is not registered (any more). The list must be read from
/// its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCursor(pub InstanceId);

impl fmt::Display for UnknownCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "No instance `{}` is registered to continue after; read the list from its beginning.",
            self.0
        )
    }
}

impl std::error::Error for UnknownCursor {}

/// Returns the first `limit` items (`None`: all), and whether there are more.
pub(super) fn page<T>(mut items: impl Iterator<Item = T>, limit: Option<usize>) -> Page<T> {
    let limit = limit.unwrap_or(usize::MAX);
    let mut taken = Vec::new();
    while taken.len() < limit {
        let Some(item) = items.next() else {
            return Page {
                items: taken,
                more: false,
            };
        };
        taken.push(item);
    }
    Page {
        items: taken,
        more: items.next().is_some(),
    }
}

/// Returns the id after which a list of streams starts: ids begin at 1.
pub(super) fn start(after: Option<StreamId>) -> StreamId {
    after.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_whether_the_list_goes_on() {
        let of = |count: usize, limit| page(0..count, limit);
        assert_eq!(of(3, None).items, [0, 1, 2]);
        assert!(!of(3, None).more);
        assert!(!of(3, Some(3)).more, "exactly full is the end");
        assert!(of(3, Some(2)).more);
        assert!(of(1, Some(0)).more);
        assert!(!of(0, Some(0)).more);
    }
}
