//! What stands in a certificate.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::domain::access::{CertificateName, PeerNames};
use crate::domain::time::WallTime;

/// How much of a subject is shown.
const LONGEST_SUBJECT: usize = 200;

/// What the program reads of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// The subject as it may be shown, or the first alternative name if the subject is empty.
    pub(super) subject: String,
    pub(super) not_before: WallTime,
    pub(super) not_after: WallTime,
    /// Whether it may sign other certificates.
    pub(super) is_authority: bool,
    pub(super) names: PeerNames,
}

impl Facts {
    /// Reads them.
    ///
    /// # Errors
    /// Returns the rule that the certificate breaks.
    pub(super) fn of(der: &[u8]) -> Result<Self, String> {
        let damaged = || "names a certificate that cannot be read".to_owned();
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| damaged())?;
        if !rest.is_empty() {
            return Err(damaged());
        }
        let alternative = certificate.subject_alternative_name();
        let alternative = alternative.map_err(|_| damaged())?;
        let alternative = alternative.map_or(&[][..], |found| &found.value.general_names);
        let common = certificate.subject().iter_common_name();
        let common = common.filter_map(|name| name.as_str().ok());
        let entries = alternative.iter().filter_map(entry);
        let names = PeerNames::of(entries.chain(common.map(CertificateName::Common)));
        let constraints = certificate.basic_constraints().map_err(|_| damaged())?;
        let subject = certificate.subject().to_string();
        let subject = match subject.is_empty() {
            true => match names.patterns().first() {
                Some(name) => name.to_string(),
                None => "without a name".to_owned(),
            },
            false => subject,
        };
        Ok(Self {
            subject: subject.chars().take(LONGEST_SUBJECT).collect(),
            not_before: moment(certificate.validity().not_before.timestamp()),
            not_after: moment(certificate.validity().not_after.timestamp()),
            is_authority: constraints.is_some_and(|found| found.value.ca),
            names,
        })
    }

    /// Checks that it is valid at a moment.
    ///
    /// # Errors
    /// Returns the rule that the certificate breaks.
    pub(super) fn check_validity(&self, now: WallTime) -> Result<(), String> {
        let subject = &self.subject;
        if self.not_after <= now {
            let end = self.not_after;
            return Err(format!(
                "names a certificate `{subject}` that has expired ({end}); it needs a new one"
            ));
        }
        if self.not_before > now {
            let begin = self.not_before;
            return Err(format!(
                "names a certificate `{subject}` that is not valid before {begin}; is the clock of \
                 this machine right?"
            ));
        }
        Ok(())
    }
}

fn entry<'c>(name: &'c GeneralName<'c>) -> Option<CertificateName<'c>> {
    match name {
        GeneralName::DNSName(name) => Some(CertificateName::Dns(name)),
        GeneralName::URI(uri) => Some(CertificateName::Uri(uri)),
        _ => None,
    }
}

/// Returns the moment so many seconds after 1970.
fn moment(seconds: i64) -> WallTime {
    WallTime::from_micros(seconds.saturating_mul(1_000_000))
}
