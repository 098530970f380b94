//! From sources to a checked [`Config`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::access::AccessSettings;
use super::address::BindAddress;
use super::cluster::{self, ClusterSettings};
use super::database::DatabaseSettings;
use super::log::LogSettings;
use super::origin::Origin;
use super::problem::{ConfigErrors, Problem, Warning};
use super::reader::{EffectiveValue, Reader};
use super::sources::Sources;
use super::table::settings;
use super::values::{
    Config, HealthSettings, HeartbeatSettings, MetricsSettings, RecoverySettings,
    RegistrationSettings, RetentionSettings, ServerSettings,
};
use super::webhooks::{self, WebhookSettings};
use super::{access, database, rules, table, typo};
use crate::domain::leadership::LeadershipLimits;
use crate::domain::pace::MovePace;
use crate::domain::placement::PlacementSettings;
use crate::domain::settings::{
    BalanceLimits, BalanceSettings, BreakerSettings, HealthLimits, LivenessThresholds,
    MassFailureSettings, PlannedSettings, QuarantineSettings, RetryPolicy, WorkerLimits,
};

/// A configuration and the remarks about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values that the program uses.
    pub config: Config,
    /// Every setting with its value and origin, in the order of [`settings`].
    pub effective: Vec<EffectiveValue>,
    /// Settings that may not do what they look like.
    pub warnings: Vec<Warning>,
    /// The `.env` that was read, if there is one.
    pub dotenv_path: Option<PathBuf>,
}

/// Reads flags (by setting name), the environment and `.env`, in this order of precedence.
///
/// # Errors
///
/// Returns every problem at once.
pub fn load(flags: BTreeMap<String, OsString>) -> Result<Loaded, ConfigErrors> {
    from_sources(&Sources::of_process(flags))
}

/// Reads the settings as [`load`] does, for a server: its address must not be open to every caller by accident.
///
/// # Errors
///
/// Returns every problem at once.
pub fn load_for_server(flags: BTreeMap<String, OsString>) -> Result<Loaded, ConfigErrors> {
    let mut loaded = load(flags)?;
    let config = &loaded.config;
    let address = &config.server.bind_address;
    let problems = access::check(&config.access, address, &config.database.url);
    if !problems.is_empty() {
        return Err(ConfigErrors::new(problems));
    }
    let mut values = loaded.effective.iter();
    let networks = values.find(|value| value.name == "AUTH_TRUSTED_NETWORKS");
    let origin = networks.map_or(Origin::Default, |value| value.origin);
    let warnings = access::warnings(&config.access, address, config.server.tls.as_ref(), origin);
    loaded.warnings.extend(warnings);
    Ok(loaded)
}

impl Config {
    /// Returns the settings of `pairs` (names as in the environment) and defaults for the rest;
    /// reads neither environment nor `.env`. For tests and for programs that embed the server.
    ///
    /// # Errors
    ///
    /// Returns every value or combination that is refused, and every name that is no setting.
    pub fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ConfigErrors> {
        from_pairs(pairs)
    }
}

/// What holds if nothing is set.
impl Default for Config {
    fn default() -> Self {
        match from_pairs([]) {
            Ok(config) => config,
            // A test reads every default of the table.
            Err(errors) => unreachable!("a default of the table is no valid value: {errors}"),
        }
    }
}

fn from_pairs<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Config, ConfigErrors> {
    let sources = Sources::of_program(pairs);
    let loaded = from_sources(&sources)?;
    // In an environment, unknown names belong to other programs; in a list made for this one they
    // are mistakes.
    let unknown = sources
        .variables()
        .find(|(_, name)| table::find(name).is_none());
    match unknown {
        None => Ok(loaded.config),
        Some((_, name)) => Err(ConfigErrors::new(vec![Problem::Value {
            name: "configuration",
            origin: Origin::Program,
            shown: format!("given {name:?}"),
            rule: "has no setting of that name".to_owned(),
        }])),
    }
}

fn from_sources(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    let mut reader = Reader::new(sources);
    let config = read(&mut reader);
    let Reader {
        mut problems,
        mut effective,
        mut warnings,
        lengths,
        ..
    } = reader;
    problems.extend(rules::check(&lengths));
    if let Some(config) = &config {
        problems.extend(cluster::check(
            &config.cluster.limits,
            &config.database.url,
            &config.liveness,
            &config.worker_limits,
        ));
    }
    match config {
        Some(config) if problems.is_empty() => {
            effective.sort_by_key(|value| position(value.name));
            warnings.extend(typo::suspects(sources));
            Ok(Loaded {
                config,
                effective,
                warnings,
                dotenv_path: sources.dotenv_path.clone(),
            })
        }
        Some(_) | None => Err(ConfigErrors::new(problems)),
    }
}

