//! A cordoned instance keeps its streams and is given no others.

use serde::{Deserialize, Serialize};

use super::requester::Requester;
use crate::time::WallTime;

/// A cordon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Cordon {
    pub since: WallTime,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<WallTime>,
    pub by: Requester,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
