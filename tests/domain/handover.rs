//! The rules of leases and hand-overs as tables: who has let go, and who is told.

#![expect(
    clippy::expect_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use std::time::Duration;

use resilient_orchestrator::domain::commands::{
    AbandonHandovers, AgreeLease, AssignOutcome, AssignStreams, Command, ConfirmDelivery,
    DeleteStream, HeartbeatForm, MoveStreams, OpenIncident, Opening, RecoverInstance,
    RegisterInstance, Rejection, ReleaseStreams, Relocation, Removal, RemoveInstance, SaveStreams,
    StreamSpec, StreamsSaved, WithdrawLease,
};
use resilient_orchestrator::domain::fleet::Standing;
use resilient_orchestrator::domain::fleet::{Fleet, InstanceSlot, Scoring};
use resilient_orchestrator::domain::handover::HandoverMode;
use resilient_orchestrator::domain::ids::{
    AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId,
};
use resilient_orchestrator::domain::incident::FailureCause;
use resilient_orchestrator::domain::invariants::check_fleet;
use resilient_orchestrator::domain::lease::{LeaseOver, lease};
use resilient_orchestrator::domain::ledger::Ledger;
use resilient_orchestrator::domain::liveness::FenceAnswer;
use resilient_orchestrator::domain::queries::{
    ChangesSince, Claim, FleetTotals, Query, SetUpdate, StreamDetail, StreamFilter, StreamList,
    VerifyClaims,
};
use resilient_orchestrator::domain::recovery::{Detected, Failure, Manner, Opened, Progress};
use resilient_orchestrator::domain::stream::{Assignment, Place};
use resilient_orchestrator::domain::time::{Timestamp, WallTime};
use resilient_orchestrator::domain::withdrawal::WithdrawalCause;

use crate::orders::registration;

const fn at(seconds: i64) -> WallTime {
    WallTime::from_micros(seconds * 1_000_000)
}

fn first_attempt() -> Progress {
    Progress {
        attempt: 1,
        ..Progress::default()
    }
}

/// A fleet whose commands are saved as soon as they are decided: leased a, b and c, and stream 1,
/// which a runs.
struct World {
    ledger: Ledger,
}

impl World {
    fn new(handoff: HandoverMode) -> Self {
        let mut world = Self {
            ledger: Ledger::new(Fleet::default()),
        };
        world.save(StreamSpec {
            name: Some("s1".into()),
            handoff: Some(handoff),
            ..spec()
        });
        for id in ["a", "b", "c"] {
            world.register(id);
            world.agree_on_leases(id);
        }
        world.run(AssignStreams {
            id: "a".into(),
            incarnation: None,
            requested: 1,
        });
        assert_eq!(world.owner(), "a");
        world
    }

    fn try_run<C: Command>(&mut self, command: C) -> Result<C::Reply, Rejection> {
        let reply = self.ledger.decide(&command, at(10));
        let batch = self.ledger.take_batch();
        self.ledger.commit(batch);
        for check in check_fleet(self.ledger.saved()) {
            assert!(check.holds, "{check:?}");
        }
        reply
    }

    fn run<C: Command>(&mut self, command: C) -> C::Reply {
        self.try_run(command).expect("accepted")
    }

    fn save(&mut self, spec: StreamSpec) {
        let streams = vec![spec];
        self.run(SaveStreams { streams });
    }

    fn register(&mut self, id: &str) {
        self.run(registration(id, 5));
    }

    fn agree_on_leases(&mut self, id: &str) {
        self.run(AgreeLease {
            id: id.into(),
            incarnation: self.life(id),
            lease: Some(Duration::from_secs(240)),
        });
    }

    fn move_to(&mut self, to: &str) {
        let to = Some(to.into());
        let moves = vec![Relocation { stream: STREAM, to }];
        self.run(MoveStreams { moves });
    }

    /// A heartbeat with the newest version, and what its worker runs.
    fn beat(&mut self, id: &str, running: &[StreamId]) {
        self.run(ConfirmDelivery {
            form: HeartbeatForm::WithoutIncarnation,
            id: id.into(),
            incarnation: self.life(id),
            version: Some(self.version(id)),
            running: Some(running.to_vec()),
        });
    }

