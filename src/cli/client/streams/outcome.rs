//! What became of an import, in words and as JSON.

use serde_json::json;

use super::counts::Counts;
use super::refusals::Refusals;
use crate::cli::client::numbers::{counted, grouped};
use crate::cli::client::stream_order::ImportOrder;

/// How far an import came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Stage {
    /// Rows are checked; nothing is changed.
    #[default]
    Checking,
    /// Rows are saved.
    Saving,
    /// Everything that was asked for is done.
    Done,
}

/// What became of an import.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) stage: Stage,
    pub(super) counts: Counts,
    pub(super) refusals: Refusals,
    /// How many streams that are not in the file were disabled, or would be.
    pub(super) disabled: u64,
}

impl Outcome {
    /// Returns the rows that cannot be imported, and what became of the others.
    pub(super) fn report(&self, order: &ImportOrder) -> String {
        let others = match (self.stage, order.dry_run, order.keep_going) {
            (Stage::Saving, ..) => "others were saved",
            (Stage::Done, false, _) => "the others were saved",
            _ if self.refusals.end_the_file() => "nothing was changed",
            (Stage::Checking, false, false) => {
                "nothing was changed (--keep-going saves the other rows)"
            }
            _ => "nothing was changed",
        };
        let prune = if order.prune {
            ", and no stream was disabled, because one of these rows may be about it"
        } else {
            ""
        };
        format!(
            "orchestrator: {} cannot be imported; {others}{prune}:\n{}",
            counted(self.refusals.count(), "row"),
            self.refusals.report()
        )
    }

    /// Returns what was done, or would be; nothing if the import did not come to its end.
    pub(super) fn sentence(&self, order: &ImportOrder) -> String {
        if self.stage != Stage::Done {
            return String::new();
        }
        let (begin, counts) = (if order.dry_run { "Dry run: " } else { "" }, self.counts);
        let mut text = format!(
            "{begin}{} created, {} updated, {} unchanged",
            grouped(counts.created),
            grouped(counts.updated),
            grouped(counts.unchanged)
        );
        if order.prune {
            let disabled = grouped(self.disabled);
            text.push_str(&format!("; {disabled} not in the file and disabled"));
        }
        text.push_str(".\n");
        text
    }

    /// Returns the same as JSON.
    pub(super) fn json(&self, order: &ImportOrder) -> String {
        let answer = json!({
            "dry_run": order.dry_run,
            "complete": self.stage == Stage::Done && self.refusals.count() == 0,
            "created": self.counts.created,
            "updated": self.counts.updated,
            "unchanged": self.counts.unchanged,
            "refused": self.refusals.count(),
            "disabled": self.disabled,
        });
        format!("{answer:#}\n")
    }
}
