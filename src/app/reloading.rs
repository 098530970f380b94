//! Settings that change while the program runs: SIGHUP reads them again, from the same sources.
//!
//! ```text
//!   SIGHUP ─▶ read ──valid──▶ those that may change are applied, the others named
//!                  └─a fault─▶ nothing changes; each fault is named
//! ```
//!
//! They are read on a thread of their own: a `.env` may be a pipe, and signals must not wait for it. A
//! SIGHUP that comes meanwhile leads to one more reading.

use std::fmt;
use std::future::pending;
use std::sync::Arc;

use log::{info, warn};
use tokio::task::{JoinHandle, spawn_blocking};

use super::wiring::{retention, webhooks};
use crate::actors::orchestrator::Orchestrator;
use crate::config::{self, Config, ConfigErrors, EffectiveValue, Loaded};
use crate::http::{Gate, ShownSetting};
use crate::logging;

/// Reads the settings as the start did.
pub type ReadSettings = Arc<dyn Fn() -> Result<Loaded, ConfigErrors> + Send + Sync>;

/// The settings in force, and how they are read again.
pub(super) struct Reloading {
    /// What the program goes by.
    config: Config,
    /// The same, with where each value is from.
    effective: Vec<EffectiveValue>,
    read: ReadSettings,
    under_way: Option<JoinHandle<Result<Loaded, ConfigErrors>>>,
    is_wanted_again: bool,
    /// Where the settings in force are shown, once it is there.
    gate: Option<Gate>,
    /// The running system, once it is there.
    system: Option<Orchestrator>,
}

impl fmt::Debug for Reloading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloading").finish_non_exhaustive()
    }
}

impl Reloading {
    pub(super) fn new(loaded: Loaded, read: ReadSettings) -> Self {
        Self {
            config: loaded.config,
            effective: loaded.effective,
            read,
            under_way: None,
            is_wanted_again: false,
            gate: None,
            system: None,
        }
    }

    /// The settings in force.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Shows the settings in force there, now and after each change.
    pub(super) fn show(&mut self, gate: Gate) {
        self.gate = Some(gate);
        self.show_settings();
    }

    fn show_settings(&self) {
        let Some(gate) = &self.gate else {
            return;
        };
        let shown = self.effective.iter().map(|value| ShownSetting {
            name: value.name,
            value: value.shown.clone(),
            origin: value.origin.describe(value.name),
            reloadable: is_reloadable(value.name),
        });
        gate.show_settings(shown.collect());
    }

    /// From now on new values are handed to the running system, too.
    pub(super) fn serve(&mut self, system: Orchestrator) {
        self.system = Some(system);
    }

    /// Begins to read the settings again.
    pub(super) fn begin(&mut self) {
        if self.under_way.is_some() {
            warn!("SIGHUP: the settings are still being read; they are read once more after that");
            self.is_wanted_again = true;
            return;
        }
        let read = self.read.clone();
        self.under_way = Some(spawn_blocking(move || read()));
    }

    /// Returns once settings that were read are applied, or refused; never while none are being read.
    pub(super) async fn done(&mut self) {
        let Some(reading) = &mut self.under_way else {
            return pending().await;
        };
        let read = reading.await;
        self.under_way = None;
        match read {
            Ok(Ok(loaded)) => self.apply(loaded),
            Ok(Err(errors)) => refuse(&errors),
            // Its panic has a line already.
            Err(_) => warn!("SIGHUP: the settings could not be read; nothing has changed"),
        }
        if std::mem::take(&mut self.is_wanted_again) {
            self.begin();
        }
    }

    fn apply(&mut self, loaded: Loaded) {
        for warning in &loaded.warnings {
            match warning.variable() {
                Some(variable) => warn!(variable; "SIGHUP: {warning}"),
                None => warn!("SIGHUP: {warning}"),
            }
        }
        let old = &self.config;
        let config = Config {
            health: config::HealthSettings {
                limits: loaded.config.health.limits,
                ..old.health
            },
            retention: config::RetentionSettings {
                instances: old.retention.instances,
                ..loaded.config.retention
            },
            webhooks: config::WebhookSettings {
                targets: loaded.config.webhooks.targets.clone(),
                ..old.webhooks.clone()
            },
            log: loaded.config.log.clone(),
            ..old.clone()
        };
        let difference = Difference::between(old, &loaded.config);
        let mut count = 0;
        for (known, read) in self.effective.iter_mut().zip(loaded.effective) {
            if !difference.is_in(known, &read) {
                known.origin = read.origin;
                continue;
            }
            count += 1;
            note(known, &read);
            if is_reloadable(known.name) {
                *known = read;
            }
        }
        if count == 0 {
            info!("SIGHUP: no setting has changed");
        }
        if config.log != self.config.log {
            logging::change(&config.log);
        }
        let has_other_webhooks = config.webhooks != self.config.webhooks;
        self.config = config;
        self.show_settings();
        if let Some(system) = &self.system {
            system.change_settings(self.config.health.limits, retention(&self.config));
            if has_other_webhooks {
                system.change_webhooks(webhooks(&self.config));
            }
        }
    }
}

/// The difference between the settings in force and those that were read.
struct Difference {
    /// Settings that differ, perhaps in a part that is not shown: a password, or what stands in a file.
    hidden: Vec<&'static str>,
}

