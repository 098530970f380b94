//! Streams whose owners fail, in a small fleet: they are kept away, tried alone, told apart.

use std::time::Duration;

use super::*;
use crate::commands::{
    AgreeLease, DeleteStream, MoveStreams, OpenIncident, Opening, RecoverInstance,
    RegisterInstance, ReleaseStreams, Relocation, RemoveInstance, SaveStreams, SayGoodbye,
    StreamSpec, SuspectInstance, TrustInstance, WithdrawLease,
};
use crate::events::Event;
use crate::fleet::{Fleet, Scoring, Snapshot, Standing};
use crate::handover::HandoverMode;
use crate::ids::InstanceId;
use crate::incident::FailureCause;
use crate::ledger::Ledger;
use crate::liveness::FenceAnswer;
use crate::quarantine::{Culpable, OwnerFault, Quarantine};
use crate::recovery::{Detected, Failure, Manner, Opened, Progress};
use crate::sample;
use crate::stream::Place;
use crate::time::WallTime;
use crate::trial_timer::trial_deadline;

/// A fleet of classic, automatically filled instances, and the events so far.
struct World {
    ledger: Ledger,
    now: WallTime,
    events: Vec<Event>,
}

impl World {
    /// Instances with room for so many streams each, and streams with these ids.
    fn new(instances: &[&str], room: u32, streams: &[i64]) -> Self {
        let mut world = Self {
            ledger: sample::ledger(),
            now: sample::NOW,
            events: Vec::new(),
        };
        for id in instances {
            world.add(id, room);
        }
        world.run(sample::streams(streams.iter().copied()));
        world
    }

    fn add(&mut self, id: &str, room: u32) {
        self.run(RegisterInstance {
            auto_assign: true,
            ..sample::register(id, room)
        });
    }

    /// The worker starts again, and serves its probation.
    fn restart(&mut self, id: &str) {
        self.add(id, 9);
        let incarnation = sample::life(&self.ledger, id);
        let id = id.into();
        self.run(TrustInstance { id, incarnation });
    }

    fn run<C: Command>(&mut self, command: C) -> C::Reply {
        self.try_run(command).expect("accepted")
    }

    fn try_run<C: Command>(&mut self, command: C) -> Result<C::Reply, Rejection> {
        let reply = self.ledger.decide(&command, self.now)?;
        let batch = self.ledger.take_batch();
        self.events.extend(batch.events().cloned());
        self.ledger.commit(batch);
        let rebuilt = Fleet::from_snapshot(&self.snapshot());
        assert!(rebuilt.unwrap() == *self.fleet(), "the indexes follow");
        for check in crate::invariants::check_fleet(self.fleet()) {
            assert!(check.holds, "{check:?}");
        }
        Ok(reply)
    }

    fn snapshot(&self) -> Snapshot {
        let fleet = self.fleet();
        let instances = fleet
            .instances()
            .map(|slot| slot.instance().as_ref().clone());
        let streams = fleet
            .streams()
            .map(|slot| (slot.stream().as_ref().clone(), slot.place().clone()));
        Snapshot {
            counter: fleet.counter(),
            instances: instances.collect(),
            streams: streams.collect(),
            ..Snapshot::default()
        }
    }

