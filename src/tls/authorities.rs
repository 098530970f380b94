//! Authorities that sign the certificates of clients, or of other orchestrators.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;

use super::facts::Facts;
use super::identity::provider;
use super::pem;
use crate::domain::time::WallTime;

/// Certificates of authorities, at least one of which is valid when they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authorities(Vec<Authority>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Authority {
    certificate: CertificateDer<'static>,
    facts: Facts,
}

impl Authorities {
    /// Reads the certificates of a file.
    ///
    /// # Errors
    /// Returns the rule that the file breaks.
    pub(super) fn read(path: &Path, now: WallTime) -> Result<Self, String> {
        let mut authorities = Vec::new();
        for certificate in pem::certificates(&pem::read(path)?)? {
            let facts = Facts::of(&certificate)?;
            if !facts.is_authority {
                let subject = &facts.subject;
                return Err(format!(
                    "names a certificate `{subject}` that is none of an authority (basicConstraints \
                     CA:TRUE)"
                ));
            }
            authorities.push(Authority { certificate, facts });
        }
        let read = Self(authorities);
        let first = read.0.first().map(|authority| &authority.facts);
        match (read.judge(now), first) {
            (None, Some(facts)) => {
                facts.check_validity(now)?;
                Err(format!(
                    "names a certificate `{}` of an authority that cannot be used",
                    facts.subject
                ))
            }
            _ => Ok(read),
        }
    }

    /// Returns the judge by the authorities that are valid at a moment; `None` if there are none.
    pub(super) fn judge(&self, now: WallTime) -> Option<Arc<dyn ClientCertVerifier>> {
        let roots = Arc::new(self.valid(now));
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
            // A client without a certificate may have a key instead.
            .allow_unauthenticated()
            .build();
        verifier.ok()
    }

    /// Returns those that are valid at a moment.
    pub(super) fn valid(&self, now: WallTime) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        for authority in self.0.iter().filter(|authority| is_valid(authority, now)) {
            // One that cannot be used admits no client.
            let _ = roots.add(authority.certificate.clone());
        }
        roots
    }

    /// Returns the next moment at which one of them begins or ends to be valid.
    pub(super) fn next_change(&self, now: WallTime) -> Option<WallTime> {
        let moments = self.0.iter().flat_map(|Authority { facts, .. }| {
            // Valid up to and including its last moment.
            [facts.not_before, facts.not_after + Duration::from_micros(1)]
        });
        moments.filter(|moment| *moment > now).min()
    }

    /// Returns a remark for each authority that admits no client, as the end of a sentence that begins with the
    /// setting.
    pub(super) fn remarks(&self, now: WallTime) -> Vec<String> {
        let over = self.0.iter().filter(|authority| !is_valid(authority, now));
        let remarks = over.map(|Authority { facts, .. }| {
            format!(
                "names a certificate `{}` that is valid from {} to {} only, and admits no client now",
                facts.subject, facts.not_before, facts.not_after
            )
        });
        remarks.collect()
    }

    /// Returns the subject and the end of the certificate that ends first; those that have ended are reported
    /// at the start.
    pub(super) fn first_end(&self) -> Option<(&str, WallTime)> {
        let first = self.0.iter().min_by_key(|one| one.facts.not_after)?;
        Some((&first.facts.subject, first.facts.not_after))
    }
}

fn is_valid(authority: &Authority, now: WallTime) -> bool {
    authority.facts.check_validity(now).is_ok()
}
