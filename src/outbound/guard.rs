//! Resolves names, and refuses addresses that may not be called.

use std::io;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::domain::webhook::is_forbidden;

/// A resolver that refuses a name if one of its addresses may not be called.
#[derive(Debug, Default)]
pub(super) struct GuardedResolver {
    inner: DefaultResolver,
    allow_loopback: bool,
}

impl GuardedResolver {
    pub(super) fn new(allow_loopback: bool) -> Self {
        Self {
            inner: DefaultResolver::default(),
            allow_loopback,
        }
    }
}

impl Resolver for GuardedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let mut refused = found.iter().filter_map(|address| {
            let reason = is_forbidden(address.ip(), self.allow_loopback)?;
            Some(format!("its name leads to {}, {reason}", address.ip()))
        });
        match refused.next() {
            Some(reason) => Err(Error::Io(io::Error::new(
                io::ErrorKind::PermissionDenied,
                reason,
            ))),
            None => Ok(found),
        }
    }
}
