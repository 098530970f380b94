//! The fleet in memory beside the one in the store.

use super::verdict::{Check, Invariant, Violations};
use crate::fleet::Fleet;
use crate::stream::Place;

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
