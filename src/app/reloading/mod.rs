//! Settings that change while the program runs: SIGHUP reads them again, from the same sources.
//!
//! ```text
//!   SIGHUP ─▶ read ──valid──▶ those that may change are applied, the others named
//!                  └─a fault─▶ nothing changes; each fault is named
//! ```
//!
//! The files of certificates are looked at without a signal, too (`certificates.rs`); they take the same way into
//! force. Whether TLS is spoken at all changes only with a restart: connections of both kinds at one port would
//! mean that it is not.
//!
//! They are read on a thread of their own: a `.env` may be a pipe, and signals must not wait for it. A
//! SIGHUP that comes meanwhile leads to one more reading.

use std::fmt;
use std::future::pending;
use std::sync::Arc;

use log::{info, warn};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::actors::orchestrator::Orchestrator;
use crate::app::certificates::{Changed, FileWatch};
use crate::app::wiring::{retention, webhooks};
use crate::config::{self, Config, ConfigErrors, EffectiveValue, Loaded};
use crate::http::{Gate, ShownSetting};
use crate::logging;
use crate::tls::{ServerTls, TLS_CERT, TLS_CLIENT_CA, TLS_CLUSTER_CA, TLS_KEY};

/// Reads the settings as the start did.
pub type ReadSettings = Arc<dyn Fn() -> Result<Loaded, ConfigErrors> + Send + Sync>;

/// The settings in force, and how they are read again.
pub(in crate::app) struct Reloading {
    /// What the program goes by.
    config: Config,
    /// The same, with where each value is from.
    effective: Vec<EffectiveValue>,
    read: ReadSettings,
    under_way: Option<JoinHandle<Result<Loaded, ConfigErrors>>>,
    is_wanted_again: bool,
    watch: FileWatch,
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
    pub(in crate::app) fn new(loaded: Loaded, read: ReadSettings) -> Self {
        let mut watch = FileWatch::default();
        watch.watch(loaded.config.server.tls.as_ref());
        Self {
            watch,
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
    pub(in crate::app) fn config(&self) -> &Config {
        &self.config
    }

    /// Shows the settings in force there, now and after each change.
    pub(in crate::app) fn show(&mut self, gate: Gate) {
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
    pub(in crate::app) fn serve(&mut self, system: Orchestrator) {
        self.system = Some(system);
    }

    /// The running system ends. New values are kept for the next one.
    pub(in crate::app) fn serve_no_more(&mut self) {
        self.system = None;
    }

    /// Begins to read the settings again.
    pub(in crate::app) fn begin(&mut self) {
        if self.under_way.is_some() {
            warn!("SIGHUP: the settings are still being read; they are read once more after that");
            self.is_wanted_again = true;
            return;
        }
        let read = self.read.clone();
        self.under_way = Some(spawn_blocking(move || read()));
    }

    /// Returns once settings that were read, or files of certificates that have changed, are applied or refused.
    pub(in crate::app) async fn done(&mut self) {
        let read = tokio::select! {
            read = ended(&mut self.under_way) => read,
            changed = self.watch.changed() => return self.files_changed(changed),
        };
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

    /// The files of certificates are not what they were.
    fn files_changed(&mut self, changed: Changed) {
        match changed {
            Ok(read) => {
                self.config.server.tls = Some(read);
                self.put_in_force();
            }
            Err(faults) => {
                for fault in faults {
                    let (setting, rule) = (fault.setting, fault.rule.as_str());
                    warn!(setting; "{setting} has changed and cannot be used; the certificates and the key before \
                        it stay in force: it {rule}.");
                }
            }
        }
    }

    /// Puts the certificates of the settings in force, if TLS is spoken.
    fn put_in_force(&mut self) {
        let (Some(read), Some(gate)) = (&self.config.server.tls, &self.gate) else {
            return;
        };
        let Some(tls) = gate.tls() else {
            return;
        };
        if let Err(error) = tls.put_in_force(read) {
            warn!(error:%; "the certificates could not be put in force: {error}");
            return;
        }
        for line in read.described() {
            info!("{line}");
        }
        if let Some(system) = &self.system {
            system.show_certificates(read.expiries());
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
            server: config::ServerSettings {
                tls: tls_in_force(old, &loaded.config).cloned(),
                ..old.server.clone()
            },
            ..old.clone()
        };
        let is_applied = |name: &str| {
            let is_of_tls = [TLS_CERT, TLS_KEY, TLS_CLIENT_CA, TLS_CLUSTER_CA].contains(&name);
            is_reloadable(name) && !(is_of_tls && switches_tls(old, &loaded.config))
        };
        let difference = Difference::between(old, &loaded.config);
        let mut count = 0;
        for (known, read) in self.effective.iter_mut().zip(loaded.effective) {
            if !difference.is_in(known, &read) {
                known.origin = read.origin;
                continue;
            }
            count += 1;
            note(known, &read, is_applied(known.name));
            if is_applied(known.name) {
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
        let has_other_tls = config.server.tls != self.config.server.tls;
        self.config = config;
        self.show_settings();
        if has_other_tls {
            self.watch.watch(self.config.server.tls.as_ref());
            self.put_in_force();
        }
        if let Some(system) = &self.system {
            system.change_settings(self.config.health.limits, retention(&self.config));
            if has_other_webhooks {
                system.change_webhooks(webhooks(&self.config));
            }
        }
    }
}

/// Returns what a task that reads settings found; never while there is none.
async fn ended<T>(under_way: &mut Option<JoinHandle<T>>) -> Result<T, tokio::task::JoinError> {
    match under_way {
        Some(reading) => reading.await,
        None => pending().await,
    }
}

/// Returns whether TLS would be spoken that is not, or the other way round.
fn switches_tls(known: &Config, read: &Config) -> bool {
    known.server.tls.is_some() != read.server.tls.is_some()
}

/// Returns the certificates to go by.
fn tls_in_force<'c>(known: &'c Config, read: &'c Config) -> Option<&'c ServerTls> {
    match switches_tls(known, read) {
        true => known.server.tls.as_ref(),
        false => read.server.tls.as_ref(),
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
        let mut hidden: Vec<&str> = hidden.map(|(name, _)| name).collect();
        if let (Some(known), Some(read)) = (&known.server.tls, &read.server.tls) {
            hidden.extend(known.differences(read));
        }
        Self { hidden }
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
fn note(known: &EffectiveValue, read: &EffectiveValue, is_applied: bool) {
    let (setting, old, new) = (known.name, known.shown.as_str(), read.shown.as_str());
    let origin = read.origin.describe(setting);
    if is_applied && old == new {
        info!(setting, new, origin = origin.as_str();
            "SIGHUP: {setting} names the same file ({origin}), in which something has changed");
    } else if is_applied {
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
mod tests;
