//! Every exit code of the program, once: the commands return them, and OPERATIONS lists them.
//!
//! A process that is ended by a signal that cannot be caught (SIGKILL) has no exit code. A panic of
//! the main thread is a failure like any other, not the code 101 of the runtime.

use std::process::ExitCode;

/// The exit codes of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Done,
    Failed,
    Misused,
    Unknown,
    Deposed,
    /// A command that goes on was ended at the keyboard.
    Interrupted,
    /// The fleet is degraded; shares its code with `Failed`, as programs that monitor expect it.
    Degraded,
    /// The fleet is worse than degraded; shares its code with `Misused`.
    Critical,
}

impl Exit {
    /// One of each code.
    const ALL: [Self; 6] = [
        Self::Done,
        Self::Failed,
        Self::Misused,
        Self::Unknown,
        Self::Deposed,
        Self::Interrupted,
    ];

    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed | Self::Degraded => 1,
            Self::Misused | Self::Critical => 2,
            Self::Unknown => 3,
            Self::Deposed => 4,
            // What shells report for a program that SIGINT ended: 128 and the number of the signal.
            Self::Interrupted => 130,
        }
    }

    /// Returns its meaning for the server, for the commands that call no orchestrator, and for those
    /// that call one.
    const fn meanings(self) -> [&'static str; 3] {
        match self {
            Self::Done => [
                "ended in order by SIGTERM, SIGINT or SIGQUIT; every acknowledged change is in the \
                 database, on SQLite in its one file",
                "done",
                "done; `consistency`: every invariant holds; `status --exit-code`: healthy",
            ],
            Self::Failed | Self::Degraded => [
                "could not start, had to end, could not close the SQLite file completely, or got a \
                 second signal during its stop; the last line of the log has the reason",
                "failed; one sentence on standard error has the reason",
                "no answer, or not done; `status --exit-code`: degraded; `consistency`: an invariant is \
                 violated; `streams import`: a row cannot be imported; `--wait`: the drain has expired or \
                 was cancelled, or the roll has paused or was cancelled",
            ],
            Self::Misused | Self::Critical => [
                "the command line or a setting is wrong; nothing was started",
                "the same",
                "the same; `status --exit-code`: critical, or in an emergency",
            ],
            Self::Unknown => [
                "",
                "",
                "`consistency`: not everything could be checked; `status --exit-code`: no answer",
            ],
            Self::Deposed => [
                "another orchestrator has taken over, or takes over as ordered, and this one could not go on \
                 as a standby; the line before says why. Started again, it is a standby",
                "",
                "",
            ],
            Self::Interrupted => ["", "", "`--watch`: ended by Ctrl-C (SIGINT)"],
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Returns the exit codes as a table for OPERATIONS.
pub fn markdown_exit_codes() -> String {
    let mut table = String::from(
        "| code | the server | `migrate`, `config`, `version`, `completions`, `man` | the commands that call a \
         running orchestrator |\n\
         | --- | --- | --- | --- |\n",
    );
    for exit in Exit::ALL {
        let [server, own, asking] = exit.meanings();
        table.push_str(&format!(
            "| {} | {server} | {own} | {asking} |\n",
            exit.code()
        ));
    }
    table
}
