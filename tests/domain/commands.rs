//! The rules of the fleet as tables: delivery, placement, the catalogue, and what each command
//! refuses.

#![expect(
    clippy::expect_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use std::time::Duration;

use resilient_orchestrator::domain::commands::{
    AssignOutcome, AssignStreams, ClearSuspicion, Command, ConfirmDelivery, Confirmed,
    DeleteStream, DryRun, EndIncident, EndMaintenance, EscalateIncident, ForgetFailed,
    ForgiveInstance, HeartbeatForm, OpenIncident, Opening, PlaceWaiting, RecoverInstance,
    Recovered, RegisterInstance, Registered, Rejection, ReleaseStreams, Released, Removal,
    RemoveInstance, ReturnInstance, SaveStreams, StatusChange, StreamSpec, StreamsSaved,
    SuspectInstance, TrustInstance,
};
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::fleet::Standing;
use resilient_orchestrator::domain::fleet::{Fleet, InstanceSlot, Scoring, Snapshot};
use resilient_orchestrator::domain::ids::{
    AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId,
};
use resilient_orchestrator::domain::incident::Unmoved;
use resilient_orchestrator::domain::incident::{FailureCause, IncidentOutcome};
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::invariants::{
    Invariant, LISTED_VIOLATIONS, check_epochs, check_fleet, compare,
};
use resilient_orchestrator::domain::lease::{LeaseOver, lease};
use resilient_orchestrator::domain::ledger::Ledger;
use resilient_orchestrator::domain::liveness::FenceAnswer;
use resilient_orchestrator::domain::recovery::{self, Detected, Failure, Manner, Opened, Progress};
use resilient_orchestrator::domain::stream::{
    AssignReason, Holding, OrphanReason, Place, StreamState,
};
use resilient_orchestrator::domain::time::{Timestamp, WallTime};
use resilient_orchestrator::domain::timeline::Recent;

use crate::orders::{self, registration};

const fn at(seconds: i64) -> WallTime {
    WallTime::from_micros(seconds * 1_000_000)
}

fn first_attempt() -> Progress {
    Progress {
        attempt: 1,
        ..Progress::default()
    }
}

fn applying(opened: Opened, manner: Manner, scoring: Scoring) -> RecoverInstance {
    RecoverInstance::new(opened, lease_over(), manner, first_attempt(), scoring)
}

/// That of an instance without any.
fn lease_over() -> LeaseOver {
    let mut world = World::new();
    world.register("nobody", 1);
    let slot = world.ledger.saved().instance(&"nobody".into());
    let standing = Standing::of(slot.expect("registered"));
    let now = Timestamp::from_micros(0);
    let lease = lease(&standing, None, Duration::ZERO, now);
    lease.over().expect("classic")
}

/// A fleet whose commands are saved as soon as they are decided.
struct World {
    ledger: Ledger,
    events: Vec<Event>,
}

impl World {
    fn new() -> Self {
        Self {
            ledger: Ledger::new(Fleet::default()),
            events: Vec::new(),
        }
    }

    /// With streams 1 to `streams`, all unclaimed.
    fn with_streams(streams: i64) -> Self {
        let mut world = Self::new();
        world.save((1..=streams).map(spec));
        world
    }

    fn try_run<C: Command>(&mut self, command: C) -> Result<C::Reply, Rejection> {
        let reply = self.ledger.decide(&command, at(10));
        let batch = self.ledger.take_batch();
        self.events = batch.events().cloned().collect();
        self.ledger.commit(batch);
        for check in check_fleet(self.ledger.saved()) {
            assert!(check.holds, "{check:?}");
        }
        reply
    }

    fn run<C: Command>(&mut self, command: C) -> C::Reply {
        self.try_run(command).expect("accepted")
    }

    fn save(&mut self, specs: impl IntoIterator<Item = StreamSpec>) -> StreamsSaved {
        let streams = specs.into_iter().collect();
        self.run(SaveStreams { streams })
    }

    fn register(&mut self, id: &str, max_streams: u32) -> Registered {
        self.run(registration(id, max_streams))
    }

    fn ask(&mut self, id: &str, requested: i64) -> AssignOutcome {
        self.run(AssignStreams {
            id: id.into(),
            incarnation: None,
            requested,
        })
    }

    fn release(&mut self, id: &str, streams: &[i64]) -> Released {
        self.run(ReleaseStreams {
            epochs: None,
            id: id.into(),
            incarnation: None,
            streams: ids(streams),
            reason: None,
        })
    }

    /// Takes the whole way of a recovery; its events are those of the moves and of the end.
    fn recover(&mut self, id: &str) -> Recovered {
        let opening = self.opening(id, Manner::Ordinary);
        // Not `run`: what is to be recovered may be unsound.
        let opened = self.ledger.decide(&opening, at(10)).expect("accepted");
        let batch = self.ledger.take_batch();
        self.events = batch.events().cloned().collect();
        self.ledger.commit(batch);
        let Opening::Opened(opened) = opened else {
            return Recovered::default();
        };
        let applied = self.run(applying(opened, Manner::Ordinary, Scoring::default()));
        let (recovered, moves) = (Recovered::from(&applied), self.events.clone());
        let verified = applied
            .verify(self.ledger.saved())
            .expect("as it should be");
        self.run(EndIncident::recovered(verified));
        self.events.splice(0..0, moves);
        recovered
    }

    fn opening(&self, id: &str, manner: Manner) -> OpenIncident {
        OpenIncident::new(self.confirmed(id), manner, first_attempt())
    }

    fn confirmed(&self, id: &str) -> recovery::Confirmed {
        let slot = self.ledger.saved().instance(&id.into());
        let failure = Failure {
            id: id.into(),
            incarnation: self.life(id),
            cause: FailureCause::HeartbeatTimeout,
            detected_at: at(9),
        };
        Detected::new(failure)
            .refresh(slot.map(Standing::of).as_ref())
            .and_then(|refreshed| refreshed.reconfirm(Some(FenceAnswer::Fenced)))
            .expect("fenced")
    }

    fn confirm(&mut self, id: &str, version: Option<i64>, streams: &[i64]) -> Confirmed {
        self.run(ConfirmDelivery {
            form: HeartbeatForm::WithoutIncarnation,
            id: id.into(),
            incarnation: self.life(id),
            version: version.map(AssignmentVersion::new),
            running: Some(ids(streams)),
        })
    }

    fn suspect(&mut self, id: &str) {
        let (id, incarnation) = (id.into(), self.life(id));
        let change = self.run(SuspectInstance { id, incarnation });
        assert_eq!(change, StatusChange::Made);
    }

