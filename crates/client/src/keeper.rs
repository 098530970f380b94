//! The thread that keeps the rules: it carries out what the machine decides, and never waits for
//! the network or the runner.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::machine::{Action, Answer, Machine, Outcome, Request, Ticket};
use super::message::{End, Message, Performed};
use super::news::Board;
use super::performer::{Task, perform};
use super::permit::{Grant, LeaseEnd, boot_time};
use super::registration::Registration;
use super::runner::{Notice, Runner};
use super::stream::{Handoff, StopReason, StreamAssignment, StreamId};
use super::wire::Wire;

/// The longest wait without a look at the clock: a wait stands still while the computer sleeps, a
/// lease does not.
const CHECK_PERIOD: Duration = Duration::from_millis(100);

struct Errand {
    ticket: Ticket,
    request: Request,
    limit: Duration,
}

/// Starts the threads of a worker.
pub(super) fn spawn(
    registration: Registration,
    runner: impl Runner,
) -> io::Result<(Sender<Message>, JoinHandle<End>)> {
    let (inbox, messages) = mpsc::channel();
    let (errands, to_do) = mpsc::channel();
    let (tasks, to_perform) = mpsc::channel();
    let board = Arc::new(Board::default());
    let max_streams = registration.max_streams as usize;
    let wire = Arc::new(Wire::new(registration));
    let spawn = |name: &str| thread::Builder::new().name(name.to_owned());

    let (talker, answers) = (wire.clone(), inbox.clone());
    spawn("worker-wire").spawn(move || talk(&talker, &to_do, &answers))?;
    let (listener, news) = (board.clone(), inbox.clone());
    spawn("worker-news").spawn(move || listener.listen(&wire, &news))?;
    let performed = inbox.clone();
    let performer =
        spawn("worker-runner").spawn(move || perform(runner, &to_perform, &performed))?;
    let keeper = Keeper {
        machine: Machine::new(max_streams),
        lease: Arc::new(LeaseEnd::default()),
        grants: BTreeMap::new(),
        is_reachable: true,
        is_runner_gone: false,
        messages,
        errands,
        tasks,
        board,
    };
    let keeper = spawn("worker-keeper").spawn(move || {
        let ending = keeper.live()?;
        // Notices that were sent last still reach the author.
        performer.join().ok().map(|()| ending)
    })?;
    Ok((inbox, keeper))
}

/// Sends one request after the other, until the keeper is gone.
fn talk(wire: &Wire, to_do: &Receiver<Errand>, answers: &Sender<Message>) {
    for errand in to_do {
        if let Some(url) = wire.newly_in_cleartext() {
            // A keeper that is gone is found below.
            let _ = answers.send(Message::KeyInCleartext(url));
        }
        let sent = || wire.send(&errand.request, errand.limit);
        // Without an answer of some kind, no further request would ever be sent.
        let (answer, why) = catch_unwind(AssertUnwindSafe(sent)).unwrap_or_else(|_| {
            let failed = Answer::Failed { retry_after: None };
            (failed, Some("the request panicked".to_owned()))
        });
        let answered = Message::Answered(errand.ticket, answer, why);
        if answers.send(answered).is_err() {
            break;
        }
    }
}

struct Keeper {
    machine: Machine,
    lease: Arc<LeaseEnd>,
    grants: BTreeMap<StreamId, Grant>,
    is_reachable: bool,
    is_runner_gone: bool,
    messages: Receiver<Message>,
    errands: Sender<Errand>,
    tasks: Sender<Task>,
    board: Arc<Board>,
}

impl Keeper {
    fn live(mut self) -> End {
        loop {
            while let Ok(message) = self.messages.try_recv() {
                self.hear(message);
            }
            if self.is_runner_gone {
                return None;
            }
            // The clock is read anew before each action, so that a worker that was suspended stops
            // its streams first.
            match self.machine.next(boot_time()) {
                Some(Action::Start(stream)) => self.start(stream),
                Some(Action::Stop(stream, reason)) => self.stop(stream, reason),
                Some(Action::Bind(id, handoff)) => self.bind(id, handoff),
                Some(Action::Send(ticket, request)) => self.send(ticket, request),
                Some(Action::End(ending)) => return Some(ending),
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
            Message::Answered(ticket, answer, why) => {
                self.tell(&answer, why);
                let now = boot_time();
                self.machine.answered(ticket, now, answer, fastrand::f64());
                self.lease.set(self.machine.stop_at());
                self.board.post(self.machine.known());
            }
            Message::KeyInCleartext(url) => self.notice(Notice::KeyInCleartext(url)),
            Message::News {
                incarnation,
                version,
            } => self.machine.news(incarnation, version),
            Message::Performed(performed) => self.performed(performed),
            Message::RunnerGone => self.is_runner_gone = true,
            Message::GiveBack(id, None) => self.machine.give_back(id),
            Message::GiveBack(id, Some(why)) => self.machine.give_back_because(id, &why),
            Message::Leave(back_in) => {
                match back_in {
                    Some(back_in) => self.machine.leave_for(back_in),
                    None => self.machine.leave(),
                }
                self.board.post(None);
            }
        }
    }

    fn tell(&mut self, answer: &Answer, why: Option<String>) {
        if let Answer::Registered { incarnation, .. } = *answer {
            self.notice(Notice::Registered { incarnation });
        }
        match why {
            Some(why) if self.is_reachable => {
                self.is_reachable = false;
                self.notice(Notice::Unreachable(why));
            }
            None if !self.is_reachable => {
                self.is_reachable = true;
                self.notice(Notice::Reachable);
            }
            Some(_) | None => {}
        }
    }

    fn notice(&self, notice: Notice) {
        self.perform(Task::Notice(notice));
    }

    /// Sends a task to the performer. A performer that is gone has reported that itself.
    fn perform(&self, task: Task) {
        let _ = self.tasks.send(task);
    }

    fn start(&mut self, stream: StreamAssignment) {
        let (grant, permit) = Grant::new(&stream, &self.lease);
        self.grants.insert(stream.id, grant);
        self.perform(Task::Start(stream, permit));
    }

    fn stop(&mut self, stream: StreamAssignment, reason: StopReason) {
        // The permit ends first, so work that checks its permit has ended when the runner is
        // called.
        self.grants.remove(&stream.id);
        self.perform(Task::Stop(stream, reason));
    }

    fn performed(&mut self, performed: Performed) {
        let not_started = match performed {
            Performed::Ended(Outcome::Done) => {
                self.machine.done(Outcome::Done);
                None
            }
            Performed::Ended(outcome) => self.machine.done(outcome),
            Performed::Failed(why) => self.machine.start_failed(&why),
        };
        if let Some(id) = not_started {
            self.grants.remove(&id);
        }
    }

    fn bind(&self, id: StreamId, handoff: Handoff) {
        if let Some(grant) = self.grants.get(&id) {
            grant.bind(handoff);
        }
    }

    fn send(&mut self, ticket: Ticket, request: Request) {
        let limit = self.machine.request_limit();
        let errand = Errand {
            ticket,
            request,
            limit,
        };
        if self.errands.send(errand).is_err() {
            let nobody = Answer::Failed { retry_after: None };
            self.machine.answered(ticket, boot_time(), nobody, 0.0);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.board.close();
    }
}
