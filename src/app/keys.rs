//! Keys of callers between the database and the copy that requests are checked by.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use log::{debug, info, warn};
use tokio::task::AbortHandle;

use crate::actors::access::Keyring;
use crate::config::Config;
use crate::http::Access;
use crate::store::{Store, StoreError};

/// How often the database is asked whether the keys have changed. Another process may make or revoke one, which is to be
/// known within a second.
const LOOK_INTERVAL: Duration = Duration::from_millis(400);

/// Returns what callers are recognized by.
pub(super) fn access(config: &Config, keyring: Keyring) -> Access {
    let settings = &config.access;
    Access::new(
        keyring,
        settings.trusted_networks.clone(),
        settings.trusted_proxies.clone(),
    )
}

/// Reads the keys for the first time, and warns if no admin could get in.
pub(super) async fn read(store: &dyn Store, keyring: &Keyring) -> Result<(), StoreError> {
    keyring.replace(store.keys().await?);
    if !keyring.is_in_force() {
        return Ok(());
    }
    if keyring.has_admin() {
        info!("callers need a key (AUTH)");
    } else {
        warn!(
            "callers need a key (AUTH), and there is no good one of the role `admin`: `orchestrator keys create \
             --role admin --name NAME --offline` makes one, on the machine with the database"
        );
    }
    Ok(())
}

/// Looks again and again whether another process has changed the keys, until it is dropped. It passes the breakers: a
/// look that fails says nothing, and the copy stays good.
#[derive(Debug, Default)]
pub(super) struct KeyWatch(Mutex<Option<AbortHandle>>);

impl KeyWatch {
    /// Begins to look into a store, and no longer into the one before.
    pub(super) fn begin(&self, store: &Arc<dyn Store>, keyring: &Keyring) {
        self.end();
        if !keyring.is_in_force() {
            return;
        }
        let (store, keyring) = (store.clone(), keyring.clone());
        let watching = actix::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_INTERVAL).await;
                if let Err(error) = look(store.as_ref(), &keyring).await {
                    debug!("the keys could not be looked at: {error}");
                }
            }
        });
        *self.handle() = Some(watching.abort_handle());
    }

    /// Looks no more.
    pub(super) fn end(&self) {
        if let Some(watching) = self.handle().take() {
            watching.abort();
        }
    }

    fn handle(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KeyWatch {
    fn drop(&mut self) {
        self.end();
    }
}

async fn look(store: &dyn Store, keyring: &Keyring) -> Result<(), StoreError> {
    if Some(store.key_mark().await?) != keyring.mark() {
        keyring.replace(store.keys().await?);
    }
    Ok(())
}