    fn put_on_probation(&mut self, id: &str) {
        self.recover(id);
        let (id, incarnation) = (id.into(), self.life(id));
        self.run(ReturnInstance { id, incarnation });
    }

    fn slot(&self, id: &str) -> &InstanceSlot {
        let slot = self.ledger.saved().instance(&InstanceId::from(id));
        slot.expect("registered")
    }

    fn life(&self, id: &str) -> Incarnation {
        self.slot(id).instance().incarnation
    }

    fn version(&self, id: &str) -> i64 {
        self.slot(id).instance().assignment_version.get()
    }

    fn status(&self, id: &str) -> InstanceStatus {
        self.slot(id).instance().status
    }

    fn held(&self, id: &str) -> Vec<i64> {
        self.slot(id).held().iter().map(|id| id.get()).collect()
    }

    fn place(&self, id: i64) -> Place {
        let slot = self.ledger.saved().stream(StreamId::new(id));
        slot.expect("in the catalogue").place().clone()
    }

    fn state(&self, id: i64) -> StreamState {
        self.place(id).state()
    }
}

fn spec(id: i64) -> StreamSpec {
    StreamSpec {
        name: Some(format!("s{id}").into()),
        ..orders::spec(id)
    }
}

fn with_priority(id: i64, priority: i32) -> StreamSpec {
    StreamSpec {
        priority: Some(priority),
        ..spec(id)
    }
}

fn ids(numbers: &[i64]) -> Vec<StreamId> {
    numbers.iter().copied().map(StreamId::new).collect()
}

/// What is handed out, whatever the epochs.
#[derive(Debug)]
struct HandedOut(Vec<StreamId>);

impl PartialEq<HandedOut> for AssignOutcome {
    fn eq(&self, HandedOut(expected): &HandedOut) -> bool {
        matches!(self, AssignOutcome::Assigned(holdings) if streams(holdings) == *expected)
    }
}

fn assigned(numbers: &[i64]) -> HandedOut {
    HandedOut(ids(numbers))
}

fn streams(holdings: &[Holding]) -> Vec<StreamId> {
    holdings.iter().map(|holding| holding.stream).collect()
}

// Delivery

/// A worker that holds 1 to 3 of 9 streams, and was told of them.
fn settled() -> World {
    let mut world = World::with_streams(9);
    world.register("a", 5);
    assert_eq!(world.ask("a", 3), assigned(&[1, 2, 3]));
    world
}

/// The same, with 8 and 9 moved to it from a failed one.
fn survivor(max_streams: u32) -> World {
    let mut world = World::with_streams(9);
    world.register("dead", 2);
    assert_eq!(world.ask("dead", 2), assigned(&[1, 2]));
    world.register("a", max_streams);
    assert_eq!(world.ask("a", 3), assigned(&[3, 4, 5]));
    world.recover("dead");
    world
}

#[test]
fn a_restarted_worker_gets_its_streams_back_by_asking() {
    let mut world = settled();
    assert_eq!(world.register("a", 5).assigned_streams(), ids(&[1, 2, 3]));
    assert_eq!(
        world.ask("a", 5),
        assigned(&[1, 2, 3, 4, 5]),
        "its own first, then new ones"
    );
    assert_eq!(world.ask("a", 0), AssignOutcome::Full { max_streams: 5 });
}

#[test]
fn a_worker_that_merely_registered_again_gets_no_duplicates() {
    let mut world = settled();
    world.register("a", 5);
    assert_eq!(
        world.ask("a", 2),
        assigned(&[4, 5]),
        "it asks for max - 3: it runs its three"
    );
}

#[test]
fn a_survivor_learns_of_its_new_streams_whatever_it_asks_for() {
    for (requested, max_streams, expected) in [
        (2, 8, &[1, 2, 6, 7][..]),
        (0, 8, &[1, 2]),
        (-4, 8, &[1, 2]),
        (0, 5, &[1, 2]),
        (2, 5, &[1, 2]),
    ] {
        let mut world = survivor(max_streams);
        assert_eq!(
            world.ask("a", requested),
            assigned(expected),
            "asked for {requested}, may hold {max_streams}"
        );
        assert_ne!(world.ask("a", 0), assigned(&[1, 2]), "told once");
    }
}

#[test]
fn the_three_kinds_are_handed_out_in_their_order() {
    let mut world = survivor(8);
    world.register("a", 8);
    assert_eq!(world.ask("a", 8), assigned(&[1, 2, 3, 4, 5, 6, 7, 8]));
    let mut world = survivor(5);
    world.register("a", 5);
    assert_eq!(
        world.ask("a", 5),
        assigned(&[1, 2, 3, 4, 5]),
        "full, and its own all the same"
    );
}

#[test]
fn nothing_to_hand_out_has_a_reason() {
    let mut world = World::new();
    world.register("a", 1);
    assert_eq!(world.ask("a", 5), AssignOutcome::NoneWaiting);
    world.save([spec(1), spec(2)]);
    assert_eq!(world.ask("a", -1), AssignOutcome::NoneWaiting);
    assert_eq!(world.ask("a", 5), assigned(&[1]));
    assert_eq!(world.ask("a", 5), AssignOutcome::Full { max_streams: 1 });
    world.recover("a");
    assert_eq!(
        world.ask("a", 5),
        AssignOutcome::NotEligible(InstanceStatus::Failed)
    );
}

#[test]
fn what_the_list_of_a_registration_shows_is_not_delivered() {
    let mut world = survivor(8);
    assert_eq!(
        world.register("a", 8).assigned_streams(),
        ids(&[1, 2, 3, 4, 5])
    );
    assert_eq!(
        world.ask("a", 5),
        assigned(&[1, 2, 6, 7, 8]),
        "it runs three and was told of three"
    );
}

#[test]
fn a_confirmed_version_delivers_what_it_contains_and_no_more() {
    let undelivered = |world: &World| world.slot("a").undelivered().len();
    let mut world = survivor(8);
    let version = world.version("a");
    for not_confirming in [None, Some(0), Some(version - 1), Some(version + 1)] {
        world.confirm("a", not_confirming, &[]);
        assert_eq!(undelivered(&world), 2, "{not_confirming:?}");
    }
    world.confirm("a", None, &[2, 7, 999]);
    assert_eq!(
        undelivered(&world),
        1,
        "it runs stream 2; the others are not its own"
    );
    assert_eq!(world.version("a"), version, "the set is the same");
    world.confirm("a", Some(version), &[]);
    assert_eq!(undelivered(&world), 0);
    world.confirm("a", Some(version), &[1, 2]);
    assert!(world.events.is_empty(), "confirming again saves nothing");
}