fn position(name: &str) -> Option<usize> {
    settings().iter().position(|setting| setting.name == name)
}

// Below, everything is read before the first `?`: a refused value must not hide the next one.

fn read(reader: &mut Reader<'_>) -> Option<Config> {
    let bind_address = reader.address("BIND_ADDRESS");
    let access = read_access(reader, bind_address.as_ref());
    let tls = reader.tls();
    let database = read_database(reader);
    let liveness = read_liveness(reader);
    let cluster = read_cluster(reader, liveness.timeout);
    let worker_limits = read_worker_limits(reader, &liveness);
    let heartbeats = read_heartbeats(reader);
    let recovery = read_recovery(reader);
    let mass_failure = read_mass_failure(reader);
    let planned = read_planned(reader);
    let placement = read_placement(reader, planned.as_ref());
    let quarantine = read_quarantine(reader);
    let balance = read_balance(reader, planned.as_ref());
    let breaker = read_breaker(reader, database.as_ref());
    let health = read_health(reader);
    let default_max_streams = reader.count("MAX_STREAMS_PER_INSTANCE");
    let retention = read_retention(reader);
    let per_instance = reader.switch("METRICS_PER_INSTANCE");
    let webhooks = read_webhooks(reader);
    let log_format = reader.log_format("LOG_FORMAT");
    let log_filter = reader.log_filter("RUST_LOG");
    Some(Config {
        server: ServerSettings {
            bind_address: bind_address?,
            tls: tls?,
        },
        access: access?,
        database: database?,
        cluster: cluster?,
        liveness: liveness.complete()?,
        worker_limits: worker_limits?,
        heartbeats: heartbeats?,
        recovery: recovery?,
        mass_failure: mass_failure?,
        planned: planned?,
        placement: placement?,
        quarantine: quarantine?,
        balance: balance?,
        breaker: breaker?,
        health: health?,
        registration: RegistrationSettings {
            default_max_streams: default_max_streams?,
        },
        retention: retention?,
        metrics: MetricsSettings {
            per_instance: per_instance?,
        },
        webhooks: webhooks?,
        log: LogSettings {
            format: log_format?,
            filter: log_filter?,
        },
    })
}

fn read_access(reader: &mut Reader<'_>, address: Option<&BindAddress>) -> Option<AccessSettings> {
    let given = reader.auth("AUTH");
    let trusted_networks = reader.networks("AUTH_TRUSTED_NETWORKS");
    let trusted_proxies = reader.networks("TRUSTED_PROXIES");
    let given = given?;
    Some(AccessSettings {
        is_required: access::is_required(given, address?),
        is_given: given.is_some(),
        trusted_networks: trusted_networks?,
        trusted_proxies: trusted_proxies?,
    })
}

fn read_webhooks(reader: &mut Reader<'_>) -> Option<WebhookSettings> {
    let allow_loopback = reader.switch("WEBHOOK_ALLOW_LOOPBACK");
    let ca_file = reader.name_or(webhooks::SYSTEM, "WEBHOOK_CA_FILE");
    // If the switch is refused, the file is judged by what is allowed at most.
    let targets = reader.webhooks("WEBHOOKS_FILE", allow_loopback.unwrap_or(true));
    Some(WebhookSettings {
        targets: targets?,
        allow_loopback: allow_loopback?,
        ca_file: ca_file?.map(PathBuf::from),
    })
}

fn read_database(reader: &mut Reader<'_>) -> Option<DatabaseSettings> {
    let url = reader.database_url("DATABASE_URL");
    let timeout = reader.duration("DATABASE_TIMEOUT");
    let load_timeout = timeout.map(|timeout| timeout.saturating_mul(12));
    let load_timeout = reader.derived("DATABASE_LOAD_TIMEOUT", load_timeout);
    let wait = reader.limit("DATABASE_WAIT");
    let pool_size = reader.count("DATABASE_POOL_SIZE");
    if let Some(database::DatabaseUrl::Memory | database::DatabaseUrl::Sqlite(_)) = &url {
        let reason = "has no effect: only PostgreSQL has more than one connection";
        reader.warn_of("DATABASE_POOL_SIZE", vec![reason.to_owned()]);
    }
    Some(DatabaseSettings {
        url: url?,
        timeout: timeout?,
        load_timeout: load_timeout?,
        wait: wait?,
        pool_size: pool_size?,
    })
}

