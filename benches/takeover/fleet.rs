//! The fleet that is measured, and what is asked about it afterwards.

use std::time::Duration;

use resilient_orchestrator::domain::instance::Instance;
use resilient_orchestrator::store;
use serde_json::json;

use super::members::{Failure, Member, agent, now, pause, until};
use super::support::fleets::{Draft, assigned, instance, stream};

/// How many streams one transaction of the preparation writes.
const BATCH: i64 = 20_000;

/// The longest time of a transaction.
const LIMIT: Duration = Duration::from_secs(600);

/// Between two attempts to save a change.
const RETRY: Duration = Duration::from_millis(10);

/// Stream, owner, and epoch.
pub(super) type Owned = (i64, String, i64);

/// How large a fleet is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) instances: i64,
    /// How many streams each instance runs.
    pub(super) each: i64,
    /// How many streams an instance may run.
    pub(super) room: u32,
}

/// The name of an instance.
pub(super) fn name(number: usize) -> String {
    format!("worker-{number:06}")
}

/// Writes the fleet into an empty database.
pub(super) async fn fill(url: &str, size: Size) {
    let store = store::open(url, LIMIT, 1).await.expect("a store");
    let mut guard = store.begin_term().await.expect("a term");
    let name = |number: i64| name(usize::try_from(number).expect("a number"));
    let mut draft = Draft::default();
    for number in 0..size.instances {
        draft = draft.instance(Instance {
            max_streams: size.room,
            ..instance(&name(number))
        });
    }
    let last = size.each * size.instances;
    for first in (1..=last).step_by(usize::try_from(BATCH).expect("a batch")) {
        for id in first..(first + BATCH).min(last + 1) {
            draft = draft.stream(stream(id), assigned(&name((id - 1) / size.each), id));
        }
        let save = std::mem::take(&mut draft).decided(1, last);
        store.save(guard, save).await.expect("it is saved");
        guard = guard.after_save();
    }
    store.close().await.expect("an end");
}

/// Counts the streams that have another owner, or another epoch of the same owner.
pub(super) fn moved(before: &[Owned], after: &[Owned]) -> usize {
    let pairs = after.iter().zip(before);
    pairs.filter(|(now, then)| now != then).count() + after.len().abs_diff(before.len())
}

/// How often an instance has failed.
pub(super) fn failures(member: &Member) -> Result<usize, Failure> {
    let (status, page) = member.get("/resilience/events?kind=instance_failed&limit=1000")?;
    let events = page["events"].as_array().filter(|_| status == 200);
    Ok(events.ok_or("no list of events")?.len())
}

/// Renames a stream until that is saved; returns how long it took.
pub(super) fn first_change(member: &Member) -> Result<Duration, Failure> {
    let (began, agent) = (now(), agent());
    let url = format!("{}/streams", member.url);
    for attempt in 0_u32.. {
        let body = json!({"streams": [{"id": 1, "name": format!("renamed {attempt}")}]});
        let request = agent.post(&url).config();
        // A request that hangs must not hide the moment from which on others are saved.
        let request = request.timeout_global(Some(Duration::from_secs(1))).build();
        if request.send_json(body).is_ok_and(|it| it.status() == 200) {
            break;
        }
        if began.elapsed() > LIMIT {
            return Err("no change is saved".into());
        }
        pause(RETRY);
    }
    Ok(began.elapsed())
}

/// Adds a stream; returns its owner and epoch once it has one.
pub(super) fn added(member: &Member, id: i64) -> Result<Owned, Failure> {
    let stream = json!({"id": id, "name": format!("added {id}")});
    member.post("/streams", &json!({ "streams": [stream] }))?;
    until("the stream has an owner", || owner(member, id))
}

/// The owner of a stream, if it has one.
pub(super) fn owner(member: &Member, id: i64) -> Option<Owned> {
    let before = id - 1;
    let path = format!("/streams/assignments?limit=1&after={before}");
    let (_, page) = member.get(&path).ok()?;
    let row = page["assignments"].as_array()?.first()?;
    let owner = row["server_id"].as_str()?.to_owned();
    let owned = (row["stream_id"].as_i64()?, owner, row["epoch"].as_i64()?);
    (owned.0 == id).then_some(owned)
}
