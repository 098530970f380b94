//! The certificates by which the `https` of other programs is checked.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::tls::{Fault, Identity, Source, now};

/// Where systems keep the certificates that they trust; the first file that is there counts.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Returns how connections are encrypted and checked: by the certificates of this file, or of the system. `options` are
/// the names under which the file is given.
///
/// # Errors
/// Returns one sentence that says what to do.
pub(crate) fn tls(file: Option<&Path>, options: &str) -> Result<TlsConfig, String> {
    tls_as(None, file, options)
}

/// The files by which the own side proves itself, each with the setting that names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallerIdentity<'i> {
    pub(crate) certificate: (&'static str, &'i Path),
    pub(crate) key: (&'static str, &'i Path),
}

/// Returns the same for a caller that proves itself, too.
///
/// # Errors
/// Returns sentences that say what to do.
pub(crate) fn tls_as(
    caller: Option<CallerIdentity<'_>>,
    file: Option<&Path>,
    options: &str,
) -> Result<TlsConfig, String> {
    let system = || {
        let known = SYSTEM.iter().map(Path::new);
        known
            .into_iter()
            .find(|path| path.is_file())
            .ok_or_else(|| {
                format!("the system's certificates were not found; name a PEM file with {options}.")
            })
    };
    let roots = match file {
        Some(named) => certificates(named).map_err(|reason| {
            let named = named.display();
            format!("the file {named} of {options} {reason}.")
        })?,
        None => {
            let file = system()?;
            certificates(file).map_err(|reason| {
                let file = file.display();
                format!(
                    "the file {file} of the system's certificates {reason}; name another PEM file with \
                     {options}."
                )
            })?
        }
    };
    Ok(TlsConfig::builder()
        .client_cert(caller.map(client_cert).transpose()?)
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

fn client_cert(caller: CallerIdentity<'_>) -> Result<ClientCert, String> {
    let source = |(setting, path)| Source { setting, path };
    let (certificate, key) = (source(caller.certificate), source(caller.key));
    let read = Identity::read(certificate, key, now()).map_err(|faults| {
        let sentences = faults.iter().map(|Fault { setting, rule }| {
            let path = match *setting == key.setting {
                true => key.path,
                false => certificate.path,
            };
            format!("{setting} is {}: it {rule}.", path.display())
        });
        sentences.collect::<Vec<_>>().join(" ")
    })?;
    let chain: Vec<Certificate<'static>> = read
        .chain()
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .collect();
    // The client library reads keys in this form only.
    let content = fs::read(key.path).unwrap_or_default();
    match PrivateKey::from_pem(&content) {
        Ok(again) if again.der() == read.key().secret_der() => {
            Ok(ClientCert::new_with_certs(&chain, again))
        }
        _ => Err(format!(
            "{} has changed while it was read; repeat the command.",
            key.path.display()
        )),
    }
}

/// Returns how a connection is encrypted whose other side need not prove itself.
pub(crate) fn unjudged() -> TlsConfig {
    TlsConfig::builder()
        .disable_verification(true)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

fn certificates(file: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let text = fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(format!("is no PEM file: {error}")),
        }
    }
    if found.is_empty() {
        return Err(
            "has no certificate; it must have those that the other program's is signed with"
                .to_owned(),
        );
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let refused = |part: &str| {
            let sentence = tls(Some(&file), "ORCHESTRATOR_CA").unwrap_err();
            assert!(
                sentence.contains("ca.pem") && sentence.contains(part),
                "{sentence}"
            );
        };
        refused("cannot be read");
        fs::write(&file, "not a certificate").unwrap();
        refused("has no certificate");
    }
}