/// The thresholds, as far as they could be read: a limit of workers may depend on one of them only.
struct Thresholds {
    warning: Option<Duration>,
    timeout: Option<Duration>,
    emergency: Option<Duration>,
    probation: Option<Duration>,
}

impl Thresholds {
    fn complete(&self) -> Option<LivenessThresholds> {
        Some(LivenessThresholds {
            warning: self.warning?,
            timeout: self.timeout?,
            emergency: self.emergency?,
            probation: self.probation?,
        })
    }
}

fn read_cluster(reader: &mut Reader<'_>, timeout: Option<Duration>) -> Option<ClusterSettings> {
    let node = reader.name_or_auto("CLUSTER_NODE", cluster::parse_node);
    let address = reader.name_or_auto("CLUSTER_ADDRESS", cluster::parse_address);
    let public_url = reader.name_or_auto("CLUSTER_PUBLIC_URL", cluster::parse_public_url);
    let derived = timeout.map(|timeout| LeadershipLimits::from_timeout(timeout).take_over_after);
    let take_over_after = reader.derived("CLUSTER_TAKEOVER_AFTER", derived);
    let failsafe = reader.duration("CLUSTER_FAILSAFE");
    Some(ClusterSettings {
        node: node?,
        address: address?,
        public_url: public_url?,
        limits: LeadershipLimits::from_take_over(take_over_after?),
        failsafe: failsafe?,
    })
}

fn read_liveness(reader: &mut Reader<'_>) -> Thresholds {
    let timeout = reader.duration("HEARTBEAT_TIMEOUT");
    let derived = timeout.map(LivenessThresholds::from_timeout);
    let warning = reader.derived(
        "HEARTBEAT_WARNING_THRESHOLD",
        derived.map(|thresholds| thresholds.warning),
    );
    let emergency = reader.derived(
        "EMERGENCY_THRESHOLD",
        derived.map(|thresholds| thresholds.emergency),
    );
    let probation = reader.derived("PROBATION", warning);
    Thresholds {
        warning,
        timeout,
        emergency,
        probation,
    }
}

fn read_worker_limits(reader: &mut Reader<'_>, known: &Thresholds) -> Option<WorkerLimits> {
    let heartbeat_interval = reader.derived(
        "HEARTBEAT_INTERVAL",
        known.warning.map(WorkerLimits::interval_for_warning),
    );
    let request_timeout = reader.derived(
        "HEARTBEAT_REQUEST_TIMEOUT",
        heartbeat_interval.map(WorkerLimits::request_timeout_for_interval),
    );
    let lease = reader.derived(
        "LEASE_DURATION",
        known.timeout.map(WorkerLimits::lease_for_timeout),
    );
    let lease_margin = reader.derived(
        "LEASE_MARGIN",
        known.timeout.map(WorkerLimits::margin_for_timeout),
    );
    let worker_stop = reader.derived("WORKER_STOP", lease.map(WorkerLimits::stop_for_lease));
    Some(WorkerLimits {
        heartbeat_interval: heartbeat_interval?,
        request_timeout: request_timeout?,
        lease: lease?,
        lease_margin: lease_margin?,
        worker_stop: worker_stop?,
    })
}

fn read_heartbeats(reader: &mut Reader<'_>) -> Option<HeartbeatSettings> {
    let check_interval = reader.duration("HEARTBEAT_CHECK_INTERVAL");
    let flush_interval = reader.duration("HEARTBEAT_FLUSH_INTERVAL");
    let max_missed = reader.count("MAX_MISSED_HEARTBEATS");
    Some(HeartbeatSettings {
        check_interval: check_interval?,
        flush_interval: flush_interval?,
        max_missed: max_missed?,
    })
}

fn read_recovery(reader: &mut Reader<'_>) -> Option<RecoverySettings> {
    let emergency_enabled = reader.switch("EMERGENCY_RECOVERY_ENABLED");
    let max_attempts = reader.count("MAX_RETRY_ATTEMPTS");
    let delay = reader.duration("RETRY_DELAY_SECONDS");
    let exponential = reader.switch("EXPONENTIAL_BACKOFF");
    Some(RecoverySettings {
        retry: RetryPolicy {
            max_attempts: max_attempts?,
            delay: delay?,
            exponential: exponential?,
        },
        emergency_enabled: emergency_enabled?,
    })
}

