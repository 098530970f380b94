//! TLS with the orchestrator: the files, and what is made of them.
//!
//! ```text
//!   files ──read──▶ a client ──used──┐
//!     ▲               ▲              │ before each request
//!     └── changed ────┴── as before ─┘
//! ```
//!
//! A worker lives longer than a certificate. So before each request the library looks whether a file has changed. If
//! one has, the files are read again. A fault is the error of the requests, and the orchestrator stays out of reach
//! until the files can be used: with the certificate before, a worker would go on for a while and then lose its
//! streams without a sign.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// The variables of the environment, the same as those of the command line.
const CA: &str = "ORCHESTRATOR_CA";
const CLIENT_CERT: &str = "ORCHESTRATOR_CLIENT_CERT";
const CLIENT_KEY: &str = "ORCHESTRATOR_CLIENT_KEY";

/// Where systems keep the certificates that they trust; the first file that is there counts.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The PEM files by which worker and orchestrator prove themselves to each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificates by which the orchestrator is checked; none: those of the system.
    pub ca: Option<PathBuf>,
    /// The worker's certificate, which names its `server_id`, with those that lead to its authority.
    pub certificate: Option<PathBuf>,
    /// The private key of that certificate, without a password.
    pub key: Option<PathBuf>,
}

impl TlsFiles {
    /// Reads the names of the files from the environment: `ORCHESTRATOR_CA`, `ORCHESTRATOR_CLIENT_CERT` and
    /// `ORCHESTRATOR_CLIENT_KEY`.
    pub fn from_env() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the author of a worker asks for it; the library has no settings of its own"
        )]
        let file = |name| std::env::var_os(name).map(PathBuf::from);
        Self {
            ca: file(CA),
            certificate: file(CLIENT_CERT),
            key: file(CLIENT_KEY),
        }
    }

    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.ca, &self.certificate, &self.key]
            .into_iter()
            .flatten()
    }

    /// Returns what can be seen of the files without reading them.
    fn stamps(&self) -> Vec<Option<(u64, SystemTime)>> {
        let stamp = |path: &PathBuf| {
            let seen = fs::metadata(path).ok()?;
            Some((seen.len(), seen.modified().ok()?))
        };
        self.all().map(stamp).collect()
    }

    fn config(&self) -> Result<TlsConfig, String> {
        let system = || SYSTEM.iter().map(Path::new).find(|path| path.is_file());
        let roots = match (&self.ca, system()) {
            (Some(file), _) => certificates(file)?,
            (None, Some(file)) => certificates(file)?,
            (None, None) => {
                return Err("the system's certificates were not found: name a file (ca)".to_owned());
            }
        };
        let own = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some(own(certificate, key)?),
            (None, None) => None,
            (Some(_), None) => {
                return Err("the certificate has no key: set both, or none".to_owned());
            }
            (None, Some(_)) => {
                return Err("the key has no certificate: set both, or none".to_owned());
            }
        };
        Ok(TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&shown(&roots)))
            .client_cert(own)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build())
    }
}

/// Something that is made from files, and made anew once they have changed.
#[derive(Debug)]
pub(super) struct Watched<T> {
    files: Option<TlsFiles>,
    made: Mutex<Option<Made<T>>>,
}

#[derive(Debug)]
struct Made<T> {
    from: Vec<Option<(u64, SystemTime)>>,
    result: Result<T, String>,
}

impl<T: Clone> Watched<T> {
    pub(super) fn new(files: Option<TlsFiles>) -> Self {
        Self {
            files,
            made: Mutex::default(),
        }
    }

    /// Returns it, made anew if that is due.
    ///
    /// # Errors
    /// Returns what is wrong with the files, without their content.
    pub(super) fn get(&self, make: impl FnOnce(Option<TlsConfig>) -> T) -> Result<T, String> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = self
            .files
            .as_ref()
            .map(TlsFiles::stamps)
            .unwrap_or_default();
        if let Some(made) = made.as_ref().filter(|made| made.from == stamps) {
            return made.result.clone();
        }
        let config = self.files.as_ref().map(TlsFiles::config).transpose();
        let result = config.map(make);
        *made = Some(Made {
            from: stamps,
            result: result.clone(),
        });
        result
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("the file {} cannot be read: {error}", file.display()))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(format!(
            "the file {} has no certificate in PEM form",
            file.display()
        )),
    }
}

fn shown(certificates: &[CertificateDer<'_>]) -> Vec<Certificate<'static>> {
    let certificates = certificates.iter();
    certificates
        .map(|der| Certificate::from_der(der).to_owned())
        .collect()
}

/// Reads a certificate and its key, and checks that they belong together.
fn own(certificate: &Path, key: &Path) -> Result<ClientCert, String> {
    let chain = certificates(certificate)?;
    let content = read(key)?;
    let unusable = || {
        format!(
            "the file {} has no private key in PEM form, or one that a password protects",
            key.display()
        )
    };
    let der = PrivateKeyDer::from_pem_slice(&content).map_err(|_| unusable())?;
    CertifiedKey::from_der(chain.clone(), der, &ring::default_provider()).map_err(|_| {
        format!(
            "the key in {} is not the one of the certificate in {}",
            key.display(),
            certificate.display()
        )
    })?;
    let key = PrivateKey::from_pem(&content).map_err(|_| unusable())?;
    Ok(ClientCert::new_with_certs(&shown(&chain), key))
}
