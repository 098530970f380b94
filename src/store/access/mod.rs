//! Keys of callers.

mod contract;
mod rows;

pub use contract::{AccessStore, KeyMark, NewKey, StoredKey};
pub(super) use rows::{KeyRow, NewKeyRow};
