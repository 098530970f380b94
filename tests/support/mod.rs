//! What several test files share: stores to try things on, and a PostgreSQL server of our own.
//!
//! Each test file compiles this module for itself and uses a part of it.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program is a crate by itself and uses another part"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot do its work fails the test that needs it"
)]

pub mod cable;
pub mod certificates;
pub mod commands;
pub mod fleets;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod standby;
pub mod stores;
pub mod worker;
