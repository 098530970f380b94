//! Series of each instance, if `METRICS_PER_INSTANCE` is on.
//!
//! They are off by default: a fleet of ten thousand instances has as many series of each family, and
//! Prometheus keeps every one that ever was.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::actors::orchestrator::Orchestrator;
use crate::actors::registry::Entry;

/// How many entries are read in one go.
const READ_AT_ONCE: usize = 1_000;

/// Reads the registry of the instances for each scrape. Asks no actor.
#[derive(Debug)]
pub(super) struct InstanceSeries(Orchestrator);

impl InstanceSeries {
    pub(super) const fn new(orchestrator: Orchestrator) -> Self {
        Self(orchestrator)
    }

    fn family(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help): (&str, &str),
        value: impl Fn(&Entry) -> f64,
    ) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        let mut page = self.0.registry().page(None, READ_AT_ONCE);
        while let Some(last) = page.last() {
            for entry in &page {
                // Neither `instance` nor `job`, which belong to the scraper.
                let labels = [("server_id", entry.id().as_str())];
                ConstGauge::new(value(entry)).encode(family.encode_family(&labels)?)?;
            }
            page = self.0.registry().page(Some(last.id()), READ_AT_ONCE);
        }
        Ok(())
    }
}

impl Collector for InstanceSeries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let clock = self.0.clock();
        let serving = (
            "orchestrator_instance_serving",
            "Whether an instance counts as alive.",
        );
        self.family(&mut encoder, serving, |entry| {
            f64::from(u8::from(entry.standing().status.is_serving()))
        })?;
        let streams = (
            "orchestrator_instance_streams",
            "Streams that an instance owns.",
        );
        self.family(&mut encoder, streams, |entry| entry.standing().held as f64)?;
        let silence = (
            "orchestrator_instance_silence_seconds",
            "Time since the last heartbeat of an instance.",
        );
        self.family(&mut encoder, silence, |entry| {
            entry.silence(clock).as_secs_f64()
        })
    }
}
