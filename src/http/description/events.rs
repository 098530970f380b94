//! What happened.

use serde_json::json;

use super::super::events::{EventAnswer, InstanceStory, Sentence, StreamStory};
use super::super::requests::{EventsQuery, FollowQuery, StoryQuery};
use super::answers::{object, of};
use super::call::Call;

pub(super) fn calls() -> Vec<Call> {
    let frame = json!({
        "type": "object",
        "description": "A frame of the stream: `data` is an event, as JSON in one line.",
        "properties": {
            "id": {"type": "string"},
            "event": {"type": "string"},
            "data": {"type": "string"},
            "retry": {"type": "integer"},
        },
    });
    let last_event = json!({"type": "string", "pattern": "^([0-9]{1,15})?$"});
    vec![
        Call::get("/resilience/events")
            .query::<EventsQuery>()
            .example(json!({"order": "desc", "limit": 10}))
            .answers(
                object()
                    .list("events", of::<EventAnswer>().open())
                    .page::<i64>(),
            ),
        Call::get("/resilience/events/stream")
            .query::<FollowQuery>()
            .header(
                "Last-Event-ID",
                "The last event that the client got.",
                &last_event,
            )
            .example(json!({"kind": "stream_assigned,stream_orphaned"}))
            .answers_text(&["text/event-stream"], frame),
        Call::get("/streams/{id}/story")
            .query::<StoryQuery>()
            .example(json!({"id": 1, "limit": 100}))
            .answers(
                object()
                    .with::<StreamStory>()
                    .list("story", of::<Sentence>())
                    .page::<i64>(),
            )
            .refuses(404, "There is no such stream, and nothing is known of one."),
        Call::get("/instances/{server_id}/story")
            .query::<StoryQuery>()
            .example(json!({"server_id": "worker-1", "limit": 100}))
            .answers(
                object()
                    .with::<InstanceStory>()
                    .list("story", of::<Sentence>())
                    .page::<i64>(),
            )
            .refuses(
                404,
                "There is no such instance, and nothing is known of one.",
            ),
    ]
}
