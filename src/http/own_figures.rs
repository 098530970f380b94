//! What a process shows of itself in `/metrics`, also before it serves and on a standby: the standard
//! figures of a process, its version, and whether it wants traffic.
//!
//! The figures come from `/proc`; on a system without it they are left out.

use std::sync::Arc;
use std::{fmt, fs};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rustix::process::Resource;

use super::cluster_figures::ClusterFigures;
use super::forwarding::ForwardingFigures;
use super::socket::Encryption;
use crate::logging;
use crate::tls::Tls;

/// The revision that the program was built from.
const REVISION: &str = match env!("ORCHESTRATOR_BUILD_REVISION") {
    revision if revision.is_empty() => "unknown",
    revision => revision,
};

/// Registers the figures; returns the gauge that shows whether the process wants traffic.
pub(super) fn register(registry: &mut Registry, cluster: ClusterFigures) -> Gauge {
    registry.register_collector(Box::new(cluster));
    registry.register_collector(Box::new(ProcessFigures));
    registry.register_collector(Box::new(LogFigures));
    registry.register_collector(Box::new(ForwardingFigures));
    let registry = registry.sub_registry_with_prefix("orchestrator");
    let build: Family<[(&str, &str); 2], Gauge> = Family::default();
    let (version, revision) = (
        ("version", env!("CARGO_PKG_VERSION")),
        ("revision", REVISION),
    );
    build.get_or_create(&[version, revision]).set(1);
    registry.register(
        "build_info",
        "Always 1; its labels are the version and the revision of the source",
        build,
    );
    let ready = Gauge::default();
    registry.register(
        "ready",
        "Whether this process leads and wants traffic: 0 on a standby, while the fleet is loaded and during the shutdown",
        ready.clone(),
    );
    ready
}

/// The standard figures of a process, read for each scrape.
#[derive(Debug, Clone, Copy)]
struct ProcessFigures;

/// What `/proc` has of this process.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Figures {
    cpu_seconds: f64,
    threads: i64,
    start_time_seconds: f64,
    virtual_bytes: i64,
    resident_bytes: i64,
}

impl Figures {
    fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let system = fs::read_to_string("/proc/stat").ok()?;
        let ticks = rustix::param::clock_ticks_per_second();
        Self::parse(&stat, &system, ticks as f64, rustix::param::page_size())
    }

    fn parse(stat: &str, system: &str, ticks: f64, page: usize) -> Option<Self> {
        // The name of the program, in parentheses, may have spaces and parentheses.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<i64>().ok();
        let booted = system.lines().find_map(|line| line.strip_prefix("btime "));
        let booted: f64 = booted?.trim().parse().ok()?;
        Some(Self {
            cpu_seconds: (number(11)? + number(12)?) as f64 / ticks,
            threads: number(17)?,
            start_time_seconds: booted + number(19)? as f64 / ticks,
            virtual_bytes: number(20)?,
            resident_bytes: number(21)?.saturating_mul(i64::try_from(page).ok()?),
        })
    }
}

/// Returns the number of open files.
fn open_files() -> Option<i64> {
    const FOLDER: &str = "/proc/self/fd";
    // Newer kernels show the number as the size of the folder; counting thousands takes a while.
    let shown = fs::metadata(FOLDER).ok()?.len();
    if shown > 0 {
        return i64::try_from(shown).ok();
    }
    i64::try_from(fs::read_dir(FOLDER).ok()?.count()).ok()
}

impl Collector for ProcessFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut gauge = |name: &str, help: &str, value: f64| {
            let mut encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            encoder.encode_gauge(&value)
        };
        let limit = |resource| rustix::process::getrlimit(resource).current;
        if let Some(limit) = limit(Resource::Nofile) {
            let help = "Most files that may be open.";
            gauge("process_max_fds", help, limit as f64)?;
        }
        if let Some(files) = open_files() {
            gauge("process_open_fds", "Open files.", files as f64)?;
        }
        let Some(figures) = Figures::read() else {
            return Ok(());
        };
        gauge(
            "process_threads",
            "Threads of the process.",
            figures.threads as f64,
        )?;
        gauge(
            "process_start_time_seconds",
            "Start of the process, since 1970.",
            figures.start_time_seconds,
        )?;
        gauge(
            "process_virtual_memory_bytes",
            "Size of the virtual memory.",
            figures.virtual_bytes as f64,
        )?;
        gauge(
            "process_resident_memory_bytes",
            "Size of the resident memory.",
            figures.resident_bytes as f64,
        )?;
        let mut encoder = encoder.encode_descriptor(
            "process_cpu_seconds",
            "Processor time, of the program and of the system for it.",
            None,
            MetricType::Counter,
        )?;
        encoder.encode_counter::<NoLabelSet, f64, f64>(&figures.cpu_seconds, None)
    }
}

/// What became of handshakes, and when certificates end, read for each scrape.
#[derive(Debug)]
struct TlsFigures(Arc<Encryption>);

/// Registers the figures of TLS.
pub(super) fn register_tls(registry: &mut Registry, encryption: Arc<Encryption>) {
    registry.register_collector(Box::new(TlsFigures(encryption)));
}

impl Collector for TlsFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut handshakes = encoder.encode_descriptor(
            "orchestrator_tls_handshakes",
            "Handshakes of TLS by result.",
            None,
            MetricType::Counter,
        )?;
        for (result, count) in self.0.handshakes() {
            let label = [("result", result)];
            let mut series = handshakes.encode_family(&label)?;
            series.encode_counter::<NoLabelSet, u64, u64>(&count, None)?;
        }
        let mut ends = encoder.encode_descriptor(
            "orchestrator_certificate_expiry_timestamp_seconds",
            "End of the certificate that ends first of those in the file that the setting names, since 1970.",
            None,
            MetricType::Gauge,
        )?;
        for expiry in self.0.tls().map(Tls::expiries).unwrap_or_default() {
            let label = [("setting", expiry.of.as_str())];
            let mut series = ends.encode_family(&label)?;
            series.encode_gauge(&(expiry.not_after.as_micros() / 1_000_000))?;
        }
        Ok(())
    }
}

/// What became of lines of the log, read for each scrape.
#[derive(Debug, Clone, Copy)]
struct LogFigures;

impl Collector for LogFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut encoder = encoder.encode_descriptor(
            "orchestrator_log_lines_dropped",
            "Lines of the log that were dropped because standard error was not read or could not be written.",
            None,
            MetricType::Counter,
        )?;
        encoder.encode_counter::<NoLabelSet, u64, u64>(&logging::dropped_lines(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_kernel() {
        let stat = "7 (a) b) S 1 1 1 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 1200 8192 3 18446744073709551615";
        let found = Figures::parse(stat, "cpu 1 2\nbtime 1000\n", 100.0, 4_096);
        let expected = Figures {
            cpu_seconds: 2.0,
            threads: 9,
            start_time_seconds: 1_012.0,
            virtual_bytes: 8_192,
            resident_bytes: 12_288,
        };
        assert_eq!(found, Some(expected));
        assert_eq!(Figures::parse("7 (a", "btime 1", 100.0, 4_096), None);
    }

    #[test]
    fn this_process_has_figures() {
        let figures = Figures::read().unwrap();
        assert!(figures.threads > 0 && figures.resident_bytes > 0);
        assert!(open_files() > Some(2));
    }
}
