//! A day of the rules in milliseconds: because nothing in the domain reads a clock, time is a
//! number that this program counts up.
//!
//! A thousand instances beat every 30 seconds for a day. Every hour one of them falls silent for
//! ten minutes; its streams move elsewhere, it comes back, serves its probation, and is trusted.
//!
//! `cargo run --example virtual_time`

#![expect(clippy::print_stdout, reason = "telling the story is what it is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use resilient_orchestrator::domain::commands::{
    EndIncident, OpenIncident, Opening, RecoverInstance, RegisterInstance, ReturnInstance,
    SaveStreams, StreamSpec, SuspectInstance, TrustInstance,
};
use resilient_orchestrator::domain::fleet::Standing;
use resilient_orchestrator::domain::fleet::{Fleet, Scoring};
use resilient_orchestrator::domain::ids::{Epoch, Incarnation, InstanceId};
use resilient_orchestrator::domain::incident::FailureCause;
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::lease::lease;
use resilient_orchestrator::domain::ledger::Ledger;
use resilient_orchestrator::domain::liveness::{Effect, LivenessMachine, Saved};
use resilient_orchestrator::domain::recovery::{Confirmed, Detected, Failure, Manner, Progress};
use resilient_orchestrator::domain::settings::LivenessThresholds;
use resilient_orchestrator::domain::time::{Timestamp, WallTime};

const INSTANCES: usize = 1_000;
const STREAMS: usize = 10_000;
const BEAT: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn main() -> Result<(), Box<dyn Error>> {
    let mut ledger = Ledger::new(Fleet::new(Epoch::new(0)));
    let thresholds = LivenessThresholds::from_timeout(Duration::from_secs(300));
    let mut machines: BTreeMap<InstanceId, LivenessMachine> = BTreeMap::new();
    for number in 0..INSTANCES {
        let id = InstanceId::new(format!("worker-{number:04}"));
        ledger.decide(&registration(id.clone()), WallTime::default())?;
        let machine =
            LivenessMachine::new(thresholds, saved(InstanceStatus::Active), Timestamp::ZERO);
        machines.insert(id, machine);
    }
    let streams = (1..=STREAMS)
        .map(|number| StreamSpec {
            name: Some(format!("stream-{number}").into()),
            ..StreamSpec::default()
        })
        .collect();
    ledger.decide(&SaveStreams { streams }, WallTime::default())?;

    let mut told: BTreeMap<&'static str, usize> = BTreeMap::new();
    let (mut beats, mut moved) = (0_u64, 0_usize);
    let mut elapsed = Duration::ZERO;
    while elapsed < DAY {
        elapsed += BEAT;
        let (now, wall) = (Timestamp::ZERO + elapsed, WallTime::default() + elapsed);
        for (number, (id, machine)) in machines.iter_mut().enumerate() {
            let mut effects = Vec::new();
            if !is_silent(number, elapsed) {
                beats += 1;
                effects.extend(machine.heartbeat(now));
            }
            while let Some(effect) = machine.handle_deadline(now) {
                effects.push(effect);
            }
            effects.dedup();
            for effect in effects {
                moved += act(&mut ledger, machine, id, effect, (now, wall))?;
                *told.entry(name_of(effect)).or_default() += 1;
            }
        }
        let batch = ledger.take_batch();
        ledger.commit(batch);
    }

    println!("{beats} heartbeats of {INSTANCES} instances in a day of virtual time");
    for (what, count) in &told {
        println!("{count:>6} × {what}");
    }
    println!("{moved:>6} streams moved");
    let lost = ledger
        .saved()
        .streams()
        .filter(|slot| slot.place().assignment().is_none())
        .count();
    if lost > 0 {
        return Err(format!("{lost} streams are not assigned at the end of the day").into());
    }
    println!("every one of {STREAMS} streams is assigned");
    Ok(())
}

fn registration(id: InstanceId) -> RegisterInstance {
    RegisterInstance {
        id,
        ip: "192.0.2.1".into(),
        port: 9_000,
        max_streams: 20,
        capacity: None,
        labels: BTreeMap::new(),
        heartbeat_interval: Some(BEAT),
        auto_assign: true,
    }
}

