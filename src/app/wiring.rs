//! Hands each setting to the part of the program that uses it.

use crate::actors::clean_up::Retention;
use crate::actors::start::SystemSettings;
use crate::config::Config;
use crate::http::{ClientLimits, HttpSettings, RequestLimits};

pub(super) fn system_settings(config: &Config) -> SystemSettings {
    SystemSettings {
        thresholds: config.liveness,
        worker_limits: config.worker_limits,
        retry: config.recovery.retry,
        emergency_enabled: config.recovery.emergency_enabled,
        breaker: config.breaker,
        mass_failure: config.mass_failure,
        health: config.health.limits,
        change_limit: config.database.timeout.mul_f64(1.1),
        health_check_interval: config.health.check_interval,
        sweep_interval: config.heartbeats.check_interval,
        flush_interval: config.heartbeats.flush_interval,
        instance_retention: config.retention.instances,
        retention: Retention {
            metrics: config.retention.metrics,
            events: config.retention.events,
            incidents: config.retention.incidents,
            health: config.retention.health,
            most_health_rows: config.retention.most_health_rows,
        },
        jitter_seed: fastrand::u64(..),
    }
}

pub(super) fn http_settings(config: &Config) -> HttpSettings {
    HttpSettings {
        default_max_streams: config.registration.default_max_streams,
        worker_limits: config.worker_limits,
        thresholds: config.liveness,
        check_interval: config.heartbeats.check_interval,
        max_missed_heartbeats: config.heartbeats.max_missed,
        limits: RequestLimits::default(),
        client: ClientLimits::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_actors_and_handlers_take_for_defaults_are_those_of_the_settings() {
        let config = Config::from_pairs([]).unwrap();
        let defaults = SystemSettings::default();
        let of_the_settings = SystemSettings {
            jitter_seed: defaults.jitter_seed,
            ..system_settings(&config)
        };
        assert_eq!(of_the_settings, defaults);
        assert_eq!(http_settings(&config), HttpSettings::default());
    }
}
