//! `top`: a live view of the fleet on a terminal.
//!
//! ```text
//!             1-5, Tab: another table; arrows: select; s, S: sort; r: ask now
//!                ┌──────┐
//!                │      ▼
//!   first ──▶ [ table ] ◀── Enter, Esc ──▶ [ filter ]   what is typed; rows without it are left out
//!   answer      │ ▲ │
//!         Enter │ │ └── d ──▶ [ plan ]   what a drain would move; y orders it, any other key does not
//!               ▼ │ Esc
//!             [ page ]   the explanation of an instance or a stream, or an incident
//! ```
//!
//! `model` is the machine above: keys and answers in, what to ask for out; it knows no terminal and no
//! connection. `rows` makes rows of answers, `source` asks, `draw` draws, and `run` has the terminal, the
//! signals, and the thread that asks.
//!
//! Failures. A first question without an answer ends the command, as with any other. Later ones leave what
//! is shown, with the reason and since when; a table that is missing alone has its reason in its place. On
//! SIGTERM, SIGHUP and a panic the terminal is given back as it was.

mod draw;
mod model;
mod rows;
mod run;
mod source;
#[cfg(test)]
mod tests;

pub(super) use run::run;
