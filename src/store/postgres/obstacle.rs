//! Which errors of a connection pass by themselves, so that a start waits, and which never do.
//!
//! The decision rests on the SQLSTATE if the server sent one, else on the kind of the I/O error;
//! never on a text, which depends on the server's language.

use std::error::Error as _;
use std::io;

/// Classes of SQLSTATE that an operator has to resolve: in the URL, in the server's configuration,
/// or by creating the database. All others pass: the server starts or stops (57P0x), has no
/// connection free (53300), lost the network (08xxx), is a standby (25006).
const FINAL_CLASSES: [&str; 6] = [
    "0A", // what is asked for is not supported
    "22", // a parameter of the URL has a value that cannot be
    "28", // wrong password, unknown role, not allowed by pg_hba.conf
    "3D", // unknown database
    "3F", // unknown schema
    "42", // not permitted
];

/// Returns whether a later try may succeed although nothing is changed.
pub(super) fn passes_by_itself(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(state) => is_passing_state(state.code()),
        None => is_passing_io(error),
    }
}

fn is_passing_state(state: &str) -> bool {
    !FINAL_CLASSES.iter().any(|class| state.starts_with(class))
}

/// Judges an error without an answer from the server: refused, timed out, reset, name not resolved.
/// A certificate that is not trusted is invalid data. A peer that is no PostgreSQL cannot be told
/// from one that closes the connection.
fn is_passing_io(error: &tokio_postgres::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return !matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
            );
        }
        cause = error.source();
    }
    error.is_closed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_of_itself_passes() {
        for state in [
            "57P03", "57P01", "57P02", "53300", "53200", "53100", "08006", "08001", "08P01",
            "25006", "55000", "58030", "XX000",
        ] {
            assert!(is_passing_state(state), "{state}");
        }
    }

    #[test]
    fn what_somebody_has_to_change_does_not() {
        for state in [
            "28P01", "28000", "3D000", "42501", "42704", "22023", "0A000",
        ] {
            assert!(!is_passing_state(state), "{state}");
        }
    }

    /// The error of a connection to something that accepts and then does as told.
    async fn error_of(answer: &'static [u8]) -> tokio_postgres::Error {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let peer = async {
            use tokio::io::AsyncWriteExt;
            let (mut connection, _) = listener.accept().await.unwrap();
            connection.write_all(answer).await.unwrap();
        };
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(port).user("u");
        let connect = config.connect(tokio_postgres::NoTls);
        let (connected, ()) = tokio::join!(connect, peer);
        connected.err().unwrap()
    }

    #[tokio::test]
    async fn a_server_that_closes_the_connection_passes_also_in_the_middle_of_an_answer() {
        for answer in [&b""[..], b"E\0\0\0\x40SFATAL\0"] {
            let error = error_of(answer).await;
            assert!(passes_by_itself(&error), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_refused_connection_and_an_unknown_name_pass() {
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        for host in ["127.0.0.1", "database.invalid"] {
            let mut config = tokio_postgres::Config::new();
            config.host(host).port(port).user("u");
            let error = config.connect(tokio_postgres::NoTls).await.err().unwrap();
            assert!(passes_by_itself(&error), "{error:?}");
        }
    }
}
