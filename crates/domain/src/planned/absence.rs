//! An instance whose silence is expected until a moment.

use serde::{Deserialize, Serialize};

use super::requester::Requester;
use crate::string_enum::string_enum;
use crate::time::WallTime;

string_enum! {
    /// What becomes of an instance that is not back in time.
    AbsenceEnd {
        /// It is judged like any silent instance.
        Judged = "judged",
        /// It is removed, and its streams move.
        Removed = "removed",
    }
}

/// A planned absence. Its instance is in maintenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Absence {
    pub since: WallTime,
    /// Until when its silence is expected.
    pub until: WallTime,
    pub by: Requester,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What follows if it is not back by then. An instance that is removed then keeps its streams
    /// until then.
    pub end: AbsenceEnd,
}

impl Absence {
    /// Returns whether the instance keeps its streams meanwhile, although no worker runs them.
    pub fn is_reservation(&self) -> bool {
        self.end == AbsenceEnd::Removed
    }
}
