//! When the system is how healthy, rule by rule.

use proptest::prelude::*;

use super::*;
use HealthRule::{
    ActiveRatioCritical, ActiveRatioDegraded, CapacityUtilization, EmergencyUnresolved,
    InstanceFailureRate, MassFailureHeld, RecentCriticalFailures, StoreUnavailable,
};
use SystemHealth::{Critical, Degraded, Emergency, Healthy};

use crate::settings::Fraction;

fn machine() -> HealthMachine {
    HealthMachine::new(HealthLimits::default())
}

fn well() -> Observation {
    Observation {
        active: 100,
        total: 100,
        capacity: 1_000,
        load: 100,
        ..Observation::default()
    }
}

#[test]
fn each_rule_is_in_the_table_once_in_its_order() {
    let named: Vec<HealthRule> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(named, HealthRule::ALL);
}

#[test]
fn a_first_look_against_the_table() {
    let table: [(&str, Observation, SystemHealth, &[HealthRule]); 17] = [
        ("nothing at all", Observation::default(), Healthy, &[]),
        ("all is well", well(), Healthy, &[]),
        (
            "80 % active",
            Observation {
                active: 80,
                ..well()
            },
            Healthy,
            &[],
        ),
        (
            "79 % active",
            Observation {
                active: 79,
                ..well()
            },
            Degraded,
            &[ActiveRatioDegraded],
        ),
        (
            "50 % active",
            Observation {
                active: 50,
                ..well()
            },
            Degraded,
            &[ActiveRatioDegraded],
        ),
        (
            "49 % active",
            Observation {
                active: 49,
                ..well()
            },
            Critical,
            &[ActiveRatioCritical, ActiveRatioDegraded],
        ),
        (
            "half failed",
            Observation {
                failed: 50,
                ..well()
            },
            Healthy,
            &[],
        ),
        (
            "more than half failed",
            Observation {
                failed: 51,
                ..well()
            },
            Critical,
            &[InstanceFailureRate],
        ),
        (
            "90 % used",
            Observation {
                load: 900,
                ..well()
            },
            Healthy,
            &[],
        ),
        (
            "just above 90 % used",
            Observation {
                load: 901,
                ..well()
            },
            Degraded,
            &[CapacityUtilization],
        ),
        (
            "an emergency",
            Observation {
                emergencies: 1,
                ..well()
            },
            Emergency,
            &[EmergencyUnresolved],
        ),
        (
            "a held mass",
            Observation {
                mass_failure: Level::On,
                ..well()
            },
            Emergency,
            &[MassFailureHeld],
        ),
        (
            "a mass on its way out, not seen before",
            Observation {
                mass_failure: Level::Leaving,
                ..well()
            },
            Healthy,
            &[],
        ),
        (
            "no database",
            Observation {
                store: Level::On,
                ..well()
            },
            Critical,
            &[StoreUnavailable],
        ),
        (
            "a probe of a database not seen open",
            Observation {
                store: Level::Leaving,
                ..well()
            },
            Healthy,
            &[],
        ),
        (
            "a critical failure",
            Observation {
                critical_failures: 1,
                ..well()
            },
            Degraded,
            &[RecentCriticalFailures],
        ),
        (
            "everything",
            Observation {
                active: 1,
                failed: 99,
                load: 1_000,
                emergencies: 2,
                mass_failure: Level::On,
                store: Level::On,
                critical_failures: 3,
                ..well()
            },
            Emergency,
            HealthRule::ALL,
        ),
    ];
    for (what, seen, health, rules) in table {
        let verdict = machine().judge(&seen);
        assert_eq!(
            verdict,
            Verdict {
                health,
                rules: rules.to_vec()
            },
            "{what}"
        );
    }
}

