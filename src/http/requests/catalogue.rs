//! Requests about streams: the catalogue, moves, and claims to verify.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::collections::{Labels, Records, first_with_same};
use super::limits::{GROUP_LENGTH, MAX_SAFE_INTEGER, NAME_LENGTH};
use super::reading::{Record, Refused, Rule, Taken};
use super::request::request;
use super::rules::{flag, integer, server_id, server_id_or_none, stream_url, text, word};
use crate::domain::commands::{MoveStreams, Relocation, SaveStreams, StreamSpec};
use crate::domain::constraints::STREAM_WEIGHTS;
use crate::domain::handover::HandoverMode;
use crate::domain::ids::{Epoch, InstanceId, StreamId};
use crate::domain::queries::{Claim, VerifyClaims};
use crate::domain::stream_url::StreamUrl;

/// How many streams one request saves at most.
const MAX_SAVED: usize = 10_000;

/// The highest id a client may choose. The ids above it, up to 2^53, are for streams without an id:
/// each gets the successor of the highest id.
const MAX_CHOSEN_ID: i64 = 9_000_000_000_000_000;

/// How many streams one request moves at the most: they are one plan and one transaction.
const MAX_MOVED: usize = 10_000;

/// How many claims one request has at most.
const MAX_CLAIMS: usize = 10_000;

request! {
    /// `POST /streams`: creates or updates streams, all or none.
    pub(in crate::http) struct SaveRequest {
        /// The streams, at most 10,000. No two may have the same id or the same name.
        streams: Vec<StreamEntry> = Records { most: MAX_SAVED, compare: repeated_streams },
    }
}

request! {
    /// A stream to create or update. What is absent stays as it is.
    pub(in crate::http) struct StreamEntry {
        /// Id, 1 to 9,000,000,000,000,000; without it the name says which stream is meant.
        id: Option<StreamId> = integer(1..=MAX_CHOSEN_ID, StreamId::new),
        /// Name, 1 to 256 characters; a new stream needs one.
        name: Option<Arc<str>> = text(NAME_LENGTH),
        /// Address, up to 4,096 characters; an empty text takes the address away.
        url: Option<StreamUrl> = stream_url(),
        /// Texts by name: at most 64, names of 1 to 128 characters, values of up to 512. They replace
        /// all labels of the stream.
        labels: Option<BTreeMap<String, String>> = Labels,
        /// Priority, from -2,147,483,648 to 2,147,483,647.
        priority: Option<i32> = integer(i64::from(i32::MIN)..=i64::from(i32::MAX), |priority| {
            i32::try_from(priority).unwrap_or_default()
        }),
        /// Whether the stream should run.
        enabled: Option<bool> = flag(),
        /// How the stream is handed over in a planned move: `exclusive` stops it at the old owner
        /// first, `overlap` starts it at the new owner first.
        handoff: Option<HandoverMode> = word(HandoverMode::ALL, HandoverMode::as_str),
        /// What the stream costs its instance, 1 to 1,000; 1 for a new stream without it.
        weight: Option<u32> = weight(),
        /// Labels that its instance must have: at most 64, names of 1 to 128 characters, values of up
        /// to 512. They replace all earlier ones; `{}` removes them.
        requires: Option<BTreeMap<String, String>> = Labels,
        /// Group whose streams are kept on different instances where there is a choice, up to 128
        /// characters; an empty text takes the stream out of its group.
        group: Option<Arc<str>> = text(0..=*GROUP_LENGTH.end()),
        /// Name of the instance the stream belongs on, up to 128 characters; an empty text lets it run
        /// on any.
        pinned: Option<InstanceId> = server_id_or_none(),
    }
    check id_or_name
}

fn weight() -> impl Rule<Value = u32> {
    let range = i64::from(*STREAM_WEIGHTS.start())..=i64::from(*STREAM_WEIGHTS.end());
    integer(range, |weight| {
        u32::try_from(weight).unwrap_or(*STREAM_WEIGHTS.end())
    })
}

fn id_or_name(draft: &<StreamEntry as Record>::Draft) -> Refused {
    let mut refused = Refused::default();
    if draft.id.is_none() && draft.name.is_none() {
        refused.note("name", "is missing; a stream needs an `id` or a `name`");
    }
    refused
}

