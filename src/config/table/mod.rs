//! The one list of every setting.
//!
//! A default written here is the default: it is read like a value that was set. The file is long because
//! a list in two files would be two lists, and the second would be forgotten.

use super::setting::Fallback::{Derived, Text};
use super::setting::{Group, Kind, Setting};

/// The variable with the address of a running orchestrator, which is also the name of its flag.
/// Only the commands that call one use it, so it is in no list of the server's settings.
pub const SERVER_URL: &str = "ORCHESTRATOR_URL";

/// The variable with the file of the certificates that an orchestrator's `https` is checked by. It has no flag:
/// what proves an identity, and whose, is not for a line that every user of the machine can read.
pub const SERVER_CA: &str = "ORCHESTRATOR_CA";

/// The variable with the key by which the commands call an orchestrator. It has no flag: a flag names a file.
pub const SERVER_KEY: &str = "ORCHESTRATOR_KEY";
/// The variables with the files of the certificate and the key by which an orchestrator knows the caller.
pub const CLIENT_CERT: &str = "ORCHESTRATOR_CLIENT_CERT";
/// See [`CLIENT_CERT`].
pub const CLIENT_KEY: &str = "ORCHESTRATOR_CLIENT_KEY";

/// The address of an orchestrator with default settings.
pub const DEFAULT_SERVER_URL: &str = "http://127.0.0.1:8001";

/// Returns every setting, ordered by group, in the order in which people read about them.
pub fn settings() -> &'static [Setting] {
    SETTINGS
}

/// Returns the setting of that exact name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The settings that SIGHUP applies (`app/reloading/mod.rs`). Any other needs a restart: workers were given
/// its value, rows were saved by it, or something was made once from it.
const RELOADABLE: &[&str] = &[
    "MIN_ACTIVE_INSTANCE_RATIO",
    "MAX_INSTANCE_FAILURE_RATE",
    "MAX_CAPACITY_UTILIZATION",
    "CRITICAL_FAILURE_RETENTION_HOURS",
    "METRICS_RETENTION",
    "EVENT_RETENTION",
    "INCIDENT_RETENTION",
    "HEALTH_HISTORY_RETENTION",
    "HEALTH_HISTORY_ROWS",
    "WEBHOOKS_FILE",
    "TLS_CERT",
    "TLS_KEY",
    "TLS_CLIENT_CA",
    "TLS_CLUSTER_CA",
    "LOG_FORMAT",
    "RUST_LOG",
];

impl Setting {
    /// Returns whether SIGHUP applies a new value; any other setting needs a restart.
    pub fn is_reloadable(&self) -> bool {
        RELOADABLE.contains(&self.name)
    }

    /// Returns its meaning, and whether a new value is applied while the program runs.
    pub fn explained(&self) -> String {
        let reload = if self.is_reloadable() {
            " SIGHUP applies a new value."
        } else {
            ""
        };
        format!("{}{reload}", self.meaning)
    }
}