/// In each hour another instance is silent during the second ten minutes.
fn is_silent(number: usize, elapsed: Duration) -> bool {
    let hour = elapsed.as_secs() / 3_600;
    let minute = elapsed.as_secs() % 3_600 / 60;
    number as u64 == hour * 37 % INSTANCES as u64 && (10..20).contains(&minute)
}

/// What the actors do, without actors: carries out an effect on the fleet.
fn act(
    ledger: &mut Ledger,
    machine: &mut LivenessMachine,
    id: &InstanceId,
    effect: Effect,
    (now, wall): (Timestamp, WallTime),
) -> Result<usize, Box<dyn Error>> {
    let known = ledger.saved().instance(id).ok_or("an instance is gone")?;
    let (id, incarnation) = (id.clone(), known.instance().incarnation);
    let mut moved = 0;
    match effect {
        Effect::BecameLate => {
            ledger.decide(
                &SuspectInstance {
                    id: id.clone(),
                    incarnation,
                },
                wall,
            )?;
        }
        Effect::BecameSilent => {
            let seen = Standing::of(known);
            let failure = Failure {
                id: id.clone(),
                incarnation,
                cause: FailureCause::HeartbeatTimeout,
                detected_at: wall,
            };
            let confirmed = Detected::new(failure)
                .refresh(Some(&seen))
                .and_then(|refreshed| refreshed.reconfirm(Some(machine.fence(now))));
            if let Ok(confirmed) = confirmed {
                moved = recover(ledger, confirmed, wall)?;
                machine.adopt(saved(InstanceStatus::Failed), now);
            }
        }
        Effect::Returned => {
            ledger.decide(
                &ReturnInstance {
                    id: id.clone(),
                    incarnation,
                },
                wall,
            )?;
            machine.adopt(saved(InstanceStatus::Recovering), now);
        }
        Effect::ProbationServed => {
            ledger.decide(
                &TrustInstance {
                    id: id.clone(),
                    incarnation,
                },
                wall,
            )?;
            machine.adopt(saved(InstanceStatus::Active), now);
        }
        Effect::BecameEmergency | Effect::BackOnTime | Effect::FlapPaidBack { .. } => {}
    }
    Ok(moved)
}

/// The rest of the way: open the incident, move, verify, end the incident.
fn recover(
    ledger: &mut Ledger,
    confirmed: Confirmed,
    wall: WallTime,
) -> Result<usize, Box<dyn Error>> {
    let (manner, progress) = (Manner::Ordinary, Progress::default());
    let confirmed_id = confirmed.failure().id.clone();
    let opening = OpenIncident::new(confirmed, manner.clone(), progress.clone());
    let slot = ledger.draft().instance(&confirmed_id);
    let standing = slot.map(Standing::of).ok_or("it is registered")?;
    let start = Timestamp::from_micros(0);
    let lease_over = lease(&standing, None, Duration::ZERO, start).over();
    let Opening::Opened(opened) = ledger.decide(&opening, wall)? else {
        return Ok(0);
    };
    let over = lease_over.ok_or("a classic instance has no lease")?;
    let command = RecoverInstance::new(opened, over, manner, progress, Scoring::default());
    let applied = ledger.decide(&command, wall)?;
    let moved = applied.evacuation().moved.len();
    let verified = applied
        .verify(ledger.draft())
        .map_err(|unverified| unverified.found.join("; "))?;
    ledger.decide(&EndIncident::recovered(verified), wall)?;
    Ok(moved)
}

fn name_of(effect: Effect) -> &'static str {
    match effect {
        Effect::BecameLate => "late",
        Effect::BackOnTime => "back on time",
        Effect::BecameSilent => "failed",
        Effect::BecameEmergency => "emergency",
        Effect::Returned => "returned",
        Effect::ProbationServed => "trusted again",
        Effect::FlapPaidBack { .. } => "forgiven",
    }
}

/// What is saved about an instance that never flapped.
fn saved(status: InstanceStatus) -> Saved {
    Saved {
        incarnation: Incarnation::new(1),
        status,
        flaps: 0,
    }
}
