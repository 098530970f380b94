//! What becomes of a stream that is given back again and again.

use std::time::Duration;

use super::super::{
    AgreeLease, AssignOutcome, ConfirmDelivery, DeleteStream, HeartbeatForm, MoveStreams,
    RegisterInstance, ReleaseStreams, Relocation, RemoveInstance, SaveStreams, SettleDifference,
    StreamSpec,
};
use super::*;
use crate::events::Event;
use crate::handover::HandoverMode;
use crate::ids::InstanceId;
use crate::invariants::check_fleet;
use crate::ledger::Ledger;
use crate::return_timer::deadline;
use crate::returns::Returns;
use crate::sample;
use crate::stream::{OrphanReason, Place, StreamState};
use crate::time::WallTime;

/// The stream all of this is about.
const STREAM: StreamId = StreamId::new(1);

/// A fleet whose commands are saved as soon as they are decided, and a clock.
struct World {
    ledger: Ledger,
    now: WallTime,
    events: Vec<Event>,
}

impl World {
    /// Instances that fill themselves, and stream 1.
    fn filled_by(instances: &[&str]) -> Self {
        let mut world = Self::with(instances, true);
        world.run(sample::streams([1]));
        world
    }

    fn with(instances: &[&str], auto_assign: bool) -> Self {
        let mut world = Self {
            ledger: sample::ledger(),
            now: sample::NOW,
            events: Vec::new(),
        };
        for id in instances {
            world.run(RegisterInstance {
                auto_assign,
                ..sample::register(id, 9)
            });
        }
        world
    }

