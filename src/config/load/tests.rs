//! Whole configurations: defaults, what is derived, rules across settings.

use super::*;
use crate::config::{DatabaseUrl, Fallback, LogFormat, sample};
use crate::domain::settings::Fraction;

fn refused(pairs: &[(&str, &str)]) -> Vec<String> {
    let errors = Config::from_pairs(pairs.iter().copied()).unwrap_err();
    errors.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_set_gives_the_defaults() {
    let config = Config::from_pairs([]).unwrap();
    assert_eq!(config.server.bind_address.as_str(), "127.0.0.1:8001");
    assert_eq!(
        config.database.url,
        DatabaseUrl::Sqlite("orchestrator.db".into())
    );
    let second = Duration::from_secs(1);
    let thresholds = LivenessThresholds::from_timeout(300 * second);
    assert_eq!(config.liveness, thresholds);
    assert_eq!(
        config.worker_limits,
        WorkerLimits::from_thresholds(&config.liveness)
    );
    let retry = RetryPolicy {
        max_attempts: 3,
        delay: 5 * second,
        exponential: true,
    };
    assert_eq!(config.recovery.retry, retry);
    let mass_failure = MassFailureSettings {
        min: 3,
        ratio: Fraction::HALF,
        hold: 30 * second,
    };
    assert_eq!(config.mass_failure, mass_failure);
    let breaker = BreakerSettings {
        threshold: 5,
        max_probe_interval: 60 * second,
        probe_limit: 6 * second,
    };
    assert_eq!(config.breaker, breaker);
    assert_eq!(config.log.format, LogFormat::Text);
}

#[test]
fn an_unknown_policy_and_a_label_that_is_none_are_refused_with_what_would_do() {
    let [policy] = &refused(&[("PLACEMENT_POLICY", "fastest")])[..] else {
        panic!("one problem");
    };
    for part in [
        "PLACEMENT_POLICY",
        "fastest",
        "balanced",
        "load_aware",
        "basic",
    ] {
        assert!(policy.contains(part), "{part} is missing: {policy}");
    }
    let [label] = &refused(&[("SPREAD_LABEL", "zo\u{7}ne")])[..] else {
        panic!("one problem");
    };
    assert!(label.contains("SPREAD_LABEL"), "{label}");
}

#[test]
fn every_listed_setting_is_read_once_and_shown_as_listed() {
    let loaded = from_sources(&Sources::of_program([])).unwrap();
    let read: Vec<_> = loaded.effective.iter().map(|value| value.name).collect();
    let listed: Vec<_> = settings().iter().map(|setting| setting.name).collect();
    assert_eq!(read, listed);
    for (value, setting) in loaded.effective.iter().zip(settings()) {
        if let Fallback::Derived { usually, .. } = setting.default {
            assert_eq!(value.shown, usually, "{}", setting.name);
        }
    }
}

#[test]
fn the_sample_switched_on_is_the_default() {
    let switched_on: String = sample()
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| !rest.starts_with(' '))
                .unwrap_or(line)
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let entries: Vec<(String, String)> = dotenvy::Iter::new(switched_on.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(entries.len(), settings().len());
    let pairs = entries
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    assert_eq!(Config::from_pairs(pairs), Config::from_pairs([]));
}

#[test]
fn short_timeouts_are_fine() {
    let config = Config::from_pairs([("HEARTBEAT_TIMEOUT", "3s")]).unwrap();
    assert_eq!(config.liveness.warning, Duration::from_millis(1_200));
    assert_eq!(config.liveness.emergency, Duration::from_secs(6));
    assert_eq!(
        config.worker_limits.heartbeat_interval,
        Duration::from_millis(300)
    );
    assert_eq!(
        config.worker_limits.worker_stop,
        Duration::from_millis(2_160)
    );
    let pairs = [("HEARTBEAT_TIMEOUT", "3 s"), ("EMERGENCY_THRESHOLD", "8 s")];
    let config = Config::from_pairs(pairs).unwrap();
    assert_eq!(config.liveness.emergency, Duration::from_secs(8));
    for timeout in ["1ms", "0.05", "3650d"] {
        Config::from_pairs([("HEARTBEAT_TIMEOUT", timeout)]).unwrap();
    }
}

#[test]
fn what_is_derived_follows_what_is_set() {
    let pairs = [
        ("HEARTBEAT_WARNING_THRESHOLD", "60"),
        ("LEASE_DURATION", "100"),
    ];
    let config = Config::from_pairs(pairs).unwrap();
    assert_eq!(config.liveness.probation, Duration::from_secs(60));
    assert_eq!(
        config.worker_limits.heartbeat_interval,
        Duration::from_secs(15)
    );
    assert_eq!(
        config.worker_limits.request_timeout,
        Duration::from_millis(7_500)
    );
    assert_eq!(config.worker_limits.worker_stop, Duration::from_secs(90));
    assert_eq!(config.worker_limits.lease_margin, Duration::from_secs(30));
}

#[test]
fn each_rule_is_checked_at_its_edge() {
    type Pairs = &'static [(&'static str, &'static str)];
    // The value that just holds, the one that just does not, and the start of the rule.
    let edges: [(Pairs, Pairs, &str); 6] = [
        (
            &[("HEARTBEAT_REQUEST_TIMEOUT", "29999ms")],
            &[("HEARTBEAT_REQUEST_TIMEOUT", "30")],
            "HEARTBEAT_REQUEST_TIMEOUT must be less than HEARTBEAT_INTERVAL",
        ),
        (
            &[("HEARTBEAT_INTERVAL", "215999ms")],
            &[("HEARTBEAT_INTERVAL", "216")],
            "HEARTBEAT_INTERVAL must be less than WORKER_STOP",
        ),
        (
            &[("WORKER_STOP", "239999ms")],
            &[("WORKER_STOP", "240")],
            "WORKER_STOP must be less than LEASE_DURATION",
        ),
        (
            &[("LEASE_MARGIN", "60")],
            &[("LEASE_MARGIN", "60001ms")],
            "LEASE_DURATION + LEASE_MARGIN must be at most HEARTBEAT_TIMEOUT",
        ),
        (
            &[("HEARTBEAT_WARNING_THRESHOLD", "299999ms")],
            &[("HEARTBEAT_WARNING_THRESHOLD", "300")],
            "HEARTBEAT_WARNING_THRESHOLD must be less than HEARTBEAT_TIMEOUT",
        ),
        (
            &[("EMERGENCY_THRESHOLD", "300001ms")],
            &[("EMERGENCY_THRESHOLD", "300")],
            "HEARTBEAT_TIMEOUT must be less than EMERGENCY_THRESHOLD",
        ),
    ];
    for (holds, broken, rule) in edges {
        assert!(
            Config::from_pairs(holds.iter().copied()).is_ok(),
            "{holds:?}"
        );
        let problems = refused(broken);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(rule), "{problems:?}");
    }
}

