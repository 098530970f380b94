//! The sender of a request, once it is known.

use std::sync::Arc;

use super::key::KeyHash;
use super::pattern::ServerIdPattern;
use super::peer_names::PeerNames;
use super::role::Role;
use crate::ids::KeyId;
use crate::time::WallTime;

/// What a caller has shown. Another way to recognize a caller (a certificate) is another value here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing: no key is needed, because `AUTH` is off.
    NotNeeded,
    /// A key.
    Key(KeyId),
    /// A session that was begun with a key.
    Session {
        /// That key.
        key: KeyId,
        /// The hash of the session's secret.
        session: KeyHash,
    },
    /// A certificate, with which its connection began.
    Certificate,
    /// Its address is in a trusted network.
    Network,
}

/// For which `server_id`s a caller may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// For any.
    Any,
    /// For those that one of the patterns allows.
    Only(Arc<[ServerIdPattern]>),
}

impl Scope {
    /// Creates the scope of a key; no pattern allows any `server_id`.
    pub fn of(patterns: &[ServerIdPattern]) -> Self {
        if patterns.is_empty() {
            Self::Any
        } else {
            Self::Only(patterns.into())
        }
    }

    /// Returns whether the caller may act for an instance.
    pub fn allows(&self, server_id: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(patterns) => patterns.iter().any(|pattern| pattern.allows(server_id)),
        }
    }
}

/// The sender of a request. Clones are cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Caller {
    pub role: Role,
    pub credential: Credential,
    /// The name of its key.
    pub name: Option<Arc<str>>,
    pub scope: Scope,
    pub expires_at: Option<WallTime>,
}

impl Caller {
    /// The caller where no key is needed: it may do everything.
    pub const fn unrestricted() -> Self {
        Self {
            role: Role::Admin,
            credential: Credential::NotNeeded,
            name: None,
            scope: Scope::Any,
            expires_at: None,
        }
    }

    /// A caller with a certificate, which is the worker, or the workers, that the certificate names.
    pub fn by_certificate(names: &PeerNames) -> Self {
        let patterns = names.patterns();
        Self {
            role: Role::Worker,
            credential: Credential::Certificate,
            name: patterns.first().map(|name| name.as_str().into()),
            scope: Scope::Only(patterns.clone()),
            expires_at: None,
        }
    }

    /// A caller from a trusted network, which is a worker.
    pub const fn from_trusted_network() -> Self {
        Self {
            role: Role::Worker,
            credential: Credential::Network,
            name: None,
            scope: Scope::Any,
            expires_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_allows_what_one_of_its_patterns_allows() {
        let pattern = |text| ServerIdPattern::parse(text).unwrap();
        let scope = Scope::of(&[pattern("a-*"), pattern("b")]);
        assert!(scope.allows("a-1") && scope.allows("b"));
        assert!(!scope.allows("b1") && !scope.allows("c"));
        assert!(Scope::of(&[]).allows("anything"));
        assert!(Caller::unrestricted().scope.allows("x"));
    }

    #[test]
    fn a_certificate_is_the_key_of_the_workers_that_it_names_and_of_no_other() {
        use crate::access::CertificateName::{Common, Dns};

        let caller = Caller::by_certificate(&PeerNames::of([Dns("edge-*"), Common("b")]));
        assert_eq!(
            (caller.role, caller.name.as_deref()),
            (Role::Worker, Some("edge-*"))
        );
        assert!(caller.scope.allows("edge-7") && caller.scope.allows("b"));
        assert!(!caller.scope.allows("c"));
        // Never "any", as it would be for a key without patterns.
        assert!(
            !Caller::by_certificate(&PeerNames::default())
                .scope
                .allows("b")
        );
    }
}
