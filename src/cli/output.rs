//! What the program prints: answers on standard output, complaints on standard error.

use std::io::{self, Write};

use super::escapes::{deceives, escaped_lines};
use super::exit::Exit;

/// Prints what the parser of the arguments says: in colour, unless an argument that it repeats
/// deceives.
pub(super) fn show(message: &clap::Error) {
    let text = message.to_string();
    if text.contains(|letter| letter != '\n' && deceives(letter)) {
        complain(text.trim_end());
    } else {
        // A terminal that went away cannot be told about it.
        let _ = message.print();
    }
}

pub(super) fn complain(message: &str) {
    // Nobody is left to be told when standard error is closed.
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
