//! Which instances a client certificate names.
//!
//! | in the certificate | names |
//! | --- | --- |
//! | subject alternative name, DNS: `edge-7` | the instance `edge-7` |
//! | subject alternative name, URI: `spiffe://fleet.example/worker/edge-7` or `urn:worker:edge-7` | the instance `edge-7`: the part behind the last `/` or `:`, percent-decoded |
//! | subject, common name: `edge-7` | the instance `edge-7` |
//!
//! Each name may be a pattern, in which `*` stands for any characters, also for none. All other characters,
//! upper and lower case included, must be equal. A certificate has a name for each entry, and names an
//! instance if one of them does; the authority that signed it answers for all of them.

use std::sync::Arc;

use super::pattern::ServerIdPattern;

/// A name as it stands in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateName<'c> {
    /// The subject's common name.
    Common(&'c str),
    /// An alternative name that is a DNS name.
    Dns(&'c str),
    /// An alternative name that is a URI.
    Uri(&'c str),
}

/// More names are left out: a comparison of all of them must stay cheap.
const MAX_NAMES: usize = 100;

/// The names of a client certificate that was verified. A connection without one has no such value. Clones are cheap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerNames(Arc<[ServerIdPattern]>);

impl PeerNames {
    /// Returns the names of a certificate, in its order, each once. What can be no `server_id` names nothing.
    pub fn of<'c>(names: impl IntoIterator<Item = CertificateName<'c>>) -> Self {
        let mut patterns: Vec<ServerIdPattern> = Vec::new();
        for name in names {
            let text = match name {
                CertificateName::Common(text) | CertificateName::Dns(text) => Some(text.to_owned()),
                CertificateName::Uri(uri) => last_segment(uri),
            };
            let pattern = text.and_then(|text| ServerIdPattern::parse(&text).ok());
            if let Some(pattern) = pattern
                && patterns.len() < MAX_NAMES
                && !patterns.contains(&pattern)
            {
                patterns.push(pattern);
            }
        }
        Self(patterns.into())
    }

    /// Returns the names as patterns; none if the certificate names no instance.
    pub fn patterns(&self) -> &Arc<[ServerIdPattern]> {
        &self.0
    }
}

/// Returns the part of a URI that names an instance.
fn last_segment(uri: &str) -> Option<String> {
    let uri = uri.split(['?', '#']).next().unwrap_or_default();
    let path = match uri.split_once("://") {
        // The authority is the name of a domain, of no instance.
        Some((_, rest)) => rest.split_once('/')?.1,
        None => uri.split_once(':')?.1,
    };
    decoded(path.rsplit(['/', ':']).next().unwrap_or_default())
}

/// Returns a percent-decoded text. A `*` that was encoded is no pattern, and could not be told from one.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let byte = u8::try_from(digit()? * 16 + digit()?).ok()?;
        if byte == b'*' {
            return None;
        }
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::CertificateName::{Common, Dns, Uri};
    use super::*;

    fn name(names: &PeerNames, server_id: &str) -> bool {
        let mut patterns = names.patterns().iter();
        patterns.any(|pattern| pattern.allows(server_id))
    }

    #[test]
    fn a_certificate_names_the_instances_of_its_entries() {
        for (entry, named, not_named) in [
            (Common("edge-7"), "edge-7", "edge-70"),
            (Common("edge 7"), "edge 7", "edge-7"),
            (Dns("edge-7"), "edge-7", "Edge-7"),
            (Dns("edge-*"), "edge-7", "edge"),
            (Dns("edge-*"), "edge-", "an edge-7"),
            (Dns("*.racks.example"), "a.b.racks.example", "racks.example"),
            (Dns("*"), "anything", ""),
            (Dns("a*b*c"), "a-b-b-c", "a-c-b"),
            (
                Uri("spiffe://fleet.example/worker/edge-7"),
                "edge-7",
                "worker",
            ),
            (
                Uri("spiffe://fleet.example/edge-*"),
                "edge-7",
                "fleet.example",
            ),
            (Uri("urn:worker:edge-7"), "edge-7", "worker:edge-7"),
            (Uri("https://a/edge%207?x=1#y"), "edge 7", "edge%207"),
        ] {
            let names = PeerNames::of([entry]);
            assert!(name(&names, named), "{entry:?} {named}");
            if !not_named.is_empty() {
                assert!(!name(&names, not_named), "{entry:?} {not_named}");
            }
        }
    }

    #[test]
    fn an_entry_without_a_name_names_nothing() {
        let entries = [
            Common(""),
            Dns(""),
            Uri("https://edge-7"),
            Uri("https://edge-7/"),
            Uri("edge-7"),
            Uri("urn:worker:"),
            Uri("urn:worker:edge%2"),
            Uri("urn:worker:edge%ff"),
            Uri("urn:worker:%2a"),
        ];
        for entry in entries {
            let names = PeerNames::of([entry]);
            assert_eq!(names, PeerNames::default(), "{entry:?}");
        }
        let long = "x".repeat(129);
        assert!(!name(&PeerNames::of([Dns(&long)]), &long));
        assert!(!name(&PeerNames::default(), "edge-7"));
        assert!(!name(&PeerNames::default(), ""));
    }

    #[test]
    fn entries_add_up_and_are_kept_once() {
        let many: Vec<String> = (0..200).map(|number| format!("w{number}")).collect();
        let names = PeerNames::of([Dns("a"), Common("a"), Uri("urn:b")]);
        let texts = names.patterns().iter().map(ServerIdPattern::as_str);
        assert_eq!(texts.collect::<Vec<_>>(), ["a", "b"]);
        assert!(name(&names, "a") && name(&names, "b") && !name(&names, "c"));
        let names = PeerNames::of(many.iter().map(|name| Dns(name)));
        assert_eq!(names.patterns().len(), MAX_NAMES);
    }
}
