//! An order to remove an instance, while its last lease is waited for.

use serde::{Deserialize, Serialize};

use super::requester::Requester;

/// Who ordered the removal of an instance, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RemovalOrder {
    pub by: Requester,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