    /// A heartbeat of a process that has no version yet, and says what it runs.
    fn first_beat(&mut self, id: &str, form: HeartbeatForm, running: &[StreamId]) {
        self.run(ConfirmDelivery {
            form,
            id: id.into(),
            incarnation: self.life(id),
            version: Some(AssignmentVersion::new(0)),
            running: Some(running.to_vec()),
        });
    }

    /// The leases of an instance end because it has failed.
    fn fail(&mut self, id: &str) {
        let opened = self.open(id);
        self.run(WithdrawLease::for_recovery(
            opened,
            &Manner::Ordinary,
            &first_attempt(),
            Scoring::default(),
        ));
    }

    fn open(&mut self, id: &str) -> Opened {
        let failure = Failure {
            id: id.into(),
            incarnation: self.life(id),
            cause: FailureCause::HeartbeatTimeout,
            detected_at: at(9),
        };
        let confirmed = Detected::new(failure)
            .refresh(Some(&Standing::of(self.slot(id))))
            .and_then(|refreshed| refreshed.reconfirm(Some(FenceAnswer::Fenced)))
            .expect("fenced");
        let opening = OpenIncident::new(confirmed, Manner::Ordinary, first_attempt());
        let Opening::Opened(opened) = self.run(opening) else {
            panic!("there is something to recover");
        };
        opened
    }

    /// The judgement on an instance that was never granted a lease.
    fn never_leased(&self, id: &str) -> LeaseOver {
        let now = Timestamp::from_micros(0);
        let standing = Standing::of(self.slot(id));
        let judged = lease(&standing, None, Duration::ZERO, now);
        judged.over().expect("over")
    }

    fn slot(&self, id: &str) -> &InstanceSlot {
        let slot = self.ledger.saved().instance(&InstanceId::from(id));
        slot.expect("registered")
    }

    fn life(&self, id: &str) -> Incarnation {
        self.slot(id).instance().incarnation
    }

    fn version(&self, id: &str) -> AssignmentVersion {
        self.slot(id).instance().assignment_version
    }

    fn place(&self) -> Place {
        let slot = self.ledger.saved().stream(STREAM);
        slot.expect("in the catalogue").place().clone()
    }

    fn assignment(&self) -> Assignment {
        let place = self.place();
        place.assignment().expect("assigned").clone()
    }

    fn owner(&self) -> String {
        self.assignment().instance.to_string()
    }

    fn owner_of(&self, stream: i64) -> Option<String> {
        let slot = self.ledger.saved().stream(StreamId::new(stream))?;
        let assignment = slot.place().assignment()?;
        Some(assignment.instance.to_string())
    }

    fn held(&self, id: &str) -> Vec<i64> {
        let held = self.slot(id).held().iter();
        held.map(|stream| stream.get()).collect()
    }

    fn to_run(&self, id: &str) -> Vec<i64> {
        let to_run = self.slot(id).to_run().into_iter();
        to_run.map(StreamId::get).collect()
    }
}

impl World {
    /// Who goes on until the owner runs it.
    fn former(&self) -> Option<InstanceId> {
        self.assignment().former().cloned()
    }

    fn ask(&mut self, id: &str) -> AssignOutcome {
        self.run(AssignStreams {
            id: id.into(),
            incarnation: None,
            requested: 1,
        })
    }

    /// What a heartbeat that names a version is answered.
    fn news(&self, id: &str, version: AssignmentVersion) -> SetUpdate {
        let question = ChangesSince {
            id: id.into(),
            incarnation: None,
            version,
        };
        let answer = question.answer(self.ledger.saved());
        answer.expect("registered").update
    }
}

const STREAM: StreamId = StreamId::new(1);

fn spec() -> StreamSpec {
    StreamSpec {
        id: Some(STREAM),
        ..StreamSpec::default()
    }
}

/// A worker that starts a stream anew while it is told to let go of it: the version it names may
/// already leave the stream out.
#[test]
fn who_says_that_it_runs_a_stream_has_not_let_go_of_it() {
    let mut world = World::new(HandoverMode::Exclusive);
    world.move_to("b");
    world.beat("a", &[STREAM]);
    assert_eq!(world.owner(), "a", "it still runs it");
    world.beat("a", &[]);
    assert_eq!(world.owner(), "b");
}

