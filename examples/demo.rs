//! The whole story in under a minute: workers register and take streams, one crashes, one comes
//! and goes, the database is out for a while, most of the fleet falls silent at once, an operator
//! empties a worker that beats and does not work. At the end every invariant is checked, and the
//! demo fails if one does not hold.
//!
//! ```text
//! cargo run --release --example demo
//! ```
//!
//! It runs the real server in this process, on a temporary SQLite file, with thresholds of
//! seconds instead of minutes.

#![expect(clippy::print_stdout, reason = "telling the story is what it is for")]

#[path = "support/field.rs"]
mod field;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use serde_json::{Value, json};

use field::Field;
use world::{Api, Embedded, Failure};

const WORKERS: usize = 8;
const STREAMS: usize = 240;
const ROOM: usize = 60;

/// No step of the story takes longer unless something is broken.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between two looks at what is waited for.
const GLANCE: Duration = Duration::from_millis(50);

fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("demo.db");
    let server = Embedded::start(&[
        ("DATABASE_URL", &format!("sqlite://{}", file.display())),
        ("DATABASE_TIMEOUT", "500ms"),
        ("HEARTBEAT_TIMEOUT", "2s"),
        ("HEARTBEAT_CHECK_INTERVAL", "500ms"),
        ("HEARTBEAT_FLUSH_INTERVAL", "300ms"),
        ("MASS_FAILURE_HOLD", "4s"),
        ("CIRCUIT_BREAKER_THRESHOLD", "3"),
        ("CIRCUIT_BREAKER_TIMEOUT", "2s"),
    ])?;
    let outcome = Story::new(&server.address).and_then(|story| story.tell(&file));
    server.stop()?;
    outcome
}

struct Story {
    api: Api,
    field: Field,
    begun: Instant,
}

impl Story {
    fn new(address: &str) -> Result<Self, Failure> {
        let api = Api::new(address);
        let streams: Vec<Value> = (1..=STREAMS)
            .map(|id| json!({"id": id, "name": format!("channel {id}")}))
            .collect();
        api.post("/streams", &json!({ "streams": streams }))?;
        Ok(Self {
            field: Field::new(&api),
            api,
            begun: field::now(),
        })
    }

    fn tell(self, file: &Path) -> Result<(), Failure> {
        self.registration_and_load()?;
        self.a_crash()?;
        self.a_flapping_worker()?;
        self.a_database_outage(file)?;
        self.a_mass_silence()?;
        self.an_emergency()?;
        self.the_end()
    }

    fn registration_and_load(&self) -> Result<(), Failure> {
        self.chapter("Eight workers register and take 240 streams");
        for number in 1..=WORKERS {
            self.field
                .join(&format!("w{number}"), ROOM, STREAMS / WORKERS)?;
        }
        self.show()
    }

    fn a_crash(&self) -> Result<(), Failure> {
        self.chapter("w1 crashes");
        self.field.silence(&["w1"]);
        self.until("w1 has failed", || self.is("w1", "failed"))?;
        self.until(
            "its streams run elsewhere",
            || Ok(self.placed()? == STREAMS),
        )?;
        let incidents = self.api.get("/resilience/incidents?instance=w1&limit=1")?;
        let id = &incidents["incidents"][0]["id"];
        self.until("its incident is closed", || {
            let incident = self.api.get(&format!("/resilience/incidents/{id}"))?;
            Ok(incident["data"]["state"] == "ended")
        })?;
        self.steps(&self.api.get(&format!("/resilience/incidents/{id}"))?["data"]["steps"])?;
        self.show()
    }

    fn a_flapping_worker(&self) -> Result<(), Failure> {
        self.chapter("w1 comes back, and fails again while on probation");
        self.field.wake(&["w1"]);
        self.until("w1 is on probation", || self.is("w1", "recovering"))?;
        self.field.silence(&["w1"]);
        self.until("w1 has failed again", || self.is("w1", "failed"))?;
        self.until("there is an alert: w1 is flapping", || {
            self.is_alerted("flapping", "w1")
        })?;
        self.field.wake(&["w1"]);
        self.until("w1 is on a longer probation", || {
            self.is("w1", "recovering")
        })?;
        self.until("w1 has beaten steadily and is trusted again", || {
            self.is("w1", "active")
        })?;
        self.show()
    }

    fn a_database_outage(&self, file: &Path) -> Result<(), Failure> {
        self.chapter("The database cannot be written to, and w2 crashes meanwhile");
        let mut intruder = SqliteConnection::establish(&file.display().to_string())?;
        intruder.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE")?;
        self.field.silence(&["w2"]);
        self.until("the breaker of the database is open", || {
            self.breaker_is_open()
        })?;
        let (status, retry_after, _) = self
            .api
            .try_post("/streams", &json!({"streams": [{"name": "one more"}]}))?;
        expect(
            status == 503 && retry_after.is_some(),
            "a change is refused with 503 and Retry-After",
        )?;
        let beat = json!({"server_id": "w3", "current_streams": 0});
        self.api.post("/heartbeat", &beat)?;
        println!("  a heartbeat is answered as always");
        self.until("w2 is silent for longer than the timeout", || {
            let (status, _, _) = self.api.try_post("/instances/w2/failure", &json!({}))?;
            Ok(status == 503 && self.field.silent_for("w2") > Duration::from_secs(3))
        })?;
        expect(
            !self.is("w2", "failed")?,
            "nothing is shown that is not saved",
        )?;
        intruder.batch_execute("ROLLBACK")?;
        println!("  the database is back");
        self.until("the breaker is closed", || Ok(!self.breaker_is_open()?))?;
        self.until("w2 is recovered without anybody's help", || {
            Ok(self.is("w2", "failed")? && self.placed()? == STREAMS)
        })?;
        self.field.wake(&["w2"]);
        self.until("w2 is back", || self.is("w2", "active"))?;
        self.show()
    }

