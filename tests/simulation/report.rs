//! What many worlds have in common.

use std::collections::BTreeMap;
use std::fmt;

use crate::run::Outcome;
use crate::watch::{Cause, Class};

/// Sums and distributions over worlds.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) worlds: u64,
    pub(crate) failures: Vec<(u64, String)>,
    minutes: u64,
    events: i64,
    run: f64,
    doubled: BTreeMap<Class, Vec<f64>>,
    idle: BTreeMap<Cause, f64>,
    written: (u64, u64),
}

impl Report {
    pub(crate) fn add(&mut self, seed: u64, outcome: Result<Outcome, String>) {
        self.worlds += 1;
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(violation) => return self.failures.push((seed, violation)),
        };
        self.minutes += outcome.minutes;
        self.events += outcome.events;
        self.run += outcome.tally.run;
        for (class, lasted) in outcome.tally.doubled {
            self.doubled.entry(class).or_default().extend(lasted);
        }
        for (cause, seconds) in outcome.tally.idle {
            *self.idle.entry(cause).or_default() += seconds;
        }
        self.written.0 += outcome.tally.writes_accepted;
        self.written.1 += outcome.tally.writes_refused;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.minutes / 60;
        writeln!(
            f,
            "{} worlds, {hours} simulated hours, {} events, {} failures",
            self.worlds,
            self.events,
            self.failures.len()
        )?;
        for (seed, violation) in &self.failures {
            writeln!(f, "  seed {seed}: {violation}")?;
        }
        writeln!(f, "\ntwo ran a stream (seconds)")?;
        writeln!(
            f,
            "  class        times      sum   median      p99  longest"
        )?;
        for class in Class::ALL {
            let mut lasted = self.doubled.get(&class).cloned().unwrap_or_default();
            lasted.sort_by(f64::total_cmp);
            let at = |part: f64| {
                let index = (lasted.len() as f64 * part) as usize;
                lasted.get(index).or(lasted.last()).copied().unwrap_or(0.0)
            };
            writeln!(
                f,
                "  {:<9} {:>8} {:>8.1} {:>8.3} {:>8.3} {:>8.3}",
                class.to_string(),
                lasted.len(),
                lasted.iter().fold(0.0, |sum, seconds| sum + seconds),
                at(0.5),
                at(0.99),
                at(1.0)
            )?;
        }
        let idle: f64 = self.idle.values().sum();
        let total = (idle + self.run).max(1.0);
        writeln!(
            f,
            "\nnobody ran a stream that is to be run (stream seconds)"
        )?;
        for (cause, seconds) in &self.idle {
            let percent = seconds / total * 100.0;
            writeln!(
                f,
                "  {:<15} {seconds:>12.0} {percent:>7.3} %",
                format!("{cause:?}")
            )?;
        }
        writeln!(f, "  of {total:.0} stream seconds")?;
        let (accepted, refused) = self.written;
        write!(
            f,
            "\nthe sink accepted {accepted} writes and refused {refused}"
        )
    }
}