#[test]
fn who_is_to_leave_still_is_when_it_fails() {
    let mut world = World::new(HandoverMode::Exclusive);
    world.run(WithdrawLease::for_removal("a".into(), world.life("a")));
    world.fail("a");
    let withdrawn = world.slot("a").instance().withdrawn.expect("withdrawn");
    assert_eq!(withdrawn.cause, WithdrawalCause::Removal);
}

#[test]
fn a_disabled_stream_is_started_by_nobody_when_its_owner_fails() {
    let mut world = World::new(HandoverMode::Exclusive);
    world.save(StreamSpec {
        enabled: Some(false),
        ..spec()
    });
    world.save(StreamSpec {
        handoff: Some(HandoverMode::Overlap),
        ..spec()
    });
    world.fail("a");
    let owner = world
        .place()
        .assignment()
        .map(|owner| owner.instance.clone());
    assert_ne!(owner, Some("b".into()));
    assert_ne!(owner, Some("c".into()));
}

/// It was judged as a classic one; before anything is decided it begins to go by leases.
#[test]
fn who_gets_its_first_lease_meanwhile_keeps_its_streams() {
    let mut world = World::new(HandoverMode::Exclusive);
    world.register("a");
    world.run(AgreeLease {
        id: "a".into(),
        incarnation: world.life("a"),
        lease: None,
    });
    let judged = world.never_leased("a");
    world.agree_on_leases("a");

    let (manner, scoring) = (Manner::Ordinary, Scoring::default());
    let recovery = RecoverInstance::new(world.open("a"), judged, manner, first_attempt(), scoring);
    let refused = world.try_run(recovery);
    assert_eq!(refused.err(), Some(Rejection::LeaseRuns("a".into())));
    assert_eq!(world.owner(), "a");

    let removal = world.run(RemoveInstance::new("a".into()).after(judged));
    assert!(matches!(removal, Removal::Waiting(_)), "{removal:?}");
    assert_eq!(world.owner(), "a");
}

#[test]
fn who_registers_anew_while_it_is_removed_stays() {
    let mut world = World::new(HandoverMode::Exclusive);
    let removal = RemoveInstance::new("a".into()).in_life(world.life("a"));
    world.register("a");
    let refused = world.try_run(removal.after(LeaseOver::said_by_worker()));
    assert!(matches!(refused, Err(Rejection::OtherIncarnation { .. })));
    assert_eq!(world.owner(), "a");
}

/// A registration may have been on its way for long: the process that sent it may be gone, and the one before
/// may still run the stream.
#[test]
fn a_registration_leaves_a_stream_with_its_leased_owner_until_a_heartbeat_names_the_new_life() {
    let mut world = World::new(HandoverMode::Exclusive);
    world.beat("a", &[STREAM]);
    world.move_to("b");
    world.register("a");
    assert_eq!(world.owner(), "a");
    // A heartbeat that does not name the life says nothing about it.
    world.first_beat("a", HeartbeatForm::WithoutIncarnation, &[]);
    assert_eq!(world.owner(), "a");
    // Nor does one that runs the stream.
    world.first_beat("a", HeartbeatForm::WithIncarnation, &[STREAM]);
    assert_eq!(world.owner(), "a");
    world.first_beat("a", HeartbeatForm::WithIncarnation, &[]);
    assert_eq!(world.owner(), "b");
}

/// A leased a that runs streams 1 to 3, with the label `disk`; stream 3 requires the label.
fn three_at_a() -> World {
    let mut world = World::new(HandoverMode::Exclusive);
    world.run(with_disk(5));
    world.save(StreamSpec {
        id: Some(StreamId::new(2)),
        name: Some("s2".into()),
        ..spec()
    });
    world.save(StreamSpec {
        id: Some(StreamId::new(3)),
        name: Some("s3".into()),
        requires: Some([("disk".to_owned(), "ssd".to_owned())].into()),
        ..spec()
    });
    world.run(AssignStreams {
        id: "a".into(),
        incarnation: None,
        requested: 3,
    });
    let all = [1, 2, 3].map(StreamId::new);
    world.first_beat("a", HeartbeatForm::WithIncarnation, &all);
    world.beat("a", &all);
    assert_eq!(world.held("a"), [1, 2, 3]);
    assert_eq!(world.to_run("a"), [1, 2, 3]);
    world
}

