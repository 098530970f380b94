//! A process: everything that one program runs, which can be stopped as a whole and killed.
//!
//! ```text
//!   runs ──stop──▶ stopped: nothing of it is executed, its timers expire, its sockets fill
//!     ▲──wake────────┘            kill, from both ──▶ everything in it is gone
//! ```
//!
//! It is a set of tasks of its own. Actors and requests that begin in it stay in it, because a task
//! begins in the set that is being executed.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, Waker};

use tokio::task::{JoinHandle, LocalSet};

/// How a process fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Runs,
    Stopped,
    Killed,
}

#[derive(Debug)]
pub(crate) struct Process {
    tasks: LocalSet,
    fate: Cell<Fate>,
    waker: RefCell<Option<Waker>>,
}

impl Process {
    pub(crate) fn new() -> Self {
        Self {
            tasks: LocalSet::new(),
            fate: Cell::new(Fate::Runs),
            waker: RefCell::new(None),
        }
    }

    /// Executes the process until its program ends; none if it was killed.
    pub(crate) async fn run<T>(&self, program: impl Future<Output = T>) -> Option<T> {
        let mut program = pin!(self.tasks.run_until(program));
        poll_fn(|context| {
            self.waker.replace(Some(context.waker().clone()));
            match self.fate.get() {
                Fate::Runs => program.as_mut().poll(context).map(Some),
                Fate::Stopped => Poll::Pending,
                Fate::Killed => Poll::Ready(None),
            }
        })
        .await
    }

    /// Begins a task in the process, for example the handler of a request. It waits while the process
    /// is stopped, and is cancelled if the process is killed.
    pub(crate) fn begin<T: 'static>(
        &self,
        task: impl Future<Output = T> + 'static,
    ) -> JoinHandle<T> {
        self.tasks.spawn_local(task)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.fate.get() == Fate::Stopped
    }

    pub(crate) fn stop(&self) {
        if self.fate.get() == Fate::Runs {
            self.fate.set(Fate::Stopped);
        }
    }

    pub(crate) fn wake(&self) {
        if self.fate.get() == Fate::Stopped {
            self.turn(Fate::Runs);
        }
    }

    pub(crate) fn kill(&self) {
        self.turn(Fate::Killed);
    }

    fn turn(&self, fate: Fate) {
        self.fate.set(fate);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
