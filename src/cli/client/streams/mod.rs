//! `orchestrator streams`: the catalogue, one stream or a million at a time.
//!
//! A file is read twice and never held as a whole. The first time every row is checked, by the rules of
//! `crate::catalogue` and by a dry run of the orchestrator; the second time the rows are saved. So a
//! file with a mistake changes nothing, and the memory needed is that of the keys.

mod batch;
mod carry_out;
mod change;
mod confirm;
mod counts;
mod export;
mod import;
mod interruption;
mod known;
mod outcome;
mod pages;
mod progress;
mod prune;
mod refusals;
mod source;

pub(super) use carry_out::carry_out;
