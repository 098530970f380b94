//! What is known of each kind of alert, one row a kind.
//!
//! | column | meaning |
//! | --- | --- |
//! | severity | how urgent an alert of the kind is when it opens; it may become more urgent, never less |
//! | key | what its subject is: reports with the same kind and subject join one open alert |
//! | follows from | the kind whose open alert about the same subject it joins, instead of opening one |
//! | ends with the process | whether its condition is over when the process that noticed it has ended |
//! | advice | what to do, in one line |
//! | runbook | the place in the documents that says more |
//!
//! A test compares the anchors with the headings of the documents.

use super::kind::{AlertKind, Severity};

/// The subject of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertKey {
    /// All of it: `fleet`.
    Fleet,
    /// `database`.
    Database,
    /// The name of a breaker.
    Breaker,
    /// The name of an instance.
    Instance,
    /// The name of an instance, or what several of them share (`lost.rs`).
    Instances,
    /// `stream N`.
    Stream,
    /// The id of an invariant.
    Invariant,
    /// The name of an orchestrator.
    Node,
    /// The name of the receiver of a webhook.
    Target,
    /// The setting that names the file of a certificate.
    Certificate,
}

/// One kind of alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns are explained above")]
pub struct AlertRule {
    pub kind: AlertKind,
    pub severity: Severity,
    pub key: AlertKey,
    pub ends_with_the_process: bool,
    pub follows_from: Option<AlertKind>,
    pub advice: &'static str,
    pub runbook: &'static str,
}

macro_rules! rules {
    ($($kind:ident: $severity:ident, $key:ident, $ends:literal, $cause:expr, $runbook:literal, $advice:literal;)+) => {
        /// Every kind of alert.
        pub const RULES: &[AlertRule] = &[$(AlertRule {
            kind: AlertKind::$kind,
            severity: Severity::$severity,
            key: AlertKey::$key,
            ends_with_the_process: $ends,
            follows_from: $cause,
            advice: $advice,
            runbook: $runbook,
        },)+];

        impl AlertKind {
            /// Returns what is known of this kind.
            pub const fn rule(self) -> &'static AlertRule {
                // In the order of the rows, so that a kind is its own position.
                enum Row { $($kind,)+ }
                match self {
                    $(Self::$kind => &RULES[Row::$kind as usize],)+
                }
            }
        }
    };
}