    fn a_mass_silence(&self) -> Result<(), Failure> {
        self.chapter("Six of eight workers fall silent at the same moment");
        let before = self.api.owners()?;
        let mass = ["w1", "w2", "w3", "w4", "w5", "w6"];
        self.field.silence(&mass);
        self.until("recovery is held back", || {
            Ok(self.api.get("/resilience/brake")?["state"] == "held")
        })?;
        let health = &self.api.get("/resilience/health")?["system_health"];
        self.until("the system is in an emergency", || {
            Ok(self.api.get("/resilience/health")?["system_health"] == "emergency")
        })
        .map_err(|error| format!("{error}; it is {health}"))?;
        self.field.wake(&mass);
        self.until("they are back before the hold is over", || {
            Ok(self.api.get("/resilience/brake")?["state"] == "open")
        })?;
        expect(
            self.api.owners()? == before,
            "not a single stream has moved",
        )?;
        self.until("all of them are active", || {
            Ok(self.count_of("active")? == WORKERS)
        })
    }

    fn an_emergency(&self) -> Result<(), Failure> {
        self.chapter("w4 beats and does not work: an operator empties it");
        let answer = self
            .api
            .post("/resilience/emergency/w4?reason=demo", &json!({}))?;
        expect(answer["status"] == "success", "it is emptied")?;
        self.steps(&answer["steps"])?;
        self.until("w4 beats on, in maintenance, without streams", || {
            Ok(self.is("w4", "maintenance")? && !self.api.owners()?.contains_key("w4"))
        })?;
        self.show()
    }

    fn the_end(&self) -> Result<(), Failure> {
        self.chapter("Is everything as it should be?");
        let found = self.api.get("/resilience/consistency")?;
        for check in found["checks"].as_array().ok_or("no checks")? {
            let (name, demands) = (&check["invariant"], &check["demands"]);
            println!("  {} {demands}", name.as_str().unwrap_or("?"));
            if check["holds"] != true {
                return Err(format!("{name} does not hold: {}", check["violations"]).into());
            }
        }
        expect(self.placed()? == STREAMS, "every stream runs")?;
        println!(
            "\nEvery invariant holds, after {:.0?}.",
            self.begun.elapsed()
        );
        Ok(())
    }

    fn chapter(&self, title: &str) {
        println!("\n[{:>4.1} s] {title}", self.begun.elapsed().as_secs_f64());
    }

    /// Waits for something, and says how long it took.
    fn until(&self, what: &str, is_so: impl Fn() -> Result<bool, Failure>) -> Result<(), Failure> {
        let from = field::now();
        while !is_so()? {
            if from.elapsed() > PATIENCE {
                return Err(format!("still not so after {PATIENCE:?}: {what}").into());
            }
            field::pause(GLANCE);
        }
        let took = from.elapsed();
        println!("  {what} ({:.1} s)", took.as_secs_f64());
        Ok(())
    }

    fn is(&self, id: &str, status: &str) -> Result<bool, Failure> {
        let instance = self.api.get(&format!("/instances/{id}"))?;
        Ok(instance["data"]["status"] == status)
    }

    fn count_of(&self, status: &str) -> Result<usize, Failure> {
        let answer = self.api.get("/instances")?;
        let instances = answer["instances"].as_array().ok_or("no list")?;
        Ok(instances
            .iter()
            .filter(|instance| instance["status"] == status)
            .count())
    }

    fn is_alerted(&self, kind: &str, subject: &str) -> Result<bool, Failure> {
        let answer = self
            .api
            .get(&format!("/resilience/alerts?open=true&kind={kind}"))?;
        let alerts = answer["alerts"].as_array().ok_or("no list")?;
        Ok(alerts.iter().any(|alert| alert["subject"] == subject))
    }

    fn breaker_is_open(&self) -> Result<bool, Failure> {
        let status = self.api.get("/resilience/status")?;
        let breakers = status["circuit_breaker_states"].as_object();
        Ok(breakers
            .ok_or("no breakers")?
            .values()
            .any(|state| state != "closed"))
    }

    /// How many streams run on an instance that is not failed.
    fn placed(&self) -> Result<usize, Failure> {
        let mut placed = 0;
        for (owner, streams) in self.api.owners()? {
            if !self.is(&owner, "failed")? {
                placed += streams.len();
            }
        }
        Ok(placed)
    }

    fn show(&self) -> Result<(), Failure> {
        let owners: BTreeMap<_, _> = self.api.owners()?;
        let line: Vec<String> = owners
            .iter()
            .map(|(owner, streams)| format!("{owner} {}", streams.len()))
            .collect();
        println!("  {}", line.join("  "));
        Ok(())
    }

    fn steps(&self, steps: &Value) -> Result<(), Failure> {
        for step in steps.as_array().ok_or("no steps")? {
            println!(
                "    {:<20} {:<8} {:>8.1} ms  {}",
                step["name"].as_str().unwrap_or("?"),
                step["status"].as_str().unwrap_or("?"),
                step["duration_ms"].as_f64().unwrap_or(0.0),
                step["detail"].as_str().unwrap_or_default()
            );
        }
        Ok(())
    }
}

fn expect(is_so: bool, what: &str) -> Result<(), Failure> {
    if !is_so {
        return Err(format!("not so: {what}").into());
    }
    println!("  {what}");
    Ok(())
}
