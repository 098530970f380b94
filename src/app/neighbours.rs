//! What lies around this process while it waits for its term: the other orchestrators' HTTP, and its
//! own gate.

use std::io::ErrorKind;
use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;

use crate::actors::leadership::{Neighbours, Surroundings};
use crate::domain::ids::Term;
use crate::domain::leadership::{AddressAnswer, MemberAnswer, NodeName, RunId};
use crate::http::{Gate, Phase};
use crate::outbound::unjudged;

impl Surroundings for Gate {
    fn stand_by(&self) {
        self.set(Phase::Standby);
    }

    fn ask(
        &self,
        address: String,
        limit: Duration,
    ) -> Pin<Box<dyn Future<Output = AddressAnswer>>> {
        // The orchestrators of a database are set up alike.
        let speaks_tls = self.tls().is_some();
        let asking = tokio::task::spawn_blocking(move || ask(&address, speaks_tls, limit));
        Box::pin(async move { asking.await.unwrap_or(AddressAnswer::Silent) })
    }
}

impl Neighbours for Gate {
    fn ask_terms(
        &self,
        address: String,
        limit: Duration,
    ) -> Pin<Box<dyn Future<Output = Option<MemberAnswer>>>> {
        let speaks_tls = self.tls().is_some();
        let asking = tokio::task::spawn_blocking(move || {
            let body = leader_page(&address, speaks_tls, limit).ok()??;
            Some(MemberAnswer {
                run: RunId::new(body["run"].as_i64()?),
                highest: body["highest_term"].as_i64().map(Term::new),
            })
        });
        Box::pin(async move { asking.await.ok()? })
    }
}

/// Asks which process listens at an address, by the page that needs no key. Nothing secret is sent, and the answer can only keep this process from
/// leading, as silence can; so the certificate, which need not be for this address, is not judged.
fn ask(address: &str, speaks_tls: bool, limit: Duration) -> AddressAnswer {
    match leader_page(address, speaks_tls, limit) {
        Ok(body) => {
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

/// Reads what an orchestrator says of itself and the leader; `None` if that is no such page.
fn leader_page(
    address: &str,
    speaks_tls: bool,
    limit: Duration,
) -> Result<Option<Value>, ureq::Error> {
    let mut config = ureq::Agent::config_builder();
    if speaks_tls {
        config = config.tls_config(unjudged());
    }
    let agent: ureq::Agent = config
        .timeout_global(Some(limit))
        .proxy(None)
        .http_status_as_error(false)
        .build()
        .into();
    let scheme = if speaks_tls { "https" } else { "http" };
    let mut answer = agent.get(format!("{scheme}://{address}/leader")).call()?;
    Ok(answer.body_mut().read_json().ok())
}
