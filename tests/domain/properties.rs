//! Random histories of the fleet: whatever is decided, saved and undone in whatever order, the
//! invariants hold, undoing leaves no trace, rows rebuild the fleet, and workers that follow
//! their updates end at what the fleet says.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use resilient_orchestrator::domain::balance::{BalanceMeasure, BalanceScope, plan, survey};
use resilient_orchestrator::domain::commands::{
    AbandonHandovers, AgreeLease, AssignStreams, BalanceStreams, ClearSuspicion, Command,
    ConfirmDelivery, ContinueReturned, DeleteStream, DryRun, EndIncident, EndMaintenance,
    ForgetFailed, ForgiveInstance, HeartbeatForm, MoveStreams, OpenIncident, Opening, PlaceWaiting,
    RecoverInstance, Recovered, RegisterInstance, Rejection, ReleaseStreams, Relocation,
    RemoveInstance, ReturnInstance, SaveStreams, SettleDifference, StreamSpec, SuspectInstance,
    TrustInstance,
};
use resilient_orchestrator::domain::digest::StreamsDigest;
use resilient_orchestrator::domain::fleet::Standing;
use resilient_orchestrator::domain::fleet::{
    Fleet, InstanceSlot, Reading, Scores, Scoring, Snapshot,
};
use resilient_orchestrator::domain::handover::HandoverMode;
use resilient_orchestrator::domain::ids::{
    AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId,
};
use resilient_orchestrator::domain::incident::FailureCause;
use resilient_orchestrator::domain::instance::{Instance, InstanceStatus};
use resilient_orchestrator::domain::invariants::{check_epochs, check_fleet, compare};
use resilient_orchestrator::domain::lease::lease;
use resilient_orchestrator::domain::ledger::{Batch, Ledger};
use resilient_orchestrator::domain::liveness::FenceAnswer;
use resilient_orchestrator::domain::pace::MovePace;
use resilient_orchestrator::domain::queries::{ChangesSince, Query, SetUpdate};
use resilient_orchestrator::domain::recovery::{Detected, Failure, Manner, Progress};
use resilient_orchestrator::domain::return_timer::deadline;
use resilient_orchestrator::domain::settings::BalanceLimits;
use resilient_orchestrator::domain::stream::{Place, Stream};
use resilient_orchestrator::domain::time::{Timestamp, WallTime};
use resilient_orchestrator::domain::timeline::Recent;

use crate::figures::{Board, LEASE, assert_tally_equals_walk};
use crate::orders::registration;

const INSTANCES: usize = 5;
const STREAMS: i64 = 14;

/// Which life a command claims to be about.
#[derive(Debug, Clone, Copy)]
enum Life {
    Unsaid,
    Current,
    Earlier,
}

#[derive(Debug, Clone)]
enum Step {
    Register {
        who: usize,
        max_streams: u32,
        auto_assign: bool,
    },
    Remove {
        who: usize,
    },
    Recover {
        who: usize,
        life: Life,
        manner: Manner,
    },
    EndMaintenance {
        who: usize,
        beats: bool,
    },
    Suspect {
        who: usize,
        life: Life,
    },
    Clear {
        who: usize,
        life: Life,
    },
    Return {
        who: usize,
        life: Life,
    },
    Trust {
        who: usize,
        life: Life,
    },
    Forgive {
        who: usize,
        life: Life,
        flaps: u32,
    },
    Assign {
        who: usize,
        life: Life,
        requested: i64,
    },
    Release {
        who: usize,
        life: Life,
        streams: Vec<i64>,
        has_reason: bool,
    },
    Continue,
    Confirm {
        who: usize,
        version_back: Option<i64>,
        streams: Vec<i64>,
    },
    Save {
        specs: Vec<StreamSpec>,
    },
    Delete {
        stream: i64,
    },
    Forget {
        seconds_ago: i64,
    },
    PlaceWaiting,
    Beat {
        who: usize,
    },
    Agree {
        who: usize,
        leased: bool,
    },
    Depart {
        who: usize,
    },
    Move {
        streams: Vec<i64>,
        to: Option<usize>,
    },
    Balance {
        scope: BalanceScope,
        per_target: usize,
    },
    Settle {
        who: usize,
        running: Vec<i64>,
        told_back: Option<i64>,
    },
    Abandon {
        who: usize,
    },
}

