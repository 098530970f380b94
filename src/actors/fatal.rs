//! When an orchestrator cannot go on as it is: who notices, and what follows.
//!
//! If another orchestrator leads, the process ends its work as the leader and goes on as a standby (`app/role.rs`).
//! For every other reason it ends.
//!
//! Only the instances' actors are replaced when they panic. All others are one of a kind and have
//! knowledge of their own, so the process ends and the next start loads what is saved
//! (`docs/decisions/0003-vital-actors-end-the-process.md`).

use tokio::sync::mpsc;

/// Why the orchestrator cannot go on as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    /// Another orchestrator writes to the same database.
    #[error("another orchestrator has taken over this database")]
    Deposed,
    /// An operator ordered that another orchestrator leads.
    #[error("stepped down, as ordered: `{0}` takes over this database")]
    SteppedDown(String),
    /// Another orchestrator hears many instances, and this one few.
    #[error("handed over to `{0}`, which hears more instances than this orchestrator")]
    LessFit(String),
    /// The database does not know the term of this orchestrator any more.
    #[error(
        "the database went back to an earlier state; this orchestrator ends so that the next start \
         loads what is there"
    )]
    WentBack,
    /// Another database answers under the same address.
    #[error(
        "another database answers under DATABASE_URL than at the start; this orchestrator ends so that \
         the next start loads what is there"
    )]
    OtherDatabase,
    /// Memory and database have parted ways.
    #[error(
        "the database is not as this orchestrator left it; it ends so that the next start loads what is there"
    )]
    PartedWays,
    /// An actor that exists once has panicked.
    #[error("the {0} ended unexpectedly; a restart loads what is saved")]
    ActorEnded(&'static str),
}

impl Fatal {
    /// Returns whether the term goes to another orchestrator on purpose; the process works until then.
    pub const fn is_hand_over(&self) -> bool {
        matches!(self, Self::SteppedDown(_) | Self::LessFit(_))
    }

    /// Returns whether another orchestrator leads, or is about to. Nothing is wrong with this process then.
    pub const fn another_leads(&self) -> bool {
        match self {
            Self::Deposed | Self::SteppedDown(_) | Self::LessFit(_) => true,
            Self::WentBack | Self::OtherDatabase | Self::PartedWays | Self::ActorEnded(_) => false,
        }
    }
}

/// Ends the work of the orchestrator, from wherever it is noticed that it must.
#[derive(Debug, Clone)]
pub struct FatalSender(pub mpsc::UnboundedSender<Fatal>);

impl FatalSender {
    /// Says why.
    pub fn send(&self, fatal: Fatal) {
        // Without a receiver the process is ending already.
        let _ = self.0.send(fatal);
    }
}

/// A field of an actor the process cannot do without: reports that it is unwound.
#[derive(Debug)]
pub struct Vital {
    name: &'static str,
    fatal: FatalSender,
}

impl Vital {
    /// For the actor of that name.
    pub fn new(name: &'static str, fatal: FatalSender) -> Self {
        Self { name, fatal }
    }
}

impl Drop for Vital {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.fatal.send(Fatal::ActorEnded(self.name));
        }
    }
}
