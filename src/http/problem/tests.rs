//! Every refusal as the client sees it.

use super::*;
use crate::domain::ids::{Incarnation, StreamId};
use crate::domain::instance::InstanceStatus;

fn status_of(refusal: Refusal) -> (u16, bool) {
    let response = Problem::from(refusal).error_response();
    let retry = response.headers().contains_key(header::RETRY_AFTER);
    assert_eq!(
        response.headers().get(header::CONTENT_TYPE).unwrap(),
        "application/problem+json"
    );
    (response.status().as_u16(), retry)
}

#[test]
fn every_refusal_has_its_status_and_only_passing_ones_ask_to_be_repeated() {
    let rejected = Refusal::Rejected;
    let table = [
        (rejected(Rejection::UnknownInstance("a".into())), 404, false),
        (
            rejected(Rejection::UnknownStream(StreamId::new(1))),
            404,
            false,
        ),
        (
            rejected(Rejection::OtherIncarnation {
                instance: "a".into(),
                given: Incarnation::new(1),
                current: Incarnation::new(2),
            }),
            409,
            false,
        ),
        (
            rejected(Rejection::WrongStatus {
                instance: "a".into(),
                status: InstanceStatus::Inactive,
            }),
            409,
            false,
        ),
        (
            rejected(Rejection::NameTaken {
                index: 0,
                name: "n".into(),
                owner: StreamId::new(1),
                is_deleted: false,
            }),
            409,
            false,
        ),
        (rejected(Rejection::NameMissing { index: 3 }), 422, false),
        (rejected(Rejection::IdsExhausted { index: 3 }), 422, false),
        (
            rejected(Rejection::SeveralEntries(vec![
                Rejection::NameMissing { index: 3 },
                Rejection::NameMissing { index: 4 },
            ])),
            422,
            false,
        ),
        (Refusal::RefusedByStore, 422, false),
        (Refusal::StoreUnavailable, 503, true),
        (Refusal::DatabaseReplaced, 503, true),
        (Refusal::OutcomeUnknown, 503, true),
        (Refusal::Overloaded, 503, true),
        (Refusal::ShuttingDown, 503, true),
    ];
    for (refusal, status, retry) in table {
        assert_eq!(status_of(refusal.clone()), (status, retry), "{refusal:?}");
    }
}

#[test]
fn the_detail_names_some_fields_and_counts_the_rest() {
    let error = |number| FieldError {
        field: format!("streams[{number}].id"),
        reason: "is bad".to_owned(),
    };
    let one = Problem::invalid(vec![error(0)], 1);
    assert_eq!(one.detail, "`streams[0].id` is bad.");
    let six = Problem::invalid((0..6).map(error).collect(), 6);
    assert!(
        six.detail
            .ends_with("`streams[4].id` is bad; and one more.")
    );
    let many = Problem::invalid((0..2_000).map(error).collect(), 5_000);
    assert_eq!(many.errors.len(), MAX_NAMED_FIELDS);
    assert!(many.detail.ends_with("; and 4995 more."));
}