#[test]
fn a_confirmation_in_a_new_life_counts_for_that_life() {
    let mut world = settled();
    world.register("a", 5);
    let version = world.version("a");
    world.confirm("a", Some(version), &[]);
    assert_eq!(
        world.ask("a", 5),
        assigned(&[4, 5]),
        "it said that it runs the three"
    );
}

#[test]
fn an_instance_that_shrinks_lets_go_of_the_untold_first_and_of_the_highest_then() {
    for (max_streams, kept, shed) in [
        (5, &[1, 2, 3, 4, 5][..], &[][..]),
        (4, &[1, 3, 4, 5], &[2]),
        (3, &[3, 4, 5], &[1, 2]),
        (1, &[3], &[1, 2, 4, 5]),
    ] {
        let mut world = survivor(5);
        let version = world.version("a");
        let reply = world.register("a", max_streams);
        assert_eq!(reply.assigned_streams(), ids(kept));
        assert!(reply.reregistration && !reply.auto_rebalanced);
        assert_eq!(world.version("a") - version, i64::from(!shed.is_empty()));
        for stream in shed {
            let Place::Orphaned { reason, from, .. } = world.place(*stream) else {
                panic!("stream {stream} is not orphaned");
            };
            assert_eq!((reason, from.as_str()), (OrphanReason::RoomReduced, "a"));
        }
        let reply = world.register("b", 9);
        assert_eq!(
            reply.assigned_streams(),
            ids(shed),
            "placed as soon as there is room"
        );
        assert_eq!(reply.auto_rebalanced, !shed.is_empty());
    }
}

#[test]
fn what_an_instance_sheds_goes_elsewhere_at_once_if_there_is_room() {
    let mut world = survivor(5);
    world.register("b", 2);
    world.register("a", 2);
    assert_eq!(world.held("a"), [3, 4]);
    assert_eq!(
        world.held("b"),
        [1, 2],
        "higher priority, then lower ids, as far as there is room"
    );
    assert_eq!(world.state(5), StreamState::Orphaned);
}

// Placement

/// Registers instances with `(name, max, held)`, all active, then one that fails with `lost`
/// streams, and tells who holds how many.
fn placed(instances: &[(&str, u32, i64)], lost: i64) -> Vec<usize> {
    let held: i64 = instances.iter().map(|(_, _, held)| held).sum();
    let mut world = World::with_streams(held + lost);
    for (id, max_streams, held) in instances {
        world.register(id, *max_streams);
        world.ask(id, *held);
    }
    world.register("dead", 100);
    world.ask("dead", lost);
    world.recover("dead");
    let count = |(id, _, _): &(&str, u32, i64)| world.held(id).len();
    instances.iter().map(count).collect()
}

#[test]
fn the_least_relative_load_gets_the_next_stream() {
    for (instances, lost, expected) in [
        (&[("a", 10, 0), ("b", 10, 0)][..], 4, &[2, 2][..]),
        (&[("a", 10, 0), ("b", 30, 0)], 8, &[2, 6]),
        (&[("a", 10, 5), ("b", 10, 0)], 5, &[5, 5]),
        (&[("a", 10, 1), ("b", 100, 11)], 1, &[2, 11]),
        (&[("a", 2, 2), ("b", 2, 0)], 2, &[2, 2]),
        (&[("a", 10, 0), ("b", 10, 0)], 1, &[1, 0]),
        (&[("b", 10, 0), ("a", 20, 0)], 1, &[0, 1]),
    ] {
        assert_eq!(
            placed(instances, lost),
            expected,
            "{instances:?} get {lost} more"
        );
    }
}

#[test]
fn the_order_of_registration_decides_nothing() {
    let forwards = placed(&[("a", 7, 0), ("b", 5, 0), ("c", 3, 0)], 11);
    let mut backwards = placed(&[("c", 3, 0), ("b", 5, 0), ("a", 7, 0)], 11);
    backwards.reverse();
    assert_eq!(forwards, backwards);
}

#[test]
fn one_on_probation_gets_streams_only_when_no_active_one_has_room() {
    let mut world = World::with_streams(5);
    world.register("probation", 9);
    world.put_on_probation("probation");
    world.register("active", 3);
    world.register("dead", 5);
    world.ask("dead", 5);
    world.recover("dead");
    assert_eq!(world.held("active"), [1, 2, 3]);
    assert_eq!(world.held("probation"), [4, 5]);
    assert_eq!(world.status("probation"), InstanceStatus::Recovering);
}

#[test]
fn the_late_and_the_failed_are_pushed_nothing_until_they_are_well() {
    let mut world = World::with_streams(2);
    world.register("late", 9);
    world.suspect("late");
    world.register("failed", 9);
    world.recover("failed");
    world.register("dead", 9);
    world.ask("dead", 2);
    let recovered = world.recover("dead");
    assert_eq!(recovered.evacuation.orphaned, ids(&[1, 2]));
    let (id, incarnation) = ("late".into(), world.life("late"));
    world.run(ClearSuspicion { id, incarnation });
    assert_eq!(
        world.held("late"),
        [1, 2],
        "with the same transaction that clears it"
    );
}

#[test]
fn a_late_instance_may_ask() {
    let mut world = World::with_streams(2);
    world.register("late", 9);
    world.suspect("late");
    assert_eq!(world.ask("late", 1), assigned(&[1]));
}

#[test]
fn orphans_go_before_unclaimed_streams_and_by_priority() {
    let mut world = World::new();
    world.save([
        spec(1),
        with_priority(2, 5),
        spec(3),
        with_priority(4, 5),
        spec(5),
    ]);
    world.register("dead", 4);
    world.ask("dead", 4);
    world.recover("dead");
    let order: Vec<_> = world.ledger.saved().orphaned().collect();
    assert_eq!(order, ids(&[2, 4, 1, 3]));
    let reply = world.run(RegisterInstance {
        auto_assign: true,
        ..registration("filling", 3)
    });
    assert_eq!(reply.assigned_streams(), ids(&[1, 2, 4]));
    assert!(reply.auto_rebalanced && !reply.reregistration);
    world.run(RegisterInstance {
        auto_assign: true,
        ..registration("filling", 5)
    });
    assert_eq!(world.held("filling"), [1, 2, 3, 4, 5]);
    let reason = |id| {
        world
            .place(id)
            .assignment()
            .map(|assignment| assignment.reason)
    };
    assert_eq!(reason(3), Some(AssignReason::RoomAppeared));
    assert_eq!(reason(5), Some(AssignReason::AutoAssigned));
}