/// What becomes of the batch a step belongs to.
#[derive(Debug, Clone, Copy)]
enum End {
    StaysOpen,
    Saved,
    Undone,
}

fn life() -> impl Strategy<Value = Life> {
    prop_oneof![6 => Just(Life::Current), 1 => Just(Life::Unsaid), 1 => Just(Life::Earlier)]
}

fn manner() -> impl Strategy<Value = Manner> {
    let reason = "because".to_owned().into();
    prop_oneof![
        4 => Just(Manner::Ordinary),
        1 => Just(Manner::Emergency),
        2 => Just(Manner::TakenOut { reason }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..INSTANCES;
    let ids = || prop::collection::vec(1..=STREAMS, 0..6);
    let spec = (
        prop::option::weighted(0.8, 1..=STREAMS),
        1..=STREAMS + 2,
        prop::option::of(-2..3_i32),
        prop::option::weighted(0.4, any::<bool>()),
        prop::option::weighted(0.4, prop::sample::select(HandoverMode::ALL)),
    )
        .prop_map(|(id, number, priority, enabled, handoff)| StreamSpec {
            handoff,
            id: id.map(StreamId::new),
            name: Some(format!("n{number}").into()),
            priority,
            enabled,
            ..StreamSpec::default()
        });
    prop_oneof![
        6 => (who.clone(), 1..6_u32, any::<bool>())
            .prop_map(|(who, max_streams, auto_assign)| Step::Register { who, max_streams, auto_assign }),
        1 => who.clone().prop_map(|who| Step::Remove { who }),
        3 => (who.clone(), life(), manner())
            .prop_map(|(who, life, manner)| Step::Recover { who, life, manner }),
        1 => (who.clone(), any::<bool>())
            .prop_map(|(who, beats)| Step::EndMaintenance { who, beats }),
        2 => (who.clone(), life()).prop_map(|(who, life)| Step::Suspect { who, life }),
        2 => (who.clone(), life()).prop_map(|(who, life)| Step::Clear { who, life }),
        3 => (who.clone(), life()).prop_map(|(who, life)| Step::Return { who, life }),
        2 => (who.clone(), life()).prop_map(|(who, life)| Step::Trust { who, life }),
        2 => (who.clone(), life(), 0_u32..3)
            .prop_map(|(who, life, flaps)| Step::Forgive { who, life, flaps }),
        6 => (who.clone(), life(), -2..7_i64)
            .prop_map(|(who, life, requested)| Step::Assign { who, life, requested }),
        4 => (who.clone(), life(), ids(), any::<bool>())
            .prop_map(|(who, life, streams, has_reason)| {
                Step::Release { who, life, streams, has_reason }
            }),
        2 => Just(Step::Continue),
        2 => (who.clone(), prop::option::of(-1..4_i64), ids())
            .prop_map(|(who, version_back, streams)| Step::Confirm { who, version_back, streams }),
        4 => prop::collection::vec(spec, 1..8).prop_map(|specs| Step::Save { specs }),
        1 => (1..=STREAMS + 2).prop_map(|stream| Step::Delete { stream }),
        1 => (0..30_i64).prop_map(|seconds_ago| Step::Forget { seconds_ago }),
        1 => Just(Step::PlaceWaiting),
        4 => who.clone().prop_map(|who| Step::Beat { who }),
        3 => (who.clone(), prop::bool::weighted(0.8))
            .prop_map(|(who, leased)| Step::Agree { who, leased }),
        1 => who.clone().prop_map(|who| Step::Depart { who }),
        1 => (
            who.clone(),
            proptest::collection::btree_set(1..=STREAMS, 0..6),
            proptest::option::of(0_i64..3),
        )
            .prop_map(|(who, running, told_back)| Step::Settle {
                who,
                running: running.into_iter().collect(),
                told_back,
            }),
        1 => who.clone().prop_map(|who| Step::Abandon { who }),
        4 => (ids(), prop::option::of(who))
            .prop_map(|(streams, to)| Step::Move { streams, to }),
        2 => (any::<bool>(), 1_usize..4).prop_map(|(all, per_target)| Step::Balance {
            scope: if all { BalanceScope::All } else { BalanceScope::Leased },
            per_target,
        }),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![2 => Just(End::StaysOpen), 4 => Just(End::Saved), 2 => Just(End::Undone)]
}

/// A store that is three maps.
#[derive(Default)]
struct Rows {
    counter: Epoch,
    instances: BTreeMap<InstanceId, Instance>,
    streams: BTreeMap<StreamId, Stream>,
    places: BTreeMap<StreamId, Place>,
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

impl Rows {
    fn write(&mut self, batch: &Batch) {
        if batch.is_empty() {
            return;
        }
        let rows = batch.rows();
        self.counter = batch.counter();
        for (id, row) in rows.instances {
            put(
                &mut self.instances,
                id,
                row.map(|row| Instance::clone(&row)),
            );
        }
        for (id, row) in rows.streams {
            put(&mut self.streams, id, row.map(|row| Stream::clone(&row)));
        }
        for (id, row) in rows.places {
            put(&mut self.places, id, row);
        }
    }

    fn fleet(&self) -> Fleet {
        assert!(
            self.streams.keys().eq(self.places.keys()),
            "a stream without a place"
        );
        Fleet::from_snapshot(&Snapshot {
            rolls: Vec::new(),
            counter: self.counter,
            instances: self.instances.values().cloned().collect(),
            streams: self
                .streams
                .values()
                .map(|stream| (stream.clone(), self.places[&stream.id].clone()))
                .collect(),
            last_beats: Vec::new(),
            watermark: None,
        })
        .expect("rows are a fleet")
    }
}

/// A worker that follows its updates, and knows nothing else.
#[derive(Default)]
struct Worker {
    incarnation: Option<Incarnation>,
    version: AssignmentVersion,
    runs: BTreeMap<StreamId, Told>,
}

struct World {
    ledger: Ledger,
    rows: Rows,
    workers: Vec<Worker>,
    board: Board,
    seconds: i64,
}

fn name(who: usize) -> InstanceId {
    InstanceId::new(format!("w{who}"))
}

/// What the worker of an instance is to run.
fn set(slot: &InstanceSlot, fleet: &Fleet) -> BTreeMap<StreamId, Told> {
    let handoff = |id: &StreamId| fleet.stream(*id).unwrap().stream().handoff;
    let lingering = slot.lingering().iter();
    let lingering = lingering.map(|(id, epoch)| (*id, (*epoch, handoff(id))));
    let owned = slot.held().difference(slot.releasing()).map(|id| {
        let place = fleet.stream(*id).unwrap().place();
        (*id, (place.assignment().unwrap().epoch, handoff(id)))
    });
    let mut all: BTreeMap<StreamId, Told> = owned.collect();
    all.extend(lingering);
    if slot.instance().withdrawn.is_some() {
        assert!(all.is_empty(), "withdrawn, and told to run {all:?}");
    }
    all
}

/// What a worker is told of a stream.
type Told = (Epoch, HandoverMode);

fn told(assign: &[(Arc<Stream>, Epoch)]) -> impl Iterator<Item = (StreamId, Told)> {
    let told = assign.iter();
    told.map(|(stream, epoch)| (stream.id, (*epoch, stream.handoff)))
}

/// What an instance owns.
fn owned(slot: &InstanceSlot, fleet: &Fleet) -> BTreeMap<StreamId, Epoch> {
    slot.held()
        .iter()
        .map(|id| {
            (
                *id,
                fleet
                    .stream(*id)
                    .unwrap()
                    .place()
                    .assignment()
                    .unwrap()
                    .epoch,
            )
        })
        .collect()
}

fn set_of(fleet: &Fleet, id: &InstanceId) -> BTreeMap<StreamId, Told> {
    fleet
        .instance(id)
        .map(|slot| set(slot, fleet))
        .unwrap_or_default()
}

fn owned_by(fleet: &Fleet, id: &InstanceId) -> BTreeMap<StreamId, Epoch> {
    fleet
        .instance(id)
        .map(|slot| owned(slot, fleet))
        .unwrap_or_default()
}

fn assert_sound(fleet: &Fleet) {
    for check in check_fleet(fleet) {
        assert!(check.holds, "{check:?}");
    }
    assert_tally_equals_walk(fleet);
    for slot in fleet.instances() {
        let to_run = slot.to_run();
        assert_eq!(slot.to_run_count(), to_run.len());
        assert_eq!(slot.digest(), StreamsDigest::of(to_run), "{slot:?}");
    }
    for stream in fleet.ready_unclaimed() {
        let Place::Unclaimed { released_by, .. } = fleet.stream(stream).unwrap().place() else {
            panic!("not unclaimed");
        };
        let idle = fleet.instances().find(|slot| {
            let instance = slot.instance();
            instance.auto_assign
                && instance.status == InstanceStatus::Active
                && instance.withdrawn.is_none()
                && slot.free_room() > 0
                && released_by.as_ref() != Some(&instance.id)
        });
        assert!(idle.is_none(), "{stream} waits while {idle:?} fills itself");
    }
}

impl World {
    fn new() -> Self {
        Self {
            ledger: Ledger::new(Fleet::default()),
            rows: Rows::default(),
            workers: (0..INSTANCES).map(|_| Worker::default()).collect(),
            board: Board::default(),
            seconds: 100,
        }
    }

    fn now(&self) -> WallTime {
        WallTime::from_micros(self.seconds * 1_000_000)
    }

    fn life(&self, who: usize, life: Life) -> Option<Incarnation> {
        let current = self
            .ledger
            .draft()
            .instance(&name(who))
            .map_or(Incarnation::new(1), |slot| slot.instance().incarnation);
        match life {
            Life::Unsaid => None,
            Life::Current => Some(current),
            Life::Earlier => Some(Incarnation::new(current.get() - 1)),
        }
    }

    fn step(&mut self, step: &Step, end: End) {
        self.seconds += 1;
        self.carry_out(step);
        assert_sound(self.ledger.draft());
        match end {
            End::StaysOpen => {}
            End::Saved => {
                let batch = self.ledger.take_batch();
                let before = self.ledger.saved().clone();
                self.rows.write(&batch);
                let relisted: Vec<StreamId> = batch.relisted().collect();
                self.ledger.commit(batch.clone());
                self.board.publish(&batch, &relisted, self.ledger.saved());
                let after = self.ledger.saved();
                let epochs = check_epochs(&before, after);
                assert!(epochs.holds, "{epochs:?}");
                assert!(
                    after == self.ledger.draft(),
                    "nothing is open, and they differ"
                );
                let stored = self.rows.fleet();
                let compared = compare(after, &stored);
                assert!(compared.holds, "{compared:?}");
                assert!(*after == stored, "rows are equal, indexes are not");
            }
            End::Undone => {
                let batch = self.ledger.take_batch();
                self.ledger.undo(batch);
                assert!(
                    self.ledger.draft() == self.ledger.saved(),
                    "undoing left a trace"
                );
            }
        }
        let saved = self.ledger.saved();
        self.board
            .assert_equals_walk(saved, self.running_time(), self.now());
    }

    fn running_time(&self) -> Timestamp {
        Timestamp::from_micros(self.seconds.unsigned_abs() * 1_000_000)
    }

    #[expect(clippy::too_many_lines, reason = "one arm a command")]
    fn carry_out(&mut self, step: &Step) {
        let any_life = |life: Option<Incarnation>| life.unwrap_or(Incarnation::new(1));
        match step.clone() {
            Step::Register {
                who,
                max_streams,
                auto_assign,
            } => {
                let reply = self.decide(&RegisterInstance {
                    auto_assign,
                    ..registration(name(who), max_streams)
                });
                let reply = reply.expect("registering is never refused");
                let slot = self.ledger.draft().instance(&name(who)).unwrap();
                assert_eq!(&reply.instance, slot.instance().as_ref());
                assert_eq!(reply.assigned_streams(), slot.to_run());
            }
            Step::Remove { who } => {
                let Some(seen) = self.ledger.draft().instance(&name(who)).map(Standing::of) else {
                    return;
                };
                let end = Timestamp::from_micros(u64::MAX);
                let over = lease(&seen, Some(end), Duration::ZERO, end).over().unwrap();
                let _ = self.decide(&RemoveInstance::new(name(who)).after(over));
                assert!(self.ledger.draft().instance(&name(who)).is_none());
            }
            Step::Recover { who, life, manner } => {
                self.recover(who, any_life(self.life(who, life)), &manner);
            }
            Step::EndMaintenance { who, beats } => {
                let incarnation = any_life(self.life(who, Life::Current));
                let _ = self.decide(&EndMaintenance {
                    id: name(who),
                    incarnation,
                    beats,
                });
            }
            Step::Suspect { who, life } => {
                let incarnation = any_life(self.life(who, life));
                let _ = self.decide(&SuspectInstance {
                    id: name(who),
                    incarnation,
                });
            }
            Step::Clear { who, life } => {
                let incarnation = any_life(self.life(who, life));
                let _ = self.decide(&ClearSuspicion {
                    id: name(who),
                    incarnation,
                });
            }
            Step::Return { who, life } => {
                let incarnation = any_life(self.life(who, life));
                let _ = self.decide(&ReturnInstance {
                    id: name(who),
                    incarnation,
                });
            }
            Step::Trust { who, life } => {
                let incarnation = any_life(self.life(who, life));
                let _ = self.decide(&TrustInstance {
                    id: name(who),
                    incarnation,
                });
            }
            Step::Forgive { who, life, flaps } => {
                let incarnation = any_life(self.life(who, life));
                let _ = self.decide(&ForgiveInstance {
                    id: name(who),
                    incarnation,
                    flaps,
                });
            }
            Step::Assign {
                who,
                life,
                requested,
            } => {
                let incarnation = self.life(who, life);
                let _ = self.decide(&AssignStreams {
                    id: name(who),
                    incarnation,
                    requested,
                });
            }
            Step::Release {
                who,
                life,
                streams,
                has_reason,
            } => {
                let incarnation = self.life(who, life);
                let streams = streams.into_iter().map(StreamId::new).collect();
                let _ = self.decide(&ReleaseStreams {
                    epochs: None,
                    id: name(who),
                    incarnation,
                    streams,
                    reason: has_reason.then(|| "no signal".into()),
                });
            }
            Step::Continue => {
                let policy = *self.ledger.return_policy();
                let due = self.ledger.draft().streams().filter_map(|slot| {
                    let deadline = deadline(slot.stream(), slot.place(), &policy)?;
                    Some((slot.stream().id, deadline.due))
                });
                let due: Vec<_> = due.collect();
                let continued = self.decide(&ContinueReturned { due: due.clone() });
                assert_eq!(continued, Ok(due.len()), "each is true of its stream");
                assert_eq!(self.ledger.draft().paused_count(), 0);
            }
            Step::Confirm {
                who,
                version_back,
                streams,
            } => {
                let current = self
                    .ledger
                    .draft()
                    .instance(&name(who))
                    .map_or(0, |slot| slot.instance().assignment_version.get());
                let before = set_of(self.ledger.draft(), &name(who));
                let slot = self.ledger.draft().instance(&name(who));
                let lets_go = slot.is_some_and(|slot| !slot.releasing().is_empty());
                let _ = self.decide(&ConfirmDelivery {
                    form: match version_back {
                        Some(_) => HeartbeatForm::WithIncarnation,
                        None => HeartbeatForm::WithoutIncarnation,
                    },
                    id: name(who),
                    incarnation: any_life(self.life(who, Life::Current)),
                    version: version_back.map(|back| AssignmentVersion::new(current - back)),
                    running: Some(streams.into_iter().map(StreamId::new).collect()),
                });
                // Who lets go of a stream that nobody else has room for gets it back.
                if !lets_go {
                    assert_eq!(set_of(self.ledger.draft(), &name(who)), before);
                }
            }
            Step::Save { specs } => {
                let _ = self.decide(&SaveStreams { streams: specs });
            }
            Step::Delete { stream } => {
                let id = StreamId::new(stream);
                let _ = self.decide(&DeleteStream { id });
                assert!(self.ledger.draft().listed(id).is_none());
            }
            Step::Forget { seconds_ago } => {
                let failed_before = WallTime::from_micros((self.seconds - seconds_ago) * 1_000_000);
                let kept = Recent::since(failed_before);
                let _ = self.decide(&ForgetFailed { kept });
            }
            Step::PlaceWaiting => {
                let before = self.ledger.draft().clone();
                self.decide(&PlaceWaiting).unwrap();
                assert!(before == *self.ledger.draft(), "something was left waiting");
            }
            Step::Beat { who } => self.beat(who),
            Step::Agree { who, leased } => {
                let incarnation = self.life(who, Life::Current).unwrap();
                let _ = self.decide(&AgreeLease {
                    id: name(who),
                    incarnation,
                    lease: leased.then_some(Duration::from_secs(240)),
                });
            }
            Step::Depart { who } => {
                let _ = self.decide(&RemoveInstance::new(name(who)));
            }
            Step::Settle {
                who,
                ref running,
                told_back,
            } => {
                let slot = self.ledger.draft().instance(&name(who));
                let version = slot.map_or(0, |slot| slot.instance().assignment_version.get());
                let before = owned_by(self.ledger.draft(), &name(who));
                let incarnation = self.life(who, Life::Current).unwrap();
                let _ = self.decide(&SettleDifference {
                    id: name(who),
                    incarnation,
                    running: Some(running.iter().copied().map(StreamId::new).collect()),
                    told: told_back.map(|back| AssignmentVersion::new(version - back)),
                    is_new: true,
                });
                let after = owned_by(self.ledger.draft(), &name(who));
                // An instance that fills itself may be given a stream that it reported without owning it.
                for id in running.iter().copied().map(StreamId::new) {
                    if let Some(owned) = before.get(&id) {
                        assert_eq!(after.get(&id), Some(owned), "what it runs stays");
                    }
                }
            }
            Step::Abandon { who } => {
                let incarnation = self.life(who, Life::Current).unwrap();
                let slot = self.ledger.draft().instance(&name(who));
                let releasing = slot.map(|slot| slot.releasing().iter().copied().collect());
                let _ = self.decide(&AbandonHandovers {
                    id: name(who),
                    incarnation,
                    streams: releasing.unwrap_or_default(),
                });
            }
            Step::Balance { scope, per_target } => {
                let input = survey(self.ledger.draft(), scope, &BTreeSet::new());
                let limits = BalanceLimits::default();
                let moves = plan(&input, limits, BalanceMeasure::Weight).moves;
                let pace = MovePace {
                    per_target,
                    in_all: 5,
                };
                let _ = self.decide(&BalanceStreams {
                    moves,
                    scope,
                    pace,
                    announced: None,
                });
            }
            Step::Move { ref streams, to } => {
                let streams: BTreeSet<i64> = streams.iter().copied().collect();
                let moves = streams.into_iter().map(|stream| Relocation {
                    stream: StreamId::new(stream),
                    to: to.map(name),
                });
                let _ = self.decide(&MoveStreams {
                    moves: moves.collect(),
                });
            }
        }
    }

    /// I4: exactly the streams of the failed instance move, each to somebody else or into the
    /// queue.
    fn recover(&mut self, who: usize, incarnation: Incarnation, manner: &Manner) {
        let failure = Failure {
            id: name(who),
            incarnation,
            cause: FailureCause::HeartbeatTimeout,
            detected_at: self.now(),
        };
        let seen = self.ledger.draft().instance(&name(who)).map(Standing::of);
        let confirmed = Detected::new(failure)
            .refresh(seen.as_ref())
            .and_then(|refreshed| refreshed.reconfirm(Some(FenceAnswer::Fenced)));
        let Ok(confirmed) = confirmed else {
            let is_its_life = seen.is_some_and(|seen| seen.incarnation == incarnation);
            assert!(!is_its_life, "the way is open to the current life");
            return;
        };
        let progress = Progress::default();
        let opening = OpenIncident::new(confirmed, manner.clone(), progress.clone());
        let Ok(Opening::Opened(opened)) = self.decide(&opening) else {
            return;
        };
        let before = self.ledger.draft().clone();
        // What was disabled and is only waited for is run by nobody afterwards.
        let is_wanted = |id: &StreamId| before.stream(*id).unwrap().stream().enabled;
        let all: BTreeSet<StreamId> = owned_by(&before, &name(who)).into_keys().collect();
        let lost: BTreeSet<StreamId> = all.iter().copied().filter(is_wanted).collect();
        let scoring = self.scoring();
        let end = Timestamp::from_micros(u64::MAX);
        let over = lease(&seen.unwrap(), Some(end), Duration::ZERO, end).over();
        let applied = self
            .decide(&RecoverInstance::new(
                opened,
                over.unwrap(),
                manner.clone(),
                progress,
                scoring,
            ))
            .expect("what could be opened can be applied");
        let recovered = Recovered::from(&applied);
        let status = self.ledger.draft().instance(&name(who)).unwrap();
        assert_eq!(status.instance().status, manner.end_status());
        let verified = applied.verify(self.ledger.draft());
        let verified = verified.expect("it did what it was to do");
        let fleet = self.ledger.draft().clone();
        self.decide(&EndIncident::recovered(verified)).unwrap();
        assert!(fleet == *self.ledger.draft(), "an end moves nothing");
        let after = self.ledger.draft();
        assert!(owned_by(after, &name(who)).is_empty());
        assert!(set_of(after, &name(who)).is_empty());
        let moved = recovered.evacuation.moved.iter().map(|(id, _)| *id);
        let told: BTreeSet<StreamId> = moved
            .chain(recovered.evacuation.orphaned.iter().copied())
            .collect();
        assert_eq!(told, lost);
        for slot in after.streams() {
            let id = slot.stream().id;
            let (old, new) = (before.stream(id).unwrap().place(), slot.place());
            let owner = |place: &Place| place.assignment().map(|a| (a.instance.clone(), a.epoch));
            if !all.contains(&id) {
                assert_eq!(owner(new), owner(old), "{id} is not its own");
            }
        }
        for (id, target) in &recovered.evacuation.moved {
            let owner = after.stream(*id).unwrap().place().assignment().unwrap();
            assert_eq!(&owner.instance, target);
        }
    }

    /// Readings that differ from call to call.
    fn scoring(&self) -> Scoring {
        let readings = (0..INSTANCES).map(|who| {
            let number = u8::try_from((self.seconds as usize * 7 + who * 31) % 101).unwrap();
            let reading = Reading {
                cpu: Some(f32::from(number)),
                memory: None,
                queue: None,
                age: Duration::ZERO,
            };
            (name(who), reading)
        });
        Scoring::judge(Scores::of(readings, Duration::MAX), Duration::ZERO)
    }

    /// What must hold of every command, and of deciding what waits again after it.
    fn decide<C: Command + Clone>(&mut self, command: &C) -> Result<C::Reply, Rejection> {
        let before = self.ledger.draft().clone();
        let open = self.ledger.open_changes();
        let tried = self.ledger.decide(&DryRun(command.clone()), self.now());
        assert!(
            before == *self.ledger.draft() && open == self.ledger.open_changes(),
            "a dry run of {command:?} changed something"
        );
        let reply = self.ledger.decide(command, self.now());
        assert_eq!(format!("{tried:?}"), format!("{reply:?}"), "{command:?}");
        let after = self.ledger.draft();
        if reply.is_err() {
            assert!(
                before == *after,
                "{command:?} was refused and changed something"
            );
            return reply;
        }
        let asked = TypeId::of::<C>() == TypeId::of::<AssignStreams>();
        // Somebody wants it moved, and there may be nobody else.
        let wanted = asked
            || TypeId::of::<C>() == TypeId::of::<MoveStreams>()
            // Who gave it back gets it again after the pause, if there is nobody else.
            || TypeId::of::<C>() == TypeId::of::<ContinueReturned>();
        for slot in after.instances() {
            let instance = slot.instance();
            let (old, new) = (set_of(&before, &instance.id), set(slot, after));
            if let Some(known) = before.instance(&instance.id) {
                let step =
                    instance.assignment_version.get() - known.instance().assignment_version.get();
                // What it is to let go of may change without its worker hearing of it.
                let may_move = owned_by(&before, &instance.id) != owned(slot, after);
                let known = known.releasing() != slot.releasing();
                // One entry of a request may take back what the one before it did.
                let is_edit = TypeId::of::<C>() == TypeId::of::<SaveStreams>();
                assert!(
                    step == i64::from(old != new) || (step == 1 && (may_move || known || is_edit)),
                    "{command:?} on {}: {step}, {old:?}, {new:?}",
                    instance.id
                );
            }
            let (old, new) = (owned_by(&before, &instance.id), owned(slot, after));
            let gained = new.keys().any(|id| !old.contains_key(id));
            if gained && !asked {
                match instance.status {
                    InstanceStatus::Active => {}
                    InstanceStatus::Recovering => assert!(
                        after.instances().all(|other| {
                            other.instance().status != InstanceStatus::Active
                                || other.instance().withdrawn.is_some()
                                || other.free_room() == 0
                        }),
                        "pushed to one on probation although an active one has room"
                    ),
                    status => panic!("pushed to one that is {status}"),
                }
            }
            for id in new.keys().filter(|id| !old.contains_key(id)) {
                if let Some(Place::Unclaimed {
                    released_by: Some(releaser),
                    ..
                }) = before.stream(*id).map(|slot| slot.place())
                {
                    assert!(wanted || *releaser != instance.id, "{id} was pushed back");
                }
            }
        }
        let planned = after.clone();
        self.ledger.decide(&PlaceWaiting, self.now()).unwrap();
        assert!(
            planned == *self.ledger.draft(),
            "planning twice after {command:?}"
        );
        reply
    }

    /// A heartbeat: the worker says what it has, and follows the answer.
    fn beat(&mut self, who: usize) {
        self.board.grant(&name(who), self.running_time() + LEASE);
        let fleet = self.ledger.saved();
        let worker = &mut self.workers[who];
        let answer = ChangesSince {
            id: name(who),
            incarnation: worker.incarnation,
            version: worker.version,
        }
        .answer(fleet);
        let Some(answer) = answer else {
            *worker = Worker::default();
            return;
        };
        match answer.update {
            SetUpdate::UpToDate => {}
            SetUpdate::Difference { assign, revoke } => {
                for id in revoke {
                    worker.runs.remove(&id);
                }
                worker.runs.extend(told(&assign));
            }
            SetUpdate::Full { assign } => {
                worker.runs = told(&assign).collect();
            }
        }
        worker.incarnation = Some(answer.standing.incarnation);
        worker.version = answer.standing.assignment_version;
        assert_eq!(worker.runs, set_of(fleet, &name(who)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_invariants(
        steps in prop::collection::vec((step(), end()), 1..80)
    ) {
        let mut world = World::new();
        for (step, end) in &steps {
            world.step(step, *end);
        }
    }
}

#[test]
fn a_worker_that_begins_anew_during_a_balance_changes_nothing_at_the_receiver() {
    let register = |who, max_streams, auto_assign| Step::Register {
        who,
        max_streams,
        auto_assign,
    };
    let spec = |name: &str, handoff| StreamSpec {
        name: Some(name.into()),
        handoff,
        ..StreamSpec::default()
    };
    let mut world = World::new();
    for step in [
        register(3, 2, true),
        register(4, 3, false),
        Step::Agree {
            who: 3,
            leased: true,
        },
        Step::Clear {
            who: 0,
            life: Life::Current,
        },
        Step::Agree {
            who: 4,
            leased: true,
        },
        Step::Save {
            specs: vec![spec("n6", None), spec("n1", Some(HandoverMode::Overlap))],
        },
        Step::Balance {
            scope: BalanceScope::Leased,
            per_target: 1,
        },
        register(3, 1, false),
    ] {
        world.step(&step, End::StaysOpen);
    }
}
