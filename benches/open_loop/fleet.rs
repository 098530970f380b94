//! A large fleet in a SQLite file, and the program itself on it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use futures_util::future::join_all;
use prometheus_client::registry::Registry;
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::telemetry::Telemetry;
use resilient_orchestrator::app::Server;
use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::config::Config;
use resilient_orchestrator::domain::commands::{RegisterInstance, SaveStreams, StreamSpec};
use resilient_orchestrator::domain::stream::StreamState;
use resilient_orchestrator::store;

use super::name;

const STREAMS_A_REQUEST: usize = 10_000;

fn url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

/// The program itself, as `serve` starts it, with these settings beside the defaults.
pub(crate) fn serve_orchestrator(
    file: &Path,
    settings: &'static [(&str, &str)],
) -> (SocketAddr, Orchestrator) {
    let (ready, serving) = mpsc::channel();
    let url = url(file);
    thread::spawn(move || {
        actix::System::new().block_on(async move {
            let own = [
                ("DATABASE_URL", url.as_str()),
                ("BIND_ADDRESS", "127.0.0.1:0"),
            ];
            let config = Config::from_pairs(own.iter().chain(settings).copied());
            let config = config.expect("settings");
            let mut server = Server::start(&config).await.expect("it starts");
            let orchestrator = server.orchestrator().clone();
            ready
                .send((server.address(), orchestrator))
                .expect("it is waited for");
            let fatal = server.failed().await;
            println!("{fatal}");
        });
    });
    serving.recv().expect("a server")
}

/// An instance that takes what waits.
pub(crate) fn registration(id: &str, max_streams: u32) -> RegisterInstance {
    RegisterInstance {
        id: id.into(),
        ip: "127.0.0.1".into(),
        port: 9_000,
        max_streams,
        capacity: None,
        labels: BTreeMap::new(),
        heartbeat_interval: None,
        auto_assign: true,
    }
}

/// Registers the instances with these numbers.
pub(crate) async fn register(orchestrator: &Orchestrator, numbers: Range<usize>, max_streams: u32) {
    let numbers: Vec<usize> = numbers.collect();
    for part in numbers.chunks(1_000) {
        let registrations = (part.iter())
            .map(|number| orchestrator.execute(registration(&name(*number), max_streams)));
        for registered in join_all(registrations).await {
            registered.expect("a registration");
        }
    }
}

/// Registers the instances and saves the streams, which are assigned at once.
pub(crate) fn fill(file: &Path, instances: usize, streams: usize, max_streams: u32) {
    actix::System::new().block_on(async {
        let store = store::open(&url(file), Duration::from_secs(60), 2)
            .await
            .expect("a store");
        let loaded = Loaded::from_store(store).await.expect("an empty fleet");
        let arbiters: [actix::Arbiter; 3] = std::array::from_fn(|_| actix::Arbiter::new());
        let placement = Placement::Apart {
            heartbeats: arbiters[0].handle(),
            records: arbiters[1].handle(),
            fleet: arbiters[2].handle(),
        };
        let clock = Clock::real(Duration::ZERO);
        let telemetry = Telemetry::new(&mut Registry::default());
        let settings = SystemSettings {
            change_limit: Duration::from_secs(600),
            ..SystemSettings::default()
        };
        let (orchestrator, fatalities) = start(loaded, &settings, clock, telemetry, &placement);
        let orchestrator = Arc::new(orchestrator);
        register(&orchestrator, 0..instances, max_streams).await;
        for first in (0..streams).step_by(STREAMS_A_REQUEST) {
            let spec = |number| StreamSpec {
                name: Some(format!("stream-{number}").into()),
                ..StreamSpec::default()
            };
            let streams = (first..(first + STREAMS_A_REQUEST).min(streams)).map(spec);
            let streams = streams.collect();
            orchestrator
                .execute(SaveStreams { streams })
                .await
                .expect("streams");
        }
        // Unclaimed streams are assigned a part at a time.
        while orchestrator.totals().await.expect("totals").by_state[&StreamState::Unclaimed] > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        orchestrator.drain().await;
        orchestrator.flush().await;
        drop(fatalities);
        for arbiter in &arbiters {
            arbiter.stop();
        }
        for arbiter in arbiters {
            let _ = arbiter.join();
        }
        orchestrator.close_store().await.expect("it closes");
    });
}
