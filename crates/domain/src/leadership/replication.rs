//! Whether a change that was acknowledged survives the loss of the primary.
//!
//! PostgreSQL acknowledges a COMMIT once its own disk has it. Standbys that stream from it may be behind,
//! unless the server waits for one of them (`synchronous_standby_names`). If the primary is lost then, the
//! promoted standby lacks the last changes. The leader looks once a minute, and raises the alert
//! `replication_is_asynchronous` for as long as that may happen.

use std::time::Duration;

use crate::alert::{AlertKind, DATABASE, News};

/// How long a leader waits between two looks at the replication.
pub const REPLICATION_LOOK: Duration = Duration::from_secs(60);

/// What the primary says of its standbys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replication {
    /// How many stream from it.
    pub standbys: u32,
    /// Whether a COMMIT waits for one of them.
    pub is_synchronous: bool,
}

impl Replication {
    /// The word for it in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self { standbys: 0, .. } => "none",
            Self {
                is_synchronous: true,
                ..
            } => "synchronous",
            Self { .. } => "asynchronous",
        }
    }

    /// Returns whether a fail-over may lose what was acknowledged.
    pub const fn may_lose(self) -> bool {
        self.standbys > 0 && !self.is_synchronous
    }
}

/// The alert about the replication.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplicationConcern {
    told: Option<Replication>,
}

impl ReplicationConcern {
    /// The replication was found like this; returns what changes in the book of alerts.
    pub fn judge(&mut self, found: Replication) -> Option<News> {
        let wanted = found.may_lose().then_some(found);
        if self.told == wanted {
            return None;
        }
        self.told = wanted;
        Some(match wanted {
            Some(Replication { standbys, .. }) => News::raise(
                AlertKind::ReplicationIsAsynchronous,
                DATABASE,
                format!(
                    "Standbys that stream from the primary: {standbys}. It waits for none of them: if it is \
                     lost, the one that is promoted may lack the last changes, although they were acknowledged."
                ),
            ),
            None => News::clear(AlertKind::ReplicationIsAsynchronous, DATABASE),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn of(standbys: u32, is_synchronous: bool) -> Replication {
        Replication {
            standbys,
            is_synchronous,
        }
    }

    #[test]
    fn changes_may_be_lost_if_standbys_stream_and_none_is_waited_for() {
        let table = [
            (of(0, false), "none", false),
            (of(0, true), "none", false),
            (of(1, true), "synchronous", false),
            (of(1, false), "asynchronous", true),
            (of(2, false), "asynchronous", true),
        ];
        for (found, word, may_lose) in table {
            assert_eq!((found.as_str(), found.may_lose()), (word, may_lose));
        }
    }

    #[test]
    fn the_alert_opens_once_and_closes() {
        let mut concern = ReplicationConcern::default();
        assert_eq!(concern.judge(of(0, false)), None);
        let Some(News::Raise { kind, detail, .. }) = concern.judge(of(1, false)) else {
            panic!("an alert is raised");
        };
        assert_eq!(kind, AlertKind::ReplicationIsAsynchronous);
        assert!(detail.contains("primary: 1."), "{detail}");
        assert_eq!(concern.judge(of(1, false)), None, "it is open");
        assert!(matches!(
            concern.judge(of(2, false)),
            Some(News::Raise { .. })
        ));
        assert!(matches!(
            concern.judge(of(2, true)),
            Some(News::Clear { .. })
        ));
        assert_eq!(concern.judge(of(0, false)), None);
    }
}
