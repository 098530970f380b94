//! What a process is among the orchestrators of its database.
//!
//! ```text
//!  Joining ─▶ Standby ─▶ Candidate ─won─▶ Loading ─▶ Leading
//!                ▲  ◀──lost──┘
//! ```
//!
//! A leader without a proof does not end by a timer: what it may still say ends by itself with its
//! newest proof (`proof`). It ends, as a process, when it learns of a higher term or gives the row up.

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It has not read the leadership row yet.
    Joining,
    /// It watches the row. Another process leads, or none.
    Standby,
    /// It tries to take the row. The outcome may be unknown for a while.
    Candidate,
    /// The row is its own; it reads the fleet.
    Loading,
    /// It decides and answers. Its newest proof may be too old to say everything.
    Leading,
}

impl Role {
    /// The word that people and programs see. A candidate is a standby to them: it does not lead, and
    /// may not come to lead.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Standby | Self::Candidate => "standby",
            Self::Loading => "loading",
            Self::Leading => "leader",
        }
    }
}
