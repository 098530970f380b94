//! A standby of the database was promoted while a leader leads: were acknowledged changes lost?
//!
//! ```text
//!              renewal answered on a newer timeline
//!   leads ──────────────────────────────────────────▶ holds its changes
//!                                                        │ acknowledged version, members' word
//!                    Intact ◀──────────┬──────────────┴──────────▶ Nothing
//!   takes a new term with its word     │                  takes a new term that starts after a loss
//!   and goes on                        ▼                  and ends; the next leader has the mark
//!                                  Restores
//!                     takes a new term with the mark, writes the lost changes
//!                     again, removes the mark, and goes on
//! ```
//!
//! A promoted standby lacks the end of the history if it streamed asynchronously. The server says that it was
//! promoted: its timeline is higher than the one in the leader's term. A renewal there is *no proof*, although
//! the term is found unchanged, because another orchestrator may have led a later term that was lost
//! with the tail. So the leader takes a new term on the new timeline first. Nothing was lost for certain if
//! both hold:
//!
//! - the promoted database has the newest version that this leader acknowledged;
//! - each orchestrator that may have taken over says that it knows no higher term.
//!
//! Then the leader gives its *word* with its claim, and the term begins like any that it held before.
//!
//! If the second one holds and the leader keeps every change that the database lacks (`recent`), then it writes
//! them again, in order, each guarded by the new term: the acknowledged state is back, and nothing that was
//! granted has to be taken back. Until the last one is written, the mark of a loss stands in the row, so a crash
//! in between is a loss.
//!
//! A claim without a word on a newer timeline marks the row: its term *starts after a loss* (`loss`). What is
//! written beside the changes of the fleet (keys, alerts, webhooks, heartbeats) is not written again.
//!
//! | failure | consequence |
//! | --- | --- |
//! | a change is under way, or its outcome is unknown | a later version may be there; an earlier one shows that it is not |
//! | a lost change is too old to be kept | the term starts after a loss |
//! | a lost change cannot be written again | the process ends; the mark is in the row |
//! | an orchestrator that may have taken over does not answer | its word is missing: the term starts after a loss |
//! | the claim is not answered | the process ends; the next claimant has no word |
//! | another orchestrator claims first | its term starts after a loss; this leader is deposed |
//! | the process ends between claim and first renewal | the mark is in the row |

use std::fmt;

use super::moment::{FleetMoment, WalTimeline};
use super::row::{NodeName, RunId};
use super::takeover::LeadersWord;
use crate::ids::{Term, Version};

/// What the orchestrators that may have taken over say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum MembersWord {
    /// None of them knows a higher term; or there are none.
    NoHigherTerm,
    /// One of them knows a term that the promoted database does not have.
    HigherTerm { node: NodeName, term: Term },
    /// One of them does not answer.
    NoAnswer { node: NodeName },
    /// The process that answers is not the one that may have taken over: it does not know what that one did.
    OtherProcess { node: NodeName },
    /// The members have not been read since this leader began: one of them may be admitted.
    NotRead,
}

/// What the process at the address of an orchestrator says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct MemberAnswer {
    pub run: RunId,
    /// The highest term that it knows; none before its first look.
    pub highest: Option<Term>,
}

impl MembersWord {
    /// Of the orchestrators that may have taken over: each with its process, as the leader read it before a
    /// renewal that proved `own`, and with what is answered at its address.
    ///
    /// If that process had taken over before the renewal, the renewal would have failed. If it has taken over
    /// since, it knows so. A process that was started later does not know what the one before it did, and the
    /// promoted database does not have it either.
    pub fn of(
        own: Term,
        members: impl IntoIterator<Item = (NodeName, RunId, Option<MemberAnswer>)>,
    ) -> Self {
        for (node, run, answer) in members {
            match answer {
                Some(answer) if answer.run != run => return Self::OtherProcess { node },
                Some(MemberAnswer {
                    highest: Some(term),
                    ..
                }) if term > own => return Self::HigherTerm { node, term },
                Some(MemberAnswer {
                    highest: Some(_), ..
                }) => {}
                Some(MemberAnswer { highest: None, .. }) | None => {
                    return Self::NoAnswer { node };
                }
            }
        }
        Self::NoHigherTerm
    }
}

/// A promotion, as the leader of a term finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Promotion {
    pub term: Term,
    pub timeline: WalTimeline,
    /// The version that the promoted database has.
    pub found: Version,
    /// The newest version that this leader acknowledged.
    pub acknowledged: Version,
    /// Every change after this version, up to the acknowledged one, is kept.
    pub kept_since: Version,
    pub members: MembersWord,
}

impl Promotion {
    /// The moment of the promoted database that the leader judges.
    pub const fn moment(&self) -> FleetMoment {
        FleetMoment {
            timeline: self.timeline,
            term: self.term,
            version: self.found,
        }
    }

    /// What the leader says with its claim. `Nothing`: acknowledged changes were lost for good, or may be.
    pub fn word(&self) -> LeadersWord {
        if self.members != MembersWord::NoHigherTerm {
            LeadersWord::Nothing
        } else if self.found >= self.acknowledged {
            LeadersWord::Intact(self.moment())
        } else if self.found >= self.kept_since {
            LeadersWord::Restores(self.moment())
        } else {
            LeadersWord::Nothing
        }
    }
}

