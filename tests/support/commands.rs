//! The commands that make a small fleet, for every test program and benchmark that has one.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program is a crate by itself and uses another part"
)]

use std::collections::BTreeMap;

use resilient_orchestrator::domain::commands::{RegisterInstance, StreamSpec};
use resilient_orchestrator::domain::ids::{InstanceId, StreamId};

/// An instance that takes so many streams, and none that it did not ask for.
pub fn registration(id: impl Into<InstanceId>, max_streams: u32) -> RegisterInstance {
    RegisterInstance {
        id: id.into(),
        ip: "192.0.2.1".to_owned(),
        port: 9_000,
        max_streams,
        capacity: None,
        labels: BTreeMap::new(),
        heartbeat_interval: None,
        auto_assign: false,
    }
}

/// The same, which takes what waits.
pub fn self_filling(id: impl Into<InstanceId>, max_streams: u32) -> RegisterInstance {
    RegisterInstance {
        auto_assign: true,
        ..registration(id, max_streams)
    }
}

/// A stream with an id and a name.
pub fn spec(id: i64) -> StreamSpec {
    StreamSpec {
        id: Some(StreamId::new(id)),
        name: Some(format!("stream-{id}").into()),
        ..StreamSpec::default()
    }
}