    fn fleet(&self) -> &Fleet {
        self.ledger.saved()
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    fn opened(&mut self, id: &str) -> Opened {
        let failure = Failure {
            id: id.into(),
            incarnation: sample::life(&self.ledger, id),
            cause: FailureCause::HeartbeatTimeout,
            detected_at: self.now,
        };
        let standing = Standing::of(self.fleet().instance(&failure.id).unwrap());
        let confirmed = Detected::new(failure)
            .refresh(Some(&standing))
            .and_then(|refreshed| refreshed.reconfirm(Some(FenceAnswer::Fenced)))
            .unwrap();
        let command = OpenIncident::new(confirmed, Manner::Ordinary, Progress::default());
        let Opening::Opened(opened) = self.run(command) else {
            panic!("there is something to recover");
        };
        opened
    }

    /// The instance fails now; whether that is evidence is said.
    fn fail_as(&mut self, id: &str, culpable: Option<Culpable>) {
        let opened = self.opened(id);
        let (manner, progress) = (Manner::Ordinary, Progress::default());
        let over = sample::lease_over(&self.ledger, id);
        let command = RecoverInstance::new(opened, over, manner, progress, Scoring::default());
        self.run(command.blaming(culpable));
    }

    /// The instance fails a second from now, by itself.
    fn fail(&mut self, id: &str) {
        self.pass(1);
        let culpable = Culpable { at: self.now };
        self.fail_as(id, Some(culpable));
    }

    /// The owner of a stream fails; returns its name.
    fn fail_owner(&mut self, stream: i64) -> String {
        let owner = self.owner(stream).expect("it has an owner");
        self.fail(&owner);
        owner
    }

    /// Every deadline comes to pass that is not later than `seconds` from now, once.
    fn proceed(&mut self, seconds: u64) -> usize {
        self.pass(seconds);
        let policy = *self.ledger.quarantine_policy();
        let due = self.fleet().streams().filter_map(|slot| {
            let deadline = trial_deadline(slot.stream(), slot.place(), &policy)?;
            (deadline.at <= self.now).then_some((slot.stream().id, deadline.due))
        });
        let due: Vec<_> = due.collect();
        self.run(ContinueSuspected { due })
    }

    fn state(&self, stream: i64) -> StreamState {
        let slot = self.fleet().stream(StreamId::new(stream)).unwrap();
        slot.stream().state_at(slot.place())
    }

    fn owner(&self, stream: i64) -> Option<String> {
        let slot = self.fleet().stream(StreamId::new(stream))?;
        let assignment = slot.place().assignment();
        assignment.map(|assignment| assignment.instance.to_string())
    }

    fn quarantine(&self, stream: i64) -> Option<Quarantine> {
        let slot = self.fleet().stream(StreamId::new(stream))?;
        slot.stream().suspicion.as_ref()?.quarantine
    }

    fn failures(&self, stream: i64) -> usize {
        let slot = self.fleet().stream(StreamId::new(stream)).unwrap();
        let suspicion = slot.stream().suspicion.as_ref();
        suspicion.map_or(0, |suspicion| suspicion.failures.len())
    }

    fn give_back(&mut self, id: &str, streams: &[i64], reason: Option<&str>) {
        self.run(ReleaseStreams {
            epochs: None,
            id: id.into(),
            incarnation: None,
            streams: sample::ids(streams.iter().copied()),
            reason: reason.map(Into::into),
        });
    }

    /// How often the streams were told to be over, and why.
    fn ends(&self) -> Vec<(i64, QuarantineEnd)> {
        let ends = self.events.iter().filter_map(|event| {
            let Event::QuarantineOver {
                stream, because, ..
            } = event
            else {
                return None;
            };
            Some((stream.get(), *because))
        });
        ends.collect()
    }

    fn suspects(&self) -> Vec<(i64, u32)> {
        let told = self.events.iter().filter_map(|event| {
            let Event::StreamQuarantined {
                stream, suspects, ..
            } = event
            else {
                return None;
            };
            Some((stream.get(), *suspects))
        });
        told.collect()
    }
}

#[test]
fn three_owners_fail_and_a_fourth_is_never_asked() {
    let mut world = World::new(&["a", "b", "c", "d"], 9, &[1]);
    let failed: Vec<String> = (0..3).map(|_| world.fail_owner(1)).collect();
    assert_eq!(failed, ["a", "b", "c"]);
    assert_eq!(world.state(1), StreamState::Quarantined);
    let slot = world.fleet().stream(StreamId::new(1)).unwrap();
    assert!(matches!(slot.place(), Place::Orphaned { .. }));
    assert_eq!(world.suspects(), [(1, 1)]);
    // Neither pushed, nor handed out, nor moved.
    world.add("e", 9);
    world.run(sample::ask("d", 5));
    let to = Some(InstanceId::from("d"));
    let stream = StreamId::new(1);
    let moves = vec![Relocation { stream, to }];
    let refused = world.try_run(MoveStreams { moves });
    assert_eq!(refused, Err(Rejection::StreamQuarantined(stream)));
    assert_eq!(world.owner(1), None);
}

#[test]
fn a_trial_that_kills_its_owner_waits_twice_as_long_each_time() {
    let mut world = World::new(&["a", "b", "c", "d", "e", "f"], 9, &[1]);
    for _ in 0..3 {
        world.fail_owner(1);
    }
    for (wait, owner) in [(300, "d"), (600, "e"), (1_200, "f")] {
        assert_eq!(world.proceed(wait - 1), 0, "too early");
        assert_eq!(world.proceed(1), 1);
        assert_eq!(world.owner(1).as_deref(), Some(owner), "it never had it");
        assert_eq!(world.state(1), StreamState::Assigned);
        world.fail_owner(1);
        assert_eq!(world.state(1), StreamState::Quarantined);
    }
    assert_eq!(world.quarantine(1).map(|one| one.retries), Some(3));
}

#[test]
fn steady_running_releases_it_and_forgets_everything() {
    let mut world = World::new(&["a", "b", "c", "d"], 9, &[1]);
    for _ in 0..3 {
        world.fail_owner(1);
    }
    world.proceed(300);
    assert_eq!(world.proceed(599), 0);
    assert!(world.quarantine(1).is_some(), "on trial");
    assert_eq!(world.proceed(1), 1);
    assert_eq!((world.failures(1), world.quarantine(1)), (0, None));
    assert_eq!(world.ends(), [(1, QuarantineEnd::RanSteadily)]);
    world.fail_owner(1);
    assert_eq!(world.failures(1), 0, "it ran for longer than the window");
}

#[test]
fn a_late_owner_does_not_end_a_trial() {
    let mut world = World::new(&["a", "b", "c", "d"], 9, &[1]);
    for _ in 0..3 {
        world.fail_owner(1);
    }
    world.proceed(300);
    let incarnation = sample::life(&world.ledger, "d");
    let id = "d".into();
    world.run(SuspectInstance { id, incarnation });
    assert_eq!(world.proceed(600), 0);
    assert!(world.quarantine(1).is_some());
}

#[test]
fn an_owner_that_ran_it_for_long_ends_the_row() {
    let mut world = World::new(&["a", "b", "c", "d"], 9, &[1]);
    world.fail_owner(1);
    world.fail_owner(1);
    assert_eq!(world.failures(1), 2);
    world.pass(600);
    world.fail_owner(1);
    assert_eq!(world.failures(1), 0);
    assert_eq!(world.state(1), StreamState::Assigned);
    // Also without a failure, so that nothing is kept of a healthy stream.
    world.fail_owner(1);
    world.add("e", 9);
    assert_eq!(world.state(1), StreamState::Assigned);
    assert_eq!(world.failures(1), 1);
    assert_eq!(world.proceed(600), 1);
    assert_eq!(world.failures(1), 0);
    assert_eq!(world.ends(), [], "it was never quarantined");
}

#[test]
fn one_sick_worker_quarantines_no_stream_that_another_instance_could_have() {
    let mut world = World::new(&["a", "b"], 9, &[1, 2]);
    world.run(SaveStreams {
        streams: vec![StreamSpec {
            id: Some(StreamId::new(1)),
            pinned: Some(Some("a".into())),
            ..StreamSpec::default()
        }],
    });
    for round in 1..=5 {
        assert_eq!(world.owner(1).as_deref(), Some("a"), "round {round}");
        world.fail("a");
        assert_eq!(world.owner(1).as_deref(), Some("b"));
        assert_eq!(world.failures(1), round, "not enough of one owner");
        // The worker starts again, and its stream goes home.
        world.pass(60);
        world.restart("a");
    }
    world.fail("b");
    assert_eq!(world.failures(1), 5, "it was not there any more");
    assert_eq!(world.state(1), StreamState::Assigned);
}

#[test]
fn a_poisonous_stream_that_only_one_instance_could_have_is_quarantined() {
    // The other one has no room for a stream of that weight.
    let mut world = World::new(&["a"], 9, &[1]);
    world.run(RegisterInstance {
        capacity: Some(1),
        auto_assign: true,
        ..sample::register("b", 9)
    });
    world.run(SaveStreams {
        streams: vec![StreamSpec {
            id: Some(StreamId::new(1)),
            weight: Some(2),
            ..StreamSpec::default()
        }],
    });
    for _ in 0..2 {
        world.fail_owner(1);
        assert_eq!(world.state(1), StreamState::Orphaned);
        world.add("a", 9);
        assert_eq!(world.owner(1).as_deref(), Some("a"));
    }
    world.fail_owner(1);
    assert_eq!(world.state(1), StreamState::Quarantined);
    assert_eq!(world.failures(1), 3);
}

#[test]
fn a_trial_goes_on_elsewhere_when_its_owner_says_goodbye_for_a_while() {
    let mut world = World::new(&["a"], 9, &[1, 2]);
    for next in ["b", "c", "d"] {
        world.add(next, 9);
        world.fail_owner(1);
    }
    world.add("e", 9);
    world.proceed(300);
    let away = world.owner(1).expect("on trial");
    world.run(sample::streams([3]));
    let to = Some(InstanceId::from(away.as_str()));
    let stream = StreamId::new(3);
    let moves = vec![Relocation { stream, to }];
    world.run(MoveStreams { moves });
    let reserved = world.run(SayGoodbye {
        id: away.as_str().into(),
        incarnation: sample::life(&world.ledger, &away),
        until: world.now + Duration::from_secs(3_600),
        reason: None,
    });
    assert_eq!(reserved, 1, "the neighbour is reserved, the trial is not");
    assert_eq!(world.state(1), StreamState::Quarantined);
    assert_eq!(world.quarantine(1).map(|one| one.retries), Some(0));
    assert_eq!(world.proceed(5), 1, "it goes on at once");
    let next = world.owner(1).expect("on trial again");
    assert_ne!(next, away);
    assert_eq!(world.state(2), StreamState::Quarantined, "one at a time");
    assert_eq!(world.proceed(600), 2, "and the other one has its turn");
    assert_eq!(world.quarantine(1), None);
    assert_eq!(world.state(2), StreamState::Assigned);
}

#[test]
fn a_stream_that_is_given_back_twice_during_its_trial_is_paused_like_any_other() {
    let mut world = World::new(&["a", "b", "c", "d"], 9, &[1]);
    for _ in 0..3 {
        world.fail_owner(1);
    }
    world.proceed(300);
    world.give_back("d", &[1], None);
    assert_eq!(world.proceed(0), 1, "its trial goes on at once");
    world.give_back("d", &[1], None);
    assert_eq!(world.proceed(0), 0, "it bounces no more");
    assert_eq!(world.state(1), StreamState::Quarantined);
    let due = vec![(
        StreamId::new(1),
        crate::return_timer::Due::Retry { count: 2 },
    )];
    world.run(crate::commands::ContinueReturned { due });
    assert_eq!(world.owner(1), None, "the pause is over, the trial is not");
    assert_eq!(world.proceed(0), 1);
    assert_eq!(world.owner(1).as_deref(), Some("d"));
}

#[test]
fn what_is_not_the_streams_fault_is_no_evidence() {
    let mut world = World::new(&["a", "b", "c", "d", "e", "f"], 9, &[1]);
    world.fail_as("a", None);
    assert_eq!(
        world.failures(1),
        0,
        "a mass failure, or an outage of our own"
    );
    let stream = StreamId::new(1);
    let to = Some(InstanceId::from("c"));
    let moves = vec![Relocation { stream, to }];
    world.run(MoveStreams { moves });
    world.run(RemoveInstance::new("c".into()));
    let owner = world.owner(1).unwrap();
    world.give_back(&owner, &[1], None);
    assert_eq!(world.failures(1), 0);
    assert_eq!(world.state(1), StreamState::Assigned);
}

#[test]
fn workers_that_cannot_start_it_are_evidence_too() {
    let mut world = World::new(&["a", "b", "c", "d"], 9, &[1]);
    for reason in ["no signal", "no route", "no codec"] {
        let owner = world.owner(1).or_else(|| {
            // Its pause after the second return is over.
            world.run(crate::commands::ContinueReturned {
                due: vec![(
                    StreamId::new(1),
                    crate::return_timer::Due::Retry { count: 2 },
                )],
            });
            world.owner(1)
        });
        world.give_back(&owner.unwrap(), &[1], Some(reason));
    }
    assert_eq!(world.state(1), StreamState::Quarantined);
    let slot = world.fleet().stream(StreamId::new(1)).unwrap();
    assert_eq!(slot.stream().returns, None, "one wait at a time");
    let failures = &slot.stream().suspicion.as_ref().unwrap().failures;
    assert!(failures.iter().all(|one| one.what == OwnerFault::GaveBack));
    assert_eq!(failures[2].reason.as_deref(), Some("no codec"));
    assert_eq!(world.proceed(300), 1);
    assert_eq!(world.owner(1).as_deref(), Some("d"));
    world.pass(700);
    world.give_back("d", &[1], Some("no signal any more"));
    assert_eq!(world.failures(1), 0, "it ran for longer than the window");
    assert_eq!(world.owner(1).as_deref(), Some("a"));
}

#[test]
fn suspects_are_told_apart_and_the_innocent_go_on() {
    // Both streams follow each other from instance to instance.
    let mut world = World::new(&["a"], 9, &[1, 2]);
    for next in ["b", "c", "d"] {
        world.add(next, 9);
        world.fail_owner(1);
    }
    assert_eq!(world.suspects(), [(1, 2), (2, 2)]);
    assert_eq!(world.proceed(300), 1, "one at a time");
    let states = [1, 2].map(|id| world.state(id));
    assert_eq!(states, [StreamState::Assigned, StreamState::Quarantined]);
    assert_eq!(world.proceed(400), 0, "the trial is not over");
    world.add("e", 9);
    world.fail_owner(1);
    let states = [1, 2].map(|id| world.state(id));
    assert_eq!(states, [StreamState::Quarantined, StreamState::Assigned]);
    assert_eq!(world.ends(), [(2, QuarantineEnd::AnotherFailed)]);
    // The other one is still close to its quarantine, until it has run for the window.
    assert_eq!(world.failures(2), 2);
    world.fail_owner(2);
    assert_eq!(world.state(2), StreamState::Quarantined);
}

#[test]
fn the_first_of_the_suspects_may_be_innocent() {
    let mut world = World::new(&["a"], 9, &[1, 2]);
    for next in ["b", "c", "d"] {
        world.add(next, 9);
        world.fail_owner(1);
    }
    world.proceed(300);
    world.add("e", 9);
    assert_eq!(
        world.proceed(600),
        2,
        "the first ends its trial, the second begins its own"
    );
    assert_eq!(world.quarantine(1), None);
    assert_eq!(world.owner(2).as_deref(), Some("e"), "alone");
    world.fail_owner(2);
    assert_eq!(world.state(2), StreamState::Quarantined);
    assert_eq!(world.state(1), StreamState::Assigned);
}

/// Which of the two is poisonous, and which is tried first, changes nothing of the end.
#[test]
fn of_two_suspects_the_innocent_ends_free_and_the_poisonous_waits_twice_as_long() {
    for poisonous in [1, 2] {
        let innocent = 3 - poisonous;
        let mut world = World::new(&["a"], 9, &[1, 2]);
        for next in ["b", "c", "d"] {
            world.add(next, 9);
            world.fail_owner(1);
        }
        assert_eq!(world.suspects(), [(1, 2), (2, 2)], "suspects together");
        world.add("e", 9);
        world.proceed(300);
        if innocent == 1 {
            assert_eq!(world.owner(poisonous), None, "it waits for its turn");
            assert_eq!(world.proceed(600), 2, "released, and the next one tried");
        }
        assert_ne!(world.owner(1), world.owner(2), "tried alone");
        world.fail_owner(poisonous);
        let failed_at = world.now;
        assert_eq!(world.state(poisonous), StreamState::Quarantined);
        let quarantine = world.quarantine(poisonous).unwrap();
        assert_eq!(quarantine.retries, 1);
        assert_eq!(
            quarantine.retry_at,
            Some(failed_at + Duration::from_secs(600)),
            "twice as long"
        );
        assert_eq!(world.state(innocent), StreamState::Assigned);
        assert_eq!(world.quarantine(innocent), None);
        world.proceed(599);
        world.proceed(1);
        assert_eq!(world.failures(innocent), 0, "all evidence is forgotten");
        assert!(world.failures(poisonous) > 0);
    }
}

#[test]
fn a_failed_trial_speaks_against_no_neighbour() {
    let mut world = World::new(&["a", "b", "c"], 9, &[1]);
    for _ in 0..3 {
        world.fail_owner(1);
    }
    world.add("d", 9);
    world.add("e", 9);
    world.proceed(300);
    let owner = world.owner(1).unwrap();
    world.run(sample::streams([2, 3]));
    let moves = [2, 3].map(|id| Relocation {
        stream: StreamId::new(id),
        to: Some(owner.as_str().into()),
    });
    world.run(MoveStreams {
        moves: moves.into(),
    });
    world.fail_owner(1);
    assert_eq!([2, 3].map(|id| world.failures(id)), [0, 0]);
    assert_eq!([2, 3].map(|id| world.state(id)), [StreamState::Assigned; 2]);
    assert_eq!(world.state(1), StreamState::Quarantined);
}

#[test]
fn an_operator_releases_it_and_is_refused_otherwise() {
    let mut world = World::new(&["a", "b", "c", "d"], 9, &[1]);
    let release = |stream| ReleaseQuarantine {
        stream: StreamId::new(stream),
        reason: Some("camera replaced".into()),
    };
    assert_eq!(
        world.try_run(release(9)),
        Err(Rejection::UnknownStream(StreamId::new(9)))
    );
    assert_eq!(
        world.try_run(release(1)),
        Err(Rejection::NotQuarantined {
            stream: StreamId::new(1),
            state: StreamState::Assigned
        })
    );
    for _ in 0..3 {
        world.fail_owner(1);
    }
    world.run(release(1));
    assert_eq!(world.owner(1).as_deref(), Some("d"), "in the same step");
    assert_eq!(world.failures(1), 0);
    assert_eq!(world.ends(), [(1, QuarantineEnd::ByHand)]);
    assert!(world.try_run(release(1)).is_err());
}

#[test]
fn disabling_deleting_and_a_new_url_end_the_quarantine() {
    let spec = |spec: StreamSpec| SaveStreams {
        streams: vec![StreamSpec {
            id: Some(StreamId::new(1)),
            ..spec
        }],
    };
    let quarantined = || {
        let mut world = World::new(&["a", "b", "c", "d"], 9, &[1]);
        for _ in 0..3 {
            world.fail_owner(1);
        }
        world
    };
    let mut world = quarantined();
    world.run(spec(StreamSpec {
        priority: Some(3),
        ..StreamSpec::default()
    }));
    assert_eq!(world.state(1), StreamState::Quarantined, "another edit");
    world.run(spec(StreamSpec {
        url: Some(Some("rtsp://camera/2".into())),
        ..StreamSpec::default()
    }));
    assert_eq!(world.owner(1).as_deref(), Some("d"));
    assert_eq!(world.ends(), [(1, QuarantineEnd::Changed)]);
    let mut world = quarantined();
    world.run(spec(StreamSpec {
        enabled: Some(false),
        ..StreamSpec::default()
    }));
    assert_eq!(world.state(1), StreamState::Disabled);
    assert_eq!(world.ends(), [(1, QuarantineEnd::Disabled)]);
    let mut world = quarantined();
    world.run(DeleteStream {
        id: StreamId::new(1),
    });
    assert_eq!(world.ends(), [(1, QuarantineEnd::Deleted)]);
}

#[test]
fn a_trial_without_room_is_tried_again_and_another_stream_may_be_first() {
    let mut world = World::new(&["a", "b", "c"], 9, &[1]);
    for _ in 0..3 {
        world.fail_owner(1);
    }
    assert_eq!(world.proceed(300), 0, "no instance has room");
    assert_eq!(world.state(1), StreamState::Quarantined);
    world.add("d", 9);
    assert_eq!(world.owner(1), None, "not pushed to the new one either");
    assert_eq!(world.proceed(5), 1);
    assert_eq!(world.owner(1).as_deref(), Some("d"));
    // Its owner leaves: the trial goes on elsewhere, or waits for a room.
    world.run(RemoveInstance::new("d".into()));
    assert_eq!(world.state(1), StreamState::Quarantined);
    assert_eq!(world.quarantine(1).map(|one| one.retries), Some(0));
    world.add("e", 9);
    assert_eq!(world.proceed(5), 1);
    assert_eq!(world.owner(1).as_deref(), Some("e"));
}

#[test]
fn overlap_streams_of_a_leased_owner_are_blamed_when_they_move() {
    let mut world = World::new(&["a", "b", "c", "d"], 9, &[1]);
    world.run(SaveStreams {
        streams: vec![StreamSpec {
            id: Some(StreamId::new(1)),
            handoff: Some(HandoverMode::Overlap),
            ..StreamSpec::default()
        }],
    });
    for id in ["a", "b", "c"] {
        let incarnation = sample::life(&world.ledger, id);
        world.run(AgreeLease {
            id: id.into(),
            incarnation,
            lease: Some(Duration::from_secs(240)),
        });
        assert_eq!(world.owner(1).as_deref(), Some(id));
        world.pass(1);
        let culpable = Some(Culpable { at: world.now });
        let opened = world.opened(id);
        let (manner, progress) = (Manner::Ordinary, Progress::default());
        let withdraw = WithdrawLease::for_recovery(opened, &manner, &progress, Scoring::default());
        world.run(withdraw.blaming(culpable));
        world.fail_as(id, culpable);
    }
    assert_eq!(world.failures(1), 3, "each failure once");
    assert_eq!(world.state(1), StreamState::Quarantined);
}

#[test]
fn with_the_setting_at_zero_nothing_is_suspected() {
    let mut world = World::new(&["a", "b", "c", "d", "e"], 9, &[1]);
    let policy = *world.ledger.quarantine_policy();
    let off = crate::quarantine::QuarantinePolicy { after: 0, ..policy };
    world.ledger.set_quarantine_policy(off);
    for _ in 0..4 {
        world.fail_owner(1);
    }
    assert_eq!(world.owner(1).as_deref(), Some("e"));
    assert_eq!(world.failures(1), 0);
}
