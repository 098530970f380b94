//! The command line: reads the arguments, loads the configuration, hands it to the program.
//!
//! The exit codes are in `exit`. Uses `app` and `config`, nothing else.

mod arguments;
mod asking;
mod check;
mod client;
mod dispatch;
mod escapes;
mod event_arguments;
mod exit;
mod flags;
mod generated;
mod list_arguments;
mod logging;
mod output;
mod planned_arguments;
mod stream_arguments;
mod version;

pub use dispatch::main;
pub use exit::markdown_exit_codes;