impl Difference {
    fn between(known: &Config, read: &Config) -> Self {
        let hidden = [
            ("DATABASE_URL", known.database.url != read.database.url),
            (
                "WEBHOOKS_FILE",
                known.webhooks.targets != read.webhooks.targets,
            ),
        ];
        let hidden = hidden.into_iter().filter(|(_, differs)| *differs);
        Self {
            hidden: hidden.map(|(name, _)| name).collect(),
        }
    }

    /// Returns whether one setting has changed.
    fn is_in(&self, known: &EffectiveValue, read: &EffectiveValue) -> bool {
        known.shown != read.shown || self.hidden.contains(&known.name)
    }
}

fn is_reloadable(name: &str) -> bool {
    let mut settings = config::settings().iter();
    settings.any(|setting| setting.name == name && setting.is_reloadable())
}

/// One line for a setting that has changed.
fn note(known: &EffectiveValue, read: &EffectiveValue) {
    let (setting, old, new) = (known.name, known.shown.as_str(), read.shown.as_str());
    let origin = read.origin.describe(setting);
    if is_reloadable(setting) && old == new {
        info!(setting, new, origin = origin.as_str();
            "SIGHUP: {setting} names the same file ({origin}), in which something has changed");
    } else if is_reloadable(setting) {
        info!(setting, old, new, origin = origin.as_str();
            "SIGHUP: {setting} is {new} now ({origin}); it was {old}");
    } else if old == new {
        warn!(setting, new, origin = origin.as_str();
            "SIGHUP: {setting} has changed in a part that is not shown ({origin}); it needs a restart");
    } else {
        warn!(setting, old, new, origin = origin.as_str();
            "SIGHUP: {setting} is to be {new} ({origin}); it needs a restart, and stays {old} until then");
    }
}

/// One line for each fault. Everything stays as it was.
fn refuse(errors: &ConfigErrors) {
    for problem in errors.problems() {
        warn!("SIGHUP: nothing has changed, because of a mistake in the settings: {problem}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Values of every kind of setting. One that a setting refuses, or that it has already, is left out.
    const VALUES: [&str; 31] = [
        "127.0.0.1:9",
        "10.0.0.0/8",
        "memory:",
        "http://a.example",
        "json",
        "debug",
        "rack",
        "load_aware",
        "no",
        "yes",
        "0.6",
        "0.3",
        "2",
        "21",
        "50",
        "1000",
        "5000",
        "1ms",
        "1s",
        "2s",
        "4s",
        "10s",
        "61s",
        "90s",
        "100s",
        "121s",
        "200s",
        "4m",
        "2h",
        "2d",
        "8d",
    ];

    fn loaded(pairs: &[(&str, &str)]) -> Option<Loaded> {
        let flags = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.into()));
        config::load(flags.collect::<BTreeMap<_, _>>()).ok()
    }

    fn reloading() -> Reloading {
        Reloading::new(
            loaded(&[]).unwrap(),
            Arc::new(|| panic!("nothing is read here")),
        )
    }

    #[test]
    fn a_reload_applies_each_reloadable_setting_and_no_other() {
        let before = loaded(&[]).unwrap().config;
        let folder = tempfile::tempdir().unwrap();
        let receivers = folder.path().join("receivers.toml");
        let receiver = "[webhooks.ops]\nurl = \"https://h.example/x\"\n\
                        secret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\"\n";
        std::fs::write(&receivers, receiver).unwrap();
        for setting in config::settings() {
            let mut others = [receivers.to_str().unwrap()]
                .into_iter()
                .chain(VALUES)
                .filter_map(|value| loaded(&[(setting.name, value)]))
                .filter(|other| other.config != before);
            let other = others
                .next()
                .unwrap_or_else(|| panic!("no other value of {}", setting.name));
            let mut reloading = reloading();
            let wanted = other.config.clone();
            reloading.apply(other);
            let expected = match setting.is_reloadable() {
                true => &wanted,
                false => &before,
            };
            assert_eq!(reloading.config(), expected, "{}", setting.name);
        }
    }

    #[test]
    fn a_new_password_waits_for_a_restart_whatever_else_changes() {
        let url = |password: &str| format!("postgres://me:{password}@127.0.0.1/fleet");
        let (old, new) = (url("old"), url("new"));
        let first = loaded(&[("DATABASE_URL", &old), ("DATABASE_TIMEOUT", "5s")]).unwrap();
        let second = loaded(&[("DATABASE_URL", &new), ("DATABASE_TIMEOUT", "6s")]).unwrap();
        let changed = |known: &Loaded, read: &Loaded| {
            let has_changed = Difference::between(&known.config, &read.config);
            let pairs = known.effective.iter().zip(&read.effective);
            let names = pairs
                .filter(|(known, read)| has_changed.is_in(known, read))
                .map(|(known, _)| known.name);
            names.collect::<Vec<_>>()
        };
        // A derived setting follows its source.
        assert_eq!(
            changed(&first, &second),
            ["DATABASE_URL", "DATABASE_TIMEOUT", "DATABASE_LOAD_TIMEOUT"]
        );
        assert_eq!(changed(&second, &second), [""; 0]);
    }
}
