//! Clients that were refused before they could send a request: counted, and reported by the log.
//!
//! A client that is refused tries again, and so may a whole fleet. So of each kind of refusal one line a minute
//! is logged, with the number of those that had none.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use log::{debug, warn};
use rustls::{AlertDescription, CertificateError, Error};

use crate::clock::Clock;
use crate::domain::time::Timestamp;

/// The least time between two lines of a kind.
const PAUSE: Duration = Duration::from_secs(60);

/// Why a client was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It went away.
    Gone,
    /// Its handshake took too long.
    TooSlow,
    /// Its first byte was none of TLS.
    NoTls { is_http: bool },
    /// Its certificate was refused, for this reason.
    Certificate(String),
    /// It refused the certificate that it was shown.
    RefusedUs(String),
    /// It broke the protocol, or nothing in it was common ground.
    Protocol(String),
}

/// The results of handshakes, as the metrics name them.
const RESULTS: [&str; 6] = [
    "accepted",
    "certificate_refused",
    "failed",
    "not_tls",
    "server_refused",
    "timed_out",
];

/// Counts handshakes, and logs those that failed.
#[derive(Debug)]
pub(super) struct Refusals {
    clock: Clock,
    counts: [AtomicU64; RESULTS.len()],
    lines: [Mutex<Line>; RESULTS.len()],
}

/// The log of one kind.
#[derive(Debug, Default)]
struct Line {
    last: Option<Timestamp>,
    /// Refusals without a line since the last one.
    unsaid: u64,
}

impl Line {
    /// Returns how many refusals had no line if one is due, and notes that there is one now.
    fn due(&mut self, now: Timestamp) -> Option<u64> {
        if self.last.is_some_and(|last| now.since(last) < PAUSE) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

impl Refusal {
    /// Returns what an error of the handshake means.
    pub(super) fn of(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            None => Self::Gone,
            Some(Error::InvalidCertificate(reason)) => Self::Certificate(rule(reason)),
            Some(Error::AlertReceived(alert)) if is_about_certificates(*alert) => {
                Self::RefusedUs(format!("{alert:?}"))
            }
            Some(error) => Self::Protocol(error.to_string()),
        }
    }

    const fn result(&self) -> &'static str {
        match self {
            Self::Gone | Self::Protocol(_) => "failed",
            Self::TooSlow => "timed_out",
            Self::NoTls { .. } => "not_tls",
            Self::Certificate(_) => "certificate_refused",
            Self::RefusedUs(_) => "server_refused",
        }
    }
}

/// Returns what is wrong with a client's certificate, as the end of a sentence.
fn rule(reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer => {
            "was signed by none of the authorities in TLS_CLIENT_CA".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet; are the clocks of both machines right?".to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "is not for clients (extendedKeyUsage clientAuth)".to_owned()
        }
        CertificateError::BadSignature => "has a signature that is not right".to_owned(),
        other => format!("cannot be verified ({other})"),
    }
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
    )
}

impl Refusals {
    /// Begins to count.
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            counts: Default::default(),
            lines: Default::default(),
        }
    }

    /// Counts a handshake that succeeded.
    pub(super) fn accepted(&self) {
        self.counts[0].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the results with their counts.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        RESULTS.into_iter().zip(counts)
    }

    /// Counts a refusal, and logs it if a line of its kind is due. Returns the error that ends the connection.
    pub(super) fn note(&self, peer: SocketAddr, refusal: Refusal) -> io::Error {
        let result = refusal.result();
        let place = RESULTS.iter().position(|known| *known == result);
        let place = place.unwrap_or_default();
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        let due = || {
            let line = self.lines[place].lock();
            let mut line = line.unwrap_or_else(PoisonError::into_inner);
            line.due(self.clock.awake())
        };
        // The port says nothing to a person, and each try has another one.
        let client = peer.ip().to_string();
        let client = client.as_str();
        match refusal {
            Refusal::Gone => {}
            Refusal::TooSlow => {
                debug!(client; "client {client} did not finish its TLS handshake in time")
            }
            Refusal::Protocol(reason) => {
                debug!(client, reason = reason.as_str(); "client {client} failed in its TLS handshake: {reason}");
            }
            Refusal::NoTls { is_http: true } => {
                if let Some(others) = due() {
                    warn!(client, others; "client {client} spoke HTTP without TLS and was refused: use https:// \
                        (refused so since the last such line: {others} more)");
                }
            }
            Refusal::NoTls { is_http: false } => {
                if let Some(others) = due() {
                    warn!(client, others; "client {client} spoke no TLS and was refused (refused so since the last \
                        such line: {others} more)");
                }
            }
            Refusal::Certificate(reason) => {
                if let Some(others) = due() {
                    warn!(client, others, reason = reason.as_str(); "client {client} was refused: its certificate \
                        {reason} (refused certificates since the last such line: {others} more)");
                }
            }
            Refusal::RefusedUs(reason) => {
                if let Some(others) = due() {
                    warn!(client, others, reason = reason.as_str(); "client {client} does not accept the certificate in \
                        TLS_CERT ({reason}); does it know the authority that signed it? (such clients since the last \
                        line: {others} more)");
                }
            }
        }
        io::ErrorKind::ConnectionAborted.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_kind_one_line_a_minute_is_due_with_the_number_of_the_others() {
        let mut line = Line::default();
        let at = |seconds| Timestamp::ZERO + Duration::from_secs(seconds);
        let due: Vec<Option<u64>> = [0, 1, 59, 60, 61, 300]
            .into_iter()
            .map(|second| line.due(at(second)))
            .collect();
        assert_eq!(due, [Some(0), None, None, Some(2), None, Some(1)]);
    }

    #[test]
    fn the_reason_of_a_refusal_is_found_in_the_error() {
        let of = |error: Error| Refusal::of(&io::Error::new(io::ErrorKind::InvalidData, error));
        let foreign = of(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        assert!(matches!(&foreign, Refusal::Certificate(rule) if rule.contains("TLS_CLIENT_CA")));
        let refused = of(Error::AlertReceived(AlertDescription::UnknownCA));
        assert_eq!(refused, Refusal::RefusedUs("UnknownCA".to_owned()));
        let closed = of(Error::AlertReceived(AlertDescription::CloseNotify));
        assert!(matches!(closed, Refusal::Protocol(_)));
        let gone = Refusal::of(&io::ErrorKind::UnexpectedEof.into());
        assert_eq!(gone, Refusal::Gone);
        for refusal in [foreign, refused, closed, gone, Refusal::TooSlow] {
            assert!(RESULTS.contains(&refusal.result()), "{refusal:?}");
        }
    }
}
