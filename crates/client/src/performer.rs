//! The thread that calls the runner, so that its calls may take their time.

use std::sync::mpsc::{Receiver, Sender};
use std::thread;

use super::machine::Outcome;
use super::message::{Message, Performed};
use super::permit::Permit;
use super::runner::{Notice, Runner};
use super::stream::{StopReason, StreamAssignment};

use orchestrator_domain::masked_url::with_masked_urls;

/// A call of the runner. The machine waits for the end of a start or a stop before it begins the
/// next.
#[derive(Debug)]
pub(super) enum Task {
    Start(StreamAssignment, Permit),
    Stop(StreamAssignment, StopReason),
    Notice(Notice),
}

/// Carries out one task after the other, until the keeper is gone.
pub(super) fn perform(runner: impl Runner, tasks: &Receiver<Task>, keeper: &Sender<Message>) {
    let _guard = Guard(keeper);
    let mut runner = runner;
    for task in tasks {
        let outcome = match task {
            Task::Start(stream, permit) => start(&mut runner, &stream, permit),
            Task::Stop(stream, reason) => {
                runner.stop(&stream, reason);
                Performed::Ended(Outcome::Done)
            }
            Task::Notice(notice) => {
                runner.notice(&notice);
                continue;
            }
        };
        // If the keeper is gone, no task follows either.
        let _ = keeper.send(Message::Performed(outcome));
    }
}

fn start(runner: &mut impl Runner, stream: &StreamAssignment, permit: Permit) -> Performed {
    // The process may have been suspended since the keeper looked at the clock.
    if !permit.is_valid() {
        return Performed::Ended(Outcome::TooLate);
    }
    match runner.start(stream, permit) {
        Ok(()) => Performed::Ended(Outcome::Done),
        Err(failure) => {
            // Most such errors repeat the stream's URL, which holds a password.
            let why = with_masked_urls(&failure.to_string());
            runner.notice(&Notice::StartFailed(stream.id, why.clone()));
            Performed::Failed(why)
        }
    }
}

/// Reports a panic of the runner.
struct Guard<'a>(&'a Sender<Message>);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.0.send(Message::RunnerGone);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Failure;
    use super::super::permit::{Grant, LeaseEnd};
    use super::super::stream::Handoff;
    use super::*;

    /// Fails as programs for media do: with the URL it was given.
    struct Failing(Vec<Notice>);

    impl Runner for Failing {
        fn start(&mut self, stream: &StreamAssignment, _: Permit) -> Result<(), Failure> {
            let url = stream.url.as_deref().unwrap_or_default();
            Err(format!("cannot open {url}: timed out").into())
        }

        fn stop(&mut self, _: &StreamAssignment, _: StopReason) {}

        fn notice(&mut self, notice: &Notice) {
            self.0.push(notice.clone());
        }
    }

    #[test]
    fn the_error_of_a_failed_start_is_passed_on_without_the_password() {
        let stream = StreamAssignment {
            url: Some("rtsp://admin:geheim@10.0.0.8/cam".to_owned()),
            handoff: Handoff::Overlap,
            ..StreamAssignment::new(7)
        };
        let (_grant, permit) = Grant::new(&stream, &Arc::new(LeaseEnd::default()));
        let mut runner = Failing(Vec::new());
        let performed = start(&mut runner, &stream, permit);
        let why = "cannot open rtsp://10.0.0.8/…: timed out".to_owned();
        assert!(matches!(performed, Performed::Failed(told) if told == why));
        assert_eq!(runner.0, [Notice::StartFailed(7, why)]);
    }
}
