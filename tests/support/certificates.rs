//! Certificates for tests, from authorities of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType, date_time_ymd,
};

const DAY: u64 = 24 * 3_600;

/// An authority.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// What a certificate has. The default: a client's and a server's, valid for a year.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'l> {
    pub common: &'l str,
    pub dns: &'l [&'l str],
    pub uri: &'l [&'l str],
    /// Days from now until it begins and ends.
    pub from: i64,
    pub to: i64,
    pub is_for_clients: bool,
}

impl Default for Leaf<'_> {
    fn default() -> Self {
        Self {
            common: "leaf",
            dns: &[],
            uri: &[],
            from: -1,
            to: 365,
            is_for_clients: true,
        }
    }
}

/// The files of a certificate and its key.
#[derive(Debug, Clone)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a certificate is valid by the clock of the world"
)]
fn days_from_now(days: i64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let days_of_time = Duration::from_secs(days.unsigned_abs() * DAY);
    match days < 0 {
        true => now - days_of_time,
        false => now + days_of_time,
    }
}

fn parameters(common: &str, from: i64, to: i64) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, common);
    let epoch = date_time_ymd(1970, 1, 1);
    parameters.not_before = epoch + days_from_now(from);
    parameters.not_after = epoch + days_from_now(to);
    parameters
}

impl Authority {
    /// An authority that is valid for ten years.
    pub fn new(name: &str) -> Self {
        Self::valid(name, -1, 3_650)
    }

    /// An authority that is valid for these days.
    pub fn valid(name: &str, from: i64, to: i64) -> Self {
        let mut parameters = parameters(name, from, to);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(parameters, key);
        Self { issuer, pem }
    }

    /// Its certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Writes its certificate.
    pub fn write(&self, file: &Path) {
        fs::write(file, &self.pem).unwrap();
    }

    /// A certificate and its key.
    pub fn sign(&self, leaf: Leaf<'_>) -> (String, String) {
        let mut parameters = parameters(leaf.common, leaf.from, leaf.to);
        let purpose = match leaf.is_for_clients {
            true => vec![
                ExtendedKeyUsagePurpose::ClientAuth,
                ExtendedKeyUsagePurpose::ServerAuth,
            ],
            false => vec![ExtendedKeyUsagePurpose::ServerAuth],
        };
        parameters.extended_key_usages = purpose;
        let text = |name: &&str| Ia5String::try_from(*name).unwrap();
        let dns = leaf.dns.iter().map(|name| match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(text(name)),
        });
        let uri = leaf.uri.iter().map(|name| SanType::URI(text(name)));
        parameters.subject_alt_names = dns.chain(uri).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Writes a certificate and its key into a folder, as NAME.pem and NAME-key.pem.
    pub fn issue(&self, folder: &Path, name: &str, leaf: Leaf<'_>) -> Files {
        let files = Files {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}-key.pem")),
        };
        let (certificate, key) = self.sign(leaf);
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
        files
    }

    /// Writes the files of an orchestrator on this machine: server.pem, server-key.pem and ca.pem.
    pub fn serve(&self, folder: &Path) -> Files {
        self.write(&folder.join("ca.pem"));
        let leaf = Leaf {
            common: "orchestrator",
            dns: &["localhost", "127.0.0.1"],
            ..Leaf::default()
        };
        self.issue(folder, "server", leaf)
    }
}
