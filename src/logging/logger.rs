//! The process's logger: which lines are written, and their way to standard error.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use env_filter::Filter;
use log::{Level, LevelFilter, Log, Metadata, Record};
use rustix::event::{PollFd, PollFlags, poll};

use super::last::LastLines;
use super::line::Line;
use super::queue::Queue;
use crate::config::{DRIVER, LogFormat, LogSettings};

/// How long the end of the program waits for its last lines to be read.
const LAST_WAIT: Duration = Duration::from_secs(1);

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Which lines are written, and how.
#[derive(Debug)]
struct Form {
    filter: Filter,
    format: LogFormat,
}

impl Form {
    fn of(settings: &LogSettings) -> Self {
        let mut builder = env_filter::Builder::new();
        // It logs faults of clients (a broken request, a connection cut) as errors of this program.
        builder.filter_module("actix_http", LevelFilter::Off);
        // A filter that cannot be read is refused with the other settings.
        let _ = builder.try_parse(&settings.filter);
        Self {
            filter: builder.build(),
            format: settings.format,
        }
    }
}

struct Logger {
    /// Whether this is the logger of the process. A program that embeds the server may have its own, whose
    /// level is not touched.
    is_installed: AtomicBool,
    form: RwLock<Form>,
    is_styled: bool,
    queue: Queue,
    last: LastLines,
}

/// Starts the process's logger, on standard error. Later calls have no effect.
///
/// # Errors
/// Returns an error if the system allows no further thread or file.
pub fn start(settings: &LogSettings) -> io::Result<()> {
    if LOGGER.get().is_some() {
        return Ok(());
    }
    let stderr = io::stderr();
    let is_styled = stderr.is_terminal() && AutoStream::choice(&stderr) != ColorChoice::Never;
    let sink = Stderr(File::from(stderr.as_fd().try_clone_to_owned()?));
    let format = settings.format;
    let queue = Queue::start(sink, move |lines| {
        let format = LOGGER.get().map_or(format, Logger::format);
        dropped_line(lines).written(format, is_styled)
    })?;
    let logger = LOGGER.get_or_init(|| Logger {
        is_installed: AtomicBool::new(false),
        form: RwLock::new(Form::of(settings)),
        is_styled,
        queue,
        last: LastLines::default(),
    });
    // Fails only if a logger exists already, as in a program that embeds the server: that one is kept.
    if log::set_logger(logger).is_ok() {
        logger.is_installed.store(true, Ordering::Relaxed);
        log::set_max_level(logger.max_level());
    }
    Ok(())
}

fn dropped_line(lines: u64) -> Line {
    let message = format!(
        "{lines} log lines were dropped, because standard error was not read or could not be written"
    );
    Line::own(Level::Warn, message, ("lines", lines))
}

/// Writes lines in another form, or others, from now on.
pub fn change(settings: &LogSettings) {
    if let Some(logger) = LOGGER.get() {
        let form = logger.form.write();
        *form.unwrap_or_else(PoisonError::into_inner) = Form::of(settings);
        if logger.is_installed.load(Ordering::Relaxed) {
            log::set_max_level(logger.max_level());
        }
    }
}

/// Returns how many lines could not be written since the start.
pub fn dropped_lines() -> u64 {
    LOGGER.get().map_or(0, |logger| logger.queue.dropped())
}

/// Returns the last lines of a level or a graver one, at most so many, oldest first.
pub fn last_lines(level: LevelFilter, limit: usize) -> Vec<Arc<Line>> {
    let logger = LOGGER.get();
    logger.map_or_else(Vec::new, |logger| logger.last.of(level, limit))
}

/// Waits for the last lines to be written, before the process ends. If they are not read, it ends
/// without them.
pub fn finish() {
    if let Some(logger) = LOGGER.get() {
        logger.queue.flush(LAST_WAIT);
    }
}

impl Logger {
    fn format(&self) -> LogFormat {
        self.read(|form| form.format)
    }

    fn max_level(&self) -> LevelFilter {
        self.read(|form| form.filter.filter())
    }

    fn read<T>(&self, look: impl FnOnce(&Form) -> T) -> T {
        look(&self.form.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !holds_values(metadata) && self.read(|form| form.filter.enabled(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        if holds_values(record.metadata()) || !self.read(|form| form.filter.matches(record)) {
            return;
        }
        let line = Line::of(record);
        let written = line.written(self.format(), self.is_styled);
        let size = written.len();
        self.queue.push(record.level(), written);
        self.last.keep(line, size);
    }

    fn flush(&self) {
        self.queue.flush(LAST_WAIT);
    }
}

/// Returns whether a record may hold secrets. The database's driver writes the values of a statement, URLs of streams
/// with their passwords among them; its warnings and errors hold none. The client of webhooks writes URLs and
/// headers. Such records are withheld whatever `RUST_LOG` says.
fn holds_values(record: &Metadata<'_>) -> bool {
    let module = record.target().split("::").next();
    match module {
        Some("ureq" | "ureq_proto") => true,
        module => module == Some(DRIVER) && record.level() > Level::Warn,
    }
}

/// Standard error without its lock and without a buffer: a write that waits must hold up no other
/// part of the program.
struct Stderr(File);

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                // A parent may have set its pipe so that writes do not wait.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None)?;
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logger_of_another_program_keeps_its_level() {
        struct Other;
        impl Log for Other {
            fn enabled(&self, _: &Metadata<'_>) -> bool {
                false
            }
            fn log(&self, _: &Record<'_>) {}
            fn flush(&self) {}
        }
        // Another test of this process may have been first: then its logger is that of another program.
        let _ = log::set_logger(&Other);
        let before = log::max_level();
        let settings = |filter: &str| LogSettings {
            format: LogFormat::Text,
            filter: filter.to_owned(),
        };
        start(&settings("trace")).unwrap();
        change(&settings("debug"));
        assert_eq!(log::max_level(), before);
        // A second start has no effect, and no second thread.
        start(&settings("error")).unwrap();
        let kept = LOGGER.get().map(Logger::max_level);
        assert_eq!(kept, Some(LevelFilter::Debug));
    }

    #[test]
    fn the_drivers_lines_with_values_are_withheld_at_every_level() {
        let withheld = |target: &str, level| {
            let metadata = Metadata::builder().target(target).level(level).build();
            holds_values(&metadata)
        };
        for level in [Level::Info, Level::Debug, Level::Trace] {
            assert!(withheld("tokio_postgres::query", level));
            assert!(withheld("tokio_postgres", level));
        }
        for module in ["ureq::run", "ureq_proto::client"] {
            assert!(withheld(module, Level::Error));
        }
        assert!(!withheld("tokio_postgres::connection", Level::Warn));
        assert!(!withheld("tokio_postgres_rustls", Level::Debug));
        assert!(!withheld("resilient_orchestrator::store", Level::Debug));
    }

    #[test]
    fn a_clients_faults_are_no_errors_of_the_program_unless_they_are_asked_for() {
        let is_written = |filter: &str| {
            let settings = LogSettings {
                format: LogFormat::Text,
                filter: filter.to_owned(),
            };
            let target = Metadata::builder()
                .target("actix_http::h1")
                .level(Level::Error)
                .build();
            Form::of(&settings).filter.enabled(&target)
        };
        assert!(!is_written("info"));
        assert!(is_written("info,actix_http=error"));
    }
}
