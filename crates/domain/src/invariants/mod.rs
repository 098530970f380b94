//! What must hold of the fleet at all times, each under the name the documents call it by.
//!
//! Asserted by tests and simulation after every step, and by the consistency check of the running
//! program. The checks look at rows and indexes with their own eyes: they use none of the rules
//! they are to judge.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::fleet::{Fleet, InstanceSlot};
use super::ids::{Epoch, StreamId};
use super::instance::{Instance, InstanceStatus};
use super::stream::{Assignment, Place, StreamState};

/// How many violations of one invariant are listed; the rest are counted. A fleet that went
/// wrong wholesale must not make an answer of a hundred thousand lines.
pub const LISTED_VIOLATIONS: usize = 20;

/// The invariants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Invariant {
    /// One owner at the most, and epochs that only grow.
    #[serde(rename = "I1")]
    SingleOwner,
    /// No instance owns more than it may.
    #[serde(rename = "I2")]
    WithinCapacity,
    /// No stream is lost.
    #[serde(rename = "I3")]
    NoneLost,
    /// A recovery moves the streams of the failed instance and no others.
    #[serde(rename = "I4")]
    RecoveryIsExact,
    /// No assignment names an instance that cannot run it.
    #[serde(rename = "I5")]
    OwnersServe,
    /// Nobody fails for the orchestrator's own silence.
    #[serde(rename = "I6")]
    OwnSilenceHarmsNobody,
    /// Memory and database agree.
    #[serde(rename = "I7")]
    MemoryEqualsStore,
    /// Recoveries end or can be resumed.
    #[serde(rename = "I8")]
    RecoveriesEnd,
}

impl Invariant {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 8] = [
        Self::SingleOwner,
        Self::WithinCapacity,
        Self::NoneLost,
        Self::RecoveryIsExact,
        Self::OwnersServe,
        Self::OwnSilenceHarmsNobody,
        Self::MemoryEqualsStore,
        Self::RecoveriesEnd,
    ];

    /// The name in documents and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SingleOwner => "I1",
            Self::WithinCapacity => "I2",
            Self::NoneLost => "I3",
            Self::RecoveryIsExact => "I4",
            Self::OwnersServe => "I5",
            Self::OwnSilenceHarmsNobody => "I6",
            Self::MemoryEqualsStore => "I7",
            Self::RecoveriesEnd => "I8",
        }
    }

    /// What it demands, as a sentence.
    pub const fn text(self) -> &'static str {
        match self {
            Self::SingleOwner => "A stream has at most one assignment, and its epoch only grows.",
            Self::WithinCapacity => "An instance never holds more streams than its max_streams.",
            Self::NoneLost => {
                "Every enabled stream is assigned, unclaimed or orphaned, and no orphan waits \
                 while an eligible instance has room, unless it is paused."
            }
            Self::RecoveryIsExact => {
                "Recovering an instance moves exactly its streams and no other."
            }
            Self::OwnersServe => {
                "No assignment names a failed, removed or unknown instance once its recovery has \
                 ended."
            }
            Self::OwnSilenceHarmsNobody => {
                "No instance is failed for a silence that is the orchestrator's own."
            }
            Self::MemoryEqualsStore => "Memory and database agree.",
            Self::RecoveriesEnd => {
                "Every recovery ends or is resumable; a crash between any two steps loses nothing."
            }
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The result of looking at one invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which one.
    pub invariant: Invariant,
    /// Whether it holds.
    pub holds: bool,
    /// Where it does not, at most [`LISTED_VIOLATIONS`] and then how many more.
    pub violations: Vec<String>,
}

/// Collects violations, and only counts those too many to list.
struct Violations {
    invariant: Invariant,
    listed: Vec<String>,
    more: usize,
}

impl Violations {
    fn of(invariant: Invariant) -> Self {
        Self {
            invariant,
            listed: Vec::new(),
            more: 0,
        }
    }

    fn add(&mut self, violation: impl FnOnce() -> String) {
        if self.listed.len() < LISTED_VIOLATIONS {
            self.listed.push(violation());
        } else {
            self.more += 1;
        }
    }

    fn into_check(mut self) -> Check {
        let holds = self.listed.is_empty();
        if self.more > 0 {
            self.listed.push(format!("and {} more", self.more));
        }
        Check {
            invariant: self.invariant,
            holds,
            violations: self.listed,
        }
    }
}

