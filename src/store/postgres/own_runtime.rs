//! The runtime on which the connections live.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};

use crate::store::error::StoreError;

/// How long the end waits for the threads of the connections. They have nothing to do by then.
const SESSION_END_LIMIT: Duration = Duration::from_secs(1);

/// The runtime that drives the connections. Dropping a runtime waits for its threads, which an
/// async context must not do; this one is told to end by itself.
pub(super) struct OwnRuntime {
    pub(super) handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

impl OwnRuntime {
    pub(super) fn start() -> Result<Self, StoreError> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map(|runtime| Self {
                handle: runtime.handle().clone(),
                runtime: Mutex::new(Some(runtime)),
            })
            .map_err(|error| StoreError::Unusable(format!("no thread for PostgreSQL: {error}")))
    }

    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.handle.spawn(work)
    }

    fn take(&self) -> Option<Runtime> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        runtime.take()
    }

    /// Ends it; returns once every connection's driver is gone, and with it the connection.
    pub(super) async fn end(&self) {
        if let Some(runtime) = self.take() {
            let ended =
                tokio::task::spawn_blocking(move || runtime.shutdown_timeout(SESSION_END_LIMIT));
            // It cannot panic, and a process that ends needs no more than to have waited.
            let _ = ended.await;
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.take() {
            runtime.shutdown_background();
        }
    }
}
