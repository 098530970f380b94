//! What connections call themselves in `pg_stat_activity`, so that a new leader finds those of the
//! leader before.

use crate::domain::leadership::{NodeName, RunId};

/// PostgreSQL cuts names off after so many bytes.
const MOST_BYTES: usize = 63;

/// The name of the connections that carry the transactions of the fleet.
pub(super) fn of_fleet(node: &NodeName, run: RunId) -> String {
    label("orchestrator", node, run)
}

/// The name of the connection for the leadership row.
pub(super) fn of_leadership(node: &NodeName, run: RunId) -> String {
    label("orchestrator-leadership", node, run)
}

/// A long name of a node is cut off, and never the number of its process. The server shows only
/// printable ASCII.
fn label(kind: &str, node: &NodeName, run: RunId) -> String {
    let run = run.to_string();
    let room = MOST_BYTES.saturating_sub(kind.len() + run.len() + 2);
    let shown = |letter: char| match letter {
        ' '..='~' => letter,
        _ => '?',
    };
    let node: String = node.as_str().chars().map(shown).take(room).collect();
    format!("{kind}/{node}/{run}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_fits_and_ends_with_the_process() {
        let run = RunId::new((1 << 53) - 1);
        let short = of_fleet(&NodeName::new("a:8001"), run);
        assert_eq!(short, "orchestrator/a:8001/9007199254740991");
        for node in ["ä".repeat(100), "x".repeat(63)] {
            for label in [of_fleet, of_leadership] {
                let label = label(&NodeName::new(node.as_str()), run);
                assert_eq!(label.len(), MOST_BYTES);
                assert!(label.ends_with("/9007199254740991"), "{label}");
            }
        }
    }
}
