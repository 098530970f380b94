//! What lies around this process while it waits for its term: the other orchestrators' HTTP, and its
//! own gate.

use std::io::ErrorKind;
use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;

use crate::actors::leadership::Surroundings;
use crate::domain::leadership::{AddressAnswer, NodeName, RunId};
use crate::http::{Gate, Phase};

impl Surroundings for Gate {
    fn stand_by(&self) {
        self.set(Phase::Standby);
    }

    fn ask(
        &self,
        address: String,
        limit: Duration,
    ) -> Pin<Box<dyn Future<Output = AddressAnswer>>> {
        let asking = tokio::task::spawn_blocking(move || ask(&address, limit));
        Box::pin(async move { asking.await.unwrap_or(AddressAnswer::Silent) })
    }
}

/// Asks which process listens at an address.
fn ask(address: &str, limit: Duration) -> AddressAnswer {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(limit))
        .proxy(None)
        .http_status_as_error(false)
        .build()
        .into();
    match agent.get(format!("http://{address}/cluster")).call() {
        Ok(mut answer) => {
            let body: Option<Value> = answer.body_mut().read_json().ok();
            let process = body.and_then(|body| {
                let node = NodeName::new(body["node"].as_str()?);
                let run = RunId::new(body["run"].as_i64()?);
                Some(AddressAnswer::Process { node, run })
            });
            process.unwrap_or(AddressAnswer::Silent)
        }
        Err(ureq::Error::Io(error)) if error.kind() == ErrorKind::ConnectionRefused => {
            AddressAnswer::Refused
        }
        Err(_) => AddressAnswer::Silent,
    }
}
