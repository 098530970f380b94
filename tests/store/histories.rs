//! Any history of commands, saved batch by batch, is loaded as it was in memory (I7).

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use resilient_orchestrator::domain::commands::{
    AssignStreams, ClearSuspicion, Command, ConfirmDelivery, DeleteStream, ForgetFailed,
    HeartbeatForm, OpenIncident, Opening, RecoverInstance, RegisterInstance, ReleaseStreams,
    RemoveInstance, ReturnInstance, SaveStreams, StreamSpec, SuspectInstance, TrustInstance,
};
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::fleet::Standing;
use resilient_orchestrator::domain::fleet::{Fleet, Scoring, Snapshot};
use resilient_orchestrator::domain::ids::{
    AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId,
};
use resilient_orchestrator::domain::incident::FailureCause;
use resilient_orchestrator::domain::lease::lease;
use resilient_orchestrator::domain::ledger::Ledger;
use resilient_orchestrator::domain::liveness::FenceAnswer;
use resilient_orchestrator::domain::recovery::{Detected, Failure, Manner, Progress};
use resilient_orchestrator::domain::time::Timestamp;
use resilient_orchestrator::domain::timeline::Recent;
use resilient_orchestrator::store::Store;

use crate::support::commands::registration;
use crate::support::fleets::{at, save_of};
use crate::support::stores;

/// One step of a history. Names and ids are few, so that steps meet each other.
#[derive(Debug, Clone)]
enum Step {
    Register {
        who: u8,
        room: u32,
        auto: bool,
    },
    Save {
        id: u8,
        name: u8,
        enabled: bool,
    },
    Delete {
        id: u8,
    },
    Assign {
        who: u8,
        wanted: i64,
    },
    Release {
        who: u8,
        ids: Vec<u8>,
    },
    Confirm {
        who: u8,
        version: i64,
    },
    Suspect {
        who: u8,
    },
    Clear {
        who: u8,
    },
    Fail {
        who: u8,
    },
    Return {
        who: u8,
    },
    Trust {
        who: u8,
    },
    Remove {
        who: u8,
    },
    Forget,
    /// Ends a batch: what was decided is saved.
    Commit,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..5_u8;
    let id = || 0..30_u8;
    prop_oneof![
        4 => (who(), 0..12_u32, any::<bool>())
            .prop_map(|(who, room, auto)| Step::Register { who, room: room + 1, auto }),
        8 => (id(), id(), prop::bool::weighted(0.8))
            .prop_map(|(id, name, enabled)| Step::Save { id, name, enabled }),
        1 => id().prop_map(|id| Step::Delete { id }),
        4 => (who(), -1..8_i64).prop_map(|(who, wanted)| Step::Assign { who, wanted }),
        2 => (who(), vec(id(), 0..5)).prop_map(|(who, ids)| Step::Release { who, ids }),
        1 => (who(), 0..20_i64).prop_map(|(who, version)| Step::Confirm { who, version }),
        1 => who().prop_map(|who| Step::Suspect { who }),
        1 => who().prop_map(|who| Step::Clear { who }),
        2 => who().prop_map(|who| Step::Fail { who }),
        1 => who().prop_map(|who| Step::Return { who }),
        1 => who().prop_map(|who| Step::Trust { who }),
        1 => who().prop_map(|who| Step::Remove { who }),
        1 => Just(Step::Forget),
        6 => Just(Step::Commit),
    ]
}

fn name(who: u8) -> InstanceId {
    InstanceId::new(format!("worker-{who}"))
}

fn stream(id: u8) -> StreamId {
    StreamId::new(i64::from(id) + 1)
}

/// The current life of an instance, or one that never was.
fn life(ledger: &Ledger, known: &BTreeMap<InstanceId, Incarnation>, who: u8) -> Incarnation {
    let saved = ledger.saved().instance(&name(who));
    known
        .get(&name(who))
        .copied()
        .or(saved.map(|slot| slot.instance().incarnation))
        .unwrap_or_default()
}

/// Takes a step; a rejected one is as good as any.
fn take(ledger: &mut Ledger, known: &mut BTreeMap<InstanceId, Incarnation>, step: &Step, now: i64) {
    fn decide<C: Command>(ledger: &mut Ledger, now: i64, command: C) -> Option<C::Reply> {
        ledger.decide(&command, at(now)).ok()
    }
    let current = |ledger: &Ledger, who: u8| (name(who), life(ledger, known, who));
    match *step {
        Step::Register { who, room, auto } => {
            let command = RegisterInstance {
                labels: BTreeMap::from([("Räume".to_owned(), room.to_string())]),
                heartbeat_interval: auto.then(|| Duration::from_millis(u64::from(room))),
                auto_assign: auto,
                ..registration(name(who), room)
            };
            if let Some(registered) = decide(ledger, now, command) {
                known.insert(name(who), registered.instance.incarnation);
            }
        }
        Step::Save {
            id,
            name: label,
            enabled,
        } => {
            let spec = StreamSpec {
                id: Some(stream(id)),
                name: Some(format!("channel {label}").into()),
                url: Some(enabled.then(|| "rtsp://example.org/'x'".into())),
                labels: None,
                priority: Some(i32::from(label) - 10),
                enabled: Some(enabled),
                handoff: None,
                ..StreamSpec::default()
            };
            decide(
                ledger,
                now,
                SaveStreams {
                    streams: vec![spec],
                },
            );
        }
        Step::Delete { id } => {
            decide(ledger, now, DeleteStream { id: stream(id) });
        }
        Step::Assign { who, wanted } => {
            let command = AssignStreams {
                id: name(who),
                incarnation: None,
                requested: wanted,
            };
            decide(ledger, now, command);
        }
        Step::Release { who, ref ids } => {
            let command = ReleaseStreams {
                epochs: None,
                id: name(who),
                incarnation: None,
                streams: ids.iter().copied().map(stream).collect(),
                reason: None,
            };
            decide(ledger, now, command);
        }
        Step::Confirm { who, version } => {
            let (id, incarnation) = current(ledger, who);
            let command = ConfirmDelivery {
                form: HeartbeatForm::WithoutIncarnation,
                id,
                incarnation,
                version: Some(AssignmentVersion::new(version)),
                running: None,
            };
            decide(ledger, now, command);
        }
        Step::Suspect { who } => {
            let (id, incarnation) = current(ledger, who);
            decide(ledger, now, SuspectInstance { id, incarnation });
        }
        Step::Clear { who } => {
            let (id, incarnation) = current(ledger, who);
            decide(ledger, now, ClearSuspicion { id, incarnation });
        }
        Step::Fail { who } => {
            let (id, incarnation) = current(ledger, who);
            let failure = Failure {
                id,
                incarnation,
                cause: FailureCause::HeartbeatTimeout,
                detected_at: at(now - 1),
            };
            fail(ledger, now, failure);
        }
        Step::Return { who } => {
            let (id, incarnation) = current(ledger, who);
            decide(ledger, now, ReturnInstance { id, incarnation });
        }
        Step::Trust { who } => {
            let (id, incarnation) = current(ledger, who);
            decide(ledger, now, TrustInstance { id, incarnation });
        }
        Step::Remove { who } => {
            decide(ledger, now, RemoveInstance::new(name(who)));
            known.remove(&name(who));
        }
        Step::Forget => {
            let command = ForgetFailed {
                kept: Recent::since(at(now - 20)),
            };
            decide(ledger, now, command);
        }
        Step::Commit => {}
    }
}