fn with_disk(max_streams: u32) -> RegisterInstance {
    RegisterInstance {
        labels: [("disk".to_owned(), "ssd".to_owned())].into(),
        ..registration("a", max_streams)
    }
}

#[test]
fn a_registration_with_less_room_sheds_with_the_first_heartbeat_that_names_the_new_life() {
    let mut world = three_at_a();
    let registered = world.run(with_disk(1));
    assert_eq!(registered.assigned_streams(), [StreamId::new(1)]);
    // The process before may run them all: none has another owner.
    assert_eq!(
        (world.held("a"), world.to_run("a")),
        (vec![1, 2, 3], vec![1])
    );
    world.first_beat("a", HeartbeatForm::WithoutIncarnation, &[]);
    assert_eq!(world.held("a"), [1, 2, 3]);
    // An operator cannot keep one where it does not fit.
    let back = Relocation {
        stream: StreamId::new(2),
        to: Some("a".into()),
    };
    let refused = world.try_run(MoveStreams { moves: vec![back] });
    assert_eq!(refused.unwrap_err(), Rejection::NoRoom(Some("a".into())));
    // One that the new life reports as running is not released.
    world.first_beat("a", HeartbeatForm::WithIncarnation, &[StreamId::new(2)]);
    assert_eq!(world.held("a"), [1, 2]);
    assert_eq!(world.owner_of(3), None, "no other has its label");
    world.first_beat("a", HeartbeatForm::WithIncarnation, &[StreamId::new(1)]);
    assert_eq!(world.held("a"), [1]);
    assert!(world.owner_of(2).is_some_and(|owner| owner != "a"));
}

#[test]
fn a_registration_without_a_label_sheds_with_the_first_heartbeat_that_names_the_new_life() {
    let mut world = three_at_a();
    world.run(registration("a", 5));
    assert_eq!(
        (world.held("a"), world.to_run("a")),
        (vec![1, 2, 3], vec![1, 2])
    );
    world.first_beat("a", HeartbeatForm::WithIncarnation, &[]);
    assert_eq!(world.held("a"), [1, 2]);
    assert_eq!(world.owner_of(3), None);
}

#[test]
fn a_late_registration_with_less_room_takes_no_stream_from_the_life_after_it() {
    let mut world = three_at_a();
    // Late, and of no process any more.
    world.run(registration("a", 1));
    assert_eq!(world.to_run("a"), [1]);
    // The process that lives is answered 409, and registers as before.
    let registered = world.run(with_disk(5));
    let all = [1, 2, 3].map(StreamId::new);
    assert_eq!(registered.assigned_streams(), all);
    world.first_beat("a", HeartbeatForm::WithIncarnation, &[]);
    world.beat("a", &all);
    assert_eq!(
        (world.held("a"), world.to_run("a")),
        (vec![1, 2, 3], vec![1, 2, 3])
    );
}

#[test]
fn a_stream_that_is_shed_is_not_kept_by_way_of_the_catalogue_or_a_timeout() {
    let mut world = three_at_a();
    world.run(with_disk(1));
    let switch = |enabled| StreamSpec {
        id: Some(StreamId::new(2)),
        enabled: Some(enabled),
        ..spec()
    };
    world.save(switch(false));
    world.save(switch(true));
    assert_eq!(world.to_run("a"), [1]);
    let given_up = world.run(AbandonHandovers {
        id: "a".into(),
        incarnation: world.life("a"),
        streams: vec![StreamId::new(2), StreamId::new(3)],
    });
    assert_eq!((given_up, world.to_run("a")), (0, vec![1]));
    world.first_beat("a", HeartbeatForm::WithIncarnation, &[]);
    assert_eq!(world.held("a"), [1]);
}

#[test]
fn a_registration_of_a_classic_owner_with_less_room_sheds_at_once() {
    let mut world = three_at_a();
    world.run(AgreeLease {
        id: "a".into(),
        incarnation: world.life("a"),
        lease: None,
    });
    world.run(with_disk(1));
    assert_eq!(world.held("a"), [1]);
}

