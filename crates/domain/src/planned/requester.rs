//! Who asked for planned work.

use crate::string_enum::string_enum;

string_enum! {
    /// Who asked for planned work, or ended it.
    Requester {
        /// A caller of the operators' routes.
        Operator = "operator",
        /// The worker of the instance itself.
        Worker = "worker",
        /// A roll of the fleet.
        Roll = "roll",
        /// The program, because a moment or a state was reached.
        Program = "program",
    }
}

impl Requester {
    /// Returns the noun for sentences.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Operator => "an operator",
            Self::Worker => "the worker",
            Self::Roll => "a roll",
            Self::Program => "the orchestrator",
        }
    }
}
