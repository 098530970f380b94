//! Workers that beat, and fall silent when they are told to.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::world::{Api, Failure};

/// Between two heartbeats.
const BEAT: Duration = Duration::from_millis(100);

/// Since when each worker is silent; none while it beats.
type Workers = BTreeMap<String, Option<Instant>>;

/// All workers. They end when it is dropped.
pub(crate) struct Field {
    api: Api,
    workers: Arc<Mutex<Workers>>,
    _end: Sender<()>,
}

impl Field {
    /// Nobody yet.
    pub(crate) fn new(api: &Api) -> Self {
        let workers = Arc::new(Mutex::new(Workers::new()));
        let (end, ended) = mpsc::channel::<()>();
        let (field, beats) = (workers.clone(), api.clone());
        thread::spawn(move || {
            while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                let awake: Vec<String> = locked(&field)
                    .iter()
                    .filter(|(_, silent)| silent.is_none())
                    .map(|(id, _)| id.clone())
                    .collect();
                for id in awake {
                    let beat = json!({"server_id": id, "current_streams": 0});
                    // At the very end the server is gone before the workers are.
                    let _ = beats.post("/heartbeat", &beat);
                }
            }
        });
        Self {
            api: api.clone(),
            workers,
            _end: end,
        }
    }

    /// A worker registers and asks for streams.
    pub(crate) fn join(&self, id: &str, room: usize, streams: usize) -> Result<(), Failure> {
        self.api.post(
            "/register",
            &json!({"server_id": id, "ip": "127.0.0.1", "port": 9000, "max_streams": room}),
        )?;
        let ask = json!({"server_id": id, "requested_count": streams});
        self.api.post("/streams/assign", &ask)?;
        locked(&self.workers).insert(id.to_owned(), None);
        Ok(())
    }

    /// They stop beating.
    pub(crate) fn silence(&self, ids: &[&str]) {
        self.set(ids, Some(now()));
    }

    /// They beat again.
    pub(crate) fn wake(&self, ids: &[&str]) {
        self.set(ids, None);
    }

    /// For how long a worker has been silent.
    pub(crate) fn silent_for(&self, id: &str) -> Duration {
        let since = locked(&self.workers).get(id).copied().flatten();
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn set(&self, ids: &[&str], silent: Option<Instant>) {
        let mut workers = locked(&self.workers);
        for id in ids {
            workers.insert((*id).to_owned(), silent);
        }
    }
}

fn locked(workers: &Mutex<Workers>) -> MutexGuard<'_, Workers> {
    workers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets time pass.
pub(crate) fn pause(time: Duration) {
    let (_nobody, silence) = mpsc::channel::<()>();
    let _ = silence.recv_timeout(time);
}

/// The moment it is.
#[expect(
    clippy::disallowed_methods,
    reason = "an example looks at the program from outside"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