rules! {
    MassFailure: Critical, Fleet, true, None, "docs/OPERATIONS.md#mass_failure",
        "Look at the network and at this machine first; release the hold only if the instances are dead: `orchestrator status`.";
    InstanceFailed: Warning, Instances, false, None, "docs/OPERATIONS.md#instance_failed",
        "Nothing is urgent if its streams moved: see `orchestrator incidents`. Mend the machines by day, or remove them for good.";
    RecoveryExhausted: Critical, Instance, false, None, "docs/OPERATIONS.md#recovery_exhausted",
        "Look at the database: the recovery cannot be saved. It runs by itself once it can.";
    EmergencyRecovery: Critical, Instance, false, Some(AlertKind::RecoveryExhausted), "docs/OPERATIONS.md#emergency_recovery",
        "Find out why the recovery before it failed: `orchestrator incidents --instance NAME`.";
    Flapping: Warning, Instance, false, None, "docs/OPERATIONS.md#flapping",
        "Find out what is wrong with the machine; cordon it meanwhile: `orchestrator cordon NAME`.";
    StoreUnavailable: Critical, Database, true, None, "docs/OPERATIONS.md#store_unavailable",
        "Bring the database back; workers go on meanwhile, changes are refused.";
    BreakerForced: Warning, Breaker, true, None, "docs/OPERATIONS.md#breaker_forced",
        "When the work on the database is done, send {\"force\":\"none\"} to `POST /resilience/breakers/{name}`.";
    InstanceQuarantined: Warning, Instance, true, None, "docs/OPERATIONS.md#instance_quarantined",
        "Nothing is urgent: the sweep watches the instance. Report the lines in the log as a bug.";
    DuplicateIdentity: Warning, Instance, true, None, "docs/OPERATIONS.md#duplicate_identity",
        "Stop one of the two processes, or give it a name of its own.";
    ClockStepped: Warning, Fleet, true, None, "docs/OPERATIONS.md#clock_stepped",
        "Look at the time synchronisation of the orchestrator's machine.";
    LeaderUnproven: Critical, Node, true, None, "docs/OPERATIONS.md#leader_unproven",
        "Bring the database back, or the network to it, before the workers stop their streams.";
    Failsafe: Warning, Node, true, None, "docs/OPERATIONS.md#failsafe",
        "Bring the database back before the moment that it names; keep each standby running until then.";
    MemberAway: Warning, Node, true, None, "docs/OPERATIONS.md#member_away",
        "Start it again, so that one can take over; if it is gone for good: `orchestrator cluster forget NODE`.";
    SettingsDiffer: Warning, Node, true, None, "docs/OPERATIONS.md#settings_differ",
        "Give both the same settings and restart the standby: after a take-over its own ones hold.";
    ReleasesDiffer: Warning, Node, true, None, "docs/OPERATIONS.md#releases_differ",
        "Finish the upgrade: restart the older one with the newer release, the leader last.";
    ReplicationIsAsynchronous: Warning, Database, true, None, "docs/OPERATIONS.md#replication_is_asynchronous",
        "Name a synchronous standby in `synchronous_standby_names`, or know that a fail-over may lose acknowledged changes.";
    DatabaseWentBack: Critical, Database, true, None, "docs/OPERATIONS.md#database_went_back",
        "Compare the fleet with what was changed last: `orchestrator events`; repeat what is missing.";
    StreamsDiffer: Warning, Instance, true, None, "docs/OPERATIONS.md#streams_differ",
        "Look at the worker's log: why does it not run what it was given?";
    RunsWhatWasTaken: Warning, Instance, true, None, "docs/OPERATIONS.md#runs_what_was_taken",
        "Stop the named streams on that worker, or restart it so that it registers again.";
    ReleaseRefused: Warning, Instance, false, None, "docs/OPERATIONS.md#release_refused",
        "Restart the worker, or empty the instance: `orchestrator emergency NAME --reason TEXT`.";
    OverlapUnfinished: Warning, Instance, false, None, "docs/OPERATIONS.md#overlap_unfinished",
        "Look whether the new owner runs the streams; if not, move them again.";
    HandoverAbandoned: Warning, Instance, false, None, "docs/OPERATIONS.md#handover_abandoned",
        "Find out why the worker does not release the streams, then move them again: `orchestrator moves`.";
    StreamReturned: Warning, Stream, false, None, "docs/OPERATIONS.md#stream_returned",
        "Mend the stream: its URL is wrong, or its source is gone.";
    StreamQuarantined: Critical, Stream, false, None, "docs/OPERATIONS.md#stream_quarantined",
        "Mend its source, then release it: `POST /streams/{id}/release-quarantine`.";
    StreamsOrphaned: Critical, Fleet, false, None, "docs/OPERATIONS.md#streams_orphaned",
        "Make room: add a worker, or raise `max_streams`; `orchestrator capacity` shows how much is missing.";
    StreamsWaitingLong: Warning, Fleet, false, None, "docs/OPERATIONS.md#streams_waiting_long",
        "See why they wait: `orchestrator explain STREAM`; then give them an instance that can have them.";
    NoRoomForFailure: Warning, Fleet, true, None, "docs/OPERATIONS.md#no_room_for_failure",
        "Add a worker by day, or raise `max_streams`: `orchestrator capacity` names the instance.";
    InvariantBroken: Critical, Invariant, false, None, "docs/OPERATIONS.md#invariant_broken",
        "See what differs: `orchestrator consistency`; a restart loads memory anew. Report it as a bug.";
    WebhookFailing: Warning, Target, true, None, "docs/OPERATIONS.md#webhook_failing",
        "See what the receiver answers: `GET /webhooks/{name}/deliveries?state=failed`; then deliver again.";
    AuthFailures: Warning, Fleet, true, None, "docs/OPERATIONS.md#auth_failures",
        "See which addresses send keys that are malformed, unknown, expired or revoked: `GET /logs`; give their owners a new key.";
    CertificateExpiring: Warning, Certificate, true, None, "docs/OPERATIONS.md#certificate_expiring",
        "Write a new certificate into the file of the setting: it is in force within seconds, without a restart.";
    SystemHealth: Critical, Fleet, false, None, "docs/OPERATIONS.md#system_health",
        "Look at the causes it names: `orchestrator status`.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_one_row_with_advice_of_one_line() {
        for kind in AlertKind::ALL {
            let rows = RULES.iter().filter(|rule| rule.kind == *kind);
            assert_eq!(rows.count(), 1, "{kind}");
            let rule = kind.rule();
            assert_eq!(rule.kind, *kind);
            assert!((20..=160).contains(&rule.advice.len()), "{kind}");
            assert!(!rule.advice.contains('\n'), "{kind}");
            assert!(rule.advice.ends_with(['.', '?']), "{kind}");
            let (file, anchor) = rule.runbook.split_once('#').unwrap();
            assert!(file.starts_with("docs/") && !anchor.is_empty(), "{kind}");
        }
    }

    #[test]
    fn what_follows_is_about_the_same_subject_as_its_cause() {
        for rule in RULES {
            if let Some(cause) = rule.follows_from {
                assert_eq!(cause.rule().key, rule.key, "{}", rule.kind);
            }
        }
    }
}
