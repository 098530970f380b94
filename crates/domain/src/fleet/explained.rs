//! Why a stream went to its owner, and where it would go now (`explain/mod.rs`): the same rules as
//! `choice`, with every instance named.

use std::collections::{BTreeMap, BTreeSet};

use super::choice::Seeker;
use super::model::{Fleet, InstanceSlot, StreamSlot};
use super::scores::Scoring;
use crate::explain::{Candidate, MOST_NOW, MOST_PLACED, Placed, ShownScore, most};
use crate::ids::{InstanceId, StreamId};
use crate::instance::InstanceStatus;
use crate::placement::{Exclusion, Preference, Score};
use crate::reason::AssignReason;
use crate::stream::Place;
use crate::time::WallTime;

/// How many instances a placement looks at in each order: it explains a decision, and must not walk a
/// large fleet for it.
const LOOKED_AT: usize = 16;

/// The order of candidates: the order of the fields is that of the criteria.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_recovering: bool,
    preference: Preference,
    score: Score,
    id: InstanceId,
}

/// Where a stream could go now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Outlook {
    /// The instance that it would go to if it had to go.
    pub best: Option<InstanceId>,
    pub candidates: Vec<Candidate>,
    /// How many instances each rule excludes.
    pub excluded: BTreeMap<Exclusion, usize>,
}

impl Fleet {
    /// Returns the reasons for giving a stream to an instance, before the instance gets it. `scoring` is
    /// given if the stream is one of an emptied instance: then strain counts under `balanced` too.
    pub(in crate::fleet) fn placed(
        &self,
        stream: StreamId,
        to: &InstanceId,
        reason: AssignReason,
        at: WallTime,
        scoring: Option<&Scoring>,
    ) -> Placed {
        let room = self.room();
        let lists = [room.active(), room.recovering()].into_iter();
        let listed = lists.flat_map(|list| list.iter().take(LOOKED_AT));
        let mut ids: BTreeSet<&InstanceId> = listed.map(|candidate| &candidate.id).collect();
        let first = self.instances().take(LOOKED_AT);
        ids.extend(first.map(|slot| &slot.instance().id));
        let slot = self.stream(stream);
        let owner = slot.and_then(|slot| slot.place().assignment());
        ids.extend(owner.map(|owner| &owner.instance));
        ids.insert(to);
        let slots = ids.into_iter().filter_map(|id| self.instance(id));
        let (open, excluded) = self.judge(stream, Some(to), slots, scoring);
        Placed {
            at,
            reason,
            candidates: most(open, excluded, MOST_PLACED),
        }
    }

    /// Returns where a stream could go now. Walks the instances.
    pub fn outlook(&self, stream: StreamId) -> Outlook {
        let (mut open, mut excluded) = self.judge(stream, None, self.instances(), None);
        let mut counts: BTreeMap<Exclusion, usize> = BTreeMap::new();
        for rule in excluded
            .iter()
            .filter_map(|candidate| candidate.excluded_by)
        {
            *counts.entry(rule).or_default() += 1;
        }
        let best = open.first().map(|candidate| candidate.server_id.clone());
        // The owner is the one that is chosen now, whatever would be chosen today.
        let slot = self.stream(stream);
        let owner = slot.and_then(|slot| slot.place().assignment());
        if let Some(owner) = owner
            && let Some(at) = position_of(&excluded, &owner.instance)
        {
            let mut own = excluded.remove(at);
            own.chosen = true;
            open.push(own);
        }
        Outlook {
            best,
            candidates: most(open, excluded, MOST_NOW),
            excluded: counts,
        }
    }

