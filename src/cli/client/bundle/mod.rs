//! `support-bundle`: one file with what someone who helps has to know, without secrets.
//!
//! `parts` has what is asked for, `archive` the file, `redacted` removes what could still be a password.
//! Each part stands by itself: one that cannot be fetched is named in the MANIFEST with the reason, and the
//! others are there. A program that does not run has its configuration and its version.

mod archive;
mod carry_out;
mod parts;
mod redacted;

pub(super) use carry_out::carry_out;
