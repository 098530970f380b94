//! Reads the bodies of answers: unknown parts are skipped, and nothing is guessed.

use std::time::Duration;

use serde_json::Value;

use super::machine::{Beat, Changes};
use super::stream::{Handoff, StreamAssignment, StreamId};

/// No duration on the wire is longer than this; a longer one is an error somewhere.
const LONGEST: f64 = 7.0 * 86_400.0;

/// Reads the answer to a heartbeat.
pub(super) fn beat(body: &Value) -> Option<Beat> {
    body["status"].as_str()?;
    let assign = body["assign"].as_array();
    let revoke = ids(&body["revoke"]);
    let changes = match (assign, revoke) {
        (None, None) => None,
        (assign, revoke) => {
            let assign = assign.into_iter().flatten().map(assignment);
            let assign = assign.collect::<Option<Vec<_>>>()?;
            Some(if body["full"] == true {
                Changes::Full(assign)
            } else {
                let revoke = revoke.unwrap_or_default();
                Changes::Difference { assign, revoke }
            })
        }
    };
    Some(Beat {
        lease: duration(&body["lease_seconds"])?,
        stop_after: duration(&body["stop_after_seconds"])?,
        version: number(&body["assignment_version"])?,
        term: number(&body["term"])?,
        is_unproven: body["proven"] == false,
        changes,
    })
}

fn assignment(line: &Value) -> Option<StreamAssignment> {
    let text = |name: &str| line[name].as_str().map(str::to_owned);
    Some(StreamAssignment {
        id: line["stream_id"].as_i64()?,
        epoch: line["epoch"].as_i64()?,
        name: text("name").unwrap_or_default(),
        url: text("url"),
        // An unknown word counts as the stricter mode.
        handoff: match line["handoff"].as_str() {
            Some("overlap") => Handoff::Overlap,
            Some(_) | None => Handoff::Exclusive,
        },
    })
}

pub(super) fn ids(list: &Value) -> Option<Vec<StreamId>> {
    list.as_array()?.iter().map(Value::as_i64).collect()
}

/// Reads a number that may be missing, but must not be anything else.
pub(super) fn number(value: &Value) -> Option<Option<i64>> {
    match value {
        Value::Null => Some(None),
        value => value.as_i64().map(Some),
    }
}

/// Reads seconds in the same way; a negative number counts as zero.
pub(super) fn duration(seconds: &Value) -> Option<Option<Duration>> {
    if seconds.is_null() {
        return Some(None);
    }
    let seconds = seconds.as_f64()?.clamp(0.0, LONGEST);
    Duration::try_from_secs_f64(seconds).ok().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeat_answers_are_read_leniently_but_not_guessed() {
        let text = |text: &str| beat(&serde_json::from_str(text).unwrap());
        let plain = text(r#"{"status":"heartbeat_updated"}"#).unwrap();
        assert_eq!(plain, Beat::default(), "of an older orchestrator");
        let told = text(
            r#"{"status":"heartbeat_updated","lease_seconds":2.5,"assignment_version":7,
                "assign":[{"stream_id":3,"epoch":9,"name":"a","handoff":"overlap"},
                          {"stream_id":4,"epoch":8,"name":"b","url":"x","handoff":"else"}],
                "revoke":[1]}"#,
        );
        let told = told.unwrap();
        assert_eq!(told.lease, Some(Duration::from_millis(2_500)));
        let Some(Changes::Difference { assign, revoke }) = told.changes else {
            panic!("a difference");
        };
        assert_eq!(revoke, [1]);
        assert_eq!(assign[0].handoff, Handoff::Overlap);
        assert_eq!(assign[1].handoff, Handoff::Exclusive);
        for nonsense in [
            "null",
            r#"{"status":"x","assign":[{"stream_id":3}],"revoke":[]}"#,
            r#"{"status":"x","assign":[{"stream_id":"3","epoch":1}]}"#,
            r#"{"status":"x","assign":[{"stream_id":99999999999999999999,"epoch":1}]}"#,
            r#"{"status":"x","lease_seconds":"240"}"#,
            r#"{"status":"x","assignment_version":1e300}"#,
        ] {
            assert_eq!(text(nonsense), None, "{nonsense}");
        }
        let odd = text(r#"{"status":"x","lease_seconds":-1e300}"#).unwrap();
        assert_eq!(odd.lease, Some(Duration::ZERO));
    }
}