/// Checks what a fleet shows by itself: I1, I2, I3 and I5. Walks all of it.
pub fn check_fleet(fleet: &Fleet) -> Vec<Check> {
    vec![
        single_owner(fleet),
        within_capacity(fleet),
        none_lost(fleet),
        owners_serve(fleet),
    ]
}

fn single_owner(fleet: &Fleet) -> Check {
    let mut violations = Violations::of(Invariant::SingleOwner);
    let mut epochs: BTreeMap<Epoch, StreamId> = BTreeMap::new();
    for slot in fleet.streams() {
        let id = slot.stream().id;
        let Some(assignment) = slot.place().assignment() else {
            continue;
        };
        let epoch = assignment.epoch;
        if epoch > fleet.counter() {
            violations.add(|| {
                format!(
                    "stream {id} has epoch {epoch}, beyond the last one given out, {}",
                    fleet.counter()
                )
            });
        }
        if let Some(other) = epochs.insert(epoch, id) {
            violations.add(|| format!("streams {other} and {id} share epoch {epoch}"));
        }
        let owner = &assignment.instance;
        if let Some(instance) = fleet.instance(owner)
            && !instance.held().contains(&id)
        {
            violations.add(|| {
                format!("stream {id} is assigned to `{owner}`, which is not known to hold it")
            });
        }
    }
    for slot in fleet.instances() {
        let holder = &slot.instance().id;
        for id in slot.held() {
            let owner = fleet
                .stream(*id)
                .and_then(|stream| stream.place().assignment())
                .map(|assignment| &assignment.instance);
            if owner != Some(holder) {
                violations.add(|| {
                    format!("`{holder}` is known to hold stream {id}, which is not assigned to it")
                });
            }
        }
    }
    violations.into_check()
}

fn within_capacity(fleet: &Fleet) -> Check {
    let mut violations = Violations::of(Invariant::WithinCapacity);
    for slot in fleet.instances() {
        let instance = slot.instance();
        if slot.held().len() > instance.max_streams as usize {
            violations.add(|| {
                format!(
                    "`{}` holds {} streams and may hold {}",
                    instance.id,
                    slot.held().len(),
                    instance.max_streams
                )
            });
        }
    }
    violations.into_check()
}

fn none_lost(fleet: &Fleet) -> Check {
    let mut violations = Violations::of(Invariant::NoneLost);
    let unclaimed: BTreeSet<StreamId> = fleet.unclaimed().collect();
    let orphaned: BTreeSet<StreamId> = fleet.orphaned().collect();
    for slot in fleet.streams() {
        let (id, state) = (slot.stream().id, slot.place().state());
        let lets_go = (slot.place().assignment()).is_some_and(Assignment::is_releasing);
        if slot.stream().enabled == matches!(slot.place(), Place::Disabled) && !lets_go {
            violations.add(|| {
                let said = if slot.stream().enabled { "" } else { "not " };
                format!("stream {id} is {said}to be run, and is {state}")
            });
        }
        if slot.stream().deleted && !lets_go {
            violations.add(|| {
                format!("stream {id} was deleted, has no owner, and is still in the fleet")
            });
        }
        if slot.stream().is_paused() && !waits(state) {
            violations.add(|| format!("stream {id} is paused, and is {state}"));
        }
        if unclaimed.contains(&id) != (state == StreamState::Unclaimed)
            || orphaned.contains(&id) != (state == StreamState::Orphaned)
        {
            violations.add(|| format!("stream {id} is {state}, and waits in another list"));
        }
    }
    for id in unclaimed.iter().chain(&orphaned) {
        if fleet.stream(*id).is_none() {
            violations.add(|| format!("stream {id} waits, and is not in the catalogue"));
        }
    }
    let room = fleet
        .instances()
        .find(|slot| is_eligible(slot.instance()) && has_vacancy(slot));
    if let Some(room) = room {
        let ready = orphaned.iter().filter(|id| {
            let slot = fleet.stream(**id);
            slot.is_none_or(|slot| !slot.stream().is_paused())
        });
        for id in ready {
            violations.add(|| {
                format!(
                    "stream {id} is orphaned while `{}` has room",
                    room.instance().id
                )
            });
        }
    }
    violations.into_check()
}

/// Whether a stream in this state is to be run, and nobody runs it.
const fn waits(state: StreamState) -> bool {
    matches!(state, StreamState::Unclaimed | StreamState::Orphaned)
}

