//! The state of the program, and what of it is news for systemd.

use crate::http::Awaited;

/// The state of the program at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// It waits for its database, or loads.
    Starting(Awaited),
    /// Another orchestrator leads, perhaps one whose name is known.
    Standby(Option<String>),
    /// It led, and ends that work: it becomes the standby of another orchestrator.
    Leaving,
    Serving {
        term: i64,
        is_proven: bool,
        health: &'static str,
        life: Life,
    },
}

/// The life of the FleetActor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Proven,
    /// The answer is awaited, and not late yet.
    Awaited,
    Silent,
}

impl Seen {
    fn status(&self) -> String {
        match self {
            Self::Starting(Awaited::Database) => "Starting: waits for the database".to_owned(),
            Self::Starting(Awaited::Fleet) => "Starting: loads the fleet".to_owned(),
            Self::Standby(Some(leader)) => format!("Standby: {leader} leads"),
            Self::Standby(None) => "Standby: another orchestrator leads".to_owned(),
            Self::Leaving => {
                "Hands over: ends its work as the leader, and becomes a standby".to_owned()
            }
            Self::Serving {
                life: Life::Silent, ..
            } => "The actor that decides about the fleet does not answer".to_owned(),
            Self::Serving {
                term,
                is_proven,
                health,
                life: Life::Proven | Life::Awaited,
            } => {
                let doubt = match is_proven {
                    true => "",
                    false => ", not confirmed by the database",
                };
                format!("Leads (term {term}{doubt}); the system is {health}")
            }
        }
    }

    fn is_alive(&self) -> bool {
        match self {
            Self::Starting(_) | Self::Standby(_) | Self::Leaving => true,
            Self::Serving { life, .. } => *life == Life::Proven,
        }
    }
}

/// A message to systemd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    Stopping,
    Beat,
    Longer,
    Status(String),
}

/// The announcements that systemd took.
#[derive(Debug, Default)]
pub(super) struct Announced {
    is_ready: bool,
    status: String,
}

impl Announced {
    /// Returns the messages that are due at this state.
    pub(super) fn news(&mut self, seen: &Seen) -> Vec<State> {
        let mut news = Vec::new();
        let is_ready = !matches!(seen, Seen::Starting(_));
        if is_ready && !self.is_ready {
            self.is_ready = true;
            news.push(State::Ready);
        } else if !self.is_ready {
            news.push(State::Longer);
        }
        if seen.is_alive() {
            news.push(State::Beat);
        }
        let status = seen.status();
        if status != self.status {
            news.push(State::Status(status.clone()));
            self.status = status;
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serving(life: Life) -> Seen {
        Seen::Serving {
            term: 3,
            is_proven: true,
            health: "healthy",
            life,
        }
    }

    fn status(text: &str) -> State {
        State::Status(text.to_owned())
    }

    #[test]
    fn a_start_is_ready_once_it_serves_and_reports_so_once() {
        let mut announced = Announced::default();
        let waits = Seen::Starting(Awaited::Database);
        assert_eq!(
            announced.news(&waits),
            [
                State::Longer,
                State::Beat,
                status("Starting: waits for the database")
            ]
        );
        assert_eq!(announced.news(&waits), [State::Longer, State::Beat]);
        assert_eq!(
            announced.news(&serving(Life::Proven)),
            [
                State::Ready,
                State::Beat,
                status("Leads (term 3); the system is healthy")
            ]
        );
        assert_eq!(announced.news(&serving(Life::Proven)), [State::Beat]);
    }

    #[test]
    fn a_standby_is_ready_and_its_take_over_no_second_start() {
        let mut announced = Announced::default();
        let standby = Seen::Standby(Some("n1".to_owned()));
        assert_eq!(
            announced.news(&standby),
            [State::Ready, State::Beat, status("Standby: n1 leads")]
        );
        assert_eq!(
            announced.news(&Seen::Starting(Awaited::Fleet)),
            [State::Beat, status("Starting: loads the fleet")]
        );
        assert_eq!(announced.news(&serving(Life::Proven)).len(), 2);
    }

    #[test]
    fn a_leader_that_becomes_a_standby_beats_on_and_is_ready_once() {
        let mut announced = Announced::default();
        announced.news(&serving(Life::Proven));
        assert_eq!(
            announced.news(&Seen::Leaving),
            [
                State::Beat,
                status("Hands over: ends its work as the leader, and becomes a standby")
            ]
        );
        assert_eq!(announced.news(&Seen::Leaving), [State::Beat]);
        let standby = Seen::Standby(Some("n2".to_owned()));
        assert_eq!(
            announced.news(&standby),
            [State::Beat, status("Standby: n2 leads")]
        );
    }

    #[test]
    fn an_actor_that_does_not_answer_beats_no_watchdog() {
        let mut announced = Announced::default();
        announced.news(&serving(Life::Proven));
        assert_eq!(announced.news(&serving(Life::Awaited)), []);
        assert_eq!(
            announced.news(&serving(Life::Silent)),
            [status(
                "The actor that decides about the fleet does not answer"
            )]
        );
        assert_eq!(announced.news(&serving(Life::Silent)), []);
        assert_eq!(
            announced.news(&serving(Life::Proven)).first(),
            Some(&State::Beat)
        );
    }

    #[test]
    fn a_leader_without_a_proof_reports_so() {
        let doubtful = Seen::Serving {
            term: 3,
            is_proven: false,
            health: "degraded",
            life: Life::Proven,
        };
        assert_eq!(
            doubtful.status(),
            "Leads (term 3, not confirmed by the database); the system is degraded"
        );
    }
}
