//! The view of the orchestrators, with real processes on one PostgreSQL: an outage of the database is shown with its end.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene up has failed"
)]

use serde_json::json;
use tempfile::TempDir;

use crate::browser::Browser;
use crate::support::postgres::{Database, Server};
use crate::support::process::{Orchestrator, expect_errors, launch};

/// A database on a server of its own, and a folder for the processes.
struct Ground {
    server: Server,
    database: Database,
    folder: TempDir,
}

impl Ground {
    fn new() -> Self {
        let server = Server::start(&[], "");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let database = runtime.block_on(server.database());
        Self {
            server,
            database,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Starts an orchestrator of that name. A member is away after 10 s.
    fn process(&self, node: &str) -> Orchestrator {
        let url = self.database.url();
        let settings = [
            ("DATABASE_URL", url.as_str()),
            ("DATABASE_TIMEOUT", "3s"),
            ("CLUSTER_NODE", node),
        ];
        launch(self.folder.path(), &settings)
    }

    fn leader(&self, node: &str) -> Orchestrator {
        let mut leader = self.process(node);
        leader.wait_for_line("ready on ");
        leader
    }
}

#[test]
fn failsafe_is_shown_with_its_end_while_the_database_is_away() {
    expect_errors(&["the store is out", "alert system_health"]);
    let ground = Ground::new();
    let leader = ground.leader("a");
    let browser = Browser::at(leader.address());
    browser.open("cluster");
    browser.sees("main", "leases would go on");
    ground.server.stop_immediate();
    // The page that is open follows.
    browser.sees("main .facts", "failsafe until");
    browser.sees(
        "main",
        "The database answers no orchestrator: failsafe until",
    );
    let (_, cluster) = leader.get("/cluster");
    let until = cluster["failsafe"]["until"].as_str().unwrap();
    let minutes = until.split_once('T').unwrap().1.get(..5).unwrap();
    let shown = browser.text("main .facts");
    assert!(shown.contains(minutes), "{until} is not in {shown}");
    browser.is_well("the view during failsafe");
    ground.server.start_again();
    browser.sees("main", "leases would go on");
    assert_eq!(browser.wrong(), json!([]));
}
