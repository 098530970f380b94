//! Hands each setting to the part of the program that uses it.

use std::time::Duration;

use crate::actors::clean_up::Retention;
use crate::actors::start::SystemSettings;
use crate::actors::webhooks::WebhookSettings;
use crate::config::Config;
use crate::domain::placement::PlacementSettings;
use crate::http::{ClientLimits, HttpSettings, RequestLimits};
use crate::outbound::SenderSettings;

pub(super) fn system_settings(config: &Config) -> SystemSettings {
    SystemSettings {
        thresholds: config.liveness,
        worker_limits: config.worker_limits,
        retry: config.recovery.retry,
        emergency_enabled: config.recovery.emergency_enabled,
        breaker: config.breaker,
        mass_failure: config.mass_failure,
        planned: config.planned,
        placement: config.placement.clone(),
        quarantine: config.quarantine,
        balance: config.balance,
        health: config.health.limits,
        change_limit: config.database.timeout.mul_f64(1.1),
        health_check_interval: config.health.check_interval,
        waiting_alert_after: config.health.waiting_alert_after,
        sweep_interval: config.heartbeats.check_interval,
        flush_interval: config.heartbeats.flush_interval,
        instance_retention: config.retention.instances,
        retention: retention(config),
        webhooks: webhooks(config),
        jitter_seed: fastrand::u64(..),
    }
}

pub(super) fn webhooks(config: &Config) -> WebhookSettings {
    WebhookSettings {
        from_file: config.webhooks.targets.clone(),
    }
}

pub(super) fn sender_settings(config: &Config) -> SenderSettings {
    SenderSettings {
        allow_loopback: config.webhooks.allow_loopback,
        ca_file: config.webhooks.ca_file.clone(),
    }
}

pub(super) const fn retention(config: &Config) -> Retention {
    Retention {
        metrics: config.retention.metrics,
        events: config.retention.events,
        incidents: config.retention.incidents,
        health: config.retention.health,
        most_health_rows: config.retention.most_health_rows,
    }
}

pub(super) fn http_settings(config: &Config) -> HttpSettings {
    HttpSettings {
        default_max_streams: config.registration.default_max_streams,
        worker_limits: config.worker_limits,
        thresholds: config.liveness,
        check_interval: config.heartbeats.check_interval,
        max_missed_heartbeats: config.heartbeats.max_missed,
        metrics_per_instance: config.metrics.per_instance,
        limits: RequestLimits::default(),
        client: ClientLimits::default(),
    }
}

/// What holds if nothing is set, for tests and benchmarks: the jitter is the same each time, and
/// unclaimed streams are assigned at once.
impl Default for SystemSettings {
    fn default() -> Self {
        let settings = system_settings(&Config::default());
        Self {
            jitter_seed: 0,
            placement: PlacementSettings {
                settle: Duration::ZERO,
                ..settings.placement
            },
            ..settings
        }
    }
}

/// What holds if nothing is set.
impl Default for HttpSettings {
    fn default() -> Self {
        http_settings(&Config::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pace::MovePace;
    use crate::domain::settings::{
        BalanceLimits, BalanceSettings, BreakerSettings, Fraction, HealthLimits,
        LivenessThresholds, MassFailureSettings, PlannedSettings, QuarantineSettings, RetryPolicy,
        WorkerLimits,
    };

    #[test]
    fn what_actors_and_handlers_take_for_defaults_are_those_of_the_settings() {
        let second = Duration::from_secs(1);
        let day = 86_400 * second;
        let thresholds = LivenessThresholds::from_timeout(300 * second);
        let worker_limits = WorkerLimits::from_thresholds(&thresholds);
        let actors = SystemSettings {
            thresholds,
            worker_limits,
            retry: RetryPolicy {
                max_attempts: 3,
                delay: 5 * second,
                exponential: true,
            },
            emergency_enabled: true,
            breaker: BreakerSettings {
                threshold: 5,
                max_probe_interval: 60 * second,
                probe_limit: 6 * second,
            },
            mass_failure: MassFailureSettings {
                min: 3,
                ratio: Fraction::HALF,
                hold: 30 * second,
            },
            placement: PlacementSettings::default(),
            planned: PlannedSettings {
                drain_deadline: 3_600 * second,
                pace: MovePace {
                    per_target: 10,
                    in_all: 100,
                },
            },
            quarantine: QuarantineSettings {
                after: 3,
                window: 600 * second,
            },
            balance: BalanceSettings {
                automatic: true,
                limits: BalanceLimits {
                    max_stream_difference: 2,
                    imbalance_threshold: Fraction::new(0.2).unwrap(),
                },
                cooldown: 300 * second,
                pace: MovePace::default(),
            },
            health: HealthLimits {
                min_active: Fraction::new(0.8).unwrap(),
                max_failed: Fraction::HALF,
                max_utilization: Fraction::new(0.9).unwrap(),
                failure_retention: day,
            },
            change_limit: Duration::from_millis(5_500),
            health_check_interval: 60 * second,
            waiting_alert_after: 600 * second,
            sweep_interval: 30 * second,
            flush_interval: 5 * second,
            instance_retention: day,
            retention: Retention {
                metrics: day * 7,
                events: day * 30,
                incidents: day * 30,
                health: day * 30,
                most_health_rows: 100_000,
            },
            webhooks: WebhookSettings::default(),
            jitter_seed: 0,
        };
        assert_eq!(
            sender_settings(&Config::default()),
            SenderSettings::default()
        );
        assert_eq!(SystemSettings::default(), actors);
        let handlers = HttpSettings {
            default_max_streams: 20,
            worker_limits,
            thresholds,
            check_interval: 30 * second,
            max_missed_heartbeats: 3,
            metrics_per_instance: false,
            limits: RequestLimits::default(),
            client: ClientLimits::default(),
        };
        assert_eq!(HttpSettings::default(), handlers);
    }
}