#[test]
fn a_changed_priority_moves_an_orphan_in_the_queue() {
    let mut world = World::with_streams(2);
    world.register("dead", 2);
    world.ask("dead", 2);
    world.recover("dead");
    world.save([with_priority(2, 1)]);
    world.register("small", 1);
    assert_eq!(world.held("small"), [2]);
}

#[test]
fn a_released_stream_is_not_pushed_back_but_may_be_asked_for() {
    let mut world = World::with_streams(3);
    let auto = |id| RegisterInstance {
        auto_assign: true,
        ..registration(id, 3)
    };
    world.run(auto("a"));
    assert_eq!(world.held("a"), [1, 2, 3]);
    assert_eq!(streams(&world.release("a", &[2, 2, 3, 77]).0), ids(&[2, 3]));
    world.run(PlaceWaiting);
    world.run(auto("a"));
    assert_eq!(world.held("a"), [1]);
    assert_eq!(
        world.ask("a", 1),
        assigned(&[1, 2]),
        "stream 1 was pushed and never told of"
    );
    world.run(auto("b"));
    assert_eq!(world.held("b"), [3], "another one is pushed it");
    assert_eq!(
        world.release("b", &[1]),
        Released(Vec::new()),
        "not its own"
    );
}

// Recovery and removal

#[test]
fn a_recovery_is_recorded_once_and_leaves_nothing_behind() {
    let mut world = World::with_streams(5);
    world.register("dead", 5);
    world.ask("dead", 5);
    world.register("a", 3);
    let epochs = world.ledger.saved().clone();
    let recovered = world.recover("dead");
    assert_eq!(recovered.evacuation.moved.len(), 3);
    assert_eq!(recovered.evacuation.orphaned, ids(&[4, 5]));
    assert_eq!(
        (world.status("dead"), world.held("dead")),
        (InstanceStatus::Failed, vec![])
    );
    assert!(matches!(
        world.events.first(),
        Some(Event::InstanceFailed { streams: 5, .. })
    ));
    assert!(matches!(
        world.events.last(),
        Some(Event::RecoveryEnded {
            outcome: IncidentOutcome::RecoveredPartially,
            moved: 3,
            orphaned: 2,
            ..
        })
    ));
    assert!(check_epochs(&epochs, world.ledger.saved()).holds);
    let again = world.recover("dead");
    assert_eq!(again.incident, None, "a repetition finds nothing to do");
    assert!(world.events.is_empty());
}

#[test]
fn a_failed_instance_that_still_owns_streams_is_emptied() {
    let mut world = settled();
    let saved = world.ledger.saved();
    let mut snapshot = Snapshot {
        rolls: Vec::new(),
        counter: saved.counter(),
        instances: saved
            .instances()
            .map(|slot| slot.instance().as_ref().clone())
            .collect(),
        streams: saved
            .streams()
            .map(|slot| (slot.stream().as_ref().clone(), slot.place().clone()))
            .collect(),
        last_beats: Vec::new(),
        watermark: None,
    };
    snapshot.instances[0].status = InstanceStatus::Failed;
    world.ledger = Ledger::new(Fleet::from_snapshot(&snapshot).unwrap());
    let recovered = world.recover("a");
    assert_eq!(recovered.evacuation.orphaned, ids(&[1, 2, 3]));
    assert!(recovered.incident.is_some());
}

#[test]
fn a_command_about_another_life_is_refused() {
    let mut world = settled();
    let (given, stale) = (world.life("a"), world.opening("a", Manner::Ordinary));
    let Opening::Opened(opened) = world.run(stale.clone()) else {
        panic!("it owns streams");
    };
    world.register("a", 5);
    let current = world.life("a");
    let refused = Rejection::OtherIncarnation {
        instance: "a".into(),
        given,
        current,
    };
    assert_eq!(world.try_run(stale), Err(refused.clone()));
    let moves = applying(opened, Manner::Ordinary, Scoring::default());
    assert_eq!(world.try_run(moves), Err(refused.clone()));
    let asks = AssignStreams {
        id: "a".into(),
        incarnation: Some(given),
        requested: 1,
    };
    assert_eq!(world.try_run(asks), Err(refused));
    assert_eq!(world.held("a"), [1, 2, 3]);
}

#[test]
fn an_unknown_instance_is_refused_by_every_command_about_one() {
    let mut world = World::new();
    let (id, incarnation) = (InstanceId::from("nobody"), Incarnation::new(1));
    let unknown = Rejection::UnknownInstance(id.clone());
    macro_rules! refuses {
        ($($command:expr),+ $(,)?) => {
            $(assert_eq!(world.try_run($command).unwrap_err(), unknown);)+
        };
    }
    refuses!(
        AssignStreams {
            id: id.clone(),
            incarnation: None,
            requested: 1
        },
        ReleaseStreams {
            epochs: None,
            id: id.clone(),
            incarnation: None,
            streams: vec![],
            reason: None,
        },
        RemoveInstance::new(id.clone()),
        SuspectInstance {
            id: id.clone(),
            incarnation
        },
        ClearSuspicion {
            id: id.clone(),
            incarnation
        },
        ReturnInstance {
            id: id.clone(),
            incarnation
        },
        TrustInstance {
            id: id.clone(),
            incarnation
        },
        ForgiveInstance {
            id: id.clone(),
            incarnation,
            flaps: 0
        },
        ConfirmDelivery {
            form: HeartbeatForm::WithoutIncarnation,
            id: id.clone(),
            incarnation,
            version: None,
            running: None
        },
    );
}

#[test]
fn a_removed_instance_leaves_its_streams_to_others_and_its_epochs_behind() {
    let mut world = World::with_streams(3);
    world.register("a", 5);
    world.ask("a", 3);
    let (life, before) = (world.life("a"), world.ledger.saved().clone());
    world.register("b", 2);
    let Removal::Done(removed) = world.run(RemoveInstance::new("a".into())) else {
        panic!("a classic one leaves at once");
    };
    assert_eq!((removed.moved.len(), removed.orphaned), (2, ids(&[3])));
    assert!(world.ledger.saved().instance(&"a".into()).is_none());
    world.register("a", 5);
    assert!(
        world.life("a") > life,
        "a later life is greater, deleted in between or not"
    );
    assert_eq!(world.held("a"), [3]);
    assert!(check_epochs(&before, world.ledger.saved()).holds);
}