const SETTINGS: &[Setting] = &[
    Setting {
        name: "BIND_ADDRESS",
        flag: "bind-address",
        group: Group::Server,
        kind: Kind::Address,
        default: Text("127.0.0.1:8001"),
        meaning: "Address and port to listen on; 0.0.0.0:8001 for all interfaces, port 0 for any free port.",
    },
    Setting {
        name: "TLS_CERT",
        flag: "tls-cert",
        group: Group::Server,
        kind: Kind::File,
        default: Text("none"),
        meaning: "PEM file of the certificate with which TLS is spoken at BIND_ADDRESS, and nothing else, then those that lead to its authority; read again when it changes. none: HTTP without TLS; a change from or to none needs a restart.",
    },
    Setting {
        name: "TLS_KEY",
        flag: "tls-key",
        group: Group::Server,
        kind: Kind::KeyFile,
        default: Text("none"),
        meaning: "PEM file of the private key of TLS_CERT, without a password.",
    },
    Setting {
        name: "TLS_CLIENT_CA",
        flag: "tls-client-ca",
        group: Group::Server,
        kind: Kind::File,
        default: Text("none"),
        meaning: "PEM file of the authorities whose client certificates are accepted: each is the key of the workers that it names (docs/SECURITY.md). none: no client is asked for one.",
    },
    Setting {
        name: "TLS_CLUSTER_CA",
        flag: "tls-cluster-ca",
        group: Group::Server,
        kind: Kind::File,
        default: Text("none"),
        meaning: "PEM file of the authorities whose certificates other orchestrators of the same database may show; each must be for the host in its CLUSTER_PUBLIC_URL. none: they show the certificate in TLS_CERT.",
    },
    Setting {
        name: "AUTH",
        flag: "auth",
        group: Group::Access,
        kind: Kind::Name,
        default: Text("auto"),
        meaning: "Whether callers need a key: on or off. auto: off while BIND_ADDRESS is on loopback; on any other address the start is refused until AUTH is set.",
    },
    Setting {
        name: "AUTH_TRUSTED_NETWORKS",
        flag: "auth-trusted-networks",
        group: Group::Access,
        kind: Kind::Networks,
        default: Text("none"),
        meaning: "Networks whose callers are workers without a key, separated by commas, as in 10.1.0.0/16,fd00::/8; for workers that can send no header. none: no network.",
    },
    Setting {
        name: "TRUSTED_PROXIES",
        flag: "trusted-proxies",
        group: Group::Access,
        kind: Kind::Networks,
        default: Text("none"),
        meaning: "Networks of the proxies whose Forwarded and X-Forwarded-For headers count, separated by commas. none: no proxy; the address of a caller is that of its connection.",
    },
    Setting {
        name: "DATABASE_URL",
        flag: "database-url",
        group: Group::Database,
        kind: Kind::DatabaseUrl,
        default: Text("sqlite://orchestrator.db"),
        meaning: "Database of the fleet: sqlite://FILE (relative to the working directory), postgres://USER:PASSWORD@HOST/NAME (several hosts: HOST1:PORT,HOST2:PORT), or memory: (for demos and tests; everything is lost at the end).",
    },
    Setting {
        name: "DATABASE_TIMEOUT",
        flag: "database-timeout",
        group: Group::Database,
        kind: Kind::Duration,
        default: Text("5s"),
        meaning: "Longest time one call to the database may take.",
    },
    Setting {
        name: "DATABASE_LOAD_TIMEOUT",
        flag: "database-load-timeout",
        group: Group::Database,
        kind: Kind::Duration,
        default: Derived {
            from: "DATABASE_TIMEOUT",
            formula: "12 × DATABASE_TIMEOUT",
            usually: "1m",
        },
        meaning: "Longest time a start may take to load the whole fleet, which is read in parts; each part is bounded by DATABASE_TIMEOUT.",
    },
    Setting {
        name: "DATABASE_WAIT",
        flag: "database-wait",
        group: Group::Database,
        kind: Kind::Limit,
        default: Text("unlimited"),
        meaning: "How long a start waits for a database that does not answer yet; with 0 the start fails at once. `orchestrator migrate` never waits.",
    },
    Setting {
        name: "DATABASE_POOL_SIZE",
        flag: "database-pool-size",
        group: Group::Database,
        kind: Kind::Count { min: 1, max: 100 },
        default: Text("4"),
        meaning: "Connections kept open to PostgreSQL (1-100); SQLite does not use it.",
    },
    Setting {
        name: "CLUSTER_NODE",
        flag: "cluster-node",
        group: Group::Cluster,
        kind: Kind::Name,
        default: Text("auto"),
        meaning: "Name of this orchestrator among those of its PostgreSQL database: unique, and the same after a restart. auto: host name and the port of BIND_ADDRESS.",
    },
    Setting {
        name: "CLUSTER_ADDRESS",
        flag: "cluster-address",
        group: Group::Cluster,
        kind: Kind::Name,
        default: Text("auto"),
        meaning: "HOST:PORT where the other orchestrators reach this very process, not a load balancer. auto: its address towards the database, and its port.",
    },
    Setting {
        name: "CLUSTER_PUBLIC_URL",
        flag: "cluster-public-url",
        group: Group::Cluster,
        kind: Kind::Name,
        default: Text("auto"),
        meaning: "URL of this orchestrator for workers and people. auto: https:// (http:// without TLS_CERT) and CLUSTER_ADDRESS.",
    },
    Setting {
        name: "CLUSTER_TAKEOVER_AFTER",
        flag: "cluster-takeover-after",
        group: Group::Cluster,
        kind: Kind::Duration,
        default: Derived {
            from: "HEARTBEAT_TIMEOUT",
            formula: "from 1s to 3s, 0.05 × HEARTBEAT_TIMEOUT",
            usually: "3s",
        },
        meaning: "A standby takes over after the leader has not renewed its row for this long. It is renewed every sixth of it.",
    },
    Setting {
        name: "CLUSTER_FAILSAFE",
        flag: "cluster-failsafe",
        group: Group::Cluster,
        kind: Kind::DurationOrZero,
        default: Text("1h"),
        meaning: "How long an orchestrator goes on renewing leases while its PostgreSQL database does not answer, if each standby confirms that it has not taken over; with 0 leases end as they were granted.",
    },
    Setting {
        name: "HEARTBEAT_TIMEOUT",
        flag: "heartbeat-timeout",
        group: Group::Heartbeats,
        kind: Kind::Duration,
        default: Text("300"),
        meaning: "Silence after which an instance has failed and its streams are moved.",
    },
    Setting {
        name: "HEARTBEAT_WARNING_THRESHOLD",
        flag: "heartbeat-warning-threshold",
        group: Group::Heartbeats,
        kind: Kind::Duration,
        default: Derived {
            from: "HEARTBEAT_TIMEOUT",
            formula: "0.4 × HEARTBEAT_TIMEOUT",
            usually: "2m",
        },
        meaning: "Silence after which an instance is late (suspect); it keeps its streams, and gets new ones only on request.",
    },
    Setting {
        name: "EMERGENCY_THRESHOLD",
        flag: "emergency-threshold",
        group: Group::Heartbeats,
        kind: Kind::Duration,
        default: Derived {
            from: "HEARTBEAT_TIMEOUT",
            formula: "2 × HEARTBEAT_TIMEOUT",
            usually: "10m",
        },
        meaning: "Silence after which an instance that still owns streams gets an emergency recovery.",
    },
    Setting {
        name: "PROBATION",
        flag: "probation",
        group: Group::Heartbeats,
        kind: Kind::DurationOrZero,
        default: Derived {
            from: "HEARTBEAT_WARNING_THRESHOLD",
            formula: "equal to HEARTBEAT_WARNING_THRESHOLD",
            usually: "2m",
        },
        meaning: "How long an instance that came back after a failure must send heartbeats in time before it is active again; with 0 it is active at once.",
    },
    Setting {
        name: "HEARTBEAT_CHECK_INTERVAL",
        flag: "heartbeat-check-interval",
        group: Group::Heartbeats,
        kind: Kind::Duration,
        default: Text("30"),
        meaning: "Period of the safety sweep, which compares actors, memory and database. Failures are detected without it, at their exact time.",
    },
    Setting {
        name: "HEARTBEAT_FLUSH_INTERVAL",
        flag: "heartbeat-flush-interval",
        group: Group::Heartbeats,
        kind: Kind::Duration,
        default: Text("5s"),
        meaning: "Longest time a heartbeat waits before it is saved with others.",
    },
    Setting {
        name: "MAX_MISSED_HEARTBEATS",
        flag: "max-missed-heartbeats",
        group: Group::Heartbeats,
        kind: Kind::Count { min: 1, max: 1_000 },
        default: Text("3"),
        meaning: "Shown to workers and operators (1-1000). It decides nothing: only HEARTBEAT_TIMEOUT does.",
    },
    Setting {
        name: "HEARTBEAT_INTERVAL",
        flag: "heartbeat-interval",
        group: Group::Leases,
        kind: Kind::Duration,
        default: Derived {
            from: "HEARTBEAT_WARNING_THRESHOLD",
            formula: "0.25 × HEARTBEAT_WARNING_THRESHOLD",
            usually: "30s",
        },
        meaning: "How often workers are asked to send a heartbeat.",
    },
    Setting {
        name: "HEARTBEAT_REQUEST_TIMEOUT",
        flag: "heartbeat-request-timeout",
        group: Group::Leases,
        kind: Kind::Duration,
        default: Derived {
            from: "HEARTBEAT_INTERVAL",
            formula: "0.5 × HEARTBEAT_INTERVAL",
            usually: "15s",
        },
        meaning: "Longest time a worker waits for the answer to a heartbeat.",
    },
    Setting {
        name: "LEASE_DURATION",
        flag: "lease-duration",
        group: Group::Leases,
        kind: Kind::Duration,
        default: Derived {
            from: "HEARTBEAT_TIMEOUT",
            formula: "0.8 × HEARTBEAT_TIMEOUT",
            usually: "4m",
        },
        meaning: "How long after a heartbeat the streams of a leased worker are given to no other worker.",
    },
    Setting {
        name: "LEASE_MARGIN",
        flag: "lease-margin",
        group: Group::Leases,
        kind: Kind::DurationOrZero,
        default: Derived {
            from: "HEARTBEAT_TIMEOUT",
            formula: "0.1 × HEARTBEAT_TIMEOUT",
            usually: "30s",
        },
        meaning: "Wait between the end of a lease and the assignment of its streams to other workers; covers clocks that drift.",
    },
    Setting {
        name: "WORKER_STOP",
        flag: "worker-stop",
        group: Group::Leases,
        kind: Kind::Duration,
        default: Derived {
            from: "LEASE_DURATION",
            formula: "0.9 × LEASE_DURATION",
            usually: "3m 36s",
        },
        meaning: "Time after its last answered heartbeat at which a leased worker stops its exclusive streams by itself. If the orchestrator is away for longer, every leased worker does so.",
    },
    Setting {
        name: "EMERGENCY_RECOVERY_ENABLED",
        flag: "emergency-recovery-enabled",
        group: Group::Recovery,
        kind: Kind::Switch,
        default: Text("true"),
        meaning: "Whether emergency recoveries begin by themselves; if false, only an operator starts them.",
    },
    Setting {
        name: "MAX_RETRY_ATTEMPTS",
        flag: "max-retry-attempts",
        group: Group::Recovery,
        kind: Kind::Count { min: 1, max: 1_000 },
        default: Text("3"),
        meaning: "Failed attempts (1-1000) after which a recovery raises a critical alert. It keeps retrying, at the longest delay.",
    },
    Setting {
        name: "RETRY_DELAY_SECONDS",
        flag: "retry-delay-seconds",
        group: Group::Recovery,
        kind: Kind::Duration,
        default: Text("5"),
        meaning: "Wait before the first retry of a recovery.",
    },
    Setting {
        name: "EXPONENTIAL_BACKOFF",
        flag: "exponential-backoff",
        group: Group::Recovery,
        kind: Kind::Switch,
        default: Text("true"),
        meaning: "Whether each wait between retries is twice as long as the one before.",
    },
    Setting {
        name: "MASS_FAILURE_MIN",
        flag: "mass-failure-min",
        group: Group::Recovery,
        kind: Kind::Count {
            min: 1,
            max: 1_000_000,
        },
        default: Text("3"),
        meaning: "Fewest instances (1-1000000) whose silence at the same time is a mass failure; the recovery of a mass failure is held back.",
    },
    Setting {
        name: "MASS_FAILURE_RATIO",
        flag: "mass-failure-ratio",
        group: Group::Recovery,
        kind: Kind::Fraction,
        default: Text("0.5"),
        meaning: "Part of the active instances (0-1) that must be exceeded by the silent ones for a mass failure; 1 switches the brake off.",
    },
    Setting {
        name: "MASS_FAILURE_HOLD",
        flag: "mass-failure-hold",
        group: Group::Recovery,
        kind: Kind::Duration,
        default: Text("30"),
        meaning: "How long the recovery of a mass failure is held back, so that the instances can come back; above 40s, streams may be moved later than a minute after the failure.",
    },
    Setting {
        name: "DRAIN_DEADLINE",
        flag: "drain-deadline",
        group: Group::Recovery,
        kind: Kind::Duration,
        default: Text("1h"),
        meaning: "How long a drain may take if its request names no deadline.",
    },
    Setting {
        name: "MAX_MOVES_PER_TARGET",
        flag: "max-moves-per-target",
        group: Group::Recovery,
        kind: Kind::Count {
            min: 1,
            max: 100_000,
        },
        default: Text("10"),
        meaning: "Moves under way to one instance (1-100000) at which drains, rolls, balance and returns to a pin begin no further one; recoveries and POST /streams/move do not wait.",
    },
    Setting {
        name: "MAX_CONCURRENT_MOVES",
        flag: "max-concurrent-moves",
        group: Group::Recovery,
        kind: Kind::Count {
            min: 1,
            max: 1_000_000,
        },
        default: Text("100"),
        meaning: "Moves under way in the whole fleet (1-1000000) at which drains, rolls, balance and returns to a pin begin no further one; recoveries and POST /streams/move do not wait.",
    },
    Setting {
        name: "QUARANTINE_AFTER",
        flag: "quarantine-after",
        group: Group::Recovery,
        kind: Kind::Count { min: 0, max: 10 },
        default: Text("3"),
        meaning: "Owners in a row (1-10) that fail soon after they get a stream before the stream is quarantined; 0 quarantines none.",
    },
    Setting {
        name: "QUARANTINE_WINDOW",
        flag: "quarantine-window",
        group: Group::Recovery,
        kind: Kind::Duration,
        default: Text("600"),
        meaning: "How soon after getting a stream its owner must fail for that to count against the stream; an owner that keeps it for longer clears it.",
    },
    Setting {
        name: "REBALANCE",
        flag: "rebalance",
        group: Group::Recovery,
        kind: Kind::Switch,
        default: Text("true"),
        meaning: "Whether the fleet is balanced by itself after an instance joined or returned; only streams of leased workers move then.",
    },
    Setting {
        name: "IMBALANCE_THRESHOLD",
        flag: "imbalance-threshold",
        group: Group::Recovery,
        kind: Kind::Fraction,
        default: Text("0.2"),
        meaning: "Greatest difference (0-1) of the loads of two instances, each as a part of its limit, that counts as balanced.",
    },
    Setting {
        name: "MAX_STREAM_DIFFERENCE",
        flag: "max-stream-difference",
        group: Group::Recovery,
        kind: Kind::Count { min: 1, max: 1_000 },
        default: Text("2"),
        meaning: "Streams (1-1000) by which an instance may differ from its fair share and counts as balanced.",
    },
    Setting {
        name: "REBALANCE_COOLDOWN",
        flag: "rebalance-cooldown",
        group: Group::Recovery,
        kind: Kind::Duration,
        default: Text("5m"),
        meaning: "Shortest time between two rebalances that begin by themselves.",
    },
    Setting {
        name: "PLACEMENT_POLICY",
        flag: "placement-policy",
        group: Group::Placement,
        kind: Kind::Policy,
        default: Text("balanced"),
        meaning: "How instances are compared when a stream needs an owner: balanced (by relative load), load_aware (the same, and busy machines get fewer), basic (by the number of streams).",
    },
    Setting {
        name: "SPREAD_LABEL",
        flag: "spread-label",
        group: Group::Placement,
        kind: Kind::Label,
        default: Text("zone"),
        meaning: "Label of the instances under whose values the streams of one group are spread.",
    },
    Setting {
        name: "AUTO_ASSIGN_SETTLE",
        flag: "auto-assign-settle",
        group: Group::Placement,
        kind: Kind::DurationOrZero,
        default: Text("1s"),
        meaning: "How long it must be quiet, after a registration with auto_assign or a new stream, before unclaimed streams are spread over the instances; with 0 they are assigned at once.",
    },
    Setting {
        name: "CIRCUIT_BREAKER_THRESHOLD",
        flag: "circuit-breaker-threshold",
        group: Group::Limits,
        kind: Kind::Count { min: 1, max: 1_000 },
        default: Text("5"),
        meaning: "Database failures in a row (1-1000) after which a circuit breaker opens: the database is then only probed.",
    },
    Setting {
        name: "CIRCUIT_BREAKER_TIMEOUT",
        flag: "circuit-breaker-timeout",
        group: Group::Limits,
        kind: Kind::Duration,
        default: Text("60"),
        meaning: "Longest wait between two probes of a database that is out.",
    },
    Setting {
        name: "HEALTH_CHECK_INTERVAL",
        flag: "health-check-interval",
        group: Group::Limits,
        kind: Kind::Duration,
        default: Text("60"),
        meaning: "Longest time between two evaluations of the health of the whole system; a change is evaluated within a second.",
    },
    Setting {
        name: "STREAM_WAITING_ALERT_AFTER",
        flag: "stream-waiting-alert-after",
        group: Group::Limits,
        kind: Kind::Duration,
        default: Text("10m"),
        meaning: "How long a stream may be without an owner before the alert `streams_waiting_long` opens.",
    },
    Setting {
        name: "MIN_ACTIVE_INSTANCE_RATIO",
        flag: "min-active-instance-ratio",
        group: Group::Limits,
        kind: Kind::Fraction,
        default: Text("0.8"),
        meaning: "The system is degraded while fewer than this part (0-1) of its instances are active; below a half it is critical.",
    },
    Setting {
        name: "MAX_INSTANCE_FAILURE_RATE",
        flag: "max-instance-failure-rate",
        group: Group::Limits,
        kind: Kind::Fraction,
        default: Text("0.5"),
        meaning: "The system is critical while more than this part (0-1) of its instances have failed.",
    },
    Setting {
        name: "MAX_CAPACITY_UTILIZATION",
        flag: "max-capacity-utilization",
        group: Group::Limits,
        kind: Kind::Fraction,
        default: Text("0.9"),
        meaning: "The system is degraded while more than this part (0-1) of its capacity is used.",
    },
    Setting {
        name: "MAX_STREAMS_PER_INSTANCE",
        flag: "max-streams-per-instance",
        group: Group::Limits,
        kind: Kind::Count {
            min: 1,
            max: 100_000,
        },
        default: Text("20"),
        meaning: "Streams an instance may own (1-100000) if its registration has no max_streams.",
    },
    Setting {
        name: "INSTANCE_RETENTION",
        flag: "instance-retention",
        group: Group::Retention,
        kind: Kind::Duration,
        default: Text("24h"),
        meaning: "How long a failed instance without streams is kept; then it is deleted.",
    },
    Setting {
        name: "METRICS_RETENTION",
        flag: "metrics-retention",
        group: Group::Retention,
        kind: Kind::Duration,
        default: Text("7d"),
        meaning: "How long the metrics workers report are kept.",
    },
    Setting {
        name: "EVENT_RETENTION",
        flag: "event-retention",
        group: Group::Retention,
        kind: Kind::Duration,
        default: Text("30d"),
        meaning: "How long the audit trail of changes is kept, and alerts after they were closed.",
    },
    Setting {
        name: "INCIDENT_RETENTION",
        flag: "incident-retention",
        group: Group::Retention,
        kind: Kind::Duration,
        default: Derived {
            from: "EVENT_RETENTION",
            formula: "equal to EVENT_RETENTION",
            usually: "30d",
        },
        meaning: "How long incidents are kept after their end; open ones stay.",
    },
    Setting {
        name: "HEALTH_HISTORY_RETENTION",
        flag: "health-history-retention",
        group: Group::Retention,
        kind: Kind::Duration,
        default: Text("30d"),
        meaning: "How long the history of the system's health is kept.",
    },
    Setting {
        name: "HEALTH_HISTORY_ROWS",
        flag: "health-history-rows",
        group: Group::Retention,
        kind: Kind::Count {
            min: 1,
            max: 10_000_000,
        },
        default: Text("100000"),
        meaning: "Most entries of that history (1-10000000) that are kept.",
    },
    Setting {
        name: "CRITICAL_FAILURE_RETENTION_HOURS",
        flag: "critical-failure-retention-hours",
        group: Group::Retention,
        kind: Kind::Count { min: 1, max: 720 },
        default: Text("24"),
        meaning: "Hours (1-720) for which the system stays degraded after a critical failure. Critical is an incident that escalated by itself, whose recovery failed, or that left streams without an owner.",
    },
    Setting {
        name: "METRICS_PER_INSTANCE",
        flag: "metrics-per-instance",
        group: Group::Metrics,
        kind: Kind::Switch,
        default: Text("false"),
        meaning: "Whether `/metrics` also has series of each instance; with many instances they fill the memory of Prometheus.",
    },
    Setting {
        name: "WEBHOOKS_FILE",
        flag: "webhooks-file",
        group: Group::Webhooks,
        kind: Kind::Name,
        default: Text("none"),
        meaning: "TOML file with receivers of webhooks (docs/WEBHOOKS.md), beside those that PUT /webhooks/{name} made; SIGHUP reads it again. none: no file.",
    },
    Setting {
        name: "WEBHOOK_ALLOW_LOOPBACK",
        flag: "webhook-allow-loopback",
        group: Group::Webhooks,
        kind: Kind::Switch,
        default: Text("off"),
        meaning: "Whether webhooks may lead to this machine (127.0.0.1, ::1).",
    },
    Setting {
        name: "WEBHOOK_CA_FILE",
        flag: "webhook-ca-file",
        group: Group::Webhooks,
        kind: Kind::Name,
        default: Text("system"),
        meaning: "PEM file of the certificates by which https of webhooks is checked. system: those of the system.",
    },
    Setting {
        name: "LOG_FORMAT",
        flag: "log-format",
        group: Group::Log,
        kind: Kind::LogFormat,
        default: Text("text"),
        meaning: "Format of the log: text for people, json (one object per line) for machines.",
    },
    Setting {
        name: "RUST_LOG",
        flag: "rust-log",
        group: Group::Log,
        kind: Kind::LogFilter,
        default: Text("info,actix_server=warn,tokio_postgres=warn"),
        meaning: "Which log lines are written: off, error, warn, info, debug or trace, also per module.",
    },
];

#[cfg(test)]
mod tests;
