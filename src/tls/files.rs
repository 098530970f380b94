//! The files of a server: what the settings name, and what was read of them.

use std::path::PathBuf;

use rustls_pki_types::UnixTime;
use sha2::{Digest, Sha256};

use super::authorities::Authorities;
use super::identity::{Identity, Source};
use super::pem;
use crate::domain::certificate::{CertificateUse, Expiry};
use crate::domain::time::WallTime;

pub use super::identity::Fault;

/// The settings that name files.
pub(crate) const TLS_CERT: &str = "TLS_CERT";
pub(crate) const TLS_KEY: &str = "TLS_KEY";
pub(crate) const TLS_CLIENT_CA: &str = "TLS_CLIENT_CA";
pub(crate) const TLS_CLUSTER_CA: &str = "TLS_CLUSTER_CA";

/// The files that the settings name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ServerFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// The authorities of client certificates; none: no client is asked for one.
    pub client_ca: Option<PathBuf>,
    /// The authorities of other orchestrators; none: they show the same certificate.
    pub members_ca: Option<PathBuf>,
}

/// What a server proves itself with, and checks its clients by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    files: ServerFiles,
    pub(super) identity: Identity,
    pub(super) authorities: Option<Authorities>,
    pub(super) members: Option<Authorities>,
    content: Content,
}

/// What stands in the files, as a digest: equal if nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content([u8; 32]);

impl ServerFiles {
    /// Reads the files and judges what stands in them.
    ///
    /// # Errors
    /// Returns every fault.
    pub fn read(&self) -> Result<ServerTls, Vec<Fault>> {
        // The digest first: what changes meanwhile is found to have changed.
        let content = self.content();
        let now = now();
        let certificate = source(TLS_CERT, &self.certificate);
        let identity = Identity::read(certificate, source(TLS_KEY, &self.key), now);
        let authorities_of = |setting, path: &Option<PathBuf>| {
            let read = path.as_ref().map(|path| {
                let read = Authorities::read(path, now);
                read.map_err(|rule| source(setting, path).fault(rule))
            });
            read.transpose()
        };
        let authorities = authorities_of(TLS_CLIENT_CA, &self.client_ca);
        let members = authorities_of(TLS_CLUSTER_CA, &self.members_ca);
        match (identity, authorities, members) {
            (Ok(identity), Ok(authorities), Ok(members)) => Ok(ServerTls {
                files: self.clone(),
                identity,
                authorities,
                members,
                content,
            }),
            (identity, authorities, members) => {
                let mut faults = identity.err().unwrap_or_default();
                faults.extend(authorities.err());
                faults.extend(members.err());
                Err(faults)
            }
        }
    }

    /// Returns the digest of what stands in the files now; one that cannot be read has its reason instead.
    pub(crate) fn content(&self) -> Content {
        let mut digest = Sha256::new();
        let files = [&self.certificate, &self.key];
        let authorities = [&self.client_ca, &self.members_ca].into_iter().flatten();
        for path in files.into_iter().chain(authorities) {
            let content = pem::read(path).unwrap_or_else(String::into_bytes);
            digest.update(content.len().to_be_bytes());
            digest.update(content);
        }
        Content(digest.finalize().into())
    }
}

impl ServerTls {
    /// Returns the files that were read.
    pub(crate) fn files(&self) -> &ServerFiles {
        &self.files
    }

    /// Returns what stood in them.
    pub(crate) fn content(&self) -> Content {
        self.content
    }

    /// Returns remarks about TLS_CLIENT_CA, each as the end of a sentence that begins with the setting.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let authorities = self.authorities.as_ref();
        authorities.map_or_else(Vec::new, |authorities| authorities.remarks(now()))
    }

    /// Returns the settings whose files have another content than `other`.
    pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let differences = [
            (TLS_CERT, self.identity.chain() != other.identity.chain()),
            (TLS_KEY, self.identity.key() != other.identity.key()),
            (TLS_CLIENT_CA, self.authorities != other.authorities),
            (TLS_CLUSTER_CA, self.members != other.members),
        ];
        let differences = differences.into_iter().filter(|(_, differs)| *differs);
        differences.map(|(setting, _)| setting).collect()
    }

    /// Returns a line for each kind of certificate, with the one that ends first.
    pub(crate) fn described(&self) -> Vec<String> {
        let lines = self.expiries().into_iter().map(|expiry| {
            let Expiry {
                of,
                subject,
                not_after,
            } = expiry;
            let setting = of.as_str();
            format!("{setting} is in force: certificate `{subject}`, valid until {not_after}")
        });
        lines.collect()
    }

    /// Returns when the certificates end: of each use the one that ends first.
    pub fn expiries(&self) -> Vec<Expiry> {
        let expiry = |of, (subject, not_after): (&str, WallTime)| Expiry {
            of,
            subject: subject.to_owned(),
            not_after,
        };
        let server = self.identity.first_end();
        let server = server.map(|end| expiry(CertificateUse::Server, end));
        let authorities = self.authorities.as_ref().and_then(Authorities::first_end);
        let authorities = authorities.map(|end| expiry(CertificateUse::ClientAuthority, end));
        server.into_iter().chain(authorities).collect()
    }
}

fn source<'s>(setting: &'static str, path: &'s PathBuf) -> Source<'s> {
    Source { setting, path }
}

/// Returns the world's time, which certificates go by.
pub(crate) fn now() -> WallTime {
    moment(UnixTime::now())
}

/// Returns a moment as the TLS library has it.
pub(super) fn moment(time: UnixTime) -> WallTime {
    let micros = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    WallTime::from_micros(micros.saturating_mul(1_000_000))
}
