//! The view of the orchestrators, with real processes on one PostgreSQL: what an admin orders there takes effect, and an
//! outage of the database is shown with its end.

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

/// Opens the view anew until its members read so: their states are of the moment at which the page was read.
#[track_caller]
fn open_until(browser: &Browser, text: &str) {
    browser.open_unready("cluster");
    // The first look at a page that is not read yet is none.
    browser.wait_for(&format!(
        "(() => {{
            if (document.documentElement.dataset.ready !== 'true') return false;
            const shown = document.querySelector('main')?.innerText.replaceAll('\\u00a0', ' ') ?? '';
            if (shown.includes({})) return true;
            if (performance.now() - (window.readAt ?? 0) > 1_000) {{
                window.readAt = performance.now();
                document.documentElement.dataset.ready = '';
                location.hash = location.hash.includes('again') ? '#/cluster' : '#/cluster?again=1';
            }}
            return false;
        }})()",
        json!(text)
    ));
}

#[test]
fn the_leader_steps_down_for_the_standby_that_an_admin_names() {
    let ground = Ground::new();
    let mut leader = ground.leader("a");
    let mut standby = ground.process("b");
    standby.wait_for_line("standby");
    let browser = Browser::at(leader.address());
    open_until(&browser, "standby, ready");
    browser.sees("main", "a leads.");
    browser.click("main [data-act=step-down]:not([disabled])");
    // The plan first: nothing is ordered without a reason.
    browser.sees("#dialog", "hands its term over");
    browser.sees("#dialog", "Needed: reason.");
    browser.wait_for("document.querySelector('#dialog [data-do=go]').disabled");
    assert_eq!(leader.get("/leader").0, 200);
    browser.fill("#f-to", "nobody");
    browser.fill("#f-reason", "kernel update");
    browser.click("#dialog [data-do=go]:not([disabled])");
    // A refusal stands beside its field.
    browser.wait_for("document.querySelector('#f-to[aria-invalid]')");
    assert_eq!(leader.get("/leader").0, 200);
    browser.fill("#f-to", "b");
    browser.click("#dialog [data-do=go]:not([disabled])");
    browser.sees("#said", "takes over as soon as");
    standby.wait_for_line("ready on ");
    leader.wait_until_it_stands_by();
    assert!(leader.has_seen("kernel update"));
    assert_eq!(standby.get("/leader").0, 200);
    // The page of the orchestrator that has stepped down goes on, and the next leader's shows who leads, and why.
    browser.sees("main", "b leads; a is a standby.");
    drop(browser);
    let browser = Browser::at(standby.address());
    browser.open("cluster");
    browser.sees("main", "b leads.");
    browser.go("events?group=orders");
    browser.sees("main", "kernel update");
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn a_member_that_is_away_is_forgotten() {
    expect_errors(&["alert member_away"]);
    let ground = Ground::new();
    let leader = ground.leader("a");
    let mut standby = ground.process("b");
    standby.wait_for_line("standby");
    let browser = Browser::at(leader.address());
    open_until(&browser, "standby, ready");
    // One that is there cannot be forgotten.
    browser.wait_for("!document.querySelector('main [data-act=forget-member]')");
    standby.kill();
    open_until(&browser, "standby, away");
    browser.click("main [data-act=forget-member]:not([disabled])");
    browser.sees("#dialog", "If it comes back, it is a member again.");
    let members = || leader.get("/cluster").1["members"].clone();
    assert_eq!(members()[0]["node"], "b");
    browser.click("#dialog [data-do=go]:not([disabled])");
    browser.sees("#said", "The member is forgotten.");
    assert_eq!(members(), json!([]));
    browser.sees("main", "Only this one.");
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn a_standby_takes_over_as_an_admin_orders_on_its_page() {
    let ground = Ground::new();
    let mut leader = ground.leader("a");
    let mut standby = ground.process("b");
    standby.wait_for_line("standby");
    let browser = Browser::at(standby.address());
    browser.open("cluster");
    browser.sees("main", "a leads; b is a standby.");
    // The page follows from its first figures on.
    browser.sees("#board", "leader");
    browser.click("main [data-act=take-over]:not([disabled])");
    browser.sees("#dialog", "the present leader becomes a standby");
    browser.fill("#f-reason", "an exercise");
    browser.click("#dialog [data-do=go]:not([disabled])");
    standby.wait_for_line("ready on ");
    leader.wait_until_it_stands_by();
    browser.sees("main", "b leads.");
    browser.go("events?group=orders");
    browser.sees("main", "an exercise");
    assert_eq!(browser.wrong(), json!([]));
}

#[test]
fn failsafe_is_shown_with_its_end_while_the_database_is_away() {
    expect_errors(&["the store is out", "alert system_health"]);
    let ground = Ground::new();
    let leader = ground.leader("a");
    let browser = Browser::at(leader.address());
    browser.open("cluster");
    browser.sees("main", "leases would go on");
    browser.sees("#board", "leader");
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
