//! The files of TLS: all that belong together, or none.

use std::path::PathBuf;

use crate::tls::{Fault, ServerFiles, ServerTls, TLS_CERT, TLS_CLIENT_CA, TLS_CLUSTER_CA, TLS_KEY};

/// The word for "no file".
pub(super) const NONE: &str = "none";

/// Reads the files that the settings name; `None` if TLS is not spoken.
///
/// # Errors
/// Returns every fault: a file that is missing beside another, and those that cannot be used.
pub(super) fn read(
    certificate: Option<String>,
    key: Option<String>,
    client_ca: Option<String>,
    members_ca: Option<String>,
) -> Result<Option<ServerTls>, Vec<Fault>> {
    let missing = |setting, rule: &str| {
        let rule = rule.to_owned();
        Err(vec![Fault { setting, rule }])
    };
    let client_ca = client_ca.map(PathBuf::from);
    let members_ca = members_ca.map(PathBuf::from);
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let files = ServerFiles {
                certificate: certificate.into(),
                key: key.into(),
                client_ca,
                members_ca,
            };
            files.read().map(Some)
        }
        (Some(_), None) => missing(
            TLS_KEY,
            "must name the file with the private key of the certificate in TLS_CERT",
        ),
        (None, Some(_)) => missing(
            TLS_CERT,
            "must name the file with the certificate of the key in TLS_KEY",
        ),
        (None, None) if client_ca.is_some() => missing(
            TLS_CLIENT_CA,
            "has a use only if TLS is spoken: set TLS_CERT and TLS_KEY, too",
        ),
        (None, None) if members_ca.is_some() => missing(
            TLS_CLUSTER_CA,
            "has a use only if TLS is spoken: set TLS_CERT and TLS_KEY, too",
        ),
        (None, None) => Ok(None),
    }
}

/// Returns whether a text may be a key that was given in place of its file: a long one, and none of a path.
pub(super) fn may_be_a_key(text: &str) -> bool {
    text.len() >= 32 && !text.starts_with(['/', '.', '~']) && !text.contains('.')
}
