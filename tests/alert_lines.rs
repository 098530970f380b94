//! An alert is one line of the log, at WARN or ERROR, however often it is noticed.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene up has failed"
)]

mod support_http;

use std::sync::Mutex;

use log::{Level, LevelFilter, Log, Metadata, Record};
use support_http::{World, pass};

static LINES: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

/// Keeps what is said of alerts.
struct Keeper;

impl Log for Keeper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = record.args().to_string();
        if line.starts_with("alert ") {
            LINES.lock().unwrap().push((record.level(), line));
        }
    }

    fn flush(&self) {}
}

#[actix_web::test]
async fn an_alert_is_one_line_when_it_opens_and_one_when_it_is_over() {
    log::set_logger(&Keeper).unwrap();
    log::set_max_level(LevelFilter::Info);
    let world = World::start().await;
    world.streams(1..=2).await;
    world.register("a", 2).await;
    world.assign("a", 2).await;
    world.post("/instances/a/failure", ().into()).await.ok();
    // Seen by every look meanwhile.
    pass(300).await;
    world.register("b", 2).await;
    pass(2).await;
    let lines = LINES.lock().unwrap();
    let of = |kind: &str| -> Vec<(Level, &str)> {
        let begin = format!("alert {kind}");
        let said = lines.iter().filter(|(_, line)| line.starts_with(&begin));
        said.map(|(level, line)| (*level, line.as_str())).collect()
    };
    let orphaned = of("streams_orphaned");
    assert_eq!(
        orphaned.iter().map(|(level, _)| *level).collect::<Vec<_>>(),
        [Level::Error, Level::Info],
        "{lines:?}"
    );
    assert!(
        orphaned[0].1.contains("2 streams run nowhere"),
        "{orphaned:?}"
    );
    assert!(orphaned[1].1.contains("is over after 30"), "{orphaned:?}");
}
