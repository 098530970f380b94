//! Rows of `placements`.

use diesel::prelude::*;

use super::row_at::RowAt;
use crate::domain::handover::{AfterRelease, Handover, HandoverKind, MoveReason};
use crate::domain::ids::{AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId};
use crate::domain::stream::{AssignReason, Assignment, OrphanReason, Place, Stream, StreamState};
use crate::domain::time::WallTime;
use crate::store::error::StoreError;
use crate::store::schema::placements;

/// A row of `placements`.
#[derive(Debug, Clone, Default, Queryable, Selectable, Insertable)]
#[diesel(table_name = placements, treat_none_as_default_value = false)]
pub(in crate::store) struct PlacementRow {
    pub(in crate::store) stream_id: i64,
    pub(in crate::store) state: String,
    pub(in crate::store) instance_id: Option<String>,
    pub(in crate::store) epoch: Option<i64>,
    pub(in crate::store) version: Option<i64>,
    pub(in crate::store) reason: Option<String>,
    pub(in crate::store) delivered: Option<i64>,
    pub(in crate::store) released_by: Option<String>,
    pub(in crate::store) orphaned_from: Option<String>,
    pub(in crate::store) since: Option<i64>,
    pub(in crate::store) handover: Option<String>,
    pub(in crate::store) handover_with: Option<String>,
    pub(in crate::store) handover_version: Option<i64>,
    pub(in crate::store) handover_epoch: Option<i64>,
    pub(in crate::store) handover_since: Option<i64>,
    pub(in crate::store) handover_reason: Option<String>,
    pub(in crate::store) given_up_since: Option<i64>,
}

impl PlacementRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 17;

    /// Creates the row for the place of `stream`.
    pub(in crate::store) fn new(stream: StreamId, place: &Place) -> Self {
        let row = Self {
            stream_id: stream.get(),
            state: place.state().as_str().to_owned(),
            ..Self::default()
        };
        let text = |id: &InstanceId| id.as_str().to_owned();
        match place {
            Place::Assigned(assignment) => Self {
                instance_id: Some(text(&assignment.instance)),
                epoch: Some(assignment.epoch.get()),
                version: Some(assignment.version.get()),
                reason: Some(assignment.reason.as_str().to_owned()),
                delivered: assignment.delivered.map(Incarnation::get),
                since: Some(assignment.assigned_at.as_micros()),
                ..row.handed_over(assignment.handover.as_ref())
            },
            Place::Unclaimed { released_by, since } => Self {
                released_by: released_by.as_ref().map(text),
                since: Some(since.as_micros()),
                ..row
            },
            Place::Orphaned {
                reason,
                from,
                since,
            } => Self {
                reason: Some(reason.as_str().to_owned()),
                orphaned_from: Some(text(from)),
                since: Some(since.as_micros()),
                ..row
            },
            Place::Disabled => row,
        }
    }

    fn handed_over(self, handover: Option<&Handover>) -> Self {
        let kind = handover.map(|handover| handover.kind().as_str().to_owned());
        match handover {
            None => self,
            Some(Handover::GivenUp { since }) => Self {
                given_up_since: Some(since.as_micros()),
                ..self
            },
            Some(Handover::Releasing {
                then,
                version,
                since,
            }) => Self {
                handover: kind,
                handover_with: then.to().map(|id| id.as_str().to_owned()),
                handover_version: Some(version.get()),
                handover_since: Some(since.as_micros()),
                handover_reason: Some(then.shown_reason().as_str().to_owned()),
                ..self
            },
            Some(Handover::Overlapping { from, epoch, since }) => Self {
                handover: kind,
                handover_with: Some(from.as_str().to_owned()),
                handover_epoch: Some(epoch.get()),
                handover_since: Some(since.as_micros()),
                ..self
            },
        }
    }

    /// What becomes of `stream` once it is released. That it is disabled or deleted is in its own
    /// row; everything else is in the word.
    fn after_release(
        &self,
        at: RowAt<'_>,
        stream: &Stream,
        to: Option<InstanceId>,
    ) -> Result<AfterRelease, StoreError> {
        if stream.deleted {
            return Ok(AfterRelease::Forget);
        }
        if !stream.enabled {
            return Ok(AfterRelease::Disable);
        }
        let reason = match &self.handover_reason {
            Some(word) => at.word("handover_reason", word, AssignReason::from_word)?,
            // Moves that began before the column was there were planned ones.
            None => AssignReason::PlannedMove,
        };
        Ok(match reason {
            AssignReason::AutoAssigned => AfterRelease::Unclaim,
            AssignReason::NotRun => AfterRelease::MoveTo {
                to,
                reason: MoveReason::NotRun,
            },
            AssignReason::Rebalance => AfterRelease::MoveTo {
                to,
                reason: MoveReason::Balance,
            },
            AssignReason::RoomAppeared => AfterRelease::Shed,
            AssignReason::PlannedMove
            | AssignReason::Requested
            | AssignReason::InstanceFailed
            | AssignReason::InstanceRemoved
            | AssignReason::Emergency => AfterRelease::planned_move(to),
        })
    }

    fn handover(&self, at: RowAt<'_>, stream: &Stream) -> Result<Option<Handover>, StoreError> {
        let Some(kind) = &self.handover else {
            let since = self.given_up_since.map(WallTime::from_micros);
            return Ok(since.map(|since| Handover::GivenUp { since }));
        };
        let with = self.handover_with.as_deref().map(InstanceId::from);
        let since = WallTime::from_micros(
            self.handover_since
                .ok_or_else(|| at.missing("handover_since"))?,
        );
        Ok(Some(
            match at.word("handover", kind, HandoverKind::from_word)? {
                HandoverKind::Releasing => Handover::Releasing {
                    then: self.after_release(at, stream, with)?,
                    version: AssignmentVersion::new(
                        self.handover_version
                            .ok_or_else(|| at.missing("handover_version"))?,
                    ),
                    since,
                },
                HandoverKind::Overlapping => Handover::Overlapping {
                    from: with.ok_or_else(|| at.missing("handover_with"))?,
                    epoch: Epoch::new(
                        self.handover_epoch
                            .ok_or_else(|| at.missing("handover_epoch"))?,
                    ),
                    since,
                },
                HandoverKind::GivenUp => Handover::GivenUp { since },
            },
        ))
    }
}

