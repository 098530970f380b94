//! A small fleet with one of everything, and numbers to try the rules with.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::commands::{
    AgreeLease, AssignStreams, Command, ConfirmDelivery, HeartbeatForm, OpenIncident, Opening,
    RecoverInstance, RegisterInstance, SaveStreams, StreamSpec,
};
use crate::digest::StreamsDigest;
use crate::fleet::{Fleet, Scoring, Standing};
use crate::ids::{AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId, Term, Version};
use crate::incident::FailureCause;
use crate::instance::InstanceStatus;
use crate::leadership::{
    Claim, ClaimRight, LeadersWord, LeadershipRow, MemberSecret, NodeName, ReleaseCause, RowState,
    RunId,
};
use crate::lease::{LeaseOver, lease};
use crate::ledger::Ledger;
use crate::liveness::FenceAnswer;
use crate::recovery::{Detected, Failure, Manner, Progress};
use crate::settings::{
    Fraction, HealthLimits, LivenessThresholds, MassFailureSettings, RetryPolicy, WorkerLimits,
};
use crate::time::{Timestamp, WallTime};

pub(crate) const NOW: WallTime = WallTime::from_micros(1_000_000);

/// The row of a term that `a` leads, at its sixth beat.
pub(crate) fn leadership_row(term: i64) -> LeadershipRow {
    LeadershipRow {
        term: Term::new(term),
        node: NodeName::new("a"),
        run: RunId::new(1),
        beat: 5,
        state: RowState::Held,
        successor: None,
        release_cause: ReleaseCause::Ended,
        address: String::new(),
        public_url: String::new(),
        secret: MemberSecret::default(),
        since: WallTime::default(),
        after_loss: None,
        version: Version::default(),
    }
}

/// The claim of `b` on the row of term 3.
pub(crate) fn claim() -> Claim {
    Claim {
        node: NodeName::new("b"),
        run: RunId::new(2),
        address: String::new(),
        public_url: String::new(),
        secret: MemberSecret::default(),
        since: WallTime::default(),
        seen_term: Term::new(3),
        seen_beat: 5,
        right: ClaimRight::Tables,
        word: LeadersWord::Nothing,
        known: Version::default(),
    }
}

pub(crate) fn ledger() -> Ledger {
    Ledger::new(Fleet::new(Epoch::default()))
}

/// Decides and saves.
pub(crate) fn run<C: Command>(ledger: &mut Ledger, command: C) -> C::Reply {
    let reply = ledger.decide(&command, NOW).expect("accepted");
    let batch = ledger.take_batch();
    ledger.commit(batch);
    reply
}

pub(crate) fn register(id: &str, max_streams: u32) -> RegisterInstance {
    RegisterInstance {
        id: id.into(),
        ip: format!("ip-of-{id}"),
        port: 8080,
        max_streams,
        capacity: None,
        labels: BTreeMap::new(),
        heartbeat_interval: None,
        auto_assign: false,
    }
}

pub(crate) fn streams(ids: impl IntoIterator<Item = i64>) -> SaveStreams {
    SaveStreams {
        streams: ids
            .into_iter()
            .map(|id| StreamSpec {
                id: Some(StreamId::new(id)),
                name: Some(format!("s{id}").into()),
                ..StreamSpec::default()
            })
            .collect(),
    }
}

pub(crate) fn ask(id: &str, requested: i64) -> AssignStreams {
    AssignStreams {
        id: id.into(),
        incarnation: None,
        requested,
    }
}

/// Takes the whole way of a recovery, but for its end.
pub(crate) fn recover(ledger: &mut Ledger, id: &str) {
    let failure = Failure {
        id: id.into(),
        incarnation: life(ledger, id),
        cause: FailureCause::Reported,
        detected_at: NOW,
    };
    let slot = ledger.saved().instance(&failure.id).expect("known");
    let confirmed = Detected::new(failure)
        .refresh(Some(&Standing::of(slot)))
        .and_then(|refreshed| refreshed.reconfirm(Some(FenceAnswer::Fenced)))
        .expect("fenced");
    let (manner, progress) = (Manner::Ordinary, Progress::default());
    let command = OpenIncident::new(confirmed, manner.clone(), progress.clone());
    if let Opening::Opened(opened) = run(ledger, command) {
        let scoring = Scoring::default();
        run(
            ledger,
            RecoverInstance::new(opened, lease_over(ledger, id), manner, progress, scoring),
        );
    }
}

/// The heartbeats of an instance name its incarnation from now on, so that it holds leases.
pub(crate) fn agree_lease(ledger: &mut Ledger, id: &str) {
    let agreement = AgreeLease {
        id: id.into(),
        incarnation: life(ledger, id),
        lease: Some(Duration::from_secs(240)),
    };
    run(ledger, agreement);
}

/// The worker of an instance has heard of everything, and runs what it is to run and nothing else.
pub(crate) fn follow(ledger: &mut Ledger, id: &str) {
    let slot = ledger.saved().instance(&id.into()).expect("known");
    let command = ConfirmDelivery {
        form: HeartbeatForm::WithoutIncarnation,
        id: id.into(),
        incarnation: slot.instance().incarnation,
        version: Some(slot.instance().assignment_version),
        running: Some(slot.to_run()),
    };
    run(ledger, command);
}

/// The lease of an instance, at the end of all times.
pub(crate) fn lease_over(ledger: &Ledger, id: &str) -> LeaseOver {
    let slot = ledger.saved().instance(&id.into()).expect("known");
    let (granted, now) = (Timestamp::from_micros(0), Timestamp::from_micros(u64::MAX));
    let lease = lease(&Standing::of(slot), Some(granted), Duration::ZERO, now);
    lease.over().expect("over")
}

pub(crate) fn life(ledger: &Ledger, id: &str) -> Incarnation {
    let id = InstanceId::from(id);
    ledger
        .saved()
        .instance(&id)
        .expect("known")
        .instance()
        .incarnation
}

pub(crate) fn ids(numbers: impl IntoIterator<Item = i64>) -> Vec<StreamId> {
    numbers.into_iter().map(StreamId::new).collect()
}

/// The limits of the default thresholds.
pub(crate) fn limits() -> WorkerLimits {
    WorkerLimits::from_thresholds(&LivenessThresholds::default())
}

/// An active classic instance without streams.
pub(crate) fn standing() -> Standing {
    Standing {
        incarnation: Incarnation::new(1),
        status: InstanceStatus::Active,
        flaps: 0,
        assignment_version: AssignmentVersion::new(1),
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

impl Default for LivenessThresholds {
    fn default() -> Self {
        Self::from_timeout(Duration::from_secs(300))
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            delay: Duration::from_secs(5),
            exponential: true,
        }
    }
}

impl Default for MassFailureSettings {
    fn default() -> Self {
        Self {
            min: 3,
            ratio: Fraction::HALF,
            hold: Duration::from_secs(30),
        }
    }
}

impl Default for HealthLimits {
    fn default() -> Self {
        Self {
            min_active: Fraction::new(0.8).expect("a fraction"),
            max_failed: Fraction::HALF,
            max_utilization: Fraction::new(0.9).expect("a fraction"),
            failure_retention: Duration::from_secs(24 * 3_600),
        }
    }
}
