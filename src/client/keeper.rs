//! The thread that keeps the rules: it does what the machine says and calls the runner.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::machine::{Action, Answer, Machine, Request};
use super::permit::{Grant, LeaseEnd, boot_time};
use super::stream::{Ending, StopReason, StreamAssignment, StreamId};
use super::wire::Wire;
use super::{Builder, Notice, Runner};

/// The longest wait without a look at the clock: waiting does not go on while the machine sleeps,
/// a lease does.
const CHECK_PERIOD: Duration = Duration::from_millis(100);

/// What the keeper is told.
#[derive(Debug)]
pub(super) enum Message {
    /// What came of the request under way, and what went wrong, for people.
    Answered(Answer, Option<String>),
    GiveBack(StreamId),
    Leave,
}

struct Errand {
    request: Request,
    limit: Duration,
}

/// Starts both threads of a worker.
pub(super) fn spawn(
    builder: Builder,
    runner: impl Runner,
) -> io::Result<(Sender<Message>, JoinHandle<Ending>)> {
    let (inbox, messages) = mpsc::channel();
    let (errands, to_do) = mpsc::channel();
    let keeper = Keeper {
        machine: Machine::new(builder.max_streams as usize),
        runner,
        lease: Arc::new(LeaseEnd::default()),
        grants: BTreeMap::new(),
        is_reachable: true,
        messages,
        errands,
    };
    let answers = inbox.clone();
    thread::Builder::new()
        .name("worker-wire".to_owned())
        .spawn(move || talk(&Wire::new(builder), &to_do, &answers))?;
    let keeper = thread::Builder::new()
        .name("worker-keeper".to_owned())
        .spawn(move || keeper.live())?;
    Ok((inbox, keeper))
}

/// Sends one request after the other, until nobody wants to send any more.
fn talk(wire: &Wire, to_do: &Receiver<Errand>, answers: &Sender<Message>) {
    for errand in to_do {
        let (answer, why) = wire.send(&errand.request, errand.limit);
        if answers.send(Message::Answered(answer, why)).is_err() {
            break;
        }
    }
}

struct Keeper<R> {
    machine: Machine,
    runner: R,
    lease: Arc<LeaseEnd>,
    grants: BTreeMap<StreamId, Grant>,
    is_reachable: bool,
    messages: Receiver<Message>,
    errands: Sender<Errand>,
}

impl<R: Runner> Keeper<R> {
    fn live(mut self) -> Ending {
        loop {
            while let Ok(message) = self.messages.try_recv() {
                self.hear(message);
            }
            // The clock is read anew before each action: who was suspended stops first.
            match self.machine.next(boot_time()) {
                Some(Action::Start(stream)) => self.start(&stream),
                Some(Action::Stop(stream, reason)) => self.stop(&stream, reason),
                Some(Action::Send(request)) => self.send(request),
                Some(Action::End(ending)) => return ending,
                None => self.wait(),
            }
        }
    }

    fn wait(&mut self) {
        let until = self.machine.next_deadline().unwrap_or(Duration::MAX);
        let wait = until.saturating_sub(boot_time()).min(CHECK_PERIOD);
        match self.messages.recv_timeout(wait) {
            Ok(message) => self.hear(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.machine.leave(),
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Answered(answer, why) => {
                self.tell(&answer, why);
                self.machine.answered(boot_time(), answer, fastrand::f64());
                self.lease.set(self.machine.stop_at());
            }
            Message::GiveBack(id) => self.machine.give_back(id),
            Message::Leave => self.machine.leave(),
        }
    }

    fn tell(&mut self, answer: &Answer, why: Option<String>) {
        if let Answer::Registered { incarnation, .. } = *answer {
            self.runner.notice(&Notice::Registered { incarnation });
        }
        match why {
            Some(why) if self.is_reachable => {
                self.is_reachable = false;
                self.runner.notice(&Notice::Unreachable(why));
            }
            None if !self.is_reachable => {
                self.is_reachable = true;
                self.runner.notice(&Notice::Reachable);
            }
            Some(_) | None => {}
        }
    }

    fn start(&mut self, stream: &StreamAssignment) {
        let (grant, permit) = Grant::new(stream, &self.lease);
        match self.runner.start(stream, permit) {
            Ok(()) => {
                self.grants.insert(stream.id, grant);
            }
            Err(failure) => {
                let notice = Notice::StartFailed(stream.id, failure.to_string());
                self.runner.notice(&notice);
                self.machine.start_failed(stream.id);
            }
        }
    }

    fn stop(&mut self, stream: &StreamAssignment, reason: StopReason) {
        // Ends the permit first: work that asks it has ended when the runner is called.
        self.grants.remove(&stream.id);
        self.runner.stop(stream, reason);
    }

    fn send(&mut self, request: Request) {
        let limit = self.machine.request_limit();
        if self.errands.send(Errand { request, limit }).is_err() {
            let nobody = Answer::Failed { retry_after: None };
            self.machine.answered(boot_time(), nobody, 0.0);
        }
    }
}