impl fmt::Display for Promotion {
    /// Says what was found, for the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            term,
            timeline,
            found,
            acknowledged,
            kept_since: _,
            members,
        } = self;
        let before = WalTimeline::of_term(*term).get();
        let after = timeline.get();
        write!(
            f,
            "a standby of the database was promoted (timeline {after}, was {before}): it has version \
             {found}, and version {acknowledged} was acknowledged"
        )?;
        match members {
            MembersWord::NoHigherTerm => Ok(()),
            MembersWord::HigherTerm { node, term } => write!(
                f,
                "; the orchestrator `{node}` knows term {term}, which it has not"
            ),
            MembersWord::NoAnswer { node } => write!(
                f,
                "; the orchestrator `{node}` may have taken over, and does not say whether it did"
            ),
            MembersWord::OtherProcess { node } => write!(
                f,
                "; the orchestrator `{node}` may have taken over before it was started again, and cannot say \
                 whether it did"
            ),
            MembersWord::NotRead => f.write_str(
                "; which orchestrators may have taken over was not read yet, because this one has just begun \
                 to lead",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::moment::is_promoted;
    use super::LeadersWord::{Intact, Nothing, Restores};
    use super::*;

    const TL: i64 = 1 << 32;

    #[test]
    fn a_database_was_promoted_if_its_timeline_is_above_that_of_the_term() {
        // term, timeline that is found, whether it was promoted
        let table = [
            (TL + 7, 1, false),
            (TL + 7, 2, true),
            (TL + 7, 9, true),
            (2 * TL + 1, 1, false),
            (7, 0, false),
            (7, 1, false),
            (0, 1, false),
        ];
        for (term, found, expected) in table {
            let is = is_promoted(Term::new(term), WalTimeline::new(found));
            assert_eq!(is, expected, "{term}, {found}");
        }
    }

    #[test]
    fn each_process_that_may_have_taken_over_has_to_say_that_it_knows_no_higher_term() {
        let answer = |run, highest: Option<i64>| MemberAnswer {
            run: RunId::new(run),
            highest: highest.map(Term::new),
        };
        let b = || NodeName::new("b");
        // what the process that was run 5 before the newest proof of term 7 answers, and what follows
        let table = [
            (Some(answer(5, Some(7))), MembersWord::NoHigherTerm),
            (Some(answer(5, Some(6))), MembersWord::NoHigherTerm),
            (
                Some(answer(5, Some(8))),
                MembersWord::HigherTerm {
                    node: b(),
                    term: Term::new(8),
                },
            ),
            (Some(answer(5, None)), MembersWord::NoAnswer { node: b() }),
            (None, MembersWord::NoAnswer { node: b() }),
            // It has read the term of the promoted database.
            (
                Some(answer(6, Some(7))),
                MembersWord::OtherProcess { node: b() },
            ),
        ];
        for (answered, expected) in table {
            let well = (NodeName::new("a"), RunId::new(1), Some(answer(1, Some(7))));
            let asked = [well, (b(), RunId::new(5), answered)];
            let found = MembersWord::of(Term::new(7), asked);
            assert_eq!(found, expected, "{answered:?}");
        }
        assert_eq!(MembersWord::of(Term::new(7), []), none());
    }

    fn none() -> MembersWord {
        MembersWord::NoHigherTerm
    }

    #[test]
    fn nothing_was_lost_if_version_and_term_are_there_or_can_be_written_again() {
        let node = || NodeName::new("b");
        let higher = MembersWord::HigherTerm {
            node: node(),
            term: Term::new(TL + 8),
        };
        let silent = MembersWord::NoAnswer { node: node() };
        let later = MembersWord::OtherProcess { node: node() };
        let moment = |version| FleetMoment {
            timeline: WalTimeline::new(2),
            term: Term::new(TL + 7),
            version: Version::new(version),
        };
        // found, members, word, a part of the sentence; 1003 was acknowledged, and 1001 to 1003 are kept
        let table = [
            (1003, none(), Intact(moment(1003)), "version 1003"),
            // A change whose outcome is unknown may be there.
            (1004, none(), Intact(moment(1004)), "version 1004"),
            (1002, none(), Restores(moment(1002)), "version 1002"),
            (1000, none(), Restores(moment(1000)), "version 1000"),
            (999, none(), Nothing, "version 999"),
            (1003, higher.clone(), Nothing, "`b` knows term"),
            (1002, higher, Nothing, "`b` knows term"),
            (1003, silent.clone(), Nothing, "`b` may have taken over"),
            (1002, silent, Nothing, "`b` may have taken over"),
            (1003, MembersWord::NotRead, Nothing, "was not read yet"),
            (1003, later.clone(), Nothing, "before it was started again"),
            (1002, later, Nothing, "before it was started again"),
        ];
        for (found, members, word, part) in table {
            let promotion = Promotion {
                term: Term::new(TL + 7),
                timeline: WalTimeline::new(2),
                found: Version::new(found),
                acknowledged: Version::new(1003),
                kept_since: Version::new(1000),
                members,
            };
            assert_eq!(promotion.word(), word, "{promotion}");
            let sentence = promotion.to_string();
            assert!(sentence.contains("(timeline 2, was 1)"), "{sentence}");
            assert!(sentence.contains(part), "{sentence}");
        }
    }
}
