//! A fleet transaction as rows, ready to be written in bulk.

use std::collections::BTreeMap;

use super::error::StoreError;
use super::rows::{
    EventRow, IncidentRow, InstanceRow, PlacementRow, PlacingRow, RollRow, StreamRow,
};
use super::save::Save;
use crate::domain::fleet::Rows;
use crate::domain::stream::Stream;
use crate::domain::stream_url::StreamUrl;

/// The rows to write and to delete, by table.
#[derive(Debug, Default)]
pub(super) struct WriteSet {
    pub(super) instances: Vec<InstanceRow>,
    pub(super) streams: Vec<StreamRow>,
    pub(super) placements: Vec<PlacementRow>,
    pub(super) placings: Vec<PlacingRow>,
    pub(super) rolls: Vec<RollRow>,
    pub(super) gone_rolls: Vec<i64>,
    pub(super) incidents: Vec<IncidentRow>,
    pub(super) events: Vec<EventRow>,
    pub(super) gone_instances: Vec<String>,
    pub(super) gone_streams: Vec<i64>,
    pub(super) gone_placements: Vec<i64>,
}

impl WriteSet {
    /// Converts `save` to rows.
    pub(super) fn new(save: &Save) -> Result<Self, StoreError> {
        refuse_nul(&save.rows)?;
        let mut set = Self::default();
        for (id, row) in &save.rows.instances {
            match row {
                Some(instance) => set.instances.push(instance.as_ref().into()),
                None => set.gone_instances.push(id.as_str().to_owned()),
            }
        }
        for (id, row) in &save.rows.streams {
            match row {
                Some(stream) => set.streams.push(stream.as_ref().into()),
                None => set.gone_streams.push(id.get()),
            }
        }
        for (id, row) in &save.rows.places {
            match row {
                Some(place) => set.placements.push(PlacementRow::new(*id, place)),
                None => set.gone_placements.push(id.get()),
            }
        }
        set.placings = save.rows.placings.iter().map(PlacingRow::from).collect();
        for (id, row) in &save.rows.rolls {
            match row {
                Some(roll) => set.rolls.push(roll.as_ref().into()),
                None => set.gone_rolls.push(id.get()),
            }
        }
        // One statement must not write a row twice; the newest state of an incident counts.
        let incidents: BTreeMap<_, _> = save
            .rows
            .incidents
            .iter()
            .map(|incident| (incident.id, incident))
            .collect();
        set.incidents = incidents.into_values().map(IncidentRow::from).collect();
        set.events = save
            .dated_events()
            .map(|dated| EventRow::new(&dated))
            .collect::<Result<_, _>>()?;
        Ok(set)
    }
}

fn reason_of(stream: &Stream) -> &str {
    let returns = stream.returns.as_ref();
    let reason = returns.and_then(|returns| returns.reason.as_deref());
    reason.unwrap_or_default()
}

/// Refuses texts with NUL. PostgreSQL has no such texts, and reports them with an error that looks
/// like an outage. Refused by name on both databases, the text fails only the one command that
/// brought it.
fn refuse_nul(rows: &Rows) -> Result<(), StoreError> {
    let instances = rows.instances.values().flatten().flat_map(|instance| {
        [
            ("an instance's id", instance.id.as_str()),
            ("an instance's ip", instance.ip.as_str()),
        ]
    });
    let streams = rows.streams.values().flatten().flat_map(|stream| {
        [
            ("a stream's name", stream.name.as_ref()),
            (
                "a stream's url",
                stream.url.as_ref().map_or("", StreamUrl::expose),
            ),
            ("the reason of a return", reason_of(stream)),
        ]
    });
    let incidents = rows.incidents.iter().filter_map(|incident| {
        let reason = incident.reason.as_ref()?.text.as_str();
        Some(("an incident's reason", reason))
    });
    match instances
        .chain(streams)
        .chain(incidents)
        .find(|(_, text)| text.contains('\0'))
    {
        Some((what, _)) => Err(StoreError::Refused(format!("{what} contains NUL"))),
        None => Ok(()),
    }
}
