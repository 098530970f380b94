//! The sentences about requests that were not answered.

use std::io;

use ureq::{Error, Timeout};

use super::turns::Failure;
use crate::config::{CLIENT_CERT, SERVER_CA, ServerUrl};

/// Returns why there was no answer.
pub(super) fn failure(url: &ServerUrl, error: &Error) -> Failure {
    Failure {
        sentence: unreachable(url, error),
        is_gone: is_gone(error),
        may_be_applied: !is_unsent(error),
    }
}

/// Returns the sentence about an error.
fn unreachable(url: &ServerUrl, error: &Error) -> String {
    match error {
        gone if is_gone(gone) => format!("no orchestrator answers at {url}."),
        Error::Timeout(_) => format!("the orchestrator at {url} does not answer in time."),
        other if other.to_string().contains("received fatal alert") => {
            refused_by(url, &other.to_string())
        }
        other if other.to_string().contains("corrupt message") => format!(
            "the answer from {url} is none of TLS; if it speaks http, write http:// in --url."
        ),
        other if other.to_string().contains("certificate") => {
            bad_certificate(url, &other.to_string())
        }
        // The texts of these errors repeat the address that could not be read.
        Error::BadUri(_) | Error::Http(_) => {
            format!("the orchestrator's address {url} cannot be used; check --url.")
        }
        other => format!("the orchestrator at {url} cannot be asked: {other}."),
    }
}

/// Returns the sentence about an answer that is none of an orchestrator.
pub(super) fn stranger(url: &ServerUrl, status: u16) -> String {
    format!("unexpected response from {url} (HTTP {status}, not an orchestrator's); check --url.")
}

/// Returns whether it is certain that no byte of the request was sent.
fn is_unsent(error: &Error) -> bool {
    match error {
        // An open connection ends with other errors: a host that is lost meanwhile shows later than any time limit here.
        Error::Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::AddrNotAvailable
            ) =>
        {
            true
        }
        Error::ConnectionFailed
        | Error::HostNotFound
        | Error::BadUri(_)
        | Error::Http(_)
        | Error::TlsRequired
        | Error::Timeout(Timeout::Resolve | Timeout::Connect) => true,
        // A handshake that fails: an orchestrator handles no request of such a connection.
        other => {
            let text = other.to_string();
            let signs = ["received fatal alert", "corrupt message", "certificate"];
            signs.iter().any(|sign| text.contains(sign))
        }
    }
}

/// Returns whether nothing listens there.
fn is_gone(error: &Error) -> bool {
    match error {
        Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        Error::ConnectionFailed | Error::HostNotFound => true,
        _ => false,
    }
}

/// Returns what is wrong with a certificate, and what would do.
fn bad_certificate(url: &ServerUrl, error: &str) -> String {
    let does = |words: [&str; 2]| words.iter().any(|word| error.contains(word));
    if does(["Expired", "expired"]) {
        format!("the certificate of the orchestrator at {url} has expired; it needs a new one.")
    } else if does(["NotValidYet", "not valid yet"]) {
        format!(
            "the certificate of the orchestrator at {url} is not valid yet; check the clocks of both \
             machines."
        )
    } else if does(["NotValidForName", "not valid for name"]) {
        format!(
            "the certificate of the orchestrator at {url} is for another name ({error}); use a name in \
             --url that it is for."
        )
    } else {
        format!(
            "the certificate of the orchestrator at {url} is not trusted: {error}; name the \
             certificates that it is signed with by {SERVER_CA} (a PEM file)."
        )
    }
}

/// Returns the sentence about an orchestrator that ended the handshake, with the reason as TLS has it.
fn refused_by(url: &ServerUrl, error: &str) -> String {
    let reason = error.rsplit(": ").next().unwrap_or(error);
    format!(
        "the orchestrator at {url} refused the TLS connection ({reason}). If that is about the certificate in \
         {CLIENT_CERT}: it must be signed by an authority in the orchestrator's TLS_CLIENT_CA, be for clients, and \
         be valid; the orchestrator's log has its reason."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn an_order_was_not_sent_only_if_no_connection_came_about() {
        let io = |kind: io::ErrorKind| Error::Io(kind.into());
        for (error, is_certain) in [
            (io(io::ErrorKind::ConnectionRefused), true),
            (io(io::ErrorKind::HostUnreachable), true),
            (Error::HostNotFound, true),
            (Error::Timeout(Timeout::Connect), true),
            (Error::Timeout(Timeout::Global), false),
            (Error::Timeout(Timeout::RecvResponse), false),
            (io(io::ErrorKind::ConnectionReset), false),
            (io(io::ErrorKind::BrokenPipe), false),
            (io(io::ErrorKind::UnexpectedEof), false),
            (Error::ConnectionFailed, true),
            (
                Error::Io(io::Error::other("invalid peer certificate: Expired")),
                true,
            ),
        ] {
            let url = config::server_url("http://a").unwrap();
            let failure = failure(&url, &error);
            assert_eq!(failure.may_be_applied, !is_certain, "{error}");
        }
    }
}
