//! The headers between the orchestrators of one database.
//!
//! | header | says |
//! | --- | --- |
//! | `orchestrator-forwarded: <node> <term>` | which standby carries the request, and to the leader of which term |
//! | `orchestrator-age-ms` | how long the standby had the request; counts for silence only |
//! | `orchestrator-moment: <run> <ms>` | in an answer of `GET /leader`: the leader's clock. In a carried request: a moment of that clock at which the request had not come yet |
//! | `orchestrator-caller` | the address that sent the request to the standby |
//! | `orchestrator-certificate` | the names of the certificate that the sender showed to the standby, as a list in JSON |
//! | `orchestrator-handed-on` | the request is the orchestrator's own: heartbeats that it echoed, the question of a leader without a database (`failsafe`), or what a leader says before it hands over (`handing_over`) |
//! | `orchestrator-secret` | the members' secret, from the leadership row |
//! | `orchestrator-not-taken` | in an answer to a carried request: it was not looked at, and may be sent to the next leader |
//! | `orchestrator-leader` | in an answer through a standby: the public URL of the leader |
//!
//! Without the secret the first seven are ignored, so no client can forge them. None of them reaches a handler.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::domain::access::{CertificateName, PeerNames};
use crate::domain::leadership::{LeaderMoment, MemberSecret, NodeName, RunId};

/// Which standby carries a request, and the term of the leader that it carries it to.
pub(super) const FORWARDED: HeaderName = HeaderName::from_static("orchestrator-forwarded");

/// How long the standby had the request.
pub(super) const AGE: HeaderName = HeaderName::from_static("orchestrator-age-ms");

/// A moment of the clock of the leader.
pub(super) const MOMENT: HeaderName = HeaderName::from_static("orchestrator-moment");

/// The address that sent the request to the standby.
pub(super) const CALLER: HeaderName = HeaderName::from_static("orchestrator-caller");

/// The names of the sender's certificate.
pub(super) const CERTIFICATE: HeaderName = HeaderName::from_static("orchestrator-certificate");

/// The request is the orchestrator's own.
pub(super) const HANDED_ON: HeaderName = HeaderName::from_static("orchestrator-handed-on");

/// The members' secret.
pub(super) const SECRET: HeaderName = HeaderName::from_static("orchestrator-secret");

/// A carried request was not looked at.
pub(super) const NOT_TAKEN: HeaderName = HeaderName::from_static("orchestrator-not-taken");

/// The public URL of the leader.
pub(super) const LEADER: HeaderName = HeaderName::from_static("orchestrator-leader");

/// What clients must not reach a leader with through a standby.
pub(super) const BETWEEN_MEMBERS: [HeaderName; 7] = [
    FORWARDED,
    AGE,
    MOMENT,
    CALLER,
    CERTIFICATE,
    HANDED_ON,
    SECRET,
];

/// How a request came by way of another orchestrator that knows the members' secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Carriage {
    /// The orchestrator that carries it.
    pub(super) node: NodeName,
    /// How long that had it.
    pub(super) age: Duration,
    /// A moment of the leader's clock at which the request had not come.
    pub(super) moment: Option<LeaderMoment>,
    /// The address that sent it.
    pub(super) caller: Option<SocketAddr>,
    /// The names of the certificate that the sender showed; none without one.
    pub(super) certificate: PeerNames,
    /// Whether the request is the member's own, and no client's.
    pub(super) is_handed_on: bool,
}

impl Carriage {
    /// Reads and removes the headers between members; `None` if the request is no other member's.
    pub(super) fn take(headers: &mut HeaderMap, secret: &MemberSecret) -> Option<Self> {
        // Nearly all requests: they must not cost seven searches.
        if !headers.contains_key(FORWARDED) && !headers.contains_key(SECRET) {
            return None;
        }
        let known = headers.get(SECRET);
        let is_members = known.is_some_and(|given| secret.is(given.as_bytes()));
        let carriage = is_members.then(|| Self::read(headers)).flatten();
        for name in BETWEEN_MEMBERS {
            headers.remove(name);
        }
        carriage
    }

