//! The lines of the log that a test causes, and the rule of every kit: a line at ERROR that the test
//! does not expect fails it.
//!
//! Lines are kept for each thread, because a test and its actors share one. Lines of other threads, such
//! as those of a store, belong to every test of the process.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program is a crate by itself and uses another part"
)]
#![allow(
    clippy::expect_used,
    reason = "a helper that cannot do its work fails the test that needs it"
)]

use std::cell::RefCell;
use std::sync::{Mutex, Once, PoisonError};
use std::thread;

use log::{Level, LevelFilter, Log, Metadata, Record};

/// What is kept of a line.
pub type Said = (Level, String);

static ELSEWHERE: Mutex<Vec<Said>> = Mutex::new(Vec::new());

static EXPECTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

thread_local! {
    /// The lines of a thread that a test runs on; none on any other.
    static HERE: RefCell<Option<Vec<Said>>> = const { RefCell::new(None) };
}

struct Keeper;

impl Log for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The HTTP library calls a client's fault an error; the program's own logger has it off.
        metadata.level() <= Level::Info && !metadata.target().starts_with("actix_http")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let said = (record.level(), record.args().to_string());
        let kept = HERE.try_with(|here| match &mut *here.borrow_mut() {
            Some(lines) => {
                lines.push(said.clone());
                true
            }
            None => false,
        });
        // A thread that ends has nowhere to keep a line.
        if kept != Ok(true) {
            lock(&ELSEWHERE).push(said);
        }
    }

    fn flush(&self) {}
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fails its test when it is dropped, if the log has an error that the test does not expect.
#[derive(Debug)]
pub struct NoUnexpectedError(());

/// Keeps the lines of this thread from now on.
pub fn watch() -> NoUnexpectedError {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        log::set_logger(&Keeper).expect("no other logger");
        log::set_max_level(LevelFilter::Info);
    });
    HERE.with_borrow_mut(|here| {
        here.get_or_insert_default();
    });
    NoUnexpectedError(())
}

/// The test causes errors with one of these texts: they are part of what it shows. One critical alert leads
/// to others, as soon as an actor looks: they are expected with it. Errors that are no alerts are not.
pub fn expect_errors(parts: &[&str]) {
    lock(&EXPECTED).extend(parts.iter().map(|part| (*part).to_owned()));
}

/// What this thread has said, in order.
pub fn said() -> Vec<Said> {
    HERE.with_borrow(Clone::clone).unwrap_or_default()
}

/// The errors of this thread, and of those that no test runs on.
pub fn errors() -> Vec<String> {
    let here = said();
    let elsewhere = lock(&ELSEWHERE).clone();
    here.into_iter()
        .chain(elsewhere)
        .filter(|(level, _)| *level == Level::Error)
        .map(|(_, line)| line)
        .collect()
}

impl Drop for NoUnexpectedError {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        let expected = lock(&EXPECTED).clone();
        let may_alert = !expected.is_empty();
        let is_expected = |line: &String| {
            expected.iter().any(|part| line.contains(part))
                || may_alert && line.starts_with("alert ")
        };
        let unexpected: Vec<String> = errors()
            .into_iter()
            .filter(|line| !is_expected(line))
            .collect();
        assert!(
            unexpected.is_empty(),
            "errors in the log that the test does not expect (expect_errors):\n{}",
            unexpected.join("\n")
        );
    }
}
