//! Saves many rows, of which the store may refuse some for their content.
//!
//! A batch that is refused is split, and its halves are tried, until the culprits are found: they
//! alone are lost. One culprit among ten thousand rows costs about thirty calls. The number of calls
//! is bounded; what was not tried by then is handed back, and comes again with the next batch. Each
//! batch finds at least one culprit, so no row holds up the others for ever.

use std::collections::BTreeSet;

use crate::store::StoreError;

/// How many calls one batch makes at the most once it was refused.
const MAX_CALLS: usize = 200;

/// How many culprits a [`RefusalLog`] remembers.
const MAX_KNOWN: usize = 1_000;

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Saved<T> {
    /// The rows the store refused, with its reasons.
    pub(super) refused: Vec<(T, String)>,
    /// The rows that were not tried to the end, in their order.
    pub(super) left: Vec<T>,
    /// Why the batch could not be tried to the end, if the store is to blame.
    pub(super) result: Result<(), StoreError>,
}

impl<T: Clone> Saved<T> {
    /// Nothing was tried.
    pub(super) fn nothing(rows: &[T]) -> Self {
        Self {
            refused: Vec::new(),
            left: rows.to_vec(),
            result: Ok(()),
        }
    }
}

/// Saves `rows` with as few calls of `save` as possible.
pub(super) async fn save_each<T: Clone>(
    rows: &[T],
    save: impl AsyncFn(&[T]) -> Result<(), StoreError>,
) -> Saved<T> {
    let mut saved = Saved {
        refused: Vec::new(),
        left: Vec::new(),
        result: Ok(()),
    };
    let mut parts = vec![rows];
    let mut calls = 0;
    while let Some(part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        if calls >= MAX_CALLS {
            saved.left.extend_from_slice(part);
            continue;
        }
        calls += 1;
        match (save(part).await, part) {
            (Ok(()), _) => {}
            (Err(StoreError::Refused(reason)), [culprit]) => {
                saved.refused.push((culprit.clone(), reason));
            }
            (Err(StoreError::Refused(_)), part) => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            (Err(error), part) => {
                saved.result = Err(error);
                saved.left.extend_from_slice(part);
                calls = MAX_CALLS;
            }
        }
    }
    saved
}

/// Which culprits were logged already: a worker that sends the same value with every heartbeat is
/// one line, not one each few seconds.
#[derive(Debug, Default)]
pub(super) struct RefusalLog {
    known: BTreeSet<String>,
}

impl RefusalLog {
    /// Returns whether this culprit is new.
    pub(super) fn is_new(&mut self, culprit: &str) -> bool {
        if self.known.contains(culprit) {
            return false;
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(culprit.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A store that refuses some numbers, and ends at another.
    async fn save(rows: &[u32], bad: &[u32], out_at: Option<u32>) -> (Saved<u32>, usize) {
        let calls = Cell::new(0);
        let saved = save_each(rows, async |part: &[u32]| {
            calls.set(calls.get() + 1);
            if part.iter().any(|row| Some(*row) == out_at) {
                Err(StoreError::Unavailable("out".to_owned()))
            } else if part.iter().any(|row| bad.contains(row)) {
                Err(StoreError::Refused("bad".to_owned()))
            } else {
                Ok(())
            }
        });
        (saved.await, calls.get())
    }

    fn refused(saved: &Saved<u32>) -> Vec<u32> {
        saved.refused.iter().map(|(row, _)| *row).collect()
    }

    #[tokio::test]
    async fn a_batch_without_culprits_is_one_call() {
        let rows: Vec<u32> = (0..10_000).collect();
        let (saved, calls) = save(&rows, &[], None).await;
        assert!(saved.result.is_ok() && saved.left.is_empty() && saved.refused.is_empty());
        assert_eq!(calls, 1);
        assert_eq!(save(&[], &[], None).await.1, 0);
    }

    #[tokio::test]
    async fn only_the_culprits_are_refused() {
        let rows: Vec<u32> = (0..10_000).collect();
        let (saved, calls) = save(&rows, &[0, 5_000, 9_999], None).await;
        assert_eq!(refused(&saved), [0, 5_000, 9_999]);
        assert!(saved.left.is_empty() && saved.result.is_ok());
        assert!(calls < 100, "{calls}");
    }

    #[tokio::test]
    async fn a_batch_of_culprits_is_bounded_and_gets_on() {
        let rows: Vec<u32> = (0..10_000).collect();
        let (saved, calls) = save(&rows, &rows, None).await;
        assert_eq!(calls, MAX_CALLS);
        assert!(saved.result.is_ok());
        let tried = refused(&saved);
        assert!(!tried.is_empty());
        assert_eq!([tried, saved.left].concat(), rows, "none is lost untried");
    }

    #[tokio::test]
    async fn a_store_that_goes_out_gets_the_rest_later() {
        let rows: Vec<u32> = (0..100).collect();
        let (saved, _) = save(&rows, &[3], Some(90)).await;
        assert!(matches!(saved.result, Err(StoreError::Unavailable(_))));
        assert_eq!(saved.left, rows, "the first call failed");
        assert_eq!(refused(&saved), [0_u32; 0]);
    }

    #[test]
    fn a_culprit_is_logged_once() {
        let mut log = RefusalLog::default();
        assert!(log.is_new("a") && log.is_new("b"));
        assert!(!log.is_new("a"));
        for other in 0..MAX_KNOWN {
            log.is_new(&other.to_string());
        }
        assert!(log.known.len() <= MAX_KNOWN);
    }
}
