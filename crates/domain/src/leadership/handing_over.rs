//! Whom a leader hands its term to on purpose, and which orchestrator may be forgotten.
//!
//! A term is handed over only to an orchestrator that would take it within a second: it is ready, and its
//! row has just changed. Otherwise streams and workers would wait for a process that may be gone.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use super::members::{MemberStanding, SeenMember};
use super::row::NodeName;

/// Why a leader does not hand its term over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the sentences say it")]
pub enum StepDownRefusal {
    /// No orchestrator has that name.
    Unknown { to: NodeName, known: Vec<NodeName> },
    /// The database has not confirmed lately that this orchestrator leads: what it knows of the others may be old, and
    /// it could not release its term.
    Unproven,
    /// The leader is named itself.
    Itself { node: NodeName },
    /// The named one is not ready.
    NotReady {
        to: NodeName,
        standing: MemberStanding,
        unchanged_for: Duration,
        fresh: Duration,
    },
    /// No other one is ready.
    NoneReady {
        members: Vec<(NodeName, MemberStanding)>,
    },
}

impl fmt::Display for StepDownRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { to, known } => write!(
                f,
                "no orchestrator `{to}` is on this database; there {}",
                Names(known)
            ),
            Self::Unproven => f.write_str(
                "the database has not confirmed lately that this orchestrator leads, so it cannot hand its \
                 term over. Nothing was changed; try again once it answers",
            ),
            Self::Itself { node } => write!(
                f,
                "`{node}` leads already; the term is handed over to another orchestrator"
            ),
            Self::NotReady {
                to,
                standing,
                unchanged_for,
                fresh,
            } => write!(
                f,
                "`{to}` is `{}`, and its row changed {:.1} s ago; the term is handed over only to an \
                 orchestrator that is `ready` and whose row changed within {:.1} s. Nothing was \
                 changed; GET /cluster lists them",
                standing.as_str(),
                unchanged_for.as_secs_f64(),
                fresh.as_secs_f64()
            ),
            Self::NoneReady { members } if members.is_empty() => f.write_str(
                "no other orchestrator is on this database, so the streams would be without one. \
                 Nothing was changed; start a standby first",
            ),
            Self::NoneReady { members } => {
                f.write_str("no other orchestrator is ready to lead: ")?;
                for (index, (node, standing)) in members.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}`{node}` is `{}`", standing.as_str())?;
                }
                f.write_str(". Nothing was changed; GET /cluster lists them")
            }
        }
    }
}

/// Names in a sentence.
struct Names<'n>(&'n [NodeName]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("is no other one"),
            [one] => write!(f, "is `{one}`"),
            [first, rest @ ..] => {
                write!(f, "are `{first}`")?;
                rest.iter().try_for_each(|node| write!(f, ", `{node}`"))
            }
        }
    }
}

/// Chooses the orchestrator that gets the term: `to`, or the ready one with the newest release. `fresh` is
/// how long its row may be unchanged.
///
/// # Errors
/// If there is none, with the reason.
pub fn successor<'m>(
    members: &'m [SeenMember],
    me: &NodeName,
    to: Option<&NodeName>,
    fresh: Duration,
) -> Result<&'m SeenMember, StepDownRefusal> {
    let is_ready = |member: &SeenMember| {
        member.standing == MemberStanding::Ready && member.unchanged_for <= fresh
    };
    let Some(to) = to else {
        let ready = members.iter().filter(|member| is_ready(member));
        let first = ready.min_by_key(|member| {
            let release = release_number(&member.row.release);
            (Reverse(release), member.row.node.clone())
        });
        return first.ok_or_else(|| StepDownRefusal::NoneReady {
            members: members
                .iter()
                .map(|member| (member.row.node.clone(), member.standing))
                .collect(),
        });
    };
    if to == me {
        return Err(StepDownRefusal::Itself { node: to.clone() });
    }
    let named = members.iter().find(|member| member.row.node == *to);
    let named = named.ok_or_else(|| StepDownRefusal::Unknown {
        to: to.clone(),
        known: members
            .iter()
            .map(|member| member.row.node.clone())
            .collect(),
    })?;
    if is_ready(named) {
        Ok(named)
    } else {
        Err(StepDownRefusal::NotReady {
            to: to.clone(),
            standing: named.standing,
            unchanged_for: named.unchanged_for,
            fresh,
        })
    }
}

/// The numbers of a release, for an order: `0.10.0` is newer than `0.9.1`, and than its own candidate `0.10.0-rc.1`.
fn release_number(release: &str) -> (Vec<u64>, bool) {
    let (numbers, is_final) = match release.split_once('-') {
        Some((numbers, _)) => (numbers, false),
        None => (release, true),
    };
    let parts = numbers.split(|c: char| !c.is_ascii_digit());
    let parts = parts.map(|part| part.parse().unwrap_or(0)).collect();
    (parts, is_final)
}

/// Why an orchestrator is not forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the sentences say it")]
pub enum ForgetRefusal {
    /// No orchestrator has that name.
    Unknown {
        node: NodeName,
        known: Vec<NodeName>,
    },
    /// It is the leader.
    Leads { node: NodeName },
    /// It is not away.
    Lives {
        node: NodeName,
        standing: MemberStanding,
        unchanged_for: Duration,
    },
    /// It wrote its row at this moment, or another process leads by now.
    Changed { node: NodeName },
}

