//! The key, the certificate and the authorities in force. They are replaced while connections are open.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::authorities::Authorities;
use super::facts::Facts;
use super::files::{ServerTls, moment, now};
use super::identity::provider;
use super::members::MembersInForce;
use crate::domain::access::PeerNames;
use crate::domain::certificate::Expiry;
use crate::domain::time::WallTime;

/// The protocol that is spoken inside.
const HTTP_1_1: &[u8] = b"http/1.1";

/// What is in force. Clones are the same.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    key: Arc<KeyInForce>,
    clients: Arc<ClientsInForce>,
    members: Arc<MembersInForce>,
    /// How other orchestrators are called.
    calls: Arc<ClientConfig>,
    expiries: Arc<RwLock<Vec<Expiry>>>,
}

#[derive(Debug)]
struct KeyInForce(RwLock<Arc<CertifiedKey>>);

/// The authorities in force. The number grows with each change of what they admit.
#[derive(Debug)]
struct Clients {
    number: u64,
    authorities: Option<Authorities>,
    judge: Option<Arc<dyn ClientCertVerifier>>,
    /// When one of them begins or ends to be valid.
    until: Option<WallTime>,
}

#[derive(Debug)]
struct ClientsInForce {
    current: RwLock<Arc<Clients>>,
    provider: Arc<CryptoProvider>,
}

/// A client certificate that was admitted, and by which authorities.
#[derive(Debug)]
pub(crate) struct Admission {
    /// The authorities that admitted it last.
    number: u64,
    /// Whether it was refused once: it is not asked for again.
    is_over: bool,
    chain: Vec<CertificateDer<'static>>,
    not_after: WallTime,
    names: PeerNames,
}

