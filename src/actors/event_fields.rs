//! The own fields of an event, as answers and the log show them: those under which it is stored, with
//! moments as RFC 3339.

use serde_json::{Map, Value};

use crate::domain::events::Event;
use crate::domain::request::EventOrigin;
use crate::domain::time::WallTime;
use crate::store::StoredEvent;

/// Returns the fields of an event by their names, without its kind.
pub fn event_fields(event: &Event) -> Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(event) else {
        return Map::new();
    };
    fields.remove("kind");
    show_moments(&mut fields);
    fields
}

/// Returns an event as lists of events show it.
pub fn event_object(stored: &StoredEvent) -> Map<String, Value> {
    let event = &stored.event.event;
    let mut object = event_fields(event);
    for (name, value) in [
        ("id", Value::from(stored.sequence)),
        ("sequence", Value::from(stored.sequence)),
        ("at", Value::from(stored.event.at.to_string())),
        ("kind", Value::from(event.kind())),
        ("severity", Value::from(event.severity().as_str())),
        ("actor", Value::from(event.actor().as_str())),
        ("cause", Value::from(event.cause())),
        ("detail", Value::from(event.sentence())),
    ] {
        object.insert(name.to_owned(), value);
    }
    for (name, value) in [
        (
            "instance",
            event.instance().map(|id| Value::from(id.as_str())),
        ),
        ("stream", event.stream().map(|id| Value::from(id.get()))),
        ("incident", event.incident().map(|id| Value::from(id.get()))),
        (
            "origin",
            stored
                .event
                .origin
                .as_ref()
                .and_then(|origin| serde_json::to_value(shown(origin)).ok()),
        ),
    ] {
        match value {
            Some(value) => object.insert(name.to_owned(), value),
            None => object.remove(name),
        };
    }
    object
}

/// Returns an origin without the place in a trace, which is for messages about the event alone.
fn shown(origin: &EventOrigin) -> EventOrigin {
    EventOrigin {
        traceparent: None,
        ..origin.clone()
    }
}

fn show_moments(fields: &mut Map<String, Value>) {
    for (name, value) in fields {
        match value {
            Value::Number(micros) if Event::MOMENTS.contains(&name.as_str()) => {
                let moment = WallTime::from_micros(micros.as_i64().unwrap_or_default());
                *value = Value::from(moment.to_string());
            }
            Value::Array(list) => {
                for object in list.iter_mut().filter_map(Value::as_object_mut) {
                    show_moments(object);
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn moments_are_shown_as_rfc_3339() {
        let stored = json!({"kind": "stream_quarantined", "stream": 4, "name": "news", "suspects": 1,
            "retries": 0, "retry_at": 1_700_000_000_000_000_i64, "failures": [{"server_id": "a",
            "at": 1_700_000_000_000_001_i64, "what": "failed", "owned_ms": 7}]});
        let event: Event = serde_json::from_value(stored).unwrap();
        let fields = event_fields(&event);
        assert_eq!(fields["retry_at"], "2023-11-14T22:13:20.000000Z");
        assert_eq!(fields["failures"][0]["at"], "2023-11-14T22:13:20.000001Z");
        assert_eq!(fields["stream"], 4);
        assert_eq!(fields.get("kind"), None);
    }
}
