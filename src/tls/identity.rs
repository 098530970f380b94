//! A certificate with its key: what a server or a client proves itself with.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::facts::Facts;
use super::pem;
use crate::domain::time::WallTime;

/// The setting that names a file, and the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'s> {
    pub(crate) setting: &'static str,
    pub(crate) path: &'s Path,
}

/// A file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The setting that names it.
    pub setting: &'static str,
    /// The rule that it breaks, as the end of a sentence that begins with the setting.
    pub rule: String,
}

impl Source<'_> {
    /// Returns the fault of this file.
    pub(super) fn fault(&self, rule: String) -> Fault {
        Fault {
            setting: self.setting,
            rule,
        }
    }
}

/// A certificate with those that lead to its authority, and its key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
    /// What stands in each certificate of the chain.
    facts: Vec<Facts>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subjects = self.facts.iter().map(|facts| &facts.subject);
        f.debug_tuple("Identity")
            .field(&subjects.collect::<Vec<_>>())
            .finish()
    }
}

impl Identity {
    /// Reads certificate and key. Both are read, so that a fault of one does not hide one of the other.
    ///
    /// # Errors
    /// Returns every fault.
    pub(crate) fn read(
        certificate: Source<'_>,
        key: Source<'_>,
        now: WallTime,
    ) -> Result<Self, Vec<Fault>> {
        let chain = chain(certificate.path, now).map_err(|rule| certificate.fault(rule));
        let read_key = pem::read(key.path).and_then(|content| pem::private_key(&content));
        let read_key = read_key.map_err(|rule| key.fault(rule));
        let ((chain, facts), read_key) = match (chain, read_key) {
            (Ok(chain), Ok(key)) => (chain, key),
            (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
        };
        let identity = Self {
            chain,
            key: Arc::new(read_key),
            facts,
        };
        let rule = match identity.certified() {
            Ok(_) => return Ok(identity),
            Err(Error::InvalidCertificate(_)) => {
                let rule = "names a certificate that cannot be read".to_owned();
                return Err(vec![certificate.fault(rule)]);
            }
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => format!(
                "names a key that is not the one of the certificate in {} ({})",
                certificate.setting,
                certificate.path.display()
            ),
            // The texts of these errors have nothing of the key.
            Err(_) => {
                "names a key of a kind that is not supported; ECDSA (P-256, P-384), Ed25519 and \
                       RSA from 2048 bits are"
                    .to_owned()
            }
        };
        Err(vec![key.fault(rule)])
    }

    /// Returns the form in which the TLS library uses it.
    pub(super) fn certified(&self) -> Result<CertifiedKey, Error> {
        let provider = provider();
        CertifiedKey::from_der(self.chain.clone(), self.key.clone_key(), &provider)
    }

    /// Returns the subject and the end of the certificate of the chain that ends first.
    pub(super) fn first_end(&self) -> Option<(&str, WallTime)> {
        let first = self.facts.iter().min_by_key(|facts| facts.not_after)?;
        Some((&first.subject, first.not_after))
    }

    /// Returns the certificates, the own one first.
    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Returns the key.
    pub(crate) fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }
}

/// Returns the algorithms, which are named each time: what a build enables elsewhere must not decide.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

type Chain = (Vec<CertificateDer<'static>>, Vec<Facts>);

fn chain(path: &Path, now: WallTime) -> Result<Chain, String> {
    let chain = pem::certificates(&pem::read(path)?)?;
    let facts: Result<Vec<Facts>, String> = chain.iter().map(|der| Facts::of(der)).collect();
    let facts = facts?;
    for one in &facts {
        one.check_validity(now)?;
    }
    Ok((chain, facts))
}
