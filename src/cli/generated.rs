//! Files made from the arguments: completions for shells, and man pages.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

use clap_complete::{Generator, Shell};
use clap_mangen::Man;

use super::exit::Exit;
use super::output::{Sink, complain};

/// The shells that completions are written for.
pub(super) const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// Prints the completions for a shell.
pub(super) fn completions(mut command: clap::Command, shell: Shell) -> Exit {
    command.set_bin_name("orchestrator");
    command.build();
    let mut script = Vec::new();
    // Written at once, because a pipe that is closed is no failure of the generator.
    match shell.try_generate(&command, &mut script) {
        Ok(()) => written(&script),
        Err(error) => {
            complain(&format!(
                "orchestrator: the completions could not be made: {error}"
            ));
            Exit::Failed
        }
    }
}

/// Writes a man page for each command into a folder; without a folder, prints that of the program.
pub(super) fn man(command: clap::Command, folder: Option<&OsStr>) -> Exit {
    let Some(folder) = folder.map(Path::new) else {
        let mut page = Vec::new();
        return match Man::new(command).render(&mut page) {
            Ok(()) => written(&page),
            Err(error) => unwritten("standard output", &error),
        };
    };
    let made = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    match made {
        Ok(()) => Exit::Done,
        Err(error) => unwritten(&folder.display().to_string(), &error),
    }
}

fn written(bytes: &[u8]) -> Exit {
    let mut sink = Sink::default();
    let written = sink.write_bytes(bytes).and_then(|()| sink.flush());
    written.err().unwrap_or(Exit::Done)
}

fn unwritten(place: &str, error: &io::Error) -> Exit {
    complain(&format!(
        "orchestrator: the man pages could not be written to {place}: {error}; name a folder that can be \
         written to"
    ));
    Exit::Failed
}
