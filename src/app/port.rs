//! The port that HTTP is served on.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use super::start_error::StartError;
use crate::http;

pub(super) fn listen(address: &str) -> Result<(TcpListener, SocketAddr), StartError> {
    let refuse = |error: std::io::Error| {
        let reason = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "the port is in use; is another orchestrator running? Set BIND_ADDRESS to another \
                 one"
                .to_owned()
            }
            _ => error.to_string(),
        };
        StartError::Address {
            address: address.to_owned(),
            reason,
        }
    };
    let mut resolved = address.to_socket_addrs().map_err(refuse)?;
    let first = resolved
        .next()
        .ok_or_else(|| refuse(std::io::Error::other("the name has no address")))?;
    // A name can have several addresses; the first that can be bound is taken.
    let listener = resolved
        .fold(http::bind(first), |bound, next| {
            bound.or_else(|_| http::bind(next))
        })
        .map_err(refuse)?;
    let bound = listener.local_addr().map_err(refuse)?;
    Ok((listener, bound))
}