/// Whether it could own one more stream now, whatever is promised to it.
fn has_vacancy(slot: &InstanceSlot) -> bool {
    slot.held().len() + slot.lingering().len() < slot.instance().max_streams as usize
}

/// Whether orphans may be pushed to it, as far as its state goes.
/// Whose leases end is to let go of streams, not to be given any.
const fn is_eligible(instance: &Instance) -> bool {
    instance.withdrawn.is_none()
        && matches!(
            instance.status,
            InstanceStatus::Active | InstanceStatus::Recovering
        )
}

fn owners_serve(fleet: &Fleet) -> Check {
    let mut violations = Violations::of(Invariant::OwnersServe);
    for slot in fleet.streams() {
        let id = slot.stream().id;
        let Some(assignment) = slot.place().assignment() else {
            continue;
        };
        let owner = &assignment.instance;
        match fleet.instance(owner).map(|slot| slot.instance().status) {
            None => violations
                .add(|| format!("stream {id} is assigned to `{owner}`, which is not registered")),
            Some(status) if !status.is_serving() => violations
                .add(|| format!("stream {id} is assigned to `{owner}`, which is {status}")),
            Some(_) => {}
        }
    }
    violations.into_check()
}

/// Checks that epochs only grew from one saved fleet to a later one (I1): what is assigned anew
/// has a higher epoch than any given out before.
pub fn check_epochs(before: &Fleet, after: &Fleet) -> Check {
    let mut violations = Violations::of(Invariant::SingleOwner);
    if after.counter() < before.counter() {
        violations.add(|| {
            format!(
                "the counter of epochs went back from {} to {}",
                before.counter(),
                after.counter()
            )
        });
    }
    for slot in after.streams() {
        let id = slot.stream().id;
        let Some(now) = slot.place().assignment() else {
            continue;
        };
        let unchanged = before
            .stream(id)
            .and_then(|slot| slot.place().assignment())
            .is_some_and(|then| then.instance == now.instance && then.epoch == now.epoch);
        if !unchanged && now.epoch <= before.counter() {
            violations.add(|| {
                format!(
                    "stream {id} went to `{}` with epoch {}, which was given out before",
                    now.instance, now.epoch
                )
            });
        }
    }
    violations.into_check()
}

/// Checks that the fleet in memory is the one in the store (I7), and names what differs.
pub fn compare(memory: &Fleet, stored: &Fleet) -> Check {
    let mut violations = Violations::of(Invariant::MemoryEqualsStore);
    if memory.counter() != stored.counter() {
        violations.add(|| {
            format!(
                "the last epoch given out is {} in memory and {} in the store",
                memory.counter(),
                stored.counter()
            )
        });
    }
    for slot in memory.instances() {
        let id = &slot.instance().id;
        match stored.instance(id).map(|slot| slot.instance()) {
            None => violations.add(|| format!("instance `{id}` is only in memory")),
            Some(other) if other != slot.instance() => {
                violations.add(|| format!("instance `{id}` differs"));
            }
            Some(_) => {}
        }
    }
    for slot in stored.instances() {
        let id = &slot.instance().id;
        if memory.instance(id).is_none() {
            violations.add(|| format!("instance `{id}` is only in the store"));
        }
    }
    for slot in memory.streams() {
        let id = slot.stream().id;
        match stored.stream(id) {
            None => violations.add(|| format!("stream {id} is only in memory")),
            Some(other) => {
                if other.stream() != slot.stream() {
                    violations.add(|| format!("the catalogue entry of stream {id} differs"));
                }
                if other.place() != slot.place() {
                    violations.add(|| {
                        format!(
                            "stream {id} is {} in memory and {} in the store",
                            whereabouts(slot.place()),
                            whereabouts(other.place())
                        )
                    });
                }
            }
        }
    }
    for slot in stored.streams() {
        let id = slot.stream().id;
        if memory.stream(id).is_none() {
            violations.add(|| format!("stream {id} is only in the store"));
        }
    }
    violations.into_check()
}

fn whereabouts(place: &Place) -> String {
    match place {
        Place::Assigned(assignment) => format!(
            "assigned to `{}` (epoch {}, delivered in {:?})",
            assignment.instance,
            assignment.epoch,
            assignment.delivered.map(|life| life.get())
        ),
        Place::Unclaimed { .. } | Place::Orphaned { .. } | Place::Disabled => {
            place.state().to_string()
        }
    }
}
