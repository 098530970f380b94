//! `--watch`: repeats a question, until Ctrl-C.
//!
//! On a terminal each answer replaces the one before. Elsewhere each is a block of its own behind an empty
//! line; as JSON they follow each other without one. If the first answer fails, the command fails: the
//! address or a condition is wrong. Later failures are printed and the question is repeated, because an
//! orchestrator that is started again is back soon.

use std::io::{self, IsTerminal};
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::output_format::OutputFormat;
use super::pause::pause;
use crate::cli::exit::Exit;
use crate::cli::output::Sink;

/// Moves the cursor to the first line, and clears the screen. The lines that have left it stay: they are
/// those of other commands.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Calls `once` again and again, with a pause after each call.
///
/// # Errors
/// Returns the exit code if the output has ended.
pub(super) fn repeat(
    interval: Duration,
    output: OutputFormat,
    sink: &mut Sink,
    once: impl FnMut(&mut Sink) -> Result<Exit, Exit>,
) -> Result<Exit, Exit> {
    end_at_interrupt();
    rounds(interval, output, sink, once)
}

fn rounds(
    interval: Duration,
    output: OutputFormat,
    sink: &mut Sink,
    mut once: impl FnMut(&mut Sink) -> Result<Exit, Exit>,
) -> Result<Exit, Exit> {
    let (first, later) = between(io::stdout().is_terminal(), output);
    sink.begin(first);
    let exit = once(sink)?;
    if exit != Exit::Done {
        return Ok(exit);
    }
    loop {
        pause(interval);
        sink.begin(later);
        once(sink)?;
    }
}

/// Returns what is written before the first answer, and before each later one.
const fn between(is_terminal: bool, output: OutputFormat) -> (&'static str, &'static str) {
    match output {
        OutputFormat::Json | OutputFormat::JsonLines => ("", ""),
        OutputFormat::Table | OutputFormat::Wide if is_terminal => (CLEAR, CLEAR),
        OutputFormat::Table | OutputFormat::Wide => ("", "\n"),
    }
}

/// Has Ctrl-C end the process at once with an exit code of its own, also during a call that gets no
/// answer. If the signal cannot be watched, it ends the process as it does by default.
fn end_at_interrupt() {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let watching = thread::Builder::new()
        .name("interrupt".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let interrupt = signal(SignalKind::interrupt());
                let _ = ready.send(());
                if let Ok(mut interrupt) = interrupt
                    && interrupt.recv().await.is_some()
                {
                    std::process::exit(Exit::Interrupted.code().into());
                }
            });
        });
    if watching.is_ok() {
        // Fails at once if the thread could not set itself up.
        let _ = is_ready.recv();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_is_cleared_and_json_has_nothing_between() {
        use OutputFormat::{Json, JsonLines, Table, Wide};
        for (is_terminal, output, expected) in [
            (true, Table, (CLEAR, CLEAR)),
            (false, Table, ("", "\n")),
            (false, Wide, ("", "\n")),
            (true, Json, ("", "")),
            (false, JsonLines, ("", "")),
        ] {
            assert_eq!(between(is_terminal, output), expected, "{output:?}");
        }
    }

    #[test]
    fn a_first_answer_that_fails_ends_the_watch() {
        let mut sink = Sink::default();
        let mut calls = 0;
        let ended = rounds(Duration::ZERO, OutputFormat::Table, &mut sink, |_| {
            calls += 1;
            Ok(Exit::Failed)
        });
        assert_eq!((ended, calls), (Ok(Exit::Failed), 1));
    }

    #[test]
    fn later_failures_do_not_end_it_and_a_closed_output_does() {
        let mut sink = Sink::default();
        let mut answers = [Ok(Exit::Done), Ok(Exit::Failed), Err(Exit::Done)].into_iter();
        let ended = rounds(Duration::ZERO, OutputFormat::Table, &mut sink, |_| {
            answers.next().unwrap()
        });
        assert_eq!(ended, Err(Exit::Done));
        assert_eq!(answers.next(), None);
    }
}
