//! The whole chain of one incident: from the last heartbeat to the moment at which each new owner had
//! heard of its streams.
//!
//! Everything in it was recorded when it happened: the steps in the incident, the rest in the events. What
//! an older version did not record is missing.

use std::collections::{BTreeMap, BTreeSet};

use super::events::{DatedEvent, Event};
use super::ids::{Epoch, InstanceId, StreamId};
use super::incident::{Incident, StepResult};
use super::reason::{AssignReason, OrphanReason};
use super::time::WallTime;

/// A part of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Chapter {
    pub at: WallTime,
    /// One word: `last_heartbeat`, `late`, the name of a step, the kind of an event, `moved` or `heard`.
    pub what: &'static str,
    /// A sentence.
    pub text: String,
}

/// Where one stream went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StreamMove {
    pub stream: StreamId,
    pub at: WallTime,
    /// The fencing token that is void since then.
    pub from_epoch: Option<Epoch>,
    /// The new owner; `None` if no instance had room.
    pub to: Option<InstanceId>,
    pub epoch: Option<Epoch>,
    /// When the worker of the new owner had heard of it; `None` until then.
    pub heard_at: Option<WallTime>,
}

/// The chain of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentStory {
    /// The last heartbeat before the instance was fenced, if it was recorded.
    pub last_heartbeat: Option<WallTime>,
    /// What happened, in the order of time.
    pub chapters: Vec<Chapter>,
    /// Where the streams went, in the order in which they moved.
    pub moves: Vec<StreamMove>,
}

impl IncidentStory {
    /// Tells the story of an incident from events, oldest first. Events of other incidents and instances
    /// among them are passed over.
    pub fn of(incident: &Incident, events: &[DatedEvent]) -> Self {
        let heard = heard(events);
        let mut moves = Vec::new();
        let mut chapters = Vec::new();
        let mut last_heartbeat = None;
        let mut releasing: BTreeMap<(WallTime, &InstanceId), usize> = BTreeMap::new();
        for dated in events.iter().filter(|one| belongs(incident, &one.event)) {
            if let Event::InstanceFailed {
                last_heartbeat: Some(at),
                ..
            } = &dated.event
            {
                last_heartbeat = Some(*at);
            }
            if let Event::StreamReleasing { instance, .. } = &dated.event {
                *releasing.entry((dated.at, instance)).or_default() += 1;
                continue;
            }
            match moved(dated, &heard) {
                Some(moved) => moves.push(moved),
                None => chapters.push(chapter(dated)),
            }
        }
        chapters.extend(releasing.into_iter().map(|((at, owner), streams)| Chapter {
            at,
            what: "stream_releasing",
            text: format!("{owner} has to release {streams} streams first"),
        }));
        let instance = &incident.instance;
        chapters.extend(last_heartbeat.map(|at| Chapter {
            at,
            what: "last_heartbeat",
            text: format!("the last heartbeat of {instance}"),
        }));
        chapters.extend(incident.steps.iter().map(|step| {
            let result = match step.result {
                StepResult::Done => "",
                StepResult::Failed => " failed",
                StepResult::Skipped => " was skipped",
            };
            let attempt = match step.attempt {
                0 | 1 => String::new(),
                attempt => format!(" (attempt {attempt})"),
            };
            let detail = match step.detail.as_str() {
                "" => String::new(),
                detail => format!(": {detail}"),
            };
            Chapter {
                at: step.started_at,
                what: step.name.as_str(),
                text: format!("{}{result}{attempt}{detail}", step.name),
            }
        }));
        chapters.extend(summed_up(&moves));
        // Equal moments keep the order in which they were added.
        chapters.sort_by_key(|chapter| chapter.at);
        Self {
            last_heartbeat,
            chapters,
            moves,
        }
    }
}

/// Returns whether an event belongs to the chain. Streams that a live worker released while its lease was
/// withdrawn moved for the incident without naming it.
fn belongs(incident: &Incident, event: &Event) -> bool {
    if let Some(id) = event.incident() {
        return id == incident.id;
    }
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only these belong to an incident without naming it"
    )]
    match event {
        Event::InstanceSuspected {
            instance,
            incarnation,
        } => (instance, *incarnation) == (&incident.instance, incident.incarnation),
        Event::StreamAssigned {
            from: Some(from),
            reason: AssignReason::InstanceFailed | AssignReason::Emergency,
            ..
        }
        | Event::StreamOrphaned {
            from,
            reason: OrphanReason::InstanceFailed | OrphanReason::Emergency,
            ..
        } => *from == incident.instance,
        _ => false,
    }
}

