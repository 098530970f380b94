//! The commands that list: rows of the orchestrator's answers, page after page.
//!
//! A page is held at a time, so a long list needs no more memory than a short one. `form` has the route and the columns of each list, `pages` reads, and `printer` prints in the
//! form that `--output` names. Moves are no list of the orchestrator's; `moves` finds them among the streams.

mod carry_out;
mod columns;
mod form;
mod moves;
mod pages;
mod printer;
mod read;

pub(super) use carry_out::carry_out;
pub(super) use form::row_text;
pub(super) use moves::moves_under_way;
pub(super) use printer::{Printer, Style};
pub(super) use read::{cells, heads, read};
