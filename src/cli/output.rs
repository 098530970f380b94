//! The program's output: answers on standard output, errors on standard error.

use std::io::{self, Write};

use super::escapes::{deceives, escaped_lines};
use super::exit::Exit;

/// Prints the parser's text: in colour, unless it repeats an argument with a deceptive character.
pub(super) fn show(message: &clap::Error) {
    let text = message.to_string();
    if text.contains(|letter| letter != '\n' && deceives(letter)) {
        complain(text.trim_end());
    } else {
        // A terminal that went away cannot be reported to.
        let _ = message.print();
    }
}

pub(super) fn complain(message: &str) {
    // If standard error is closed, no place is left to report to.
    let _ = writeln!(io::stderr().lock(), "{}", escaped_lines(message));
}

pub(super) fn print(text: &str) -> Exit {
    let mut output = io::stdout().lock();
    match output
        .write_all(escaped_lines(text).as_bytes())
        .and_then(|()| output.flush())
    {
        Ok(()) => Exit::Done,
        // `orchestrator config sample | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => {
            complain(&format!(
                "orchestrator: the output could not be written: {error}"
            ));
            Exit::Failed
        }
    }
}