impl PlacementRow {
    /// Where `stream` is, whose row this is.
    pub(in crate::store) fn place_of(self, stream: &Stream) -> Result<Place, StoreError> {
        let row = self;
        let at = RowAt {
            table: "placements",
            key: &row.stream_id,
        };
        let since = || {
            row.since
                .map(WallTime::from_micros)
                .ok_or_else(|| at.missing("since"))
        };
        let reason = row.reason.as_deref().unwrap_or_default();
        Ok(
            match at.word("state", &row.state, StreamState::from_word)? {
                StreamState::Assigned => Place::Assigned(Assignment {
                    handover: row.handover(at, stream)?,
                    assigned_at: since()?,
                    reason: at.word("reason", reason, AssignReason::from_word)?,
                    epoch: Epoch::new(row.epoch.ok_or_else(|| at.missing("epoch"))?),
                    version: AssignmentVersion::new(
                        row.version.ok_or_else(|| at.missing("version"))?,
                    ),
                    delivered: row.delivered.map(Incarnation::new),
                    instance: InstanceId::new(
                        row.instance_id.ok_or_else(|| at.missing("instance_id"))?,
                    ),
                }),
                StreamState::Unclaimed => Place::Unclaimed {
                    since: since()?,
                    released_by: row.released_by.map(InstanceId::new),
                },
                StreamState::Orphaned => Place::Orphaned {
                    since: since()?,
                    reason: at.word("reason", reason, OrphanReason::from_word)?,
                    from: InstanceId::new(
                        row.orphaned_from
                            .ok_or_else(|| at.missing("orphaned_from"))?,
                    ),
                },
                StreamState::Disabled => Place::Disabled,
                // That a stream is quarantined is in its own row.
                StreamState::Quarantined => return Err(at.unusable("state", &row.state)),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::handover::HandoverMode;

    fn stream() -> Stream {
        Stream {
            id: StreamId::new(1),
            name: "s".into(),
            url: None,
            labels: BTreeMap::new(),
            priority: 0,
            weight: 1,
            constraints: None,
            enabled: true,
            handoff: HandoverMode::Exclusive,
            created_at: WallTime::from_micros(0),
            deleted: false,
            returns: None,
            suspicion: None,
        }
    }

    #[test]
    fn an_unknown_word_is_named_with_its_table_and_row() {
        let row = PlacementRow {
            stream_id: 7,
            state: "lost".to_owned(),
            ..PlacementRow::default()
        };
        let StoreError::Unusable(text) = row.place_of(&stream()).unwrap_err() else {
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
        assert!(whole.clone().place_of(&stream()).is_ok());
        let without_owner = PlacementRow {
            instance_id: None,
            ..whole.clone()
        };
        assert!(matches!(
            without_owner.place_of(&stream()),
            Err(StoreError::Unusable(text)) if text.contains("instance_id")
        ));
        let without_epoch = PlacementRow {
            epoch: None,
            ..whole
        };
        assert!(matches!(
            without_epoch.place_of(&stream()),
            Err(StoreError::Unusable(text)) if text.contains("epoch")
        ));
    }

    #[test]
    fn what_becomes_of_a_released_stream_is_in_the_row_of_the_stream_and_in_the_word() {
        let listed = stream();
        let disabled = Stream {
            enabled: false,
            ..stream()
        };
        let deleted = Stream {
            deleted: true,
            ..disabled.clone()
        };
        let to = || Some(InstanceId::from("b"));
        let not_run = AfterRelease::MoveTo {
            to: to(),
            reason: MoveReason::NotRun,
        };
        let balance = AfterRelease::MoveTo {
            to: to(),
            reason: MoveReason::Balance,
        };
        for (stream, then, word) in [
            (&listed, AfterRelease::planned_move(to()), "planned_move"),
            (&listed, AfterRelease::planned_move(None), "planned_move"),
            (&listed, not_run, "not_run"),
            (&listed, balance, "rebalance"),
            (&listed, AfterRelease::Unclaim, "auto_assigned"),
            (&listed, AfterRelease::Shed, "room_appeared"),
            (&disabled, AfterRelease::Disable, "planned_move"),
            (&deleted, AfterRelease::Forget, "planned_move"),
        ] {
            let place = Place::Assigned(Assignment {
                instance: "a".into(),
                epoch: Epoch::new(2),
                reason: AssignReason::Requested,
                delivered: None,
                version: AssignmentVersion::new(3),
                assigned_at: WallTime::from_micros(4),
                handover: Some(Handover::Releasing {
                    then,
                    version: AssignmentVersion::new(4),
                    since: WallTime::from_micros(5),
                }),
            });
            let row = PlacementRow::new(stream.id, &place);
            assert_eq!(row.handover_reason.as_deref(), Some(word));
            assert_eq!(row.place_of(stream).unwrap(), place);
        }
    }
}