    fn read(headers: &HeaderMap) -> Option<Self> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (node, _term) = text(FORWARDED)?.rsplit_once(' ')?;
        let age = text(AGE).and_then(|age| age.parse().ok()).unwrap_or(0);
        Some(Self {
            node: NodeName::new(node),
            age: Duration::from_millis(age),
            moment: text(MOMENT).and_then(moment_of),
            caller: text(CALLER).and_then(|caller| caller.parse().ok()),
            certificate: headers.get(CERTIFICATE).map(names_of).unwrap_or_default(),
            is_handed_on: headers.contains_key(HANDED_ON),
        })
    }
}

/// Writes a moment as it stands in a header.
pub(super) fn moment_text(moment: LeaderMoment) -> String {
    format!("{} {}", moment.run, moment.millis)
}

/// Reads a moment.
pub(super) fn moment_of(text: &str) -> Option<LeaderMoment> {
    let (run, millis) = text.split_once(' ')?;
    Some(LeaderMoment {
        run: RunId::new(run.parse().ok()?),
        millis: millis.parse().ok()?,
    })
}

/// Writes the names of a certificate; `None` if it has none.
pub(super) fn certificate_text(names: &PeerNames) -> Option<HeaderValue> {
    let names: Vec<&str> = names.patterns().iter().map(|name| name.as_str()).collect();
    let text = serde_json::to_vec(&names).ok()?;
    HeaderValue::from_bytes(&text)
        .ok()
        .filter(|_| !names.is_empty())
}

/// Reads the names of a certificate.
fn names_of(text: &HeaderValue) -> PeerNames {
    let names: Vec<String> = serde_json::from_slice(text.as_bytes()).unwrap_or_default();
    PeerNames::of(names.iter().map(|name| CertificateName::Common(name)))
}

/// Returns a text as the value of a header; empty if it cannot be one.
pub(super) fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(secret: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED, value("b c 7"));
        headers.insert(AGE, value("1500"));
        headers.insert(MOMENT, value("9 -20"));
        headers.insert(CALLER, value("10.0.0.7:5000"));
        let names = PeerNames::of([
            CertificateName::Dns("edge-*"),
            CertificateName::Common("rück"),
        ]);
        headers.insert(CERTIFICATE, certificate_text(&names).unwrap());
        if let Some(secret) = secret {
            headers.insert(SECRET, value(secret));
        }
        headers
    }

    #[test]
    fn the_headers_of_a_member_are_heeded_and_those_of_a_client_removed() {
        let secret = MemberSecret::of_bits(5);
        let mut own = headers(Some(secret.expose()));
        let carriage = Carriage::take(&mut own, &secret);
        let expected = Carriage {
            node: NodeName::new("b c"),
            age: Duration::from_millis(1_500),
            moment: moment_of("9 -20"),
            caller: Some(SocketAddr::from(([10, 0, 0, 7], 5_000))),
            certificate: PeerNames::of([
                CertificateName::Dns("edge-*"),
                CertificateName::Common("rück"),
            ]),
            is_handed_on: false,
        };
        assert_eq!(carriage, Some(expected));
        assert!(own.is_empty());
        for given in [None, Some(""), Some("5")] {
            let mut forged = headers(given);
            assert_eq!(Carriage::take(&mut forged, &secret), None, "{given:?}");
            assert!(forged.is_empty());
        }
        let missing = MemberSecret::default();
        assert_eq!(Carriage::take(&mut headers(Some("")), &missing), None);
    }

    #[test]
    fn a_certificate_without_names_has_no_header() {
        assert_eq!(certificate_text(&PeerNames::default()), None);
        assert_eq!(names_of(&value("edge-7")), PeerNames::default());
    }

    #[test]
    fn a_moment_is_read_as_it_is_written() {
        let moment = moment_of("9 -20").unwrap();
        assert_eq!((moment.run.get(), moment.millis), (9, -20));
        assert_eq!(moment_text(moment), "9 -20");
        for nonsense in ["", "9", "a 1", "1 b", "1 2 3"] {
            assert_eq!(moment_of(nonsense), None, "{nonsense}");
        }
    }
}