#[test]
fn a_registration_of_a_classic_owner_lets_its_streams_go_at_once() {
    let mut world = World::new(HandoverMode::Exclusive);
    world.beat("a", &[STREAM]);
    world.move_to("b");
    world.run(AgreeLease {
        id: "a".into(),
        incarnation: world.life("a"),
        lease: None,
    });
    world.register("a");
    assert_eq!(world.owner(), "b");
}

#[test]
fn a_release_of_a_stream_that_was_assigned_again_since_is_passed_over() {
    let mut world = World::new(HandoverMode::Exclusive);
    let epoch = world.assignment().epoch;
    let release = |world: &World, epochs: Option<Vec<Epoch>>| ReleaseStreams {
        id: "a".into(),
        incarnation: Some(world.life("a")),
        streams: vec![STREAM],
        epochs,
        reason: None,
    };
    let older = Epoch::new(epoch.get() - 1);
    let late = world.run(release(&world, Some(vec![older])));
    assert_eq!(late.0, []);
    assert_eq!(world.owner(), "a");
    let meant = world.run(release(&world, Some(vec![epoch])));
    assert_eq!(meant.0.len(), 1);
    assert!(world.place().assignment().is_none());
}

#[test]
fn who_asks_for_streams_before_it_beats_ends_the_overlap_all_the_same() {
    let mut world = World::new(HandoverMode::Overlap);
    world.move_to("b");
    let handed_out = world.ask("b");
    assert!(matches!(handed_out, AssignOutcome::Assigned(_)));
    world.beat("b", &[]);
    assert_eq!(world.former(), Some("a".into()), "it is not started yet");
    world.beat("b", &[STREAM]);
    assert_eq!(world.former(), None);
}

/// What may be run twice goes on beyond the lease: its worker must hear when that has an end.
#[test]
fn a_changed_handoff_is_told_to_whoever_runs_the_stream() {
    let mut world = World::new(HandoverMode::Overlap);
    world.move_to("b");
    let known = ["a", "b"].map(|id| world.version(id));
    world.save(StreamSpec {
        handoff: Some(HandoverMode::Exclusive),
        ..spec()
    });
    for (id, known) in ["a", "b"].into_iter().zip(known) {
        let SetUpdate::Difference { assign, revoke } = world.news(id, known) else {
            panic!("nothing is told to {id}");
        };
        let told: Vec<_> = assign.iter().map(|(stream, _)| stream.handoff).collect();
        assert_eq!((told, revoke), (vec![HandoverMode::Exclusive], vec![]));
    }
}

impl World {
    fn delete(&mut self) {
        let ended = self.run(DeleteStream { id: STREAM });
        assert!(ended.is_some());
    }

    fn is_listed(&self) -> bool {
        StreamDetail { id: STREAM }
            .answer(self.ledger.saved())
            .is_some()
    }

    fn is_remembered(&self) -> bool {
        self.ledger.saved().stream(STREAM).is_some()
    }

    fn make_again(&mut self) -> StreamsSaved {
        let streams = vec![StreamSpec {
            name: Some("s1".into()),
            ..spec()
        }];
        self.run(SaveStreams { streams })
    }
}

#[test]
fn a_deleted_stream_made_again_waits_until_its_last_worker_has_let_go() {
    let mut world = World::new(HandoverMode::Exclusive);
    let epoch = world.assignment().epoch;
    world.delete();
    assert!(!world.is_listed(), "to everybody it is gone");
    let refused = world.try_run(DeleteStream { id: STREAM });
    assert_eq!(refused.err(), Some(Rejection::UnknownStream(STREAM)));
    let created = StreamsSaved {
        created: 1,
        updated: 0,
        unchanged: 0,
        ids: vec![STREAM],
    };
    assert_eq!(world.make_again(), created);
    assert!(world.is_listed());

    assert_eq!(world.ask("b"), AssignOutcome::NoneWaiting);
    assert_eq!(world.owner(), "a");
    world.beat("a", &[STREAM]);
    assert_eq!(world.owner(), "a", "it says that it runs it");
    world.beat("a", &[]);
    assert!(matches!(world.place(), Place::Unclaimed { .. }));
    world.ask("b");
    assert_eq!(world.owner(), "b");
    assert!(world.assignment().epoch > epoch);
}