/// The whole way of a recovery but for its end, which changes no fleet.
fn fail(ledger: &mut Ledger, now: i64, failure: Failure) {
    let seen = ledger.draft().instance(&failure.id).map(Standing::of);
    let confirmed = Detected::new(failure)
        .refresh(seen.as_ref())
        .and_then(|refreshed| refreshed.reconfirm(Some(FenceAnswer::Fenced)));
    let Ok(confirmed) = confirmed else {
        return;
    };
    let end = Timestamp::from_micros(u64::MAX);
    let over = seen.and_then(|seen| lease(&seen, Some(end), Duration::ZERO, end).over());
    let (manner, progress) = (Manner::Ordinary, Progress::default());
    let command = OpenIncident::new(confirmed, manner.clone(), progress.clone());
    if let Ok(Opening::Opened(opened)) = ledger.decide(&command, at(now)) {
        let over = over.unwrap();
        let command = RecoverInstance::new(opened, over, manner, progress, Scoring::default());
        let _ = ledger.decide(&command, at(now));
    }
}

/// The fleet in memory as a store would give it back.
fn picture(fleet: &Fleet) -> Snapshot {
    Snapshot {
        rolls: Vec::new(),
        counter: fleet.counter(),
        instances: fleet
            .instances()
            .map(|slot| slot.instance().as_ref().clone())
            .collect(),
        streams: fleet
            .streams()
            .map(|slot| (slot.stream().as_ref().clone(), slot.place().clone()))
            .collect(),
        last_beats: vec![],
        watermark: None,
    }
}

/// Lives through a history on an empty store, with restarts in between. Whatever is deleted and
/// created again, every assignment gets a higher epoch than all before it.
async fn live(store: Arc<dyn Store>, history: &[Step]) {
    let mut guard = store.begin_term().await.unwrap();
    let mut ledger = Ledger::new(Fleet::default());
    let mut known = BTreeMap::new();
    let mut told: Vec<Event> = vec![];
    let mut highest = Epoch::default();
    for (now, step) in (1000..).zip(history.iter().chain([&Step::Commit])) {
        take(&mut ledger, &mut known, step, now);
        let Step::Commit = step else { continue };
        let batch = ledger.take_batch();
        if batch.is_empty() {
            continue;
        }
        store.save(guard, save_of(&batch)).await.unwrap();
        guard = guard.after_save();
        for event in batch.events() {
            if let Event::StreamAssigned { epoch, .. } = event {
                assert!(*epoch > highest, "{epoch} after {highest}: {event:?}");
                highest = *epoch;
            }
            told.push(event.clone());
        }
        ledger.commit(batch);
        let loaded = store.load().await.unwrap();
        assert_eq!(loaded, picture(ledger.saved()));
        let reborn = Fleet::from_snapshot(&loaded).unwrap();
        assert_eq!(picture(&reborn), picture(ledger.saved()));
        if now % 3 == 0 {
            // The orchestrator starts anew: what it knows is what was saved.
            guard = store.begin_term().await.unwrap();
            ledger = Ledger::new(reborn);
        }
    }
    let kept = store.events(0, u32::MAX).await.unwrap();
    let kept: Vec<Event> = kept.into_iter().map(|event| event.event.event).collect();
    assert_eq!(kept, told);
}

/// Tries several histories, each on an empty store of its own.
fn histories(cases: u32, open: impl AsyncFn() -> stores::TestStore) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut config = Config::with_cases(cases);
    config.failure_persistence = None;
    TestRunner::new(config)
        .run(&vec(step(), 1..150), |history| {
            runtime.block_on(async {
                let test = open().await;
                live(test.store.clone(), &history).await;
            });
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_history_in_memory_is_loaded_as_it_was() {
    histories(64, stores::memory);
}

#[test]
fn a_history_in_sqlite_is_loaded_as_it_was() {
    histories(16, stores::sqlite);
}

#[test]
fn a_history_in_postgres_is_loaded_as_it_was() {
    histories(6, stores::postgres);
}
