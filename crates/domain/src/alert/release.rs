//! The sentences of alerts about streams that a worker does not release.

use std::fmt::Write;
use std::time::Duration;

use crate::ids::{InstanceId, StreamId};
use crate::queries::TakenAs;
use crate::release_watch::Surplus;

/// How many streams an alert names; the others are counted.
const MAX_NAMED: usize = 10;

/// A worker reports streams that it should not run, and does not name the newest version.
pub fn runs_what_was_taken(instance: &InstanceId, surplus: &Surplus) -> String {
    let what = match surplus {
        Surplus::Named(streams) => format!(
            "still reports streams that it should not run: {}",
            listed(streams, |(id, why)| match why {
                TakenAs::Deleted => format!("{id} (not in the catalogue)"),
                TakenAs::Disabled => format!("{id} (disabled)"),
                TakenAs::Releasing => format!("{id} (to be released)"),
                TakenAs::Withdrawn => format!("{id} (lease withdrawn)"),
                TakenAs::OwnedBy(owner) => format!("{id} (owned by `{owner}`)"),
                TakenAs::Waiting => format!("{id} (waits for an owner)"),
            })
        ),
        Surplus::Counted(count) => format!(
            "reports {count} streams more than it should run, and names none of them (it sends a \
             digest)"
        ),
    };
    format!(
        "Instance `{instance}` {what}. Its heartbeats do not name the newest assignment version, so \
         it may not have heard of the change. Stop the streams on that worker, or restart the \
         worker so that it registers again."
    )
}

/// A worker does not release what was taken from it. `limit` is how long it had time.
pub fn release_refused(instance: &InstanceId, streams: &[StreamId], limit: Duration) -> String {
    let seconds = limit.as_secs_f64();
    let names = listed(streams, StreamId::to_string);
    format!(
        "Instance `{instance}` has not released these streams for more than {seconds} s: {names}. \
         Until it does, no other instance gets them. A worker releases a stream with a heartbeat \
         that names the newest assignment version and does not list the stream, with \
         `POST /streams/release`, or by registering again. Restart the worker, or empty it with \
         `orchestrator emergency {instance}`."
    )
}

/// A new owner does not report a stream, so its former owner runs it as well.
pub fn overlap_unfinished(
    former: &InstanceId,
    streams: &[(StreamId, InstanceId)],
    limit: Duration,
) -> String {
    let seconds = limit.as_secs_f64();
    let names = listed(streams, |(id, owner)| format!("{id} (owned by `{owner}`)"));
    format!(
        "Instance `{former}` runs these streams beside their new owner for more than {seconds} s, \
         because the new owner has not reported them: {names}. Look whether the new owner runs \
         them: its heartbeats must list its streams, or name the newest assignment version. To end \
         the overlap, move the streams again."
    )
}

fn listed<T>(all: &[T], name: impl Fn(&T) -> String) -> String {
    let named: Vec<String> = all.iter().take(MAX_NAMED).map(name).collect();
    let mut text = named.join(", ");
    if let Some(more) = all.len().checked_sub(MAX_NAMED).filter(|more| *more > 0) {
        // Writing to a String cannot fail.
        let _ = write!(text, " and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_names_instance_and_streams_and_stays_short() {
        let few = [
            (StreamId::new(1), TakenAs::Disabled),
            (StreamId::new(2), TakenAs::OwnedBy("b".into())),
        ];
        let text = runs_what_was_taken(&"w".into(), &Surplus::Named(few.to_vec()));
        assert!(
            text.starts_with(
                "Instance `w` still reports streams that it should not run: 1 (disabled), 2 (owned \
                 by `b`)."
            ),
            "{text}"
        );
        let many: Vec<StreamId> = (1..=10_000).map(StreamId::new).collect();
        let text = release_refused(&"w".into(), &many, Duration::from_secs(300));
        assert!(text.contains("9, 10 and 9990 more."), "{text}");
        assert!(text.len() < 600, "{}", text.len());
    }
}