#[test]
fn only_those_failed_for_long_and_owning_nothing_are_forgotten() {
    let mut world = World::new();
    for id in ["failed", "well"] {
        world.register(id, 1);
    }
    world.recover("failed");
    let early = world.run(ForgetFailed {
        kept: Recent::since(at(10)),
    });
    assert!(
        early.is_empty(),
        "it failed at that very moment, not before"
    );
    let forgotten = world.run(ForgetFailed {
        kept: Recent::since(at(11)),
    });
    assert_eq!(forgotten, [InstanceId::from("failed")]);
    assert_eq!(world.ledger.saved().instance_count(), 1);
}

#[test]
fn a_status_changes_by_its_own_command_only() {
    let mut world = World::new();
    world.register("a", 1);
    let (id, incarnation) = (InstanceId::from("a"), world.life("a"));
    let not_needed = StatusChange::NotNeeded;
    let made = StatusChange::Made;
    let suspect = || SuspectInstance {
        id: id.clone(),
        incarnation,
    };
    let clear = || ClearSuspicion {
        id: id.clone(),
        incarnation,
    };
    let back = || ReturnInstance {
        id: id.clone(),
        incarnation,
    };
    let trust = || TrustInstance {
        id: id.clone(),
        incarnation,
    };
    assert_eq!(world.run(clear()), not_needed);
    assert_eq!(world.run(back()), not_needed);
    assert_eq!(world.run(trust()), not_needed);
    assert_eq!(world.run(suspect()), made);
    assert_eq!(world.run(suspect()), not_needed);
    assert_eq!(world.run(clear()), made);
    world.recover("a");
    assert_eq!(world.run(suspect()), not_needed);
    assert_eq!(world.run(trust()), not_needed, "not before it has returned");
    assert_eq!(world.run(back()), made);
    assert_eq!(world.run(trust()), made);
    assert_eq!(world.status("a"), InstanceStatus::Active);
}

#[test]
fn only_a_failure_on_probation_is_a_flap_and_it_is_forgiven_once() {
    let mut world = World::new();
    world.register("a", 1);
    let id = InstanceId::from("a");
    let flaps = |world: &World| world.slot("a").instance().flaps;
    world.put_on_probation("a");
    assert_eq!(flaps(&world), 0);
    world.put_on_probation("a");
    assert_eq!(flaps(&world), 1);
    // A registration keeps it, and a failure by whatever cause counts.
    world.register("a", 1);
    world.recover("a");
    world.register("a", 1);
    assert_eq!(
        (world.status("a"), flaps(&world)),
        (InstanceStatus::Recovering, 2)
    );

    let incarnation = world.life("a");
    let forgive = |flaps| ForgiveInstance {
        id: id.clone(),
        incarnation,
        flaps,
    };
    let trust = TrustInstance {
        id: id.clone(),
        incarnation,
    };
    let not_needed = StatusChange::NotNeeded;
    assert_eq!(world.run(forgive(2)), not_needed, "not on probation");
    world.run(trust);
    assert_eq!(world.run(forgive(1)), not_needed);
    assert_eq!(world.run(forgive(2)), StatusChange::Made);
    assert_eq!(world.run(forgive(2)), not_needed, "once");
    assert_eq!(flaps(&world), 1);
    assert_eq!(world.run(forgive(1)), StatusChange::Made);
    assert_eq!(world.run(forgive(0)), not_needed, "never below none");
    assert_eq!(flaps(&world), 0);
}

#[test]
fn registering_again_starts_over_as_the_state_before_allows() {
    let mut world = World::new();
    world.register("a", 1);
    world.suspect("a");
    world.register("a", 1);
    assert_eq!(
        world.status("a"),
        InstanceStatus::Active,
        "suspicion is cleared"
    );
    world.recover("a");
    world.register("a", 1);
    assert_eq!(
        world.status("a"),
        InstanceStatus::Recovering,
        "a failure is not forgotten"
    );
    world.register("a", 1);
    assert_eq!(
        world.status("a"),
        InstanceStatus::Recovering,
        "nor cut short"
    );
}

// The catalogue

#[test]
fn absent_fields_keep_their_value_and_a_name_is_a_key() {
    let mut world = World::new();
    let named = |name: &str| StreamSpec {
        name: Some(name.into()),
        ..StreamSpec::default()
    };
    let full = StreamSpec {
        url: Some(Some("http://a".into())),
        priority: Some(3),
        ..spec(7)
    };
    assert_eq!(
        world.save([full]),
        StreamsSaved {
            created: 1,
            updated: 0,
            unchanged: 0,
            ids: vec![StreamId::new(7)],
        }
    );
    assert_eq!(
        world.save([named("s7"), named("new")]),
        StreamsSaved {
            created: 1,
            updated: 0,
            unchanged: 1,
            ids: vec![StreamId::new(7), StreamId::new(8)],
        }
    );
    assert!(
        !world
            .events
            .iter()
            .any(|event| event.kind() == "stream_updated"),
        "nothing changed"
    );
    let stream = |world: &World, id| {
        let slot = world.ledger.saved().stream(StreamId::new(id)).unwrap();
        slot.stream().clone()
    };
    assert_eq!(
        (stream(&world, 7).priority, &*stream(&world, 8).name),
        (3, "new")
    );
    assert_eq!(stream(&world, 7).url, Some("http://a".into()));
    let no_url = StreamSpec {
        url: Some(None),
        ..named("s7")
    };
    world.save([no_url]);
    assert_eq!(stream(&world, 7).url, None);
}

#[test]
fn one_bad_entry_saves_none() {
    let mut world = World::with_streams(2);
    let before = world.ledger.saved().clone();
    let taken = StreamSpec {
        name: Some("s2".into()),
        ..spec(9)
    };
    let nameless = StreamSpec {
        id: Some(StreamId::new(9)),
        ..StreamSpec::default()
    };
    for (bad, refused) in [
        (
            taken,
            Rejection::NameTaken {
                index: 1,
                name: "s2".into(),
                owner: StreamId::new(2),
                is_deleted: false,
            },
        ),
        (nameless, Rejection::NameMissing { index: 1 }),
    ] {
        let streams = vec![spec(5), bad];
        assert_eq!(world.try_run(SaveStreams { streams }), Err(refused));
        assert!(before == *world.ledger.saved() && before == *world.ledger.draft());
    }
}

