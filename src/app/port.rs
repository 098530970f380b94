//! The port that HTTP is served on.
//!
//! The process has it for as long as it is to be reached, whichever of its servers accepts: between two of them
//! connections wait to be accepted. A refused connection would say to the other orchestrators that the process has ended.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use super::start_error::StartError;
use crate::http;

/// A port that is bound until it is dropped and no server listens on it any more.
#[derive(Debug)]
pub(super) struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    /// Binds the port of the settings.
    pub(super) fn bind(address: &str) -> Result<Self, StartError> {
        let (listener, address) = listen(address)?;
        Ok(Self { listener, address })
    }

    /// Returns the address at which it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns a listener for a server. All of them share the connections that wait.
    pub(super) fn listener(&self) -> Result<TcpListener, StartError> {
        let listener = self.listener.try_clone();
        listener.map_err(|reason| StartError::System {
            what: "serve HTTP",
            reason,
        })
    }
}

fn listen(address: &str) -> Result<(TcpListener, SocketAddr), StartError> {
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
