//! The way from a leader to the other orchestrators of its database.

use std::fmt;
use std::pin::Pin;

use crate::domain::leadership::{FailsafeAnswer, FailsafeMember, FailsafeQuestion};

/// The way to the other orchestrators.
pub trait FailsafeCalls: fmt::Debug {
    /// Asks the process at the address of a member; `None` if it gave no answer that can be read. The caller waits for
    /// as long as it likes.
    fn ask(
        &self,
        member: FailsafeMember,
        question: FailsafeQuestion,
    ) -> Pin<Box<dyn Future<Output = Option<FailsafeAnswer>>>>;
}
