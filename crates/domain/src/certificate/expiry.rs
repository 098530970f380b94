//! When a certificate that is about to expire becomes an alert.
//!
//! ```text
//!   fine ──21 days before──▶ warning ──3 days before──▶ critical, also once it is over
//!     ▲                         │                          │
//!     └────────── another certificate takes its place ─────┘
//! ```

use std::time::Duration;

use crate::alert::{AlertKind, News, Severity};
use crate::string_enum::string_enum;
use crate::time::WallTime;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// How long before its end a certificate should be replaced.
const WARNING: Duration = DAY.saturating_mul(21);

/// How long before its end it must be.
const CRITICAL: Duration = DAY.saturating_mul(3);

string_enum! {
    /// What a certificate is for, by the setting that names its file; also the subject of its alert.
    CertificateUse {
        /// The orchestrator proves itself to clients.
        Server = "TLS_CERT",
        /// Clients are checked by it.
        ClientAuthority = "TLS_CLIENT_CA",
    }
}

/// When a certificate ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Expiry {
    pub of: CertificateUse,
    /// The subject of the certificate, as it may be shown.
    pub subject: String,
    /// From this moment on it is not accepted.
    pub not_after: WallTime,
}

impl CertificateUse {
    /// What happens to clients when it is over.
    const fn consequence(self) -> &'static str {
        match self {
            Self::Server => "clients then refuse this orchestrator",
            Self::ClientAuthority => "the client certificates that it signed are then refused",
        }
    }
}

/// Returns what the certificates in use mean for the alerts: for each use, the one that ends first.
pub fn verdict(in_use: &[Expiry], now: WallTime) -> Vec<News> {
    let verdicts = CertificateUse::ALL.iter().map(|of| {
        let first = in_use
            .iter()
            .filter(|expiry| expiry.of == *of)
            .min_by_key(|expiry| expiry.not_after);
        let raised = first.and_then(|expiry| alert(expiry, now));
        raised.unwrap_or_else(|| News::clear(AlertKind::CertificateExpiring, of.as_str()))
    });
    verdicts.collect()
}

fn alert(expiry: &Expiry, now: WallTime) -> Option<News> {
    let Expiry {
        of,
        subject,
        not_after,
    } = expiry;
    let left = not_after.since(now);
    let severity = if left > WARNING {
        return None;
    } else if left > CRITICAL {
        Severity::Warning
    } else {
        Severity::Critical
    };
    let days = left.as_secs() / DAY.as_secs();
    let when = match (left.is_zero(), days) {
        (true, _) => "has expired",
        (false, 0) => "expires in less than a day",
        (false, 1) => "expires in a day",
        (false, _) => &format!("expires in {days} days"),
    };
    Some(News::Raise {
        kind: AlertKind::CertificateExpiring,
        severity,
        subject: of.as_str().to_owned(),
        detail: format!(
            "The certificate `{subject}` of {} {when} ({not_after}); {}.",
            of.as_str(),
            of.consequence()
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: WallTime = WallTime::from_micros(1_800_000_000_000_000);

    fn expiry(of: CertificateUse) -> Expiry {
        Expiry {
            of,
            subject: "CN=o.example".to_owned(),
            not_after: END,
        }
    }

    fn of_server(news: &[News]) -> Option<(Severity, &str)> {
        match &news[0] {
            News::Raise {
                kind: AlertKind::CertificateExpiring,
                severity,
                subject,
                detail,
            } if subject == "TLS_CERT" => Some((*severity, detail)),
            News::Clear { kinds, subject }
                if kinds == &[AlertKind::CertificateExpiring] && subject == "TLS_CERT" =>
            {
                None
            }
            other @ (News::Raise { .. }
            | News::Lost(_)
            | News::Reword { .. }
            | News::Clear { .. }
            | News::Forget { .. }) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_certificate_is_an_alert_three_weeks_before_its_end_and_urgent_three_days_before() {
        let second = Duration::from_secs(1);
        for (left, expected) in [
            (DAY * 365, None),
            (DAY * 21 + second, None),
            (DAY * 21, Some((Severity::Warning, "in 21 days"))),
            (DAY * 3 + second, Some((Severity::Warning, "in 3 days"))),
            (DAY * 3, Some((Severity::Critical, "in 3 days"))),
            (DAY, Some((Severity::Critical, "in a day"))),
            (second, Some((Severity::Critical, "in less than a day"))),
            (Duration::ZERO, Some((Severity::Critical, "has expired"))),
        ] {
            let news = verdict(&[expiry(CertificateUse::Server)], END - left);
            let found = of_server(&news);
            assert_eq!(
                found.map(|(severity, _)| severity),
                expected.map(|(severity, _)| severity),
                "{left:?}"
            );
            if let (Some((_, detail)), Some((_, part))) = (found, expected) {
                assert!(detail.contains(part), "{detail}");
                assert!(detail.contains("CN=o.example") && detail.contains("2027-01-15"));
            }
        }
        let over = verdict(&[expiry(CertificateUse::Server)], END + DAY);
        assert_eq!(
            of_server(&over).map(|found| found.0),
            Some(Severity::Critical)
        );
    }

    #[test]
    fn each_use_has_its_alert_about_the_certificate_that_ends_first() {
        let later = Expiry {
            subject: "CN=later".to_owned(),
            not_after: END + DAY * 365,
            ..expiry(CertificateUse::Server)
        };
        let news = verdict(&[later.clone(), expiry(CertificateUse::Server)], END);
        assert!(of_server(&news).unwrap().1.contains("CN=o.example"));
        assert!(matches!(&news[1], News::Clear { subject, .. } if subject == "TLS_CLIENT_CA"));
        let news = verdict(&[later, expiry(CertificateUse::ClientAuthority)], END);
        assert_eq!(of_server(&news), None);
        assert!(matches!(&news[1], News::Raise { subject, .. } if subject == "TLS_CLIENT_CA"));
        assert_eq!(of_server(&verdict(&[], END)), None);
    }
}