    fn run<C: Command>(&mut self, command: C) -> C::Reply {
        let reply = self.ledger.decide(&command, self.now).expect("accepted");
        let batch = self.ledger.take_batch();
        self.events = batch.events().cloned().collect();
        self.ledger.commit(batch);
        for check in check_fleet(self.ledger.saved()) {
            assert!(check.holds, "{check:?}");
        }
        reply
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    fn give_back(&mut self, by: &str, reason: Option<&str>) {
        self.run(ReleaseStreams {
            epochs: None,
            id: by.into(),
            incarnation: None,
            streams: vec![STREAM],
            reason: reason.map(Into::into),
        });
    }

    /// The owner gives it back at once; returns who that was.
    fn bounce(&mut self) -> String {
        let owner = self.owner().expect("somebody owns it");
        self.give_back(&owner, None);
        owner
    }

    /// What is due for the stream comes to pass.
    fn proceed(&mut self) -> usize {
        let slot = self.ledger.saved().stream(STREAM).unwrap();
        let policy = self.ledger.return_policy();
        let Some(deadline) = deadline(slot.stream(), slot.place(), policy) else {
            return 0;
        };
        self.now = self.now.max(deadline.at);
        let due = vec![(STREAM, deadline.due)];
        self.run(ContinueReturned { due })
    }

    fn place(&self) -> &Place {
        self.ledger.saved().stream(STREAM).unwrap().place()
    }

    fn owner(&self) -> Option<String> {
        let assignment = self.place().assignment();
        assignment.map(|assignment| assignment.instance.to_string())
    }

    fn returns(&self) -> Option<&Returns> {
        let slot = self.ledger.saved().stream(STREAM)?;
        slot.stream().returns.as_deref()
    }

    fn is_paused(&self) -> bool {
        let slot = self.ledger.saved().stream(STREAM);
        slot.is_some_and(|slot| slot.stream().is_paused())
    }

    fn has_told(&self, kind: &str) -> bool {
        self.events.iter().any(|event| event.kind() == kind)
    }

    fn save(&mut self, spec: StreamSpec) {
        let streams = vec![StreamSpec {
            id: Some(STREAM),
            ..spec
        }];
        self.run(SaveStreams { streams });
    }
}

#[test]
fn a_first_return_goes_to_another_at_once_and_later_ones_wait_ever_longer() {
    let mut world = World::filled_by(&["a", "b", "c"]);
    let first = world.bounce();
    let second = world.bounce();
    assert_ne!(first, second, "it went to another at once");
    let mut pauses = Vec::new();
    for _ in 0..12 {
        assert_eq!(world.place().state(), StreamState::Unclaimed);
        let returns = world.returns().expect("it was given back");
        let retry_at = returns.retry_at.expect("it waits");
        pauses.push(retry_at.since(world.now));
        assert_eq!(world.proceed(), 1);
        world.bounce();
    }
    let most = pauses.iter().zip(0..).all(|(pause, doublings)| {
        let whole = Duration::from_secs(1_u64 << doublings).min(Duration::from_secs(300));
        *pause <= whole && *pause >= whole.mul_f64(0.749)
    });
    assert!(most, "{pauses:?}");
}

#[test]
fn whoever_gave_it_back_is_asked_last_and_not_never() {
    let mut world = World::filled_by(&["a", "b", "c"]);
    let mut asked = vec![world.bounce(), world.bounce()];
    for _ in 0..4 {
        world.proceed();
        asked.push(world.bounce());
    }
    assert_eq!(asked, ["a", "b", "c", "a", "b", "c"]);

    let mut alone = World::filled_by(&["a"]);
    for _ in 0..3 {
        alone.bounce();
        assert_eq!(alone.owner(), None, "not pushed straight back");
        assert_eq!(alone.proceed(), 1);
        assert_eq!(alone.owner().as_deref(), Some("a"));
    }
}

#[test]
fn while_it_is_paused_it_is_neither_pushed_nor_handed_out() {
    let mut world = World::filled_by(&["a", "b"]);
    world.bounce();
    world.bounce();
    assert!(world.is_paused());
    world.run(RegisterInstance {
        auto_assign: true,
        ..sample::register("new", 9)
    });
    assert_eq!(world.owner(), None, "not even to a new one");
    let asked = world.run(sample::ask("new", 5));
    assert_eq!(asked, AssignOutcome::Paused(1));
    world.proceed();
    assert_eq!(
        world.owner().as_deref(),
        Some("new"),
        "it never gave it back"
    );
}

#[test]
fn who_asks_gets_what_it_gave_back_itself_last() {
    let mut world = World::with(&["a"], false);
    world.run(sample::streams([1]));
    world.run(sample::ask("a", 1));
    world.give_back("a", None);
    world.run(sample::streams([2]));
    let AssignOutcome::Assigned(holdings) = world.run(sample::ask("a", 1)) else {
        panic!("two streams wait");
    };
    assert_eq!(holdings[0].stream, StreamId::new(2));
    world.run(sample::ask("a", 1));
    assert_eq!(world.owner().as_deref(), Some("a"), "there is no other");
}

#[test]
fn a_graceful_stop_pauses_nothing() {
    let mut world = World::filled_by(&["a", "b", "c"]);
    for _ in 0..5 {
        world.pass(120);
        world.bounce();
        assert!(world.owner().is_some(), "the next one has it at once");
        assert!(!world.has_told("stream_returned"));
    }
    assert_eq!(world.returns(), None);
}

#[test]
fn a_reason_counts_however_long_the_stream_was_owned() {
    let mut world = World::filled_by(&["a", "b"]);
    for expected in ["a", "b"] {
        world.pass(200);
        assert_eq!(world.owner().as_deref(), Some(expected));
        world.give_back(expected, Some("no signal"));
        let released = world.events.iter().find_map(|event| {
            let Event::StreamReleased { reason, .. } = event else {
                return None;
            };
            reason.as_deref()
        });
        assert_eq!(released, Some("no signal"));
    }
    assert!(world.is_paused());
    let returned = world.events.iter().find_map(|event| {
        let Event::StreamReturned {
            workers, reason, ..
        } = event
        else {
            return None;
        };
        Some((workers.len(), reason.as_deref()))
    });
    assert_eq!(returned, Some((2, Some("no signal"))));
}

#[test]
fn steady_running_forgets_every_return() {
    let mut world = World::filled_by(&["a", "b"]);
    world.bounce();
    world.bounce();
    world.proceed();
    let owned_since = world.now;
    assert_eq!(world.proceed(), 1);
    assert_eq!(world.now.since(owned_since), Duration::from_secs(300));
    assert_eq!(world.returns(), None);
    assert!(world.has_told("returns_over"));
    world.bounce();
    assert_eq!(world.returns(), None, "owned for long, and no reason");
}

#[test]
fn a_trial_that_is_out_of_date_forgets_nothing() {
    let mut world = World::filled_by(&["a", "b"]);
    world.bounce();
    let slot = world.ledger.saved().stream(STREAM).unwrap();
    let first = deadline(slot.stream(), slot.place(), world.ledger.return_policy()).unwrap();
    world.bounce();
    let due = vec![(STREAM, first.due), (STREAM, Due::Retry { count: 1 })];
    assert_eq!(world.run(ContinueReturned { due }), 0);
    assert!(world.is_paused());
    let due = vec![(StreamId::new(99), first.due)];
    assert_eq!(world.run(ContinueReturned { due }), 0, "unknown");
}

#[test]
fn a_changed_url_is_a_fresh_start_and_other_edits_are_not() {
    let mut world = World::filled_by(&["a", "b"]);
    world.bounce();
    world.bounce();
    world.save(StreamSpec {
        priority: Some(9),
        ..StreamSpec::default()
    });
    assert!(world.is_paused());
    world.save(StreamSpec {
        url: Some(Some("rtsp://camera/2".into())),
        ..StreamSpec::default()
    });
    assert_eq!(world.returns(), None);
    assert!(world.has_told("returns_over"));
    assert!(world.owner().is_some(), "it is tried at once");

    // Also if only the one that gave it back is there.
    let mut alone = World::filled_by(&["a"]);
    alone.bounce();
    alone.save(StreamSpec {
        url: Some(Some("rtsp://camera/2".into())),
        ..StreamSpec::default()
    });
    assert_eq!(alone.owner().as_deref(), Some("a"));
}

#[test]
fn disabling_and_deleting_forget_every_return() {
    let enabled = |enabled| StreamSpec {
        enabled: Some(enabled),
        ..StreamSpec::default()
    };
    let mut world = World::filled_by(&["a", "b"]);
    world.bounce();
    world.bounce();
    world.save(enabled(false));
    assert!(world.has_told("returns_over"));
    world.save(enabled(true));
    assert_eq!(world.returns(), None);
    world.bounce();
    world.bounce();
    assert!(world.is_paused());
    world.run(DeleteStream { id: STREAM });
    assert!(world.has_told("returns_over"));
}

#[test]
fn a_planned_move_ends_the_pause() {
    let mut world = World::filled_by(&["a", "b"]);
    world.bounce();
    world.bounce();
    let to = Some(InstanceId::from("a"));
    let moves = vec![Relocation { stream: STREAM, to }];
    world.run(MoveStreams { moves });
    assert_eq!(world.owner().as_deref(), Some("a"));
    let returns = world.returns().expect("it has yet to run steadily");
    assert_eq!((returns.count, returns.retry_at), (2, None));
}

#[test]
fn a_worker_that_leaves_pauses_nothing_by_what_it_gives_back() {
    let mut world = World::filled_by(&["a"]);
    world.bounce();
    world.run(RemoveInstance::new("a".into()));
    assert_eq!(world.returns(), None);

    // A fleet is restarted, faster than anybody could run steadily.
    let mut world = World::filled_by(&["a", "b", "c"]);
    for id in ["a", "b"] {
        assert_eq!(world.bounce(), id);
        world.run(RemoveInstance::new(id.into()));
        assert!(!world.is_paused());
    }
    assert!(world.has_told("returns_over"), "the alert is over as well");
    assert_eq!(world.owner().as_deref(), Some("c"));
    // One that says that it cannot run it is believed also when it leaves.
    world.give_back("c", Some("no signal"));
    world.run(RemoveInstance::new("c".into()));
    assert!(world.is_paused());
}

#[test]
fn a_release_that_was_asked_for_is_no_return() {
    let mut world = World::filled_by(&["a"]);
    lease(&mut world, "a");
    world.run(sample::register("b", 9));
    let to = Some(InstanceId::from("b"));
    let moves = vec![Relocation { stream: STREAM, to }];
    world.run(MoveStreams { moves });
    world.give_back("a", None);
    assert_eq!(world.owner().as_deref(), Some("b"));
    assert_eq!(world.returns(), None);
}

fn lease(world: &mut World, id: &str) {
    let incarnation = sample::life(&world.ledger, id);
    world.run(AgreeLease {
        id: id.into(),
        incarnation,
        lease: Some(Duration::from_secs(240)),
    });
}

/// The worker that owns the stream says a while later that it runs nothing.
fn does_not_run(world: &mut World) -> String {
    let owner = world.owner().expect("somebody owns it");
    world.pass(130);
    let slot = world
        .ledger
        .saved()
        .instance(&owner.as_str().into())
        .unwrap();
    let (incarnation, version) = (
        slot.instance().incarnation,
        slot.instance().assignment_version,
    );
    world.run(SettleDifference {
        id: owner.as_str().into(),
        incarnation,
        running: Some(Vec::new().into()),
        told: Some(version),
        is_new: true,
    });
    let slot = world
        .ledger
        .saved()
        .instance(&owner.as_str().into())
        .unwrap();
    let version = slot.instance().assignment_version;
    world.run(ConfirmDelivery {
        form: HeartbeatForm::WithoutIncarnation,
        id: owner.as_str().into(),
        incarnation,
        version: Some(version),
        running: Some(Vec::new()),
    });
    owner
}

#[test]
fn a_stream_that_nobody_runs_although_told_to_is_paused_too() {
    for handoff in HandoverMode::ALL.iter().copied() {
        let mut world = World::with(&["a", "b", "c"], true);
        for id in ["a", "b", "c"] {
            lease(&mut world, id);
        }
        world.run(sample::streams([1]));
        world.save(StreamSpec {
            handoff: Some(handoff),
            ..StreamSpec::default()
        });
        assert_eq!(does_not_run(&mut world), "a");
        assert_eq!(world.owner().as_deref(), Some("b"), "no pause, {handoff}");
        assert_eq!(does_not_run(&mut world), "b");
        assert!(world.is_paused());
        assert!(
            matches!(
                world.place(),
                Place::Orphaned {
                    reason: OrphanReason::NotRun,
                    ..
                }
            ),
            "{:?}",
            world.place()
        );
        assert_eq!(world.proceed(), 1);
        assert_eq!(world.owner().as_deref(), Some("c"), "asked last");
    }
}

#[test]
fn a_stream_that_ran_steadily_before_it_stopped_is_not_given_back() {
    let mut world = World::with(&["a", "b"], true);
    lease(&mut world, "a");
    lease(&mut world, "b");
    world.run(sample::streams([1]));
    world.pass(300);
    does_not_run(&mut world);
    assert_eq!(world.owner().as_deref(), Some("b"));
    assert_eq!(world.returns(), None);
}

#[test]
fn a_failure_of_the_owner_is_no_return_and_forgets_none() {
    let mut world = World::filled_by(&["a", "b", "c"]);
    assert_eq!(world.bounce(), "a");
    assert_eq!(world.owner().as_deref(), Some("b"));
    sample::recover(&mut world.ledger, "b");
    assert_eq!(world.owner().as_deref(), Some("c"), "`a` gave it back");
    assert_eq!(world.returns().map(|returns| returns.count), Some(1));
}
