//! The `.env` file: found and read here, never loaded into the process's environment.
//!
//! The nearest `.env` counts, from the working directory upwards. A file that exists and cannot be
//! read is a problem, because the program would start with other settings than its operator wrote
//! (a container runtime makes a directory where a mounted file is missing). Above the working
//! directory a `.env` that is a directory belongs to another program, and is passed over with a
//! warning.
//!
//! `grammar` reads the text. Of two lines for one variable the later counts, as for a shell; that is
//! a warning. A reference to another variable (`$NAME`, `${NAME}`, `${NAME:-default}`) takes the
//! environment's value, else that of an earlier line; one to a variable that is not set is a problem,
//! because most such references are a `$` in a password. Only settings are judged: other programs
//! may keep their variables in the same file.

mod file;
mod grammar;
#[cfg(test)]
mod tests;

pub(super) use file::{DotEnv, read};
