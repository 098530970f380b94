//! `streams import`: checks every row of a file, then saves them.

use std::ffi::OsStr;

use super::batch::{Batch, Mode};
use super::confirm;
use super::counts::Counts;
use super::interruption::Interruption;
use super::known::Known;
use super::outcome::{Outcome, Stage};
use super::progress::Progress;
use super::prune::{Missing, disable, missing};
use super::source::Source;
use crate::catalogue::{Fault, Format, Keys, Row, Rows};
use crate::cli::client::connection::Connection;
use crate::cli::client::numbers::{counted, grouped};
use crate::cli::client::stream_order::ImportOrder;
use crate::cli::exit::Exit;
use crate::cli::output::{complain, print};
use crate::logging::escapes::escaped;

/// Imports a file, prints the outcome, and returns the exit code.
pub(super) fn import(connection: &Connection, order: &ImportOrder, json: bool) -> Exit {
    let format = match understood(order) {
        Ok(format) => format,
        Err(reason) => {
            complain(&format!("orchestrator: {reason}"));
            return Exit::Misused;
        }
    };
    let mut outcome = Outcome::default();
    let result = Source::open(&order.file).and_then(|source| {
        let mut import = Import {
            connection,
            order,
            format,
            interruption: None,
            progress: Progress::new(source.length()),
            known: Known::default(),
            outcome: &mut outcome,
        };
        let result = import.run(&source);
        import.progress.clear();
        result
    });
    if outcome.refusals.count() > 0 {
        complain(&outcome.report(order));
    }
    if let Err(reason) = &result {
        complain(&format!("orchestrator: {reason}"));
    }
    let printed = print(&if json {
        outcome.json(order)
    } else {
        outcome.sentence(order)
    });
    if result.is_ok() && outcome.refusals.count() == 0 {
        printed
    } else {
        Exit::Failed
    }
}

/// Returns the format of the file, unless the command line cannot be obeyed.
fn understood(order: &ImportOrder) -> Result<Format, String> {
    let can_ask = confirm::can_ask() && order.file != OsStr::new("-");
    if order.prune && !order.yes && !order.dry_run && !can_ask {
        return Err(
            "--prune asks before it disables streams; without a terminal it needs --yes."
                .to_owned(),
        );
    }
    let by_name = || Format::of_file(&order.file.to_string_lossy());
    order.format.or_else(by_name).ok_or_else(|| {
        "the format does not follow from the file's name; give --format csv, jsonl or m3u."
            .to_owned()
    })
}

/// What the check of a file found.
#[derive(Debug, Default)]
struct Checked {
    /// How many rows have an id, and how many have none.
    rows: [u64; 2],
    /// The ids of the streams of the rows. Those of new streams are above all that exist.
    ids: Vec<i64>,
}

struct Import<'a> {
    connection: &'a Connection,
    order: &'a ImportOrder,
    format: Format,
    /// Watched while rows are saved. Before that a signal ends the process, which changes nothing.
    interruption: Option<Interruption>,
    progress: Progress,
    known: Known,
    outcome: &'a mut Outcome,
}