#[test]
fn a_deleted_stream_made_again_as_disabled_is_disabled_when_its_worker_has_released_it() {
    let mut world = World::new(HandoverMode::Exclusive);
    world.delete();
    let streams = vec![StreamSpec {
        name: Some("s1".into()),
        enabled: Some(false),
        ..spec()
    }];
    world.run(SaveStreams { streams });
    assert_eq!(world.owner(), "a");
    world.beat("a", &[]);
    assert_eq!(world.place(), Place::Disabled);
    assert!(world.is_listed());
}

/// An overlap stream may have been run by its owner when it was deleted, too.
#[test]
fn a_deleted_stream_is_forgotten_when_nobody_runs_it() {
    for handoff in HandoverMode::ALL.iter().copied() {
        let mut world = World::new(handoff);
        world.delete();
        assert!(world.is_remembered());
        world.beat("a", &[]);
        assert!(!world.is_remembered(), "its worker has let go");

        let mut world = World::new(handoff);
        world.delete();
        world.register("a");
        assert!(world.is_remembered(), "the process before may live");
        world.first_beat("a", HeartbeatForm::WithIncarnation, &[]);
        assert!(!world.is_remembered(), "the new process runs nothing");

        let mut world = World::new(handoff);
        world.delete();
        let removal = RemoveInstance::new("a".into()).after(LeaseOver::said_by_worker());
        world.run(removal);
        assert!(!world.is_remembered(), "its lease is over");
    }
}

#[test]
fn a_deleted_stream_that_no_lease_guards_is_forgotten_at_once() {
    let mut world = World::new(HandoverMode::Exclusive);
    world.run(AgreeLease {
        id: "a".into(),
        incarnation: world.life("a"),
        lease: None,
    });
    world.delete();
    assert!(!world.is_remembered());
}

/// It can say that it has let go no more.
#[test]
fn who_is_leased_no_more_is_asked_no_longer_to_let_go() {
    let mut world = World::new(HandoverMode::Exclusive);
    world.delete();
    let stop_waiting = |world: &mut World| {
        world.run(AbandonHandovers {
            id: "a".into(),
            incarnation: world.life("a"),
            streams: vec![STREAM],
        })
    };
    stop_waiting(&mut world);
    assert!(world.is_remembered(), "it may run it as long as it beats");
    world.run(AgreeLease {
        id: "a".into(),
        incarnation: world.life("a"),
        lease: None,
    });
    stop_waiting(&mut world);
    assert!(!world.is_remembered());
}

/// It is no stream of theirs to count, to list, to move, or to name another after.
#[test]
fn a_deleted_stream_is_in_no_answer() {
    let mut world = World::new(HandoverMode::Exclusive);
    world.delete();
    let fleet = world.ledger.saved();
    let page = StreamList {
        after: None,
        most: 10,
        filter: StreamFilter::default(),
    }
    .answer(fleet);
    assert_eq!(page.items.len(), 0);
    let totals = FleetTotals::default().answer(fleet);
    assert_eq!(totals.by_state.values().sum::<usize>(), 0);
    let claims = vec![Claim {
        stream: STREAM,
        epoch: world.assignment().epoch,
    }];
    assert!(!VerifyClaims { claims }.answer(fleet)[0].is_current());

    let moves = vec![Relocation {
        stream: STREAM,
        to: None,
    }];
    let refused = world.try_run(MoveStreams { moves });
    assert_eq!(refused.err(), Some(Rejection::UnknownStream(STREAM)));
    let streams = vec![StreamSpec {
        id: Some(StreamId::new(2)),
        name: Some("s1".into()),
        ..StreamSpec::default()
    }];
    let refused = world.try_run(SaveStreams { streams }).err();
    let text = refused.map(|refused| refused.to_string());
    assert!(text.is_some_and(|text| text.contains("which was deleted")));

    let unnamed = vec![StreamSpec {
        name: Some("s1".into()),
        ..StreamSpec::default()
    }];
    world.run(SaveStreams { streams: unnamed });
    assert!(world.is_listed(), "its name is its key");
}
