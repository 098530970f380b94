//! The log: lines of one form, with the request that they are about, which hold up nothing.
//!
//! | file | question |
//! | --- | --- |
//! | `logger` | which lines are written? |
//! | `line` | how does a line look? `escapes`: what in it could deceive its reader? |
//! | `queue` | how does a line reach standard error, and what if that is not read? |
//! | `request` | which request is a line about? |
//! | `last` | which were the last lines? |
//!
//! Every part of the program writes with the macros of the crate `log`. `docs/LOGGING.md` has the rules
//! of the levels. Uses `config` for the settings of the log, and the domain.

pub(crate) mod escapes;
mod last;
mod line;
mod logger;
mod queue;
mod request;

pub use last::KEPT_LINES;
pub use line::Line;
pub use logger::{change, dropped_lines, finish, last_lines, start};
pub use request::{current, current_origin, sync_within, within, within_any};