impl Tls {
    /// Puts into force what was read.
    ///
    /// # Errors
    /// Returns the reason if the TLS library refuses it.
    pub fn new(read: &ServerTls) -> Result<Self, Error> {
        let provider = provider();
        let key = Arc::new(KeyInForce(RwLock::new(Arc::new(
            read.identity.certified()?,
        ))));
        let clients = Arc::new(ClientsInForce {
            current: RwLock::new(Arc::new(Clients::of(1, read.authorities.clone(), now()))),
            provider: provider.clone(),
        });
        let members = Arc::new(MembersInForce::new(read));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(clients.clone())
            .with_cert_resolver(key.clone());
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        // A session that is resumed shows no certificate, and would outlive its authority.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(Self {
            config: Arc::new(config),
            key,
            clients,
            calls: Arc::new(members.config()?),
            members,
            expiries: Arc::new(RwLock::new(read.expiries())),
        })
    }

    /// Replaces what is in force. Connections go on, except those that the new authorities do not admit.
    ///
    /// # Errors
    /// Returns the reason if the TLS library refuses it; nothing has changed then.
    pub fn put_in_force(&self, read: &ServerTls) -> Result<(), Error> {
        let key = Arc::new(read.identity.certified()?);
        let replaced = self.key.0.write();
        *replaced.unwrap_or_else(PoisonError::into_inner) = key;
        self.clients.replace(read.authorities.clone());
        self.members.replace(read);
        let shown = self.expiries.write();
        *shown.unwrap_or_else(PoisonError::into_inner) = read.expiries();
        Ok(())
    }

    /// Returns when the certificates in force end.
    pub fn expiries(&self) -> Vec<Expiry> {
        let shown = self.expiries.read();
        shown.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns how connections are accepted.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// Returns how another orchestrator of the same database is called.
    pub(crate) fn calls(&self) -> &ClientConfig {
        &self.calls
    }

    /// Returns the number of the authorities in force. A connection takes it before its handshake: if they are
    /// replaced meanwhile, its certificate is judged once more.
    pub(crate) fn number(&self) -> u64 {
        self.clients.current(now()).number
    }

    /// Returns the admission of a client that showed a certificate, which was verified during the handshake.
    ///
    /// # Errors
    /// Returns the reason if the certificate cannot be read.
    pub(crate) fn admission(
        &self,
        number: u64,
        chain: &[CertificateDer<'_>],
    ) -> Result<Admission, String> {
        let own = chain.first().ok_or("it showed no certificate")?;
        let facts = Facts::of(own)?;
        Ok(Admission {
            number,
            is_over: false,
            chain: chain.iter().map(|one| one.clone().into_owned()).collect(),
            not_after: facts.not_after,
            names: facts.names,
        })
    }

    /// Returns whether a client is still admitted. If the authorities have changed, its certificate is judged
    /// again. A client that is refused once stays refused.
    pub(crate) fn admits(&self, admission: &mut Admission) -> bool {
        admission.is_over = admission.is_over || !self.is_admitted(admission);
        !admission.is_over
    }

    fn is_admitted(&self, admission: &mut Admission) -> bool {
        let time = UnixTime::now();
        let now = moment(time);
        if admission.not_after <= now {
            return false;
        }
        let current = self.clients.current(now);
        if current.number == admission.number {
            return true;
        }
        let (Some(judge), Some((own, others))) = (&current.judge, admission.chain.split_first())
        else {
            return false;
        };
        admission.number = current.number;
        let verdict = judge.verify_client_cert(own, others, time);
        verdict.is_ok()
    }
}

impl Admission {
    /// Returns the names of the certificate.
    pub(crate) fn names(&self) -> &PeerNames {
        &self.names
    }
}

impl Clients {
    fn of(number: u64, authorities: Option<Authorities>, now: WallTime) -> Self {
        let judge = authorities.as_ref().and_then(|found| found.judge(now));
        let until = authorities
            .as_ref()
            .and_then(|found| found.next_change(now));
        Self {
            number,
            authorities,
            judge,
            until,
        }
    }

    /// Returns whether other authorities are valid than when they were put in force.
    fn are_outdated(&self, now: WallTime) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl ClientsInForce {
    /// Returns the authorities that are valid at a moment.
    fn current(&self, now: WallTime) -> Arc<Clients> {
        let current = self.current.read();
        let current = current.unwrap_or_else(PoisonError::into_inner).clone();
        if !current.are_outdated(now) {
            return current;
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Another connection may have been here first.
        if current.are_outdated(now) {
            let authorities = current.authorities.clone();
            *current = Arc::new(Clients::of(current.number + 1, authorities, now));
        }
        current.clone()
    }

    /// Puts other authorities in force; the same ones change nothing.
    fn replace(&self, authorities: Option<Authorities>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.authorities != authorities {
            *current = Arc::new(Clients::of(current.number + 1, authorities, now()));
        }
    }
}

impl ResolvesServerCert for KeyInForce {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let key = self.0.read();
        Some(key.unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl ClientCertVerifier for ClientsInForce {
    fn offer_client_auth(&self) -> bool {
        self.current(now()).judge.is_some()
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // They may be replaced while a handshake holds them; a client needs no hint to find its certificate.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match &self.current(moment(now)).judge {
            Some(judge) => judge.verify_client_cert(end_entity, intermediates, now),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
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

    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use rustls_pki_types::pem::PemObject;

    use super::*;
    use crate::tls::files::ServerFiles;

    fn authority(name: &str) -> (String, Issuer<'static, KeyPair>) {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        (pem, Issuer::new(parameters, key))
    }

    fn signed(issuer: &Issuer<'_, KeyPair>, name: &str) -> (String, String) {
        let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let pem = parameters.signed_by(&key, issuer).unwrap().pem();
        (pem, key.serialize_pem())
    }

    fn read(folder: &Path, server: &(String, String), clients: Option<&str>) -> ServerTls {
        let write = |name: &str, content: &str| {
            let path = folder.join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let files = ServerFiles {
            certificate: write("cert.pem", &server.0),
            key: write("key.pem", &server.1),
            client_ca: clients.map(|pem| write("clients.pem", pem)),
            members_ca: None,
        };
        files.read().unwrap()
    }

    #[test]
    fn a_client_is_admitted_as_long_as_the_authorities_in_force_know_it() {
        let folder = tempfile::tempdir().unwrap();
        let ((old_pem, old), (new_pem, new)) = (authority("old"), authority("new"));
        let server = signed(&old, "localhost");
        let read = |clients: Option<&str>| read(folder.path(), &server, clients);
        let tls = Tls::new(&read(Some(&old_pem))).unwrap();
        let admit = |issuer| {
            let (pem, _) = signed(issuer, "worker-1");
            let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
            tls.admission(tls.number(), &[der]).unwrap()
        };
        let (mut first, mut other) = (admit(&old), admit(&old));
        let names = |id: &str| {
            let names = first.names();
            let mut patterns = names.patterns().iter();
            patterns.any(|pattern| pattern.allows(id))
        };
        assert!(names("worker-1") && !names("worker-2"));
        assert!(tls.admits(&mut first));
        // The same authorities change nothing, others judge once more.
        let number = tls.number();
        tls.put_in_force(&read(Some(&old_pem))).unwrap();
        assert_eq!(tls.number(), number);
        tls.put_in_force(&read(Some(&format!("{old_pem}{new_pem}"))))
            .unwrap();
        assert_eq!(tls.number(), number + 1);
        assert!(tls.admits(&mut first));
        tls.put_in_force(&read(Some(&new_pem))).unwrap();
        assert!(!tls.admits(&mut first));
        let mut newcomer = admit(&new);
        assert!(tls.admits(&mut newcomer));
        // Once refused, always refused; a connection that was idle meanwhile is judged by what is in force.
        tls.put_in_force(&read(Some(&old_pem))).unwrap();
        assert!(!tls.admits(&mut first) && !tls.admits(&mut first));
        assert!(tls.admits(&mut other));
        assert!(!tls.admits(&mut newcomer));
        tls.put_in_force(&read(None)).unwrap();
        assert!(!tls.admits(&mut other));
        let mut over = admit(&old);
        over.not_after = WallTime::from_micros(1);
        over.number = tls.number();
        assert!(!tls.admits(&mut over));
    }

    #[test]
    fn an_authority_that_begins_later_is_in_force_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        let (now_pem, now_issuer) = authority("now");
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.not_before = rcgen::date_time_ymd(2100, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2101, 1, 1);
        let later = parameters
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap();
        let server = signed(&now_issuer, "localhost");
        let tls = Tls::new(&read(
            folder.path(),
            &server,
            Some(&format!("{now_pem}{}", later.pem())),
        ))
        .unwrap();
        let number = tls.number();
        // The first second of 2100, and of 2101.
        let (begin, end) = (4_102_444_800, 4_133_980_800);
        let at = |seconds: i64| WallTime::from_micros(seconds * 1_000_000);
        let before = tls.clients.current(at(begin - 1));
        assert_eq!(before.number, number);
        let after = tls.clients.current(at(begin));
        assert_eq!(after.number, number + 1);
        let over = tls.clients.current(at(end + 86_400));
        assert_eq!(over.number, number + 2);
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let (_, issuer) = authority("ours");
        let server = signed(&issuer, "localhost");
        let read = read(folder.path(), &server, None);
        let tls = Tls::new(&read).unwrap();
        let shown = format!("{read:?} {tls:?}");
        let key = rustls_pki_types::PrivateKeyDer::from_pem_slice(server.1.as_bytes()).unwrap();
        let bytes: Vec<String> = key.secret_der()[40..48].iter().map(u8::to_string).collect();
        assert!(!shown.contains(&bytes.join(", ")), "{shown}");
        for line in server.1.lines().filter(|line| !line.starts_with('-')) {
            assert!(!shown.contains(line), "{shown}");
        }
    }
}