#[test]
fn a_broken_rule_names_every_value_its_source_and_the_remedy() {
    assert_eq!(
        refused(&[("HEARTBEAT_INTERVAL", "300")]),
        [
            "HEARTBEAT_INTERVAL must be less than WORKER_STOP (a worker must get to beat before it \
          stops by itself), but HEARTBEAT_INTERVAL is 5m (set by the program), WORKER_STOP is \
          3m 36s (derived: 0.9 × LEASE_DURATION), LEASE_DURATION is 4m (derived: 0.8 × \
          HEARTBEAT_TIMEOUT), HEARTBEAT_TIMEOUT is 5m (default). Set HEARTBEAT_INTERVAL below \
          3m 36s or WORKER_STOP above 5m, or change HEARTBEAT_TIMEOUT, from which the rest is \
          derived."
        ]
    );
    assert_eq!(
        refused(&[("LEASE_DURATION", "290"), ("LEASE_MARGIN", "20")]),
        [
            "LEASE_DURATION + LEASE_MARGIN must be at most HEARTBEAT_TIMEOUT (a lease must be over \
          when its instance fails), but LEASE_DURATION is 4m 50s (set by the program), \
          LEASE_MARGIN is 20s (set by the program), HEARTBEAT_TIMEOUT is 5m (default). Together \
          they are 5m 10s: lower LEASE_DURATION or LEASE_MARGIN, or raise HEARTBEAT_TIMEOUT."
        ]
    );
}

#[test]
fn all_problems_come_at_once_and_guesses_are_left_out() {
    let problems = refused(&[
        ("HEARTBEAT_TIMEOUT", "soon"),
        ("HEARTBEAT_WARNING_THRESHOLD", "1h"),
        ("HEARTBEAT_REQUEST_TIMEOUT", "1d"),
        ("DATABASE_POOL_SIZE", "0"),
        ("RUST_LOG", "a=loud"),
    ]);
    let starts: Vec<_> = problems
        .iter()
        .filter_map(|problem| problem.split(' ').next())
        .collect();
    // Nothing about warning and timeout: the timeout is not known.
    assert_eq!(
        starts,
        [
            "DATABASE_POOL_SIZE",
            "HEARTBEAT_TIMEOUT",
            "RUST_LOG",
            "HEARTBEAT_REQUEST_TIMEOUT"
        ]
    );
}

#[test]
fn an_unknown_name_in_a_list_is_a_mistake() {
    assert!(refused(&[("HEARTBEAT_TIMOUT", "3")])[0].contains("HEARTBEAT_TIMOUT"));
}

#[test]
fn contradictions_are_named_with_both_values_on_a_database_for_several() {
    let refused = |url: &str, takeover: &str| {
        let pairs = [("DATABASE_URL", url), ("CLUSTER_TAKEOVER_AFTER", takeover)];
        let errors = Config::from_pairs(pairs).err();
        errors.map(|errors| errors.to_string()).unwrap_or_default()
    };
    let postgres = "postgres://u@127.0.0.1/db";
    assert_eq!(refused(postgres, "3s"), "");
    assert_eq!(refused("sqlite://x.db", "300s"), "", "one process only");
    let sentence = refused(postgres, "300s");
    assert!(
        sentence.contains("216s"),
        "the stop of a worker: {sentence}"
    );
    assert!(
        sentence.contains("345.7s") || sentence.contains("445"),
        "{sentence}"
    );
    assert!(refused(postgres, "10s").contains("5s"), "the promise");
}
