//! The times of all rounds.

use std::time::Duration;

/// Columns of times, in the order in which their first times came.
#[derive(Debug, Default)]
pub(super) struct Report {
    columns: Vec<(&'static str, Vec<Duration>)>,
}

impl Report {
    /// Adds the times of a round to their columns; returns the round as a line.
    pub(super) fn add(&mut self, round: &[(&'static str, Option<Duration>)]) -> String {
        let mut parts = Vec::new();
        for (name, time) in round {
            let Some(time) = time else {
                continue;
            };
            parts.push(format!("{name} {}", shown(*time)));
            let mut columns = self.columns.iter_mut();
            match columns.find(|(it, _)| it == name) {
                Some((_, times)) => times.push(*time),
                None => self.columns.push((name, vec![*time])),
            }
        }
        parts.join(", ")
    }

    /// A line for each column.
    pub(super) fn summary(&self) -> String {
        let mut lines = Vec::new();
        for (name, times) in &self.columns {
            let mut times = times.clone();
            times.sort();
            let [half, most, all] = [50, 99, 100].map(|it| shown(percentile(&times, it)));
            let count = times.len();
            lines.push(format!(
                "{name}: n {count}, p50 {half}, p99 {most}, max {all}"
            ));
        }
        lines.join("\n")
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(place).copied().unwrap_or_default()
}

fn shown(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1e3)
}
