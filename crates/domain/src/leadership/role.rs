//! What a process is among the orchestrators of its database.
//!
//! ```text
//!  Joining ─▶ Standby ─▶ Candidate ─won─▶ Loading ─▶ Leading ◀─proof─ Unproven
//!                ▲  ◀──lost──┘               │           │ └─proof too old─▶ │
//!                │                            └─outranked─┤◀───outranked──────┘
//!                └──────── the office is closed ── Deposed
//! ```
//!
//! A leader without a proof does not end by a timer: what it may still say ends by itself with its
//! newest proof. It ends when it learns of a higher term, or gives the row up. Between two offices
//! of one process lies [`Role::Deposed`]: no actor of the old office may live when the next begins.

use std::fmt;

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// It has not read the leadership row yet.
    Joining,
    /// It watches the row. Another process leads, or none.
    Standby,
    /// It tries to take the row. The outcome may be unknown for a while.
    Candidate,
    /// The row is its own; it reads the fleet.
    Loading,
    /// It decides and answers.
    Leading,
    /// It answers, but its newest proof is too old: another process may lead.
    Unproven,
    /// It led; another process leads, or the row is given up. Its actors are ending.
    Deposed,
}

/// What changes a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleEvent {
    /// The row was read for the first time.
    Joined,
    /// The watch decided to take over.
    TakeOverBegun,
    /// The row was taken by another process, or has changed.
    TakeOverLost,
    /// The row is this process's own.
    TakeOverWon,
    /// The fleet is loaded, and the actors run.
    Loaded,
    /// The newest proof is older than the time before a take-over.
    ProofTooOld,
    /// A proof arrived.
    Proven,
    /// A higher term is known to exist.
    Outranked,
    /// The process gave the row up: an operator's order, or the end of the process.
    Released,
    /// The last actor of the office ended.
    OfficeClosed,
}

/// An event that the role has no transition for: an error in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IllegalTransition {
    /// The role.
    pub role: Role,
    /// The event.
    pub event: RoleEvent,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 7] = [
        Self::Joining,
        Self::Standby,
        Self::Candidate,
        Self::Loading,
        Self::Leading,
        Self::Unproven,
        Self::Deposed,
    ];

    /// The role after an event.
    ///
    /// # Errors
    /// If the event cannot happen in this role.
    pub const fn after(self, event: RoleEvent) -> Result<Self, IllegalTransition> {
        use RoleEvent::{
            Joined, Loaded, OfficeClosed, Outranked, ProofTooOld, Proven, Released, TakeOverBegun,
            TakeOverLost, TakeOverWon,
        };
        let next = match (self, event) {
            (Self::Joining, Joined) | (Self::Candidate, TakeOverLost) => Self::Standby,
            (Self::Standby, TakeOverBegun) => Self::Candidate,
            (Self::Candidate, TakeOverWon) => Self::Loading,
            (Self::Loading, Loaded) => Self::Leading,
            (Self::Leading, ProofTooOld) => Self::Unproven,
            (Self::Unproven, Proven) => Self::Leading,
            // Renewals begin with the term, and go on in each of the three.
            (Self::Loading, ProofTooOld | Proven) => Self::Loading,
            (Self::Leading, Proven) => Self::Leading,
            (Self::Unproven, ProofTooOld) => Self::Unproven,
            (Self::Loading | Self::Leading | Self::Unproven, Outranked | Released) => Self::Deposed,
            // More than one message may bring the same news.
            (Self::Deposed, Outranked) => Self::Deposed,
            (Self::Deposed, OfficeClosed) => Self::Standby,
            _ => return Err(IllegalTransition { role: self, event }),
        };
        Ok(next)
    }

    /// Whether the process looks at the row as an observer.
    pub const fn watches(self) -> bool {
        matches!(self, Self::Standby)
    }

    /// Whether the row is the process's own as far as it knows: it renews it.
    pub const fn renews(self) -> bool {
        matches!(self, Self::Loading | Self::Leading | Self::Unproven)
    }

    /// Whether the process answers workers and callers itself.
    pub const fn answers(self) -> bool {
        matches!(self, Self::Leading | Self::Unproven)
    }

    /// The word that people and programs see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Standby => "standby",
            Self::Candidate => "candidate",
            Self::Loading => "loading",
            Self::Leading => "leading",
            Self::Unproven => "unproven",
            Self::Deposed => "deposed",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for IllegalTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no transition from role {} by {:?}",
            self.role, self.event
        )
    }
}

impl std::error::Error for IllegalTransition {}

#[cfg(test)]
mod tests {
    use super::Role::{Candidate, Deposed, Joining, Leading, Loading, Standby, Unproven};
    use super::RoleEvent::{
        Joined, Loaded, OfficeClosed, Outranked, ProofTooOld, Proven, Released, TakeOverBegun,
        TakeOverLost, TakeOverWon,
    };
    use super::*;

    const EVENTS: [RoleEvent; 10] = [
        Joined,
        TakeOverBegun,
        TakeOverLost,
        TakeOverWon,
        Loaded,
        ProofTooOld,
        Proven,
        Outranked,
        Released,
        OfficeClosed,
    ];

    #[test]
    fn the_table_has_every_legal_transition() {
        let table = [
            (Joining, Joined, Standby),
            (Standby, TakeOverBegun, Candidate),
            (Candidate, TakeOverLost, Standby),
            (Candidate, TakeOverWon, Loading),
            (Loading, Loaded, Leading),
            (Loading, ProofTooOld, Loading),
            (Loading, Proven, Loading),
            (Loading, Outranked, Deposed),
            (Loading, Released, Deposed),
            (Leading, ProofTooOld, Unproven),
            (Leading, Proven, Leading),
            (Leading, Outranked, Deposed),
            (Leading, Released, Deposed),
            (Unproven, ProofTooOld, Unproven),
            (Unproven, Proven, Leading),
            (Unproven, Outranked, Deposed),
            (Unproven, Released, Deposed),
            (Deposed, Outranked, Deposed),
            (Deposed, OfficeClosed, Standby),
        ];
        for role in Role::ALL {
            for event in EVENTS {
                let row = table.iter().find(|row| (row.0, row.1) == (role, event));
                let expected = row.map(|row| row.2);
                let expected = expected.ok_or(IllegalTransition { role, event });
                assert_eq!(role.after(event), expected);
            }
        }
    }

    #[test]
    fn a_process_answers_only_between_the_load_and_the_end_of_its_office() {
        // role, watches the row, renews it, answers
        let table = [
            (Joining, false, false, false),
            (Standby, true, false, false),
            (Candidate, false, false, false),
            (Loading, false, true, false),
            (Leading, false, true, true),
            (Unproven, false, true, true),
            (Deposed, false, false, false),
        ];
        assert_eq!(table.map(|row| row.0), Role::ALL);
        for (role, watches, renews, answers) in table {
            let found = (role.watches(), role.renews(), role.answers());
            assert_eq!(found, (watches, renews, answers), "{role}");
        }
    }

    #[test]
    fn an_illegal_transition_names_role_and_event() {
        let error = Standby.after(Loaded).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no transition from role standby by Loaded"
        );
    }
}