#[test]
fn every_bad_entry_is_named_and_the_first_one_first() {
    let mut world = World::with_streams(2);
    let named = |id: i64, name: &str| StreamSpec {
        name: Some(name.into()),
        ..spec(id)
    };
    let taken = |index: usize, name: &str, owner: i64| Rejection::NameTaken {
        index,
        name: name.into(),
        owner: StreamId::new(owner),
        is_deleted: false,
    };
    let streams = vec![named(8, "s2"), named(3, "new"), named(9, "s1")];
    let refused = world.try_run(SaveStreams { streams }).unwrap_err();
    let all = vec![taken(0, "s2", 2), taken(2, "s1", 1)];
    assert_eq!(refused, Rejection::SeveralEntries(all));
    assert!(refused.to_string().contains("One more entry"), "{refused}");
}

#[test]
fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    let mut world = World::with_streams(2);
    let before = world.ledger.saved().clone();
    let streams = vec![
        spec(1),
        spec(7),
        StreamSpec {
            priority: Some(3),
            ..spec(2)
        },
    ];
    let command = SaveStreams { streams };
    let tried = world.try_run(DryRun(command.clone()));
    assert!(before == *world.ledger.saved() && before == *world.ledger.draft());
    assert_eq!(tried, world.try_run(command));
    let counts = tried.map(|saved| (saved.created, saved.updated, saved.unchanged));
    assert_eq!(counts, Ok((1, 1, 1)));
    let unknown = DryRun(DeleteStream {
        id: StreamId::new(99),
    });
    let refused = Err(Rejection::UnknownStream(StreamId::new(99)));
    assert_eq!(world.try_run(unknown), refused);
}

/// Found by reading: the number after the highest is the highest, and its stream was overwritten.
#[test]
fn a_stream_without_an_id_never_overwrites_the_one_with_the_highest() {
    let mut world = World::new();
    world.save([spec(i64::MAX)]);
    let streams = vec![StreamSpec {
        name: Some("next".into()),
        ..StreamSpec::default()
    }];
    let refused = world.try_run(SaveStreams { streams });
    assert_eq!(refused, Err(Rejection::IdsExhausted { index: 0 }));
}

#[test]
fn disabling_and_deleting_end_an_assignment() {
    let mut world = settled();
    let version = world.version("a");
    let disabled = StreamSpec {
        enabled: Some(false),
        ..spec(1)
    };
    world.save([disabled]);
    assert!(
        world
            .events
            .iter()
            .any(|event| event.kind() == "stream_withdrawn")
    );
    world.run(DeleteStream {
        id: StreamId::new(2),
    });
    assert!(
        world
            .events
            .iter()
            .any(|event| event.kind() == "stream_withdrawn")
    );
    assert_eq!(
        (world.held("a"), world.version("a")),
        (vec![3], version + 2)
    );
    let enabled = StreamSpec {
        enabled: Some(true),
        ..spec(1)
    };
    world.save([enabled]);
    assert_eq!(world.state(1), StreamState::Unclaimed);
    let gone = world.try_run(DeleteStream {
        id: StreamId::new(2),
    });
    assert_eq!(gone, Err(Rejection::UnknownStream(StreamId::new(2))));
}

// The ledger

#[test]
fn nobody_sees_what_is_not_saved() {
    let mut world = World::with_streams(2);
    let before = world.ledger.saved().clone();
    world.ledger.decide(&registration("a", 2), at(20)).unwrap();
    assert!(*world.ledger.saved() == before);
    let batch = world.ledger.take_batch();
    assert!(*world.ledger.saved() == before);
    world.ledger.undo(batch);
    assert!(*world.ledger.draft() == before);
}

/// Found by reading: a saved batch published the epochs of what was decided after it.
#[test]
fn a_saved_batch_shows_its_own_epochs_only() {
    let mut ledger = Ledger::new(Fleet::default());
    ledger.decide(&registration("a", 2), at(1)).unwrap();
    let first = ledger.take_batch();
    ledger.decide(&registration("b", 2), at(2)).unwrap();
    let counter = first.counter();
    ledger.commit(first);
    assert_eq!(ledger.saved().counter(), counter);
    let second = ledger.take_batch();
    ledger.commit(second);
    assert!(ledger.saved() == ledger.draft());
    let nothing = ledger.take_batch();
    ledger.commit(nothing);
    assert!(
        ledger.saved() == ledger.draft(),
        "an empty batch changes nothing"
    );
}

// The checks themselves

fn snapshot(world: &World) -> Snapshot {
    let fleet = world.ledger.saved();
    let instances = fleet
        .instances()
        .map(|slot| slot.instance().as_ref().clone());
    let streams = fleet
        .streams()
        .map(|slot| (slot.stream().as_ref().clone(), slot.place().clone()));
    Snapshot {
        rolls: Vec::new(),
        counter: fleet.counter(),
        instances: instances.collect(),
        streams: streams.collect(),
        last_beats: Vec::new(),
        watermark: None,
    }
}

fn assign_to(place: &mut Place, change: impl FnOnce(&mut Epoch)) {
    if let Place::Assigned(assignment) = place {
        change(&mut assignment.epoch);
    }
}

#[test]
fn each_kind_of_damage_breaks_its_invariant() {
    type Damage = fn(&mut Snapshot);
    let damages: [(&str, Invariant, Damage); 7] = [
        ("an epoch twice", Invariant::SingleOwner, |rows| {
            let first = rows.streams[0]
                .1
                .assignment()
                .map(|assignment| assignment.epoch);
            assign_to(&mut rows.streams[1].1, |epoch| *epoch = first.unwrap());
        }),
        ("an epoch of the future", Invariant::SingleOwner, |rows| {
            let beyond = rows.counter.next();
            assign_to(&mut rows.streams[0].1, |epoch| *epoch = beyond);
        }),
        ("too many streams", Invariant::WithinCapacity, |rows| {
            rows.instances[0].max_streams = 2;
        }),
        (
            "an orphan although there is room",
            Invariant::NoneLost,
            |rows| {
                rows.streams[8].1 = Place::Orphaned {
                    reason: OrphanReason::InstanceFailed,
                    from: "x".into(),
                    since: at(0),
                };
            },
        ),
        ("enabled and nowhere", Invariant::NoneLost, |rows| {
            rows.streams[8].1 = Place::Disabled;
        }),
        ("disabled and waiting", Invariant::NoneLost, |rows| {
            rows.streams[8].0.enabled = false;
        }),
        ("a failed owner", Invariant::OwnersServe, |rows| {
            rows.instances[0].status = InstanceStatus::Failed;
        }),
    ];
    for (what, invariant, damage) in damages {
        let world = settled();
        let mut rows = snapshot(&world);
        damage(&mut rows);
        let fleet = Fleet::from_snapshot(&rows).unwrap();
        let broken = check_fleet(&fleet).into_iter().filter(|check| !check.holds);
        let broken: Vec<Invariant> = broken.map(|check| check.invariant).collect();
        assert_eq!(broken, [invariant], "{what}");
        assert!(!compare(world.ledger.saved(), &fleet).holds, "{what}");
    }
}

