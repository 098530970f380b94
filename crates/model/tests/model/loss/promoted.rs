//! A leader that lives through a promotion: what it says, its claim, and what it writes again.

use orchestrator_domain::ids::{Term, Version};
use orchestrator_domain::leadership::{
    FleetMoment, LeadersWord, MemberAnswer, MembersWord, NodeName, Promotion, RunId,
};

use super::database::Change;
use super::leader::Phase;
use super::setting::Mutation;
use super::world::{Standing, World};

/// An orchestrator, its process that the leader knew, and the answer of the one at its address.
type Asked = (NodeName, RunId, Option<MemberAnswer>);

impl World {
    /// What the others say, and what follows from it.
    pub(super) fn decide(&mut self, at: usize, answer: bool, mutation: Mutation) {
        let others: Vec<Asked> = self.others(at, answer, mutation);
        let (timeline, found) = (self.wal_timeline(), self.database.fleet.version);
        let Some(office) = self.orchestrators[at].office.as_mut() else {
            return;
        };
        let members = match office.members {
            _ if mutation == Mutation::IsSureToBeLast => MembersWord::NoHigherTerm,
            None => MembersWord::NotRead,
            Some(_) => MembersWord::of(office.term, others),
        };
        let acknowledged = office.fleet.version;
        let promotion = Promotion {
            term: office.term,
            timeline,
            found,
            acknowledged,
            kept_since: office.recent().complete_since(acknowledged),
            members,
        };
        let is_alone = promotion.members == MembersWord::NoHigherTerm;
        let word = if is_alone && mutation == Mutation::VersionsNotCompared {
            LeadersWord::Intact(promotion.moment())
        } else {
            promotion.word()
        };
        office.phase = Phase::Decided(word);
    }

    /// The process of each other orchestrator that a leader knew, and what it is answered at its address.
    fn others(&self, at: usize, answer: bool, mutation: Mutation) -> Vec<Asked> {
        let office = self.orchestrators[at].office.as_ref();
        let known = office.and_then(|office| office.members).unwrap_or_default();
        let others = self.orchestrators.iter().enumerate();
        let others = others.filter(|(other, _)| *other != at);
        let asked = others.map(|(other, orchestrator)| {
            let highest = orchestrator.seen;
            let process = self.process(other);
            let run = process.run_id();
            let expected = match mutation {
                Mutation::AsksAnyProcess => run,
                _ => RunId::new(i64::from(known[other])),
            };
            let said = MemberAnswer {
                run,
                highest: (highest > Term::default()).then_some(highest),
            };
            (process.node(), expected, answer.then_some(said))
        });
        asked.collect()
    }

    pub(super) fn claim(&mut self, at: usize, mutation: Mutation) {
        let (claimant, timeline) = (self.process(at), self.wal_timeline());
        let Some(office) = self.orchestrators[at].office.as_mut() else {
            return;
        };
        let Phase::Decided(word) = office.phase else {
            return;
        };
        let word = match word {
            LeadersWord::Intact(judged) if mutation == Mutation::WordOutlivesPromotion => {
                LeadersWord::Intact(FleetMoment { timeline, ..judged })
            }
            word => word,
        };
        let known = (word, office.fleet.version);
        let taken = self
            .database
            .take_over(claimant, office.term, known, timeline, mutation);
        let Some(taken) = taken else {
            self.end(at);
            return;
        };
        let term = self.database.row.term;
        office.term = term;
        office.fleet.counter = taken.fleet.counter;
        let found = taken.fleet.version;
        let judged = match word {
            LeadersWord::Intact(moment) | LeadersWord::Restores(moment) => Some(moment),
            LeadersWord::Nothing => None,
        };
        self.orchestrators[at].seen = term;
        self.note_term(word, taken.after_loss.is_some());
        if judged.is_some_and(|judged| judged != taken.moment) {
            self.end(at);
            return;
        }
        match word {
            LeadersWord::Intact(_) => self.go_on(at, found),
            LeadersWord::Restores(_) => {
                if mutation == Mutation::MarkRemovedFirst {
                    self.database.row.after_loss = None;
                }
                self.settle_by(at, found);
                let reached = found;
                if let Some(office) = self.office(at) {
                    office.phase = Phase::Restores { found, reached };
                }
            }
            LeadersWord::Nothing => self.end(at),
        }
    }

    pub(super) fn write(&mut self, at: usize, mutation: Mutation) {
        let Some(office) = self.orchestrators[at].office.as_mut() else {
            return;
        };
        let Phase::Restores { found, reached } = office.phase else {
            return;
        };
        let recent = office.recent();
        let mut lost: Vec<Change> = recent.after(found).copied().collect();
        if mutation == Mutation::WritesBackwards {
            lost.reverse();
        }
        let written = usize::try_from(reached.get() - found.get()).unwrap_or(usize::MAX);
        let Some(change) = lost.get(written) else {
            office.is_marked = true;
            self.truth.was_restored = true;
            self.go_on(at, reached);
            return;
        };
        let change = change.with_counter(office.fleet.counter);
        if self.database.save(office.term, reached, &change) {
            office.phase = Phase::Restores {
                found,
                reached: reached.next(),
            };
        } else {
            self.end(at);
        }
    }

    /// What the promoted database has settles a change in doubt.
    fn settle_by(&mut self, at: usize, found: Version) {
        let Some(office) = self.office(at) else {
            return;
        };
        let doubt = office.doubt.take();
        let is_there = found == office.fleet.version.next();
        let counter = office.fleet.counter;
        if let Some(change) = doubt.filter(|_| is_there) {
            self.acknowledge(at, &change.with_counter(counter));
        }
    }

    fn go_on(&mut self, at: usize, version: Version) {
        self.settle_by(at, version);
        let Some(office) = self.orchestrators[at].office.as_mut() else {
            return;
        };
        office.fleet.version = version;
        office.phase = Phase::Leads;
        office.proof_age = 0;
        office.is_marked |= self.database.row.after_loss.is_some();
        let is_torn = !office.fleet.agrees_with(&self.database.fleet);
        // If it was replaced, or the database promoted, meanwhile, then it finds that with its next renewal.
        self.truth.is_torn |= is_torn && self.standing(at) == Standing::Proven;
    }
}
