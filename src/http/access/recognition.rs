//! Who calls, and from where.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpMessage, HttpRequest};

use super::cookie::{Channel, session_of};
use super::rules::Access;
use crate::actors::access::CredentialFault;
use crate::domain::access::{Caller, ForwardedHeaders, PeerNames, Via, caller_address};
use crate::http::member_headers::Carriage;
use crate::http::socket::OverTls;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Why a request has no caller.
#[derive(Debug)]
pub(super) enum Unrecognized {
    /// It shows nothing.
    NoCredential,
    /// What it shows does not do.
    Fault(CredentialFault),
    /// A cookie wants to change something, without the header that only a page of this server sends.
    CookieAlone,
}

/// Returns from where a request came; `None` in tests without sockets.
pub(in crate::http) fn via(request: &HttpRequest, access: &Access) -> Option<Via> {
    let carried = request
        .extensions()
        .get::<Carriage>()
        .map(|carriage| carriage.caller);
    // What another orchestrator carries comes from whom that heard it.
    let peer = carried.unwrap_or_else(|| request.peer_addr())?.ip();
    let values = |name: HeaderName| -> Vec<&str> {
        let values = request.headers().get_all(name);
        // A header of other bytes says nothing, and is not as if it were absent.
        values.map(|value| value.to_str().unwrap_or("?")).collect()
    };
    let headers = ForwardedHeaders {
        forwarded: values(header::FORWARDED),
        x_forwarded_for: values(X_FORWARDED_FOR),
        x_forwarded_proto: values(X_FORWARDED_PROTO),
    };
    Some(caller_address(peer, &headers, access.trusted_proxies()))
}

/// Returns what a request came over, to this program or to a proxy that is trusted.
pub(in crate::http) fn channel_of(request: &HttpRequest, access: &Access) -> Channel {
    let is_https = || via(request, access).is_some_and(|via| via.is_https);
    match request.conn_data::<OverTls>().is_some() || is_https() {
        true => Channel::Tls,
        false => Channel::Plain,
    }
}

/// Returns the caller of a request. A credential that is shown has to do: a bad key is not forgiven because of a good
/// cookie, or of the caller's address.
pub(super) fn recognize(request: &HttpRequest, access: &Access) -> Result<Caller, Unrecognized> {
    if !access.keyring().is_in_force() {
        return Ok(Caller::unrestricted());
    }
    if let Some(header) = request.headers().get(header::AUTHORIZATION) {
        let key = header.to_str().ok().and_then(bearer);
        let key = key.ok_or(Unrecognized::Fault(CredentialFault::Malformed))?;
        return access.keyring().check(key).map_err(Unrecognized::Fault);
    }
    if let Some(session) = session_of(request) {
        let session = session.ok_or(Unrecognized::Fault(CredentialFault::NoSession))?;
        let caller = access.keyring().check_session(&session);
        let caller = caller.map_err(Unrecognized::Fault)?;
        let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
        if changes && !request.headers().contains_key(X_REQUESTED_WITH) {
            return Err(Unrecognized::CookieAlone);
        }
        return Ok(caller);
    }
    if let Some(names) = certified(request) {
        return Ok(Caller::by_certificate(&names));
    }
    let is_trusted = |via: Via| {
        let mut networks = access.trusted_networks().iter();
        via.is_certain && networks.any(|network| network.contains(via.address))
    };
    if !access.trusted_networks().is_empty() && via(request, access).is_some_and(is_trusted) {
        return Ok(Caller::from_trusted_network());
    }
    Err(Unrecognized::NoCredential)
}

/// Returns the names of the certificate that a caller showed, here or to the orchestrator that carries its request.
fn certified(request: &HttpRequest) -> Option<PeerNames> {
    let carried = request
        .extensions()
        .get::<Carriage>()
        .map(|carriage| carriage.certificate.clone());
    let names = carried.or_else(|| request.conn_data::<PeerNames>().cloned());
    names.filter(|names| !names.patterns().is_empty())
}

/// Returns the key of an `Authorization` header; the name of its scheme is written in any case.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, key) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The address of a caller that failed, for the throttle. Requests without an address are one caller.
pub(super) fn address_of(request: &HttpRequest, access: &Access) -> IpAddr {
    let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    via(request, access).map_or(unknown, |via| via.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_behind_its_scheme() {
        for (header, key) in [
            ("Bearer ork_x", Some("ork_x")),
            ("bearer  ork_x ", Some("ork_x")),
            ("BEARER ", Some("")),
            ("Bearer", None),
            ("Basic b3Jr", None),
            ("ork_x", None),
        ] {
            assert_eq!(bearer(header), key, "{header}");
        }
    }
}
