//! The cables of a member: what goes through one that is cut arrives nowhere, and no connection ends.

use super::support::proxy::Proxy;

/// The ways to and from one member.
#[derive(Debug)]
pub(super) struct Cables {
    /// From the member to the database.
    pub(super) database: Proxy,
    /// From workers to the member.
    pub(super) workers: Proxy,
    /// From the other members to it.
    pub(super) members: Proxy,
}

impl Cables {
    /// Cables of a member whose port is not known yet.
    pub(super) fn new(database: u16) -> Self {
        Self {
            database: Proxy::in_front_of(database),
            workers: Proxy::in_front_of(1),
            members: Proxy::in_front_of(1),
        }
    }

    /// The settings of the member at the end of them.
    pub(super) fn settings(&self, database: &str) -> [(String, String); 3] {
        let address = format!("127.0.0.1:{}", self.members.port());
        [
            ("DATABASE_URL".to_owned(), database.to_owned()),
            ("CLUSTER_ADDRESS".to_owned(), address),
            ("CLUSTER_PUBLIC_URL".to_owned(), self.url()),
        ]
    }

    /// Where workers reach the member.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.workers.port())
    }

    /// The member listens on this port.
    pub(super) fn lead_to(&self, port: u16) {
        self.workers.redirect(port);
        self.members.redirect(port);
    }

    /// Mends all of them. What was sent meanwhile arrives now.
    pub(super) fn mend(&self) {
        for cable in [&self.database, &self.workers, &self.members] {
            cable.thaw();
        }
    }
}
