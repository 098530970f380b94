//! A row that makes no sense is refused, with its name.

use super::PlacementRow;
use crate::domain::ids::{AssignmentVersion, Epoch, StreamId};
use crate::domain::stream::{AssignReason, Assignment, Place};
use crate::domain::time::WallTime;
use crate::store::error::StoreError;

#[test]
fn an_unknown_word_is_named_with_its_table_and_row() {
    let row = PlacementRow {
        stream_id: 7,
        state: "lost".to_owned(),
        ..PlacementRow::default()
    };
    let StoreError::Unusable(text) = Place::try_from(row).unwrap_err() else {
        panic!("another kind of error");
    };
    for part in ["placements", "7", "lost", "state"] {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[test]
fn half_an_assignment_is_not_an_assignment() {
    let whole = PlacementRow::new(
        StreamId::new(1),
        &Place::Assigned(Assignment {
            instance: "a".into(),
            epoch: Epoch::new(2),
            reason: AssignReason::Requested,
            delivered: None,
            version: AssignmentVersion::new(3),
            assigned_at: WallTime::from_micros(4),
            handover: None,
        }),
    );
    assert!(Place::try_from(whole.clone()).is_ok());
    let without_owner = PlacementRow {
        instance_id: None,
        ..whole.clone()
    };
    assert!(matches!(
        Place::try_from(without_owner),
        Err(StoreError::Unusable(text)) if text.contains("instance_id")
    ));
    let without_epoch = PlacementRow {
        epoch: None,
        ..whole
    };
    assert!(matches!(
        Place::try_from(without_epoch),
        Err(StoreError::Unusable(text)) if text.contains("epoch")
    ));
}
