//! What a route asks of its caller.

use super::role::Role;

/// What a route asks of its caller. Each route of the table has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Nothing: probes, and the beginning of a session.
    Public,
    /// Any role: it is about the caller itself.
    Known,
    /// It is a call of a worker, about its own instance.
    Work,
    /// It shows an instance to its worker, and to people.
    WorkState,
    /// It shows the fleet.
    View,
    /// It acts on the fleet.
    Operate,
    /// It is about keys, receivers outside, the log or the leadership.
    Administer,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 7] = [
        Self::Public,
        Self::Known,
        Self::Work,
        Self::WorkState,
        Self::View,
        Self::Operate,
        Self::Administer,
    ];

    /// Returns whether a caller of this role may use the route. A worker is held to its `server_id`s besides.
    pub const fn allows(self, role: Role) -> bool {
        match (self, role) {
            (Self::Public | Self::Known, _) | (_, Role::Admin) => true,
            (Self::Work | Self::WorkState, Role::Worker | Role::Operator) => true,
            (Self::WorkState | Self::View, Role::Viewer) => true,
            (Self::View | Self::Operate, Role::Operator) => true,
            (Self::Work | Self::Operate | Self::Administer, Role::Viewer) => false,
            (Self::View | Self::Operate | Self::Administer, Role::Worker) => false,
            (Self::Administer, Role::Operator) => false,
        }
    }

    /// Returns the roles that would do, as a part of a sentence; a role that may do more is left out.
    pub const fn needed(self) -> &'static str {
        match self {
            Self::Public => "none",
            Self::Known => "any role",
            Self::Work => "`worker` or `operator`",
            Self::WorkState => "`worker` or `viewer`",
            Self::View => "`viewer`",
            Self::Operate => "`operator`",
            Self::Administer => "`admin`",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_the_table_says() {
        use Permission::{Administer, Known, Operate, Public, View, Work, WorkState};
        // the permission; worker, viewer, operator, admin
        let table = [
            (Public, [true, true, true, true]),
            (Known, [true, true, true, true]),
            (Work, [true, false, true, true]),
            (WorkState, [true, true, true, true]),
            (View, [false, true, true, true]),
            (Operate, [false, false, true, true]),
            (Administer, [false, false, false, true]),
        ];
        assert_eq!(table.map(|(permission, _)| permission), Permission::ALL);
        for (permission, expected) in table {
            let allowed: Vec<bool> = Role::ALL
                .iter()
                .map(|role| permission.allows(*role))
                .collect();
            assert_eq!(allowed, expected, "{permission:?}");
        }
    }

    #[test]
    fn the_roles_that_are_named_would_do() {
        for permission in Permission::ALL {
            let needed = permission.needed();
            for role in Role::ALL {
                if needed.contains(&format!("`{role}`")) {
                    assert!(permission.allows(*role), "{permission:?}: {role}");
                }
            }
        }
    }
}
