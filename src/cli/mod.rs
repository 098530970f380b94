//! The command line: reads the arguments, loads the configuration, hands it to the program.
//!
//! The exit codes are in `exit`. Uses `app`, `config` and `logging`, nothing else.

mod alert_arguments;
mod arguments;
mod asking;
mod check;
mod client;
mod cluster_arguments;
mod dispatch;
mod event_arguments;
mod exit;
mod flags;
mod generated;
mod key_arguments;
mod list_arguments;
mod output;
mod planned_arguments;
mod stream_arguments;
mod version;
mod webhook_arguments;

pub use dispatch::main;
pub use exit::markdown_exit_codes;