/// Returns when a worker heard of each assignment, which its epoch names.
fn heard(events: &[DatedEvent]) -> BTreeMap<Epoch, WallTime> {
    let mut heard = BTreeMap::new();
    for dated in events {
        if let Event::StreamsDelivered { epochs, .. } = &dated.event {
            for epoch in epochs {
                heard.entry(*epoch).or_insert(dated.at);
            }
        }
    }
    heard
}

fn moved(dated: &DatedEvent, heard: &BTreeMap<Epoch, WallTime>) -> Option<StreamMove> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "only these move a stream")]
    match &dated.event {
        Event::StreamAssigned {
            stream,
            instance,
            epoch,
            from_epoch,
            ..
        } => Some(StreamMove {
            stream: *stream,
            at: dated.at,
            from_epoch: *from_epoch,
            to: Some(instance.clone()),
            epoch: Some(*epoch),
            heard_at: heard.get(epoch).copied(),
        }),
        Event::StreamOrphaned { stream, epoch, .. } => Some(StreamMove {
            stream: *stream,
            at: dated.at,
            from_epoch: *epoch,
            to: None,
            epoch: None,
            heard_at: None,
        }),
        _ => None,
    }
}

fn chapter(dated: &DatedEvent) -> Chapter {
    let what = match dated.event.kind() {
        "instance_suspected" => "late",
        "instance_failed" => "failed",
        kind => kind,
    };
    Chapter {
        at: dated.at,
        what,
        text: dated.event.sentence(),
    }
}