#[test]
fn an_index_that_lost_a_stream_is_found() {
    use resilient_orchestrator::domain::fleet::Change;
    let world = settled();
    let mut fleet = world.ledger.saved().clone();
    let instance = world.slot("a").instance().clone();
    let row = |after| Change::Instance {
        id: "a".into(),
        before: None,
        after,
    };
    fleet.apply(row(None));
    let failing = |fleet: &Fleet| -> Vec<Invariant> {
        let checks = check_fleet(fleet).into_iter();
        checks
            .filter(|check| !check.holds)
            .map(|check| check.invariant)
            .collect()
    };
    assert_eq!(
        failing(&fleet),
        [Invariant::OwnersServe],
        "assigned to nobody known"
    );
    fleet.apply(row(Some(instance)));
    assert_eq!(
        failing(&fleet),
        [Invariant::SingleOwner],
        "owned, and not known to be held"
    );
}

#[test]
fn a_comparison_names_what_differs_and_counts_the_rest() {
    let world = settled();
    let memory = world.ledger.saved();
    assert!(compare(memory, memory).holds);
    let mut rows = snapshot(&world);
    rows.instances[0].port = 1;
    rows.streams.remove(8);
    rows.streams[0].1 = Place::Disabled;
    let check = compare(memory, &Fleet::from_snapshot(&rows).unwrap());
    assert_eq!((check.invariant.name(), check.holds), ("I7", false));
    assert_eq!(check.violations.len(), 3, "{:?}", check.violations);
    assert_eq!(check.violations[0], "instance `a` differs");
    assert!(check.violations[1].starts_with("stream 1 is assigned to `a` (epoch"));
    assert_eq!(check.violations[2], "stream 9 is only in memory");

    let many = World::with_streams(LISTED_VIOLATIONS as i64 + 5);
    let check = compare(many.ledger.saved(), &Fleet::default());
    assert_eq!(check.violations.len(), LISTED_VIOLATIONS + 1);
    assert_eq!(check.violations.last().unwrap(), "and 5 more");
}

#[test]
fn a_reused_epoch_and_a_counter_that_went_back_are_found() {
    let world = settled();
    let after = world.ledger.saved();
    let mut rows = snapshot(&world);
    rows.streams[0].1 = Place::Unclaimed {
        released_by: None,
        since: at(0),
    };
    let before = Fleet::from_snapshot(&rows).unwrap();
    assert!(
        !check_epochs(&before, after).holds,
        "given out before, and not there before"
    );
    rows.counter = rows.counter.next();
    let ahead = Fleet::from_snapshot(&rows).unwrap();
    let check = check_epochs(&ahead, &before);
    assert!(!check.holds && check.violations[0].contains("went back"));
    assert!(check_epochs(after, after).holds);
}