#[test]
fn a_rule_lets_go_behind_its_second_limit_only() {
    // (what is seen one after the other, how many rules hold each time)
    let active = |active| Observation { active, ..well() };
    let used = |load| Observation { load, ..well() };
    let failed = |failed| Observation { failed, ..well() };
    let store = |store| Observation { store, ..well() };
    let mass = |mass_failure| Observation {
        mass_failure,
        ..well()
    };
    let table: [(&str, Vec<(Observation, usize)>); 6] = [
        (
            "degraded below 80, until 85",
            vec![
                (active(79), 1),
                (active(84), 1),
                (active(85), 0),
                (active(80), 0),
            ],
        ),
        (
            "critical below 50, until 55",
            vec![
                (active(49), 2),
                (active(54), 2),
                (active(55), 1),
                (active(50), 1),
            ],
        ),
        (
            "used above 900, until 850",
            vec![
                (used(901), 1),
                (used(851), 1),
                (used(850), 0),
                (used(900), 0),
            ],
        ),
        (
            "failed above 50, until 45",
            vec![
                (failed(51), 1),
                (failed(46), 1),
                (failed(45), 0),
                (failed(50), 0),
            ],
        ),
        (
            "a breaker that is probed is not closed",
            vec![
                (store(Level::On), 1),
                (store(Level::Leaving), 1),
                (store(Level::On), 1),
                (store(Level::Off), 0),
                (store(Level::Leaving), 0),
            ],
        ),
        (
            "a mass is over when all of it was recovered",
            vec![
                (mass(Level::On), 1),
                (mass(Level::Leaving), 1),
                (mass(Level::Off), 0),
            ],
        ),
    ];
    for (what, looks) in table {
        let mut machine = machine();
        for (seen, rules) in looks {
            assert_eq!(machine.judge(&seen).rules.len(), rules, "{what}: {seen:?}");
        }
    }
}

#[test]
fn limits_at_the_very_end_can_be_left_again() {
    let all = Fraction::new(1.0).unwrap();
    let none = Fraction::new(0.0).unwrap();
    let mut strict = HealthMachine::new(HealthLimits {
        min_active: all,
        max_failed: none,
        max_utilization: none,
        ..HealthLimits::default()
    });
    let bad = Observation {
        active: 99,
        failed: 1,
        ..well()
    };
    assert_eq!(strict.judge(&bad).rules.len(), 3);
    let good = Observation { load: 0, ..well() };
    assert_eq!(strict.judge(&good).health, Healthy);
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Off), Just(Level::Leaving), Just(Level::On)]
}

prop_compose! {
    fn observation()(
        total in 0_u32..60,
        active_part in 0.0..=1.0,
        failed_part in 0.0..=1.0,
        capacity in 0_u64..500,
        load in 0_u64..500,
        emergencies in 0_u32..3,
        mass_failure in level(),
        store in level(),
        critical_failures in 0_u32..3,
    ) -> Observation {
        let active = (f64::from(total) * active_part) as u32;
        Observation {
            active,
            failed: (f64::from(total - active) * failed_part) as u32,
            total,
            capacity,
            load,
            emergencies,
            mass_failure,
            store,
            critical_failures,
        }
    }
}

proptest! {
    #[test]
    fn the_verdict_is_the_worst_of_its_rules_and_stands(
        looks in proptest::collection::vec(observation(), 1..20)
    ) {
        let mut machine = machine();
        for seen in looks {
            let verdict = machine.judge(&seen);
            let worst = verdict.rules.iter().map(|rule| severity_of(*rule)).max();
            prop_assert_eq!(verdict.health, worst.unwrap_or(Healthy));
            prop_assert!(verdict.rules.is_sorted());
            prop_assert_eq!(machine.judge(&seen), verdict, "looking again changes nothing");
        }
    }

    /// Whatever came before: between its limits a measure changes nothing.
    #[test]
    fn who_wobbles_between_the_limits_never_flips(
        before in 0_u64..=1_000,
        wobble in proptest::collection::vec(851_u64..=900, 1..50),
        active_before in 0_u32..=100,
        active in proptest::collection::vec(80_u32..85, 1..50),
    ) {
        let mut machine = machine();
        let first = Observation { load: before, active: active_before, ..well() };
        machine.judge(&first);
        let mut settled: Option<Verdict> = None;
        for (load, active) in wobble.into_iter().zip(active) {
            let verdict = machine.judge(&Observation { load, active, ..well() });
            if let Some(settled) = &settled {
                prop_assert_eq!(settled, &verdict);
            }
            settled = Some(verdict);
        }
    }

    /// What is worse in every respect is never judged better.
    #[test]
    fn more_trouble_is_never_better(
        history in proptest::collection::vec(observation(), 0..5),
        seen in observation(),
        fewer in 0_u32..10,
        more in 0_u64..50,
        emergency in 0_u32..2,
    ) {
        let mut machine = machine();
        for earlier in &history {
            machine.judge(earlier);
        }
        let worse = Observation {
            active: seen.active.saturating_sub(fewer),
            load: seen.load + more,
            emergencies: seen.emergencies + emergency,
            critical_failures: seen.critical_failures + emergency,
            ..seen
        };
        let (mut other, better) = (machine.clone(), machine.judge(&seen));
        prop_assert!(other.judge(&worse).health >= better.health);
    }
}
