//! Reads the events of an incident's whole chain.
//!
//! They are found by indexes: those that name the incident, the last lateness of the instance before it, the
//! moves of streams that a live worker handed over, and the deliveries to the new owners. Each search is
//! bounded by [`MOST_PAGES`]; a chain that is longer is told as far as it was read.

use std::collections::BTreeSet;
use std::time::Duration;

use super::archive::{StoreReader, StoredEvent};
use super::refusal::Refusal;
use crate::domain::event_filter::{EventFilter, EventOrder};
use crate::domain::events::{DatedEvent, Event};
use crate::domain::ids::Epoch;
use crate::domain::incident::Incident;
use crate::domain::incident_story::IncidentStory;

/// How many events are read at once.
const PAGE: u32 = 1_000;

/// How many pages one search reads at most.
const MOST_PAGES: usize = 20;

impl StoreReader {
    /// Returns the whole chain of an incident.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn incident_story(&self, incident: &Incident) -> Result<IncidentStory, Refusal> {
        let late = EventFilter {
            order: EventOrder::Descending,
            instance: Some(incident.instance.clone()),
            kinds: vec!["instance_suspected"],
            to: Some(incident.detected_at + Duration::from_micros(1)),
            ..EventFilter::default()
        };
        let mut found = self.find_events(late, 1).await?;
        let own = EventFilter {
            incident: Some(incident.id),
            ..EventFilter::default()
        };
        let own = self.pages(own, |_| true).await?;
        let begin = own.first().map(|event| event.sequence);
        let was_withdrawn =
            |one: &StoredEvent| matches!(one.event.event, Event::LeaseWithdrawn { .. });
        if let Some(begin) = begin
            && own.iter().any(was_withdrawn)
        {
            let handed_over = EventFilter {
                after: Some(begin),
                kinds: vec!["stream_assigned", "stream_orphaned"],
                to: incident.ended_at,
                ..EventFilter::default()
            };
            let handed_over = self.pages(handed_over, |_| true).await?;
            let is_unnamed = |one: &StoredEvent| one.event.event.incident().is_none();
            found.extend(handed_over.into_iter().filter(is_unnamed));
        }
        found.extend(own);
        found.sort_by_key(|event| event.sequence);
        if let Some(begin) = begin {
            let mut awaited: BTreeSet<Epoch> = found.iter().filter_map(given).collect();
            let deliveries = EventFilter {
                after: Some(begin),
                kinds: vec!["streams_delivered"],
                ..EventFilter::default()
            };
            let until_all_heard = |page: &[StoredEvent]| {
                for event in page {
                    if let Event::StreamsDelivered { epochs, .. } = &event.event.event {
                        epochs.iter().for_each(|epoch| {
                            awaited.remove(epoch);
                        });
                    }
                }
                !awaited.is_empty()
            };
            found.extend(self.pages(deliveries, until_all_heard).await?);
        }
        let events: Vec<DatedEvent> = found.into_iter().map(|stored| stored.event).collect();
        Ok(IncidentStory::of(incident, &events))
    }

    /// Reads page after page while `goes_on` of the last one.
    async fn pages(
        &self,
        mut filter: EventFilter,
        mut goes_on: impl FnMut(&[StoredEvent]) -> bool,
    ) -> Result<Vec<StoredEvent>, Refusal> {
        let mut events = Vec::new();
        for _ in 0..MOST_PAGES {
            let page = self.find_events(filter.clone(), PAGE).await?;
            filter.after = page.last().map(|event| event.sequence).or(filter.after);
            let is_last = page.len() < PAGE as usize || !goes_on(&page);
            events.extend(page);
            if is_last {
                break;
            }
        }
        Ok(events)
    }
}

/// Returns the epoch under which a stream was given to an instance.
fn given(stored: &StoredEvent) -> Option<Epoch> {
    match &stored.event.event {
        Event::StreamAssigned { epoch, .. } => Some(*epoch),
        _ => None,
    }
}
