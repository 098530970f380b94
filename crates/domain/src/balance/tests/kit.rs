//! Small fleets in a notation of their own, and what becomes of them when a plan is carried out.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::*;
use crate::ids::StreamId;
use crate::settings::BalanceLimits;

/// A stream of a fleet in a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TestStream {
    pub(super) id: i64,
    pub(super) weight: u32,
    /// Whether it needs an instance with the label `gpu`.
    pub(super) needs_gpu: bool,
    pub(super) group: Option<u8>,
    pub(super) is_movable: bool,
}

/// An instance of a fleet in a test.
#[derive(Debug, Clone)]
pub(super) struct TestInstance {
    pub(super) id: String,
    pub(super) role: BalanceRole,
    pub(super) max_streams: u32,
    pub(super) capacity: Option<u32>,
    pub(super) has_gpu: bool,
    pub(super) streams: Vec<TestStream>,
}

/// A fleet of a test.
#[derive(Clone)]
pub(super) struct TestFleet(pub(super) Vec<TestInstance>);

impl std::fmt::Debug for TestFleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for held in &self.0 {
            let (role, most, capacity) = (held.role, held.max_streams, held.capacity);
            let gpu = if held.has_gpu { " gpu" } else { "" };
            write!(f, "\n{} {role:?} {most} {capacity:?}{gpu}:", held.id)?;
            for stream in &held.streams {
                let stays = if stream.is_movable { "" } else { "!" };
                let gpu = if stream.needs_gpu { "gpu" } else { "" };
                write!(f, " {}{stays}w{}{gpu}", stream.id, stream.weight)?;
            }
        }
        Ok(())
    }
}

pub(super) fn stream(id: i64) -> TestStream {
    TestStream {
        id,
        weight: 1,
        needs_gpu: false,
        group: None,
        is_movable: true,
    }
}

pub(super) fn instance(id: &str, max_streams: u32, streams: Vec<TestStream>) -> TestInstance {
    TestInstance {
        id: id.to_owned(),
        role: BalanceRole::Shares,
        max_streams,
        capacity: None,
        has_gpu: false,
        streams,
    }
}

/// A fleet of instances `a`, `b`, … with so many streams of weight 1.
pub(super) fn fleet(max_streams: u32, counts: &[i64]) -> TestFleet {
    let mut next = 1;
    let names = ('a'..='z').map(String::from);
    let instances = names.zip(counts).map(|(id, count)| {
        let streams = (next..next + count).map(stream).collect();
        next += count;
        instance(&id, max_streams, streams)
    });
    TestFleet(instances.collect())
}

impl TestFleet {
    pub(super) fn input(&self) -> BalanceInput {
        let gpu: BTreeMap<String, String> = [("gpu".to_owned(), "yes".to_owned())].into();
        let mut input = BalanceInput::default();
        for instance in &self.0 {
            let streams = instance.streams.iter().map(|stream| BalanceStream {
                id: StreamId::new(stream.id),
                weight: stream.weight,
                requires: match stream.needs_gpu {
                    true => input.requirement(&gpu),
                    false => 0,
                },
                group: stream
                    .group
                    .map_or(0, |group| input.group(&Arc::from(group.to_string()))),
                is_movable: stream.is_movable,
            });
            let streams = streams.collect();
            input.push(BalanceInstance {
                id: instance.id.as_str().into(),
                role: instance.role,
                max_streams: instance.max_streams,
                capacity: instance.capacity,
                labels: Arc::new(match instance.has_gpu {
                    true => gpu.clone(),
                    false => BTreeMap::new(),
                }),
                streams,
                leaving_streams: 0,
                leaving_weight: 0,
            });
        }
        input.sorted()
    }

    pub(super) fn plan(&self) -> BalancePlan {
        plan(
            &self.input(),
            BalanceLimits::default(),
            BalanceMeasure::Weight,
        )
    }

    /// Carries out a plan; each move is checked against the hard rules first.
    pub(super) fn after(&self, plan: &BalancePlan) -> Self {
        let mut fleet = self.clone();
        for planned in &plan.moves {
            let from = fleet.index(planned.from.as_str());
            let to = fleet.index(planned.to.as_str());
            let streams = &mut fleet.0[from].streams;
            let place = streams
                .iter()
                .position(|stream| stream.id == planned.stream.get());
            let stream = streams.remove(place.expect("it is there"));
            assert!(stream.is_movable, "{planned:?}");
            let target = &mut fleet.0[to];
            assert_eq!(target.role, BalanceRole::Shares, "{planned:?}");
            assert!(!stream.needs_gpu || target.has_gpu, "{planned:?}");
            target.streams.push(stream);
            target.streams.sort_by_key(|stream| stream.id);
            assert!(
                target.streams.len() <= target.max_streams as usize,
                "{planned:?}"
            );
            let weight: u32 = target.streams.iter().map(|stream| stream.weight).sum();
            assert!(
                target.capacity.is_none_or(|most| weight <= most),
                "{planned:?}"
            );
        }
        fleet
    }

    fn index(&self, id: &str) -> usize {
        let index = self.0.iter().position(|instance| instance.id == id);
        index.expect("known")
    }

    pub(super) fn shares(&self) -> Shares {
        Shares::of(
            &self.input(),
            BalanceLimits::default(),
            BalanceMeasure::Weight,
        )
    }

    pub(super) fn is_balanced(&self) -> bool {
        self.shares().is_balanced(&self.input())
    }

    /// What each instance is outside of its band, in streams.
    pub(super) fn excesses(&self) -> Vec<i64> {
        let (input, shares) = (self.input(), self.shares());
        let instances = input.instances().iter();
        instances
            .map(|instance| {
                let weights = instance
                    .streams
                    .iter()
                    .map(|stream| i64::from(stream.weight));
                let held: i64 = weights.sum();
                shares.band(instance).map_or(0, |band| band.excess(held))
            })
            .collect()
    }
}

/// The plan as text: one line a move.
pub(super) fn text(plan: &BalancePlan) -> String {
    let lines = plan.moves.iter().map(|planned| {
        format!(
            "{} {} -> {} {}\n",
            planned.stream, planned.from, planned.to, planned.reason
        )
    });
    lines.collect()
}