fn read_mass_failure(reader: &mut Reader<'_>) -> Option<MassFailureSettings> {
    let min = reader.count("MASS_FAILURE_MIN");
    let ratio = reader.fraction("MASS_FAILURE_RATIO");
    let hold = reader.duration("MASS_FAILURE_HOLD");
    Some(MassFailureSettings {
        min: min?,
        ratio: ratio?,
        hold: hold?,
    })
}

fn read_placement(
    reader: &mut Reader<'_>,
    planned: Option<&PlannedSettings>,
) -> Option<PlacementSettings> {
    let policy = reader.policy("PLACEMENT_POLICY");
    let spread_label = reader.label("SPREAD_LABEL");
    let settle = reader.duration("AUTO_ASSIGN_SETTLE");
    Some(PlacementSettings {
        policy: policy?,
        spread_label: spread_label?,
        pace: planned?.pace,
        settle: settle?,
    })
}

fn read_planned(reader: &mut Reader<'_>) -> Option<PlannedSettings> {
    let drain_deadline = reader.duration("DRAIN_DEADLINE");
    let per_target = reader.count("MAX_MOVES_PER_TARGET");
    let in_all = reader.count("MAX_CONCURRENT_MOVES");
    Some(PlannedSettings {
        drain_deadline: drain_deadline?,
        pace: MovePace {
            per_target: per_target? as usize,
            in_all: in_all? as usize,
        },
    })
}

fn read_quarantine(reader: &mut Reader<'_>) -> Option<QuarantineSettings> {
    let after = reader.count("QUARANTINE_AFTER");
    let window = reader.duration("QUARANTINE_WINDOW");
    Some(QuarantineSettings {
        after: after?,
        window: window?,
    })
}

fn read_balance(
    reader: &mut Reader<'_>,
    planned: Option<&PlannedSettings>,
) -> Option<BalanceSettings> {
    let automatic = reader.switch("REBALANCE");
    let imbalance_threshold = reader.fraction("IMBALANCE_THRESHOLD");
    let max_stream_difference = reader.count("MAX_STREAM_DIFFERENCE");
    let cooldown = reader.duration("REBALANCE_COOLDOWN");
    Some(BalanceSettings {
        automatic: automatic?,
        limits: BalanceLimits {
            max_stream_difference: max_stream_difference?,
            imbalance_threshold: imbalance_threshold?,
        },
        cooldown: cooldown?,
        pace: planned?.pace,
    })
}

fn read_breaker(
    reader: &mut Reader<'_>,
    database: Option<&DatabaseSettings>,
) -> Option<BreakerSettings> {
    let threshold = reader.count("CIRCUIT_BREAKER_THRESHOLD");
    let max_probe_interval = reader.duration("CIRCUIT_BREAKER_TIMEOUT");
    Some(BreakerSettings {
        threshold: threshold?,
        max_probe_interval: max_probe_interval?,
        probe_limit: BreakerSettings::probe_limit_for_calls(database?.timeout),
    })
}

fn read_health(reader: &mut Reader<'_>) -> Option<HealthSettings> {
    let check_interval = reader.duration("HEALTH_CHECK_INTERVAL");
    let waiting_alert_after = reader.duration("STREAM_WAITING_ALERT_AFTER");
    let min_active = reader.fraction("MIN_ACTIVE_INSTANCE_RATIO");
    let max_failed = reader.fraction("MAX_INSTANCE_FAILURE_RATE");
    let max_utilization = reader.fraction("MAX_CAPACITY_UTILIZATION");
    let retention_hours = reader.count("CRITICAL_FAILURE_RETENTION_HOURS");
    Some(HealthSettings {
        check_interval: check_interval?,
        waiting_alert_after: waiting_alert_after?,
        limits: HealthLimits {
            min_active: min_active?,
            max_failed: max_failed?,
            max_utilization: max_utilization?,
            failure_retention: Duration::from_secs(u64::from(retention_hours?) * 3_600),
        },
    })
}

fn read_retention(reader: &mut Reader<'_>) -> Option<RetentionSettings> {
    let instances = reader.duration("INSTANCE_RETENTION");
    let metrics = reader.duration("METRICS_RETENTION");
    let events = reader.duration("EVENT_RETENTION");
    let incidents = reader.derived("INCIDENT_RETENTION", events);
    let health = reader.duration("HEALTH_HISTORY_RETENTION");
    let most_health_rows = reader.count("HEALTH_HISTORY_ROWS");
    Some(RetentionSettings {
        instances: instances?,
        metrics: metrics?,
        events: events?,
        incidents: incidents?,
        health: health?,
        most_health_rows: most_health_rows?,
    })
}

#[cfg(test)]
mod tests;