/// Returns a chapter for the moves of each moment, and one for each new owner that had heard of all of its
/// streams.
fn summed_up(moves: &[StreamMove]) -> Vec<Chapter> {
    let mut moments: BTreeMap<WallTime, (usize, BTreeSet<&InstanceId>, usize)> = BTreeMap::new();
    let mut owners: BTreeMap<&InstanceId, (usize, Option<WallTime>)> = BTreeMap::new();
    for one in moves {
        let (moved, targets, left) = moments.entry(one.at).or_default();
        match &one.to {
            Some(to) => {
                *moved += 1;
                targets.insert(to);
                let first = (0, Some(one.at));
                let (streams, heard_at) = owners.entry(to).or_insert(first);
                *streams += 1;
                *heard_at = heard_at
                    .zip(one.heard_at)
                    .map(|(one, other)| one.max(other));
            }
            None => *left += 1,
        }
    }
    let moved = moments.into_iter().map(|(at, (moved, targets, left))| {
        let targets: Vec<String> = targets.into_iter().map(ToString::to_string).collect();
        let to = match targets.as_slice() {
            [] => String::new(),
            [one] => format!(" to {one}"),
            several => format!(" to {} instances", several.len()),
        };
        let left = match left {
            0 => String::new(),
            left => format!(", {left} without room"),
        };
        Chapter {
            at,
            what: "moved",
            text: format!("{moved} streams moved{to}{left}"),
        }
    });
    let heard = owners.into_iter().filter_map(|(owner, (streams, at))| {
        Some(Chapter {
            at: at?,
            what: "heard",
            text: format!("the worker of {owner} had heard of all {streams} streams"),
        })
    });
    moved.chain(heard).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Incarnation, IncidentId};
    use crate::incident::{FailureCause, IncidentOutcome, StepName, StepRecord};

    fn at(seconds: i64) -> WallTime {
        WallTime::from_micros(seconds * 1_000_000)
    }

    fn incident() -> Incident {
        let step = |name, started_at, detail: &str| StepRecord {
            name,
            result: StepResult::Done,
            attempt: 1,
            started_at,
            duration_us: 5,
            detail: detail.to_owned(),
        };
        Incident {
            id: IncidentId::new(5),
            instance: "a".into(),
            incarnation: Incarnation::new(2),
            cause: FailureCause::HeartbeatTimeout,
            detected_at: at(300),
            ended_at: Some(at(302)),
            outcome: Some(IncidentOutcome::RecoveredPartially),
            streams_affected: 3,
            streams_moved: 2,
            streams_orphaned: 1,
            attempts: 1,
            reason: None,
            escalated_at: None,
            steps: vec![
                step(StepName::Detect, at(300), "heartbeat_timeout"),
                step(StepName::Plan, at(301), "2 to move, 1 without room"),
                step(StepName::Verify, at(302), ""),
            ],
        }
    }

    fn dated(seconds: i64, text: &str) -> DatedEvent {
        DatedEvent {
            origin: None,
            at: at(seconds),
            event: serde_json::from_str(text).unwrap(),
        }
    }

    fn events() -> Vec<DatedEvent> {
        vec![
            dated(
                240,
                r#"{"kind":"instance_suspected","instance":"a","incarnation":2}"#,
            ),
            dated(
                301,
                r#"{"kind":"instance_failed","instance":"a","incarnation":2,"cause":"heartbeat_timeout","streams":3,"incident":5,"last_heartbeat":10000000}"#,
            ),
            dated(
                301,
                r#"{"kind":"stream_assigned","stream":1,"instance":"b","epoch":8,"reason":"instance_failed","from":"a","from_epoch":3,"incident":5}"#,
            ),
            dated(
                301,
                r#"{"kind":"stream_assigned","stream":2,"instance":"c","epoch":9,"reason":"instance_failed","from":"a","from_epoch":4}"#,
            ),
            dated(
                301,
                r#"{"kind":"stream_orphaned","stream":3,"from":"a","reason":"instance_failed","incident":5}"#,
            ),
            dated(
                301,
                r#"{"kind":"stream_assigned","stream":4,"instance":"c","epoch":10,"reason":"instance_failed","from":"x","incident":6}"#,
            ),
            dated(
                302,
                r#"{"kind":"recovery_ended","incident":5,"instance":"a","outcome":"recovered_partially","moved":2,"orphaned":1}"#,
            ),
            dated(
                310,
                r#"{"kind":"streams_delivered","instance":"b","incarnation":1,"streams":[1],"epochs":[8]}"#,
            ),
        ]
    }

    #[test]
    fn the_chain_goes_from_the_last_heartbeat_to_the_owners_that_heard() {
        let story = IncidentStory::of(&incident(), &events());
        assert_eq!(story.last_heartbeat, Some(at(10)));
        let told: Vec<(i64, &str)> = (story.chapters.iter())
            .map(|one| (one.at.as_micros() / 1_000_000, one.what))
            .collect();
        assert_eq!(
            told,
            [
                (10, "last_heartbeat"),
                (240, "late"),
                (300, "detect"),
                (301, "failed"),
                (301, "plan"),
                (301, "moved"),
                (302, "recovery_ended"),
                (302, "verify"),
                (310, "heard"),
            ]
        );
        let text = |what: &str| {
            let chapter = story.chapters.iter().find(|one| one.what == what);
            chapter.unwrap().text.clone()
        };
        assert_eq!(text("plan"), "plan: 2 to move, 1 without room");
        assert_eq!(
            text("moved"),
            "2 streams moved to 2 instances, 1 without room"
        );
        assert_eq!(text("heard"), "the worker of b had heard of all 1 streams");
    }

    #[test]
    fn streams_that_a_leased_worker_has_to_release_are_one_chapter() {
        let releasing = |stream: i64| {
            dated(
                305,
                &format!(
                    r#"{{"kind":"stream_releasing","stream":{stream},"instance":"a","epoch":3,"incident":5}}"#
                ),
            )
        };
        let mut events = events();
        events.extend((11..=2_010).map(releasing));
        let story = IncidentStory::of(&incident(), &events);
        let told: Vec<&str> = (story.chapters.iter())
            .filter(|one| one.what == "stream_releasing")
            .map(|one| one.text.as_str())
            .collect();
        assert_eq!(told, ["a has to release 2000 streams first"]);
    }

    #[test]
    fn a_move_has_both_epochs_and_the_moment_its_owner_heard() {
        let story = IncidentStory::of(&incident(), &events());
        let moves: Vec<_> = (story.moves.iter())
            .map(|one| {
                let to = one.to.as_ref().map(InstanceId::as_str);
                (
                    one.stream.get(),
                    to,
                    one.epoch.map(Epoch::get),
                    one.heard_at,
                )
            })
            .collect();
        assert_eq!(
            moves,
            [
                (1, Some("b"), Some(8), Some(at(310))),
                (2, Some("c"), Some(9), None),
                (3, None, None, None),
            ]
        );
        assert_eq!(story.moves[0].from_epoch, Some(Epoch::new(3)));
    }

    #[test]
    fn an_incident_without_events_is_told_by_its_steps() {
        let story = IncidentStory::of(&incident(), &[]);
        assert_eq!((story.last_heartbeat, story.moves.len()), (None, 0));
        assert_eq!(story.chapters.len(), 3);
    }
}