fn repeated_streams(drafts: &[Taken<<StreamEntry as Record>::Draft>]) -> Refused {
    let ids = first_with_same(drafts, |draft| {
        draft.as_ref().ok()?.id.as_ref()?.as_ref().ok()
    });
    let names = first_with_same(drafts, |draft| {
        draft.as_ref().ok()?.name.as_ref()?.as_ref().ok()
    });
    let mut refused = Refused::default();
    for (index, (id, name)) in ids.into_iter().zip(names).enumerate() {
        for (field, first) in [("id", id), ("name", name)] {
            if let Some(first) = first {
                let reason = format!("is the same as streams[{first}].{field}");
                refused.note(format!("[{index}].{field}"), reason);
            }
        }
    }
    refused
}

impl From<SaveRequest> for SaveStreams {
    fn from(request: SaveRequest) -> Self {
        Self {
            streams: request.streams.into_iter().map(StreamSpec::from).collect(),
        }
    }
}

impl From<StreamEntry> for StreamSpec {
    fn from(entry: StreamEntry) -> Self {
        Self {
            id: entry.id,
            name: entry.name,
            // An empty text removes the URL: `null` is the same as absent everywhere.
            url: entry
                .url
                .map(|url| (!url.expose().is_empty()).then_some(url)),
            labels: entry.labels,
            priority: entry.priority,
            enabled: entry.enabled,
            handoff: entry.handoff,
            weight: entry.weight,
            requires: entry.requires,
            group: entry
                .group
                .map(|group| (!group.is_empty()).then_some(group)),
            pinned: (entry.pinned).map(|id| (!id.as_str().is_empty()).then_some(id)),
        }
    }
}

request! {
    /// `POST /streams/move`: moves streams, all or none.
    pub(in crate::http) struct MoveRequest {
        /// The moves, at most 10,000, of a different stream each.
        moves: Vec<MoveEntry> = Records { most: MAX_MOVED, compare: repeated_moves },
    }
}

request! {
    /// A stream to move.
    pub(in crate::http) struct MoveEntry {
        /// Id of the stream, from 1.
        stream_id: StreamId = integer(1..=MAX_SAFE_INTEGER, StreamId::new),
        /// Name of the instance that is to run it, 1 to 128 characters; chosen by placement if absent.
        to: Option<InstanceId> = server_id(),
    }
}

/// Refuses two targets for one stream, which are a mistake of the sender.
fn repeated_moves(drafts: &[Taken<<MoveEntry as Record>::Draft>]) -> Refused {
    let streams = first_with_same(drafts, |draft| {
        draft.as_ref().ok()?.stream_id.as_ref()?.as_ref().ok()
    });
    let mut refused = Refused::default();
    for (index, first) in streams.into_iter().enumerate() {
        if let Some(first) = first {
            let reason = format!("is the same as moves[{first}].stream_id");
            refused.note(format!("[{index}].stream_id"), reason);
        }
    }
    refused
}

impl From<MoveRequest> for MoveStreams {
    fn from(request: MoveRequest) -> Self {
        let relocation = |entry: MoveEntry| Relocation {
            stream: entry.stream_id,
            to: entry.to,
        };
        Self {
            moves: request.moves.into_iter().map(relocation).collect(),
        }
    }
}

request! {
    /// `POST /streams/verify`: judges claims to streams.
    pub(in crate::http) struct VerifyRequest {
        /// The claims, at most 10,000.
        claims: Vec<ClaimEntry> = Records { most: MAX_CLAIMS, compare: |_| Refused::default() },
    }
}

request! {
    /// A claim that an epoch of a stream is the current one.
    pub(in crate::http) struct ClaimEntry {
        /// Id of the stream, from 0.
        stream_id: StreamId = integer(0..=MAX_SAFE_INTEGER, StreamId::new),
        /// The epoch, from 0.
        epoch: Epoch = integer(0..=MAX_SAFE_INTEGER, Epoch::new),
    }
}

impl From<VerifyRequest> for VerifyClaims {
    fn from(request: VerifyRequest) -> Self {
        let claim = |entry: ClaimEntry| Claim {
            stream: entry.stream_id,
            epoch: entry.epoch,
        };
        Self {
            claims: request.claims.into_iter().map(claim).collect(),
        }
    }
}