#[test]
fn a_check_prints_as_the_answer_shows_it() {
    let names = Invariant::ALL.map(Invariant::name);
    assert_eq!(names, ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"]);
    for invariant in Invariant::ALL {
        assert_eq!(serde_json::to_value(invariant).unwrap(), invariant.name());
    }
    let check = compare(&Fleet::default(), &Fleet::default());
    assert_eq!(
        serde_json::to_value(check).unwrap(),
        serde_json::json!({"invariant": "I7", "holds": true, "violations": []})
    );
}

// Emergencies, and what is recorded

fn taken_out() -> Manner {
    Manner::TakenOut {
        reason: "its disk is full".to_owned().into(),
    }
}

fn opened(world: &mut World, id: &str, manner: Manner) -> Opened {
    let opening = world.opening(id, manner);
    match world.run(opening) {
        Opening::Opened(opened) => opened,
        Opening::NothingToDo => panic!("nothing to do"),
    }
}

#[test]
fn an_incident_is_open_before_anything_is_moved() {
    let mut world = settled();
    let before = world.ledger.saved().clone();
    let opened = opened(&mut world, "a", Manner::Ordinary);
    assert_eq!(opened.incident().streams_affected, 3);
    assert_eq!(opened.incident().outcome, None);
    assert_eq!(world.held("a"), [1, 2, 3]);
    assert_eq!(world.status("a"), InstanceStatus::Active);
    assert!(world.events.is_empty());
    let check = check_epochs(&before, world.ledger.saved());
    assert!(check.holds, "{check:?}");
}

#[test]
fn every_manner_leaves_the_instance_empty_in_its_own_state() {
    for (manner, status, kinds) in [
        (
            Manner::Ordinary,
            InstanceStatus::Failed,
            &["instance_failed"] as &[&str],
        ),
        (
            Manner::Emergency,
            InstanceStatus::Failed,
            &["instance_failed", "emergency_recovered"],
        ),
        (
            taken_out(),
            InstanceStatus::Maintenance,
            &["emergency_recovered"],
        ),
    ] {
        let mut world = settled();
        let opened = opened(&mut world, "a", manner.clone());
        let applied = world.run(applying(opened, manner.clone(), Scoring::default()));
        assert_eq!(world.status("a"), status);
        assert_eq!(world.held("a"), Vec::<i64>::new());
        let told: Vec<&str> = world.events.iter().map(Event::kind).collect();
        assert_eq!(&told[..kinds.len()], kinds);
        let reason = if manner.is_emergency() {
            OrphanReason::Emergency
        } else {
            OrphanReason::InstanceFailed
        };
        assert!(world.events.iter().any(
            |event| matches!(event, Event::StreamOrphaned { reason: told, .. } if *told == reason)
        ));
        assert_eq!(applied.incident().reason.as_ref(), manner.reason());
        assert!(applied.verify(world.ledger.saved()).is_ok());
    }
}

#[test]
fn an_instance_that_failed_and_owns_nothing_can_still_be_taken_out() {
    let mut world = settled();
    world.recover("a");
    let again = world.opening("a", Manner::Emergency);
    assert_eq!(world.run(again), Opening::NothingToDo);
    for _ in 0..2 {
        let opened = opened(&mut world, "a", taken_out());
        world.run(applying(opened, taken_out(), Scoring::default()));
        assert_eq!(world.status("a"), InstanceStatus::Maintenance);
    }
    let ordinary = world.opening("a", Manner::Ordinary);
    assert_eq!(
        world.try_run(ordinary),
        Err(Rejection::WrongStatus {
            instance: "a".into(),
            status: InstanceStatus::Maintenance
        })
    );
}

#[test]
fn maintenance_ends_as_active_for_who_beats_and_as_failed_for_who_does_not() {
    for (beats, status) in [
        (true, InstanceStatus::Active),
        (false, InstanceStatus::Failed),
    ] {
        let mut world = settled();
        let (id, incarnation) = (InstanceId::from("a"), world.life("a"));
        let command = EndMaintenance {
            id,
            incarnation,
            beats,
        };
        assert_eq!(
            world.run(command.clone()),
            InstanceStatus::Active,
            "not in it"
        );
        assert!(world.events.is_empty());
        let opened = opened(&mut world, "a", taken_out());
        world.run(applying(opened, taken_out(), Scoring::default()));
        assert_eq!(world.run(command), status);
        assert_eq!(world.status("a"), status);
        let kept = world.held("a").len();
        assert_eq!(kept, if beats { 3 } else { 0 }, "orphans find room at once");
    }
}

#[test]
fn moves_that_are_not_there_are_not_verified() {
    let mut world = settled();
    let before = world.ledger.saved().clone();
    let opened = opened(&mut world, "a", Manner::Ordinary);
    let applied = world.run(applying(opened, Manner::Ordinary, Scoring::default()));
    let unverified = applied.clone().verify(&before).expect_err("nothing moved");
    assert_eq!(unverified.found.len(), 3, "{unverified:?}");
    let returned = ReturnInstance {
        id: "a".into(),
        incarnation: world.life("a"),
    };
    world.run(returned);
    assert_eq!(
        world.held("a").len(),
        3,
        "it came back, and there was no other room"
    );
    assert!(applied.verify(world.ledger.saved()).is_ok());
}

#[test]
fn used_up_attempts_are_told_of_once_whenever_they_can_be_saved() {
    let escalated = Progress {
        attempt: 7,
        escalated_at: Some(at(8)),
        ..Progress::default()
    };
    let is_told = |events: &[Event]| {
        let told = |event: &&Event| matches!(event, Event::RecoveryEscalated { attempts: 7, .. });
        events.iter().filter(told).count()
    };
    let mut world = settled();
    let late = OpenIncident::new(world.confirmed("a"), Manner::Emergency, escalated.clone());
    world.run(late);
    assert_eq!(is_told(&world.events), 1);

    let opened = opened(&mut world, "a", Manner::Ordinary);
    let escalate = EscalateIncident::new(opened, at(8), escalated.clone());
    let opened = world.run(escalate);
    assert_eq!(is_told(&world.events), 1);
    assert_eq!(opened.incident().escalated_at, Some(at(8)));
    let moves = RecoverInstance::new(
        opened,
        lease_over(),
        Manner::Emergency,
        escalated,
        Scoring::default(),
    );
    let applied = world.run(moves);
    assert_eq!(is_told(&world.events), 0);
    assert_eq!(applied.incident().attempts, 7);
}

#[test]
fn an_incident_that_moved_nothing_ends_even_after_its_instance_is_gone() {
    for (ending, outcome) in [
        (Unmoved::Averted, IncidentOutcome::Averted),
        (Unmoved::Interrupted, IncidentOutcome::Interrupted),
        (Unmoved::Failed, IncidentOutcome::Failed),
    ] {
        let mut world = settled();
        let opened = opened(&mut world, "a", Manner::Ordinary);
        world.run(RemoveInstance::new("a".into()));
        world.run(EndIncident::unmoved(opened.into_incident(), ending));
        let [
            Event::RecoveryEnded {
                outcome: told,
                moved: 0,
                ..
            },
        ] = world.events[..]
        else {
            panic!("{:?}", world.events);
        };
        assert_eq!(told, outcome);
    }
}

// Epochs

/// The events of the last command that say which epochs are void and which are new.
fn told_epochs(world: &World) -> Vec<(&'static str, i64, Option<i64>)> {
    let number = |epoch: &Epoch| epoch.get();
    let told = world.events.iter().flat_map(|event| match event {
        Event::StreamAssigned {
            epoch, from_epoch, ..
        } => vec![(event.kind(), epoch.get(), from_epoch.as_ref().map(number))],
        Event::StreamReleased { epoch, .. } | Event::StreamWithdrawn { epoch, .. } => {
            vec![(event.kind(), epoch.get(), None)]
        }
        Event::StreamOrphaned { epoch, .. } => {
            vec![(event.kind(), epoch.as_ref().map_or(0, number), None)]
        }
        Event::StreamsDelivered { epochs, .. } => {
            let each = epochs.iter().map(|epoch| (event.kind(), epoch.get(), None));
            each.collect()
        }
        _ => Vec::new(),
    });
    told.collect()
}

#[test]
fn every_answer_and_event_about_an_assignment_names_its_epoch() {
    let mut world = World::with_streams(3);
    world.register("a", 3);
    let AssignOutcome::Assigned(held) = world.ask("a", 3) else {
        panic!("there are streams");
    };
    let epochs: Vec<i64> = held.iter().map(|holding| holding.epoch.get()).collect();
    assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
    let assigned = |epoch| ("stream_assigned", epoch, None);
    assert_eq!(
        told_epochs(&world),
        epochs.iter().copied().map(assigned).collect::<Vec<_>>()
    );
    assert_eq!(world.register("a", 3).assignments, held);

    assert_eq!(world.release("a", &[1]).0, held[..1]);
    assert_eq!(told_epochs(&world), [("stream_released", epochs[0], None)]);

    world.register("b", 1);
    world.run(RemoveInstance::new("a".into()));
    let told = told_epochs(&world);
    let [
        ("stream_assigned", moved, before),
        ("stream_orphaned", lost, None),
    ] = told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!((before, lost), (Some(epochs[1]), epochs[2]));
    assert!(moved > epochs[2]);
    let outcome = world.ask("b", 0);
    let [holding] = (match &outcome {
        AssignOutcome::Assigned(held) => &held[..],
        other => panic!("{other:?}"),
    }) else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        holding.epoch.get(),
        moved,
        "what it owns already keeps its epoch"
    );
    assert_eq!(told_epochs(&world), [("streams_delivered", moved, None)]);

    let ended = world.run(DeleteStream { id: holding.stream });
    assert_eq!(ended.map(|assignment| assignment.epoch.get()), Some(moved));
    assert_eq!(told_epochs(&world)[0], ("stream_withdrawn", moved, None));
    let unassigned = DeleteStream {
        id: StreamId::new(1),
    };
    assert_eq!(world.run(unassigned), None);
}