impl Import<'_> {
    fn run(&mut self, source: &Source) -> Result<(), String> {
        let checked = self.check(&mut source.rows(self.format)?)?;
        let is_refused = self.outcome.refusals.count() > 0;
        let goes_on = self.order.keep_going || self.order.dry_run;
        if self.outcome.refusals.end_the_file() || (is_refused && !goes_on) {
            return Ok(());
        }
        let missing = if self.order.prune && !is_refused {
            missing(self.connection, checked.ids)?
        } else {
            Missing::default()
        };
        if self.order.dry_run {
            self.outcome.disabled = missing.count();
            self.outcome.stage = Stage::Done;
            return Ok(());
        }
        if !source.is_unchanged() {
            return Err(
                "the file was changed while it was checked; nothing was saved. Repeat the import."
                    .to_owned(),
            );
        }
        if missing.count() > 0 && !self.order.yes {
            self.progress.clear();
            if !confirm::ask(&escaped(&missing.question())) {
                return Err("nothing was changed.".to_owned());
            }
        }
        self.outcome.stage = Stage::Saving;
        self.interruption = Some(Interruption::watch());
        self.outcome.counts = Counts::default();
        let [with_id, without_id] = checked.rows;
        self.save(source, checked.rows)
            .map_err(|reason| format!("{reason} {}", self.how_far(with_id + without_id)))?;
        self.outcome.disabled = disable(self.connection, &missing)?;
        self.outcome.stage = Stage::Done;
        Ok(())
    }

    /// Checks every row.
    fn check<R: std::io::Read>(&mut self, rows: &mut Rows<R>) -> Result<Checked, String> {
        let mut checked = Checked::default();
        let mut keys = Keys::default();
        let mut batches = [Batch::default(), Batch::default()];
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                Err(fault) => {
                    let is_over = fault.ends_the_file;
                    self.outcome.refusals.note(fault);
                    if is_over {
                        return Ok(checked);
                    }
                    continue;
                }
            };
            match self.judged(&mut keys, row)? {
                Ok(row) => {
                    let kind = usize::from(row.id().is_none());
                    checked.rows[kind] += 1;
                    batches[kind].push(row);
                    if batches[kind].is_full() {
                        self.send(&mut batches[kind], Mode::Check, &mut checked.ids)?;
                        self.progress.show("checked", rows.bytes_read());
                    }
                }
                Err(fault) => self.outcome.refusals.note(fault),
            }
        }
        for batch in &mut batches {
            self.send(batch, Mode::Check, &mut checked.ids)?;
        }
        Ok(checked)
    }

    /// Judges a row by the others and by the catalogue; the inner error is its fault.
    fn judged(&mut self, keys: &mut Keys, mut row: Row) -> Result<Result<Row, Fault>, String> {
        if let Err(fault) = keys.note(&row) {
            return Ok(Err(fault));
        }
        let named = self.known.name_stream(self.connection, &mut row)?;
        Ok(named.map(|()| row))
    }

    /// Saves every row that was not refused. Rows with an id are saved before those without one: each
    /// of the latter gets the id after the highest, which a row with an id may name.
    fn save(&mut self, source: &Source, rows: [u64; 2]) -> Result<(), String> {
        let refused = self.outcome.refusals.lines();
        let mut ids = Vec::new();
        for (kind, count) in rows.into_iter().enumerate() {
            if count == 0 {
                continue;
            }
            let mut batch = Batch::default();
            let mut rows = source.rows(self.format)?;
            loop {
                let mut row = match rows.next() {
                    Ok(Some(row)) => row,
                    Ok(None) => break,
                    // The check has noted it.
                    Err(fault) if !fault.ends_the_file => continue,
                    Err(fault) => return Err(format!("{fault}.")),
                };
                if refused.binary_search(&row.line).is_ok() {
                    continue;
                }
                if let Err(fault) = self.known.name_stream(self.connection, &mut row)? {
                    return Err(format!("{fault}."));
                }
                if usize::from(row.id().is_none()) == kind {
                    batch.push(row);
                }
                if batch.is_full() {
                    self.send(&mut batch, Mode::Save, &mut ids)?;
                    self.progress.show("saved", rows.bytes_read());
                }
            }
            self.send(&mut batch, Mode::Save, &mut ids)?;
        }
        Ok(())
    }

    /// Sends a batch, and notes its outcome.
    fn send(&mut self, batch: &mut Batch, mode: Mode, ids: &mut Vec<i64>) -> Result<(), String> {
        if self
            .interruption
            .as_ref()
            .is_some_and(Interruption::is_asked)
        {
            return Err("interrupted.".to_owned());
        }
        let settled = batch.send(self.connection, mode, self.order.keep_going)?;
        self.outcome.counts += settled.counts;
        // Only the check's are needed, to find what is not in the file.
        if self.order.prune && mode == Mode::Check {
            ids.extend(settled.ids);
        }
        let is_refused = !settled.refused.is_empty();
        for fault in settled.refused {
            self.outcome.refusals.note(fault);
        }
        if is_refused && mode == Mode::Save && !self.order.keep_going {
            return Err("the catalogue was changed since the check.".to_owned());
        }
        Ok(())
    }

    /// Says how far an import came that could not be finished.
    fn how_far(&self, rows: u64) -> String {
        format!(
            "{} of {} were saved; repeat the import to save the others. Those that were saved are \
             left unchanged by that.",
            grouped(self.outcome.counts.total()),
            counted(rows, "row")
        )
    }
}
