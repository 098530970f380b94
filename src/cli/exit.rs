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
}

impl Exit {
    const ALL: [Self; 5] = [
        Self::Done,
        Self::Failed,
        Self::Misused,
        Self::Unknown,
        Self::Deposed,
    ];

    const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Misused => 2,
            Self::Unknown => 3,
            Self::Deposed => 4,
        }
    }

    /// Returns its meaning for the server, for `migrate` and `config`, and for the commands that
    /// call a running orchestrator.
    const fn meanings(self) -> [&'static str; 3] {
        match self {
            Self::Done => [
                "ended in order by SIGTERM, SIGINT or SIGQUIT; every acknowledged change is in the \
                 database, on SQLite in its one file",
                "done",
                "done; `consistency`: every invariant holds",
            ],
            Self::Failed => [
                "could not start, had to end, could not close the SQLite file completely, or got a \
                 second signal during its stop; the last line of the log has the reason",
                "failed; one sentence on standard error has the reason",
                "no answer, or not done; `consistency`: an invariant is violated; `streams import`: a row \
                 cannot be imported; `--wait`: the drain has expired or was cancelled, or the roll has \
                 paused or was cancelled",
            ],
            Self::Misused => [
                "the command line or a setting is wrong; nothing was started",
                "the same",
                "the same",
            ],
            Self::Unknown => ["", "", "`consistency`: not everything could be checked"],
            Self::Deposed => [
                "another orchestrator has taken over; start it again and it is a standby",
                "",
                "",
            ],
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
        "| code | the server | `migrate`, `config` | `status`, `capacity`, `explain`, `cluster`, `incidents`, `consistency`, `recover`, `emergency`, `rebalance`, `cordon`, `uncordon`, `drain`, `maintenance`, `roll`, `streams` |\n\
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
