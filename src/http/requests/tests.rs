//! What is read, what is refused, and how it is named.

use std::time::Duration;

use actix_web::ResponseError;
use serde_json::{Value, json};

use super::catalogue::SaveRequest;
use super::collections::{Labels, Records, StreamIds, inner, whole};
use super::limits::{LONGEST_INTERVAL, SERVER_ID_LENGTH, check_text};
use super::reading::{Rule, Taken, read_json};
use super::request::request;
use super::rules::{integer, interval, number, server_id};
use crate::domain::ids::{InstanceId, StreamId};
use crate::http::problem::Problem;

fn read<R: Rule>(json: &str, rule: &R) -> Taken<R::Value> {
    read_json(json.as_bytes(), rule).unwrap()
}

request! {
    pub(in crate::http) struct Numbered {
        n: i64 = integer(1..=100_000, |number| number),
    }
}

request! {
    pub(in crate::http) struct Item {
        n: i64 = integer(1..=2, |number| number),
    }
}

request! {
    pub(in crate::http) struct Machine {
        cpu: Option<f64> = number(),
    }
}

request! {
    pub(in crate::http) struct Everything {
        server_id: InstanceId = server_id(),
        labels: Option<std::collections::BTreeMap<String, String>> = Labels,
        ids: Vec<StreamId> = StreamIds,
        list: Vec<Item> = Records { most: 3, compare: |_| Refused::default() },
        inner: Option<Machine> = inner(),
        absent: i64 = integer(1..=2, |number| number),
    }
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
        let read = read(&body, &inner::<Numbered>()).map(|read| read.n);
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
        let read = read(&body, &inner::<Numbered>()).map(|read| read.n);
        assert_eq!(
            read.map_err(|refused| Problem::from(refused).status_code().as_u16()),
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
    let of = |value: Value| read(&value.to_string(), &interval(LONGEST_INTERVAL)).ok();
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
    let body = json!({
        "server_id": "",
        "labels": {"zone": 3, "": "x"},
        "ids": [1, -2, "x"],
        "list": [{"n": 0}, 7, {}],
        "inner": {"cpu": "hot"},
    });
    let refused = read(&body.to_string(), &whole::<Everything>()).unwrap_err();
    let problem = Problem::from(refused);
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

#[test]
fn what_is_good_is_read_as_it_was_written() {
    let body = json!({
        "server_id": "a",
        "labels": {"zone": "north"},
        "ids": [1, 2.0],
        "list": [{"n": 1}, {"n": 2}],
        "inner": {"cpu": 3},
        "absent": 1,
        "unknown": {"server_id": [null]},
    });
    let read = read(&body.to_string(), &whole::<Everything>()).unwrap();
    assert_eq!(read.server_id, InstanceId::new("a"));
    assert_eq!(read.labels.unwrap()["zone"], "north");
    assert_eq!(read.ids, [StreamId::new(1), StreamId::new(2)]);
    let numbers: Vec<i64> = read.list.iter().map(|item| item.n).collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(read.inner.unwrap().cpu, Some(3.0));
    assert_eq!(read.absent, 1);
}

fn named(json: &str) -> Vec<String> {
    let refused = read(json, &whole::<SaveRequest>()).unwrap_err();
    let document = format!("{:?}", Problem::from(refused));
    let fields = document.split("field: \"").skip(1);
    fields
        .filter_map(|rest| rest.split_once('"'))
        .map(|(field, _)| field.to_owned())
        .collect()
}

#[test]
fn a_repetition_is_found_between_entries_that_are_refused_for_something_else() {
    let fields =
        named(r#"{"streams": [{"id": 5, "name": 7}, null, {"name": "x", "id": 5}, {"url": 3}]}"#);
    let expected = [
        "streams[0].name",
        "streams[1]",
        "streams[3].url",
        "streams[3].name",
        "streams[2].id",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn of_a_repeated_field_the_last_counts() {
    let rule = inner::<Numbered>();
    let last = |json| read(json, &rule).map(|read| read.n).ok();
    assert_eq!(last(r#"{"n": "bad", "n": 2}"#), Some(2));
    assert_eq!(last(r#"{"n": 2, "n": "bad"}"#), None);
    assert_eq!(last(r#"{"n": 2, "n": null}"#), None);
}

#[test]
fn the_order_of_refusals_is_that_of_the_struct_and_not_that_of_the_body() {
    let one = read(r#"{"ids": 1, "labels": 1}"#, &whole::<Everything>()).unwrap_err();
    let other = read(r#"{"labels": 1, "ids": 1}"#, &whole::<Everything>()).unwrap_err();
    assert_eq!(one, other);
}

#[test]
fn what_is_skipped_must_be_json_all_the_same() {
    let rule = inner::<Numbered>();
    for bad in [
        &b"{\"n\": 1, \"other\": 1e999}"[..],
        b"{\"n\": 1, \"other\": \"\xff\"}",
        b"{\"n\": 1, \"\xff\": 1}",
        b"{\"n\": 1, \"other\": [\"\\ud800\"]}",
        b"{\"n\": 1} x",
    ] {
        assert!(read_json(bad, &rule).is_err(), "{bad:?}");
    }
}