impl fmt::Display for ForgetRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { node, known } => write!(
                f,
                "No orchestrator `{node}` is on this database; there {}.",
                Names(known)
            ),
            Self::Leads { node } => write!(
                f,
                "`{node}` leads; only a member that is `away` is forgotten."
            ),
            Self::Lives {
                node,
                standing,
                unchanged_for,
            } => write!(
                f,
                "`{node}` is `{}`, and its row changed {:.1} s ago; only a member that is `away` is \
                 forgotten. Stop it first; GET /cluster shows when it is away.",
                standing.as_str(),
                unchanged_for.as_secs_f64()
            ),
            Self::Changed { node } => write!(
                f,
                "`{node}` wrote its row at this moment, or this orchestrator leads no more; nothing was \
                 changed. GET /cluster shows how it is."
            ),
        }
    }
}

/// Returns the orchestrator of that name, if it may be forgotten.
///
/// # Errors
/// If it may not, with the reason.
pub fn forgettable<'m>(
    members: &'m [SeenMember],
    me: &NodeName,
    node: &NodeName,
) -> Result<&'m SeenMember, ForgetRefusal> {
    if node == me {
        return Err(ForgetRefusal::Leads { node: node.clone() });
    }
    let member = members.iter().find(|member| member.row.node == *node);
    let member = member.ok_or_else(|| ForgetRefusal::Unknown {
        node: node.clone(),
        known: members
            .iter()
            .map(|member| member.row.node.clone())
            .collect(),
    })?;
    if member.standing == MemberStanding::Away {
        Ok(member)
    } else {
        Err(ForgetRefusal::Lives {
            node: node.clone(),
            standing: member.standing,
            unchanged_for: member.unchanged_for,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::members::tests::row;
    use super::*;

    const FRESH: Duration = Duration::from_secs(5);

    fn member(node: &str, standing: MemberStanding, seconds: u64, release: &str) -> SeenMember {
        let mut row = row(node, 1, true);
        row.release = release.to_owned();
        SeenMember {
            row,
            unchanged_for: Duration::from_secs(seconds),
            standing,
        }
    }

    fn me() -> NodeName {
        NodeName::new("a")
    }

    fn chosen(members: &[SeenMember], to: Option<&str>) -> Result<String, String> {
        let to = to.map(NodeName::new);
        let found = successor(members, &me(), to.as_ref(), FRESH);
        found
            .map(|member| member.row.node.to_string())
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn the_ready_one_with_the_newest_release_gets_the_term() {
        use MemberStanding::{Away, Ready, Waiting};
        let members = [
            member("b", Ready, 1, "0.9.1"),
            member("c", Ready, 1, "0.10.0"),
            member("d", Ready, 1, "0.10.0"),
            member("h", Ready, 1, "0.10.0-rc.2"),
            member("e", Ready, 6, "0.11.0"),
            member("f", Waiting, 1, "0.11.0"),
            member("g", Away, 60, "0.11.0"),
        ];
        assert_eq!(chosen(&members, None).as_deref(), Ok("c"));
        assert_eq!(chosen(&members, Some("b")).as_deref(), Ok("b"));
    }

    #[test]
    fn a_refusal_names_the_state_that_is_and_the_state_that_is_needed() {
        use MemberStanding::{Away, New, Outdated, Ready, Waiting};
        let members = [
            member("b", Away, 12, "1"),
            member("c", New, 1, "1"),
            member("d", Waiting, 1, "1"),
            member("e", Outdated, 1, "1"),
            member("f", Ready, 6, "1"),
        ];
        for (to, word) in [
            ("b", "`away`"),
            ("c", "`new`"),
            ("d", "`waiting`"),
            ("e", "`outdated`"),
            ("f", "6.0 s ago"),
        ] {
            let refused = chosen(&members, Some(to)).unwrap_err();
            assert!(refused.contains(word), "{refused}");
            assert!(
                refused.contains("is `ready`") && refused.contains("5.0 s"),
                "{refused}"
            );
        }
        let refused = chosen(&members, None).unwrap_err();
        assert!(refused.contains("`b` is `away`, `c` is `new`"), "{refused}");
        assert!(chosen(&[], None).unwrap_err().contains("start a standby"));
        let refused = chosen(&members, Some("x")).unwrap_err();
        assert!(
            refused.contains("`x`") && refused.contains("`b`, `c`"),
            "{refused}"
        );
        assert!(
            chosen(&members, Some("a"))
                .unwrap_err()
                .contains("leads already")
        );
    }

    #[test]
    fn only_a_member_that_is_away_is_forgotten() {
        for standing in MemberStanding::ALL {
            let members = [member("b", standing, 12, "1")];
            let found = forgettable(&members, &me(), &NodeName::new("b"));
            assert_eq!(
                found.is_ok(),
                standing == MemberStanding::Away,
                "{standing:?}"
            );
            if let Err(refusal) = found {
                let refused = refusal.to_string();
                assert!(refused.contains(standing.as_str()), "{refused}");
            }
        }
        let unknown = forgettable(&[], &me(), &NodeName::new("x")).unwrap_err();
        assert!(unknown.to_string().contains("is no other one"), "{unknown}");
        let leads = forgettable(&[], &me(), &me()).unwrap_err();
        assert!(leads.to_string().contains("`a` leads"), "{leads}");
    }
}
