//! How the orchestrators of one database check each other's certificates.
//!
//! | the other one shows | it is accepted |
//! | --- | --- |
//! | the certificate in `TLS_CERT` of this one | whatever names are in it: who shows it has its key |
//! | another certificate | if an authority in `TLS_CLUSTER_CA` signed it, for the host in the other one's `CLUSTER_PUBLIC_URL` |
//!
//! Both are read at each handshake, so a change holds from the next connection on.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::authorities::Authorities;
use super::files::{ServerTls, moment};
use super::identity::provider;

/// What the certificates of other orchestrators are checked by.
#[derive(Debug, Clone)]
struct Accepted {
    own: Option<CertificateDer<'static>>,
    authorities: Option<Authorities>,
}

/// The one in force.
#[derive(Debug)]
pub(super) struct MembersInForce {
    current: RwLock<Accepted>,
    provider: Arc<CryptoProvider>,
}

impl Accepted {
    fn of(read: &ServerTls) -> Self {
        Self {
            own: read.identity.chain().first().cloned(),
            authorities: read.members.clone(),
        }
    }
}

impl MembersInForce {
    /// Puts into force what was read.
    pub(super) fn new(read: &ServerTls) -> Self {
        Self {
            current: RwLock::new(Accepted::of(read)),
            provider: provider(),
        }
    }

    /// Replaces what is in force.
    pub(super) fn replace(&self, read: &ServerTls) {
        let current = self.current.write();
        *current.unwrap_or_else(PoisonError::into_inner) = Accepted::of(read);
    }

    /// Returns how another orchestrator is called.
    ///
    /// # Errors
    /// Returns the reason if the TLS library refuses it.
    pub(super) fn config(self: &Arc<Self>) -> Result<ClientConfig, Error> {
        let config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(self.clone())
            .with_no_client_auth();
        Ok(config)
    }

    fn accepted(&self) -> Accepted {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for MembersInForce {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let accepted = self.accepted();
        if accepted.own.as_ref() == Some(end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        let roots = accepted
            .authorities
            .map(|authorities| authorities.valid(moment(now)))
            .filter(|roots| !roots.is_empty())
            .ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let judge =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
                .build()
                .map_err(|error| Error::General(error.to_string()))?;
        judge.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;
    use crate::tls::ServerFiles;

    struct Authority {
        issuer: Issuer<'static, KeyPair>,
        pem: String,
    }

    impl Authority {
        fn new() -> Self {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let pem = params.self_signed(&key).unwrap().pem();
            let issuer = Issuer::new(params, key);
            Self { issuer, pem }
        }

        fn sign(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            (params.signed_by(&key, &self.issuer).unwrap(), key)
        }
    }

    fn read(
        folder: &Path,
        own: &(rcgen::Certificate, KeyPair),
        authority: Option<&str>,
    ) -> ServerTls {
        let at = |name: &str| folder.join(name);
        fs::write(at("cert.pem"), own.0.pem()).unwrap();
        fs::write(at("key.pem"), own.1.serialize_pem()).unwrap();
        fs::write(at("ca.pem"), authority.unwrap_or_default()).unwrap();
        let files = ServerFiles {
            certificate: at("cert.pem"),
            key: at("key.pem"),
            client_ca: None,
            members_ca: authority.map(|_| at("ca.pem")),
        };
        files.read().unwrap()
    }

    #[test]
    fn the_own_certificate_is_accepted_and_others_by_authority_and_name() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, foreign) = (Authority::new(), Authority::new());
        let own = ours.sign("a.example");
        let other = ours.sign("b.example");
        let stranger = foreign.sign("b.example");
        let accepts = |members: &MembersInForce, shown: &rcgen::Certificate, name: &str| {
            let name = ServerName::try_from(name.to_owned()).unwrap();
            let verdict = members.verify_server_cert(shown.der(), &[], &name, &[], UnixTime::now());
            verdict.is_ok()
        };
        let members = MembersInForce::new(&read(folder.path(), &own, None));
        assert!(accepts(&members, &own.0, "whatever.example"));
        assert!(!accepts(&members, &other.0, "b.example"), "no authority");
        members.replace(&read(folder.path(), &own, Some(&ours.pem)));
        assert!(accepts(&members, &other.0, "b.example"));
        assert!(!accepts(&members, &other.0, "c.example"), "another name");
        assert!(!accepts(&members, &stranger.0, "b.example"));
        members.replace(&read(folder.path(), &other, Some(&foreign.pem)));
        assert!(accepts(&members, &stranger.0, "b.example"));
        assert!(!accepts(&members, &own.0, "a.example"), "replaced");
    }
}