    /// Returns those of the instances that can have a stream, best first, and those that cannot. The
    /// chosen one counts as one that can: it is about to have it.
    fn judge<'f>(
        &'f self,
        stream: StreamId,
        chosen: Option<&InstanceId>,
        slots: impl Iterator<Item = &'f InstanceSlot>,
        scoring: Option<&Scoring>,
    ) -> (Vec<Candidate>, Vec<Candidate>) {
        let Some(sought) = self.stream(stream) else {
            return (Vec::new(), Vec::new());
        };
        let seeker = Seeker::of(self, sought.stream());
        let policy = self.placement().policy;
        let (mut open, mut excluded) = (Vec::new(), Vec::new());
        for slot in slots {
            let (instance, mut facts) = (slot.instance(), slot.facts());
            let mut applied = policy;
            if let Some(scoring) = scoring {
                (applied, facts) = policy.in_recovery(&facts, scoring.strain(&instance.id));
            }
            let is_chosen = chosen == Some(&instance.id);
            let rule = exclusion(sought, &seeker, slot).filter(|_| !is_chosen);
            let rank = Rank {
                is_recovering: instance.status == InstanceStatus::Recovering,
                preference: seeker.preference(&instance.id),
                score: applied.score(&facts),
                id: instance.id.clone(),
            };
            let candidate = Candidate {
                server_id: instance.id.clone(),
                chosen: is_chosen,
                rank: None,
                score: Some(ShownScore::of(facts, applied)),
                excluded_by: rule,
            };
            match rule {
                None => open.push((rank, candidate)),
                Some(_) => excluded.push((rank, candidate)),
            }
        }
        open.sort_by(|(one, _), (two, _)| one.cmp(two));
        excluded.sort_by(|(one, _), (two, _)| one.cmp(two));
        let ranked = open
            .into_iter()
            .zip(1..)
            .map(|((_, candidate), rank)| Candidate {
                rank: Some(rank),
                ..candidate
            });
        let excluded = excluded.into_iter().map(|(_, candidate)| candidate);
        (ranked.collect(), excluded.collect())
    }
}

/// Returns why an instance cannot have a stream now.
fn exclusion(sought: &StreamSlot, seeker: &Seeker<'_>, slot: &InstanceSlot) -> Option<Exclusion> {
    let id = &slot.instance().id;
    let room = match sought.place() {
        Place::Assigned(owned) if owned.instance == *id => return Some(Exclusion::IsOwner),
        Place::Unclaimed {
            released_by: Some(by),
            ..
        } if by == id => return Some(Exclusion::ReleasedIt),
        Place::Assigned(_) => slot.free(),
        Place::Unclaimed { .. } | Place::Orphaned { .. } | Place::Disabled => slot.vacant(),
    };
    Exclusion::of(slot.instance(), room, seeker.need())
}

fn position_of(candidates: &[Candidate], id: &InstanceId) -> Option<usize> {
    candidates.iter().position(|one| one.server_id == *id)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::explain::Placed;
    use crate::fleet::filling::Filling;
    use crate::fleet::policies::Policies;
    use crate::fleet::scores::{Reading, Scores, Scoring};
    use crate::fleet::{Change, Draft, EvacuationCause, evacuate};
    use crate::placement::{PlacementPolicy, Strain};
    use crate::sample;

    /// In a recovery a busy machine is avoided also under `balanced`, and the reasons that are kept say so.
    #[test]
    fn the_kept_reasons_of_a_recovery_are_those_by_which_it_chose() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=4));
        sample::run(&mut ledger, sample::register("a", 4));
        sample::run(&mut ledger, sample::ask("a", 3));
        for id in ["busy", "idle"] {
            sample::run(&mut ledger, sample::register(id, 9));
        }
        sample::run(&mut ledger, sample::ask("idle", 1));
        let reading = Reading {
            cpu: Some(99.0),
            ..Reading::default()
        };
        let scores = Scores::of([("busy".into(), reading)], Duration::MAX);
        let scoring = Scoring::judge(scores, Duration::ZERO);
        let mut fleet = ledger.saved().clone();
        let (policies, filling) = (Policies::default(), Filling::default());
        let mut draft = Draft::new(&mut fleet, sample::NOW, policies, filling);
        evacuate(
            &mut draft,
            &"a".into(),
            EvacuationCause::InstanceFailed,
            &scoring,
        );
        let changes = draft.into_parts().changes;
        let placed: Vec<Placed> = changes
            .into_iter()
            .filter_map(|change| {
                let Change::Placing(placing) = change else {
                    return None;
                };
                Some(placing.placed)
            })
            .collect();
        assert_eq!(placed.len(), 2);
        for placed in placed {
            let chosen = placed.candidates.iter().find(|one| one.chosen).unwrap();
            assert_eq!(chosen.rank, Some(1), "{placed:?}");
            let mut all = placed.candidates.iter();
            let busy = all.find(|one| one.server_id.as_str() == "busy").unwrap();
            let score = busy.score.unwrap();
            let applied = (score.strain, score.policy);
            assert_eq!(
                applied,
                (Strain::Exhausted, Some(PlacementPolicy::LoadAware))
            );
        }
    }
}
