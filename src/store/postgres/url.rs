//! What a `postgres://` URL says that the driver does not read.

use super::tls::Verification;
use crate::store::error::StoreError;

/// Returns whether a URL itself sets the keepalive time.
pub(super) fn names_keepalives(url: &str) -> bool {
    let (_, query) = url.split_once('?').unwrap_or_default();
    query
        .split('&')
        .any(|pair| pair.starts_with("keepalives_idle="))
}

/// Splits `sslmode` and `sslrootcert` off a URL.
pub(super) fn take_ssl(url: &str) -> Result<(String, Option<String>, Option<String>), StoreError> {
    let Some((base, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), None, None));
    };
    let (mut ssl_mode, mut root_file) = (None, None);
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", value)) => ssl_mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => root_file = Some(percent_decoded(value)?),
            _ => kept.push(pair),
        }
    }
    let rest = if kept.is_empty() {
        base.to_owned()
    } else {
        format!("{base}?{}", kept.join("&"))
    };
    Ok((rest, ssl_mode, root_file))
}

/// Returns how the server's certificate is verified; `None` if the connection is not encrypted.
pub(super) fn verification<'r>(
    ssl_mode: Option<&str>,
    root_file: Option<&'r str>,
) -> Result<Option<Verification<'r>>, StoreError> {
    match (ssl_mode, root_file) {
        (None | Some("disable" | "allow" | "prefer"), _) => Ok(None),
        (Some("require"), None) => Ok(Some(Verification::None)),
        (Some("require" | "verify-ca"), Some(file)) => Ok(Some(Verification::Issuer(file))),
        (Some("verify-full"), Some(file)) => Ok(Some(Verification::IssuerAndHost(file))),
        (Some(mode @ ("verify-ca" | "verify-full")), None) => Err(unusable(format!(
            "sslmode={mode} needs sslrootcert=FILE in the database URL: the certificates to trust"
        ))),
        (Some(other), _) => Err(unusable(format!(
            "sslmode={other} in the database URL is not known: use disable, require, verify-ca or \
             verify-full"
        ))),
    }
}

/// Decodes `%2F` and its like.
fn percent_decoded(text: &str) -> Result<String, StoreError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes)
        .map_err(|_| unusable("sslrootcert in the database URL is not UTF-8".to_owned()))
}

pub(super) fn unusable(text: String) -> StoreError {
    StoreError::Unusable(text)
}
