//! What entries keep, and what wakes whoever waits for one.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use super::Registry;
use super::entry::Entry;
use crate::domain::digest::StreamsDigest;
use crate::domain::fleet::Standing;
use crate::domain::ids::{AssignmentVersion, Incarnation};
use crate::domain::instance::InstanceStatus;
use crate::domain::lease::LeaseBoard;
use crate::domain::time::{Timestamp, WallTime};

fn standing(incarnation: i64, version: i64, status: InstanceStatus) -> Standing {
    Standing {
        incarnation: Incarnation::new(incarnation),
        status,
        flaps: 0,
        assignment_version: AssignmentVersion::new(version),
        held: 0,
        owned: 0,
        undelivered: 0,
        unconfirmed: 0,
        leased: false,
        lease: Duration::ZERO,
        silence_expected: false,
        withdrawn: None,
        releasing: 0,
        lingering: 0,
        exclusive: 0,
        to_run: 0,
        digest: StreamsDigest::default(),
        processors: None,
    }
}

#[test]
fn the_last_heartbeat_is_the_last_also_if_its_wall_time_is_smaller() {
    let at = Timestamp::from_micros;
    let shown = standing(1, 1, InstanceStatus::Active);
    let seat = Arc::new(LeaseBoard::default()).seat();
    let entry = Entry::new(
        "a".into(),
        shown,
        seat,
        Timestamp::ZERO,
        WallTime::from_micros(0),
    );
    for (now, wall) in [(10, 1_000), (20, -500), (30, 7)] {
        entry.stamp(at(now), WallTime::from_micros(wall));
        assert_eq!(entry.last_beat_wall(), WallTime::from_micros(wall));
    }
    entry.stamp(at(29), WallTime::from_micros(8));
    assert_eq!(entry.last_beat(), at(30));
    assert_eq!(entry.last_beat_wall(), WallTime::from_micros(7));
}

/// Whether something that happens in the middle of a look wakes who looked.
fn wakes(happens: impl FnOnce(&Registry)) -> bool {
    let registry = Registry::new();
    let publish = |standing| {
        registry.publish(
            &"a".into(),
            standing,
            Timestamp::ZERO,
            WallTime::from_micros(0),
        )
    };
    let _ = publish(standing(1, 1, InstanceStatus::Active));
    let entry = registry.get(&"a".into()).unwrap();
    let (changed, ()) = entry.look(|_| happens(&registry));
    let waker = Context::from_waker(Waker::noop());
    pin!(changed).poll(&mut { waker }).is_ready()
}

#[test]
fn what_happens_between_the_look_and_the_wait_wakes() {
    let publish = |next: Standing| {
        wakes(move |registry| {
            let (now, wall) = (Timestamp::ZERO, WallTime::from_micros(0));
            let _ = registry.publish(&"a".into(), next, now, wall);
        })
    };
    use InstanceStatus::{Active, Suspect};
    assert!(publish(standing(1, 2, Active)), "another version");
    assert!(publish(standing(2, 1, Active)), "another life");
    assert!(
        !publish(standing(1, 1, Suspect)),
        "nothing to do for a worker"
    );
    assert!(wakes(|registry| drop(registry.remove(&"a".into()))), "gone");
    assert!(!wakes(|_| {}));
}

#[test]
fn pages_follow_each_other_in_the_order_of_the_ids() {
    let registry = Registry::new();
    for id in ["c", "a", "d", "b"] {
        let shown = standing(1, 1, InstanceStatus::Active);
        let _ = registry.publish(&id.into(), shown, Timestamp::ZERO, WallTime::from_micros(0));
    }
    let ids = |page: Vec<Arc<Entry>>| -> Vec<String> {
        page.iter().map(|entry| entry.id().to_string()).collect()
    };
    assert_eq!(ids(registry.page(None, 3)), ["a", "b", "c"]);
    assert_eq!(ids(registry.page(Some(&"c".into()), 3)), ["d"]);
    registry.remove(&"b".into());
    assert_eq!(ids(registry.page(Some(&"a".into()), 1)), ["c"]);
    assert_eq!(ids(registry.all()), ["a", "c", "d"]);
    assert!(registry.page(Some(&"d".into()), 1).is_empty());
}
