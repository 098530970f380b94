//! What is read, what is refused, and how it is named.

use super::*;
use actix_web::ResponseError;
use serde_json::json;

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn integers_are_numbers_without_a_fraction_within_their_range() {
    for (good, expected) in [
        ("1", 1),
        ("20", 20),
        ("100000", 100_000),
        ("1.0", 1),
        ("3.000", 3),
        ("1e3", 1_000),
        ("1.5e1", 15),
        ("100000.0", 100_000),
    ] {
        let body = format!("{{\"n\":{good}}}");
        let parsed: Map<String, Value> = serde_json::from_str(&body).unwrap();
        let read = read(&parsed, |fields| fields.integer("n", 1..=100_000));
        assert_eq!(read.ok(), Some(expected), "{good}");
    }
    for bad in [
        "0",
        "-1",
        "0.0",
        "-0.0",
        "1.5",
        "0.9999999999",
        "100000.5",
        "100001.0",
        "1e300",
        "-1e300",
        "9007199254740993.0",
        "1000000000000",
        "99999999999999999999",
        "\"1\"",
        "true",
        "[1]",
        "{}",
        "null",
    ] {
        let body = format!("{{\"n\":{bad}}}");
        let parsed: Map<String, Value> = serde_json::from_str(&body).unwrap();
        let read = read(&parsed, |fields| fields.integer("n", 1..=100_000));
        assert_eq!(
            read.map_err(|problem| problem.status_code().as_u16()),
            Err(422),
            "{bad}"
        );
    }
}

#[test]
fn texts_are_counted_in_characters() {
    let umlauts = "ä".repeat(128);
    assert_eq!(check_text(&umlauts, &SERVER_ID_LENGTH), Ok(()));
    assert!(check_text(&"ä".repeat(129), &SERVER_ID_LENGTH).is_err());
    assert!(check_text("", &SERVER_ID_LENGTH).is_err());
    for control in ["a\nb", "a\u{0}b", "\u{7f}", "a\u{85}b", "a\tb"] {
        assert!(
            check_text(control, &SERVER_ID_LENGTH).is_err(),
            "{control:?}"
        );
    }
}

#[test]
fn intervals_are_seconds_or_text() {
    let of = |value: Value| interval(&value, LONGEST_INTERVAL).ok();
    assert_eq!(of(json!(15)), Some(Duration::from_secs(15)));
    assert_eq!(of(json!(0.5)), Some(Duration::from_millis(500)));
    assert_eq!(of(json!("15s")), Some(Duration::from_secs(15)));
    assert_eq!(of(json!("1500ms")), Some(Duration::from_millis(1_500)));
    assert_eq!(of(json!("15")), Some(Duration::from_secs(15)));
    for bad in [
        json!(0),
        json!(-1),
        json!("soon"),
        json!(86_401),
        json!(1e300),
        json!([1]),
    ] {
        assert_eq!(of(bad.clone()), None, "{bad}");
    }
}

#[test]
fn every_bad_field_is_named_wherever_it_is() {
    let body = object(json!({
        "server_id": "",
        "labels": {"zone": 3, "": "x"},
        "ids": [1, -2, "x"],
        "list": [{"n": 0}, 7, {}],
        "inner": {"cpu": "hot"},
    }));
    let problem = read(&body, |fields| {
        fields.server_id();
        fields.optional_labels("labels");
        fields.stream_ids("ids");
        fields.objects("list", 3, |item| item.integer("n", 1..=2));
        fields.optional_object("inner", |inner| inner.optional_number("cpu"));
        fields.integer("absent", 1..=2);
    })
    .unwrap_err();
    let text = format!("{problem:?}");
    for field in [
        "\"server_id\"",
        "\"labels\"",
        "\"labels.zone\"",
        "\"ids[1]\"",
        "\"ids[2]\"",
        "\"list[0].n\"",
        "\"list[1]\"",
        "\"list[2].n\"",
        "\"inner.cpu\"",
        "\"absent\"",
    ] {
        assert!(
            text.contains(&format!("field: {field}")),
            "{field} in {text}"
        );
    }
}
