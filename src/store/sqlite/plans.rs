//! Tests that the database finds events by its indexes.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::InstrumentationEvent;
use diesel::sql_types;
use diesel::{Connection, RunQueryDsl};

use super::lane;
use super::operations;
use crate::domain::event_filter::{EventFilter, EventOrder};
use crate::domain::ids::{IncidentId, InstanceId, StreamId};
use crate::domain::planned::Requester;
use crate::domain::time::WallTime;
use crate::store::failure::Access;
use crate::store::migrations;

/// Returns the plan of each statement of an operation, on a database with this program's tables.
fn plans_of(filter: &EventFilter) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    let mut connection = lane::connect(&path, Access::Write, Duration::from_secs(1)).unwrap();
    migrations::run_pending(&mut connection, &migrations::SQLITE).unwrap();
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = asked.clone();
    connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            heard.lock().unwrap().push(query.to_string());
        }
    });
    operations::find_events(&mut connection, filter, 10).unwrap();
    let asked = std::mem::take(&mut *asked.lock().unwrap());
    #[derive(diesel::QueryableByName)]
    struct Plan {
        #[diesel(sql_type = sql_types::Text)]
        detail: String,
    }
    asked
        .iter()
        .map(|query| {
            let query = query.split(" -- binds").next().unwrap();
            let explain = format!("EXPLAIN QUERY PLAN {query}");
            let plan: Vec<Plan> = diesel::sql_query(explain).load(&mut connection).unwrap();
            let plan: Vec<String> = plan.into_iter().map(|line| line.detail).collect();
            plan.join("; ")
        })
        .collect()
}

#[test]
fn every_search_of_the_audit_trail_goes_by_an_index() {
    let all = EventFilter::default;
    let (from, to) = (
        Some(WallTime::from_micros(1)),
        Some(WallTime::from_micros(9)),
    );
    let a = InstanceId::from("a");
    for order in EventOrder::ALL {
        for (filter, index) in [
            (
                EventFilter {
                    after: Some(7),
                    ..all()
                },
                "PRIMARY KEY",
            ),
            (
                EventFilter {
                    instance: Some(a.clone()),
                    ..all()
                },
                "events_instance",
            ),
            (
                EventFilter {
                    stream: Some(StreamId::new(1)),
                    ..all()
                },
                "events_stream",
            ),
            (
                EventFilter {
                    kinds: vec!["stream_created"],
                    ..all()
                },
                "events_kind",
            ),
            (
                EventFilter {
                    kinds: vec!["stream_created", "stream_deleted"],
                    ..all()
                },
                "events_kind",
            ),
            (
                EventFilter {
                    incident: Some(IncidentId::new(1)),
                    kinds: vec!["stream_assigned"],
                    ..all()
                },
                "events_incident",
            ),
            (
                EventFilter {
                    actor: Some(Requester::Operator),
                    from,
                    after: Some(7),
                    ..all()
                },
                "events_actor",
            ),
            (EventFilter { from, ..all() }, "COVERING INDEX events_at"),
            (
                EventFilter {
                    to,
                    after: Some(7),
                    ..all()
                },
                "COVERING INDEX events_at",
            ),
            (
                EventFilter { from, to, ..all() },
                "COVERING INDEX events_at",
            ),
            (
                EventFilter {
                    instance: Some(a.clone()),
                    from,
                    to,
                    after: Some(7),
                    ..all()
                },
                "events_instance",
            ),
            (
                EventFilter {
                    kinds: vec!["stream_created"],
                    from,
                    ..all()
                },
                "events_kind",
            ),
        ] {
            let filter = EventFilter {
                order: *order,
                ..filter
            };
            let plans = plans_of(&filter);
            assert!(!plans.is_empty());
            for plan in plans {
                assert!(plan.contains("SEARCH events"), "{filter:?}: {plan}");
                assert!(plan.contains(index), "{filter:?}: {plan}");
                let sorts = plan.contains("TEMP B-TREE");
                assert_eq!(sorts, index.starts_with("COVERING"), "{filter:?}: {plan}");
            }
        }
    }
}
