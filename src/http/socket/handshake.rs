//! From an accepted socket to one that HTTP can be spoken on.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actix_web::ResponseError;
use rustls::server::Acceptor;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::encryption::Encryption;
use super::refusals::Refusal;
use super::secured::{Secured, Socket};
use crate::http::connection::{ClientLimits, Guarded};
use crate::http::problem::Problem;
use crate::tls::Tls;

/// The first byte of a handshake.
const HANDSHAKE: u8 = 0x16;

/// How long, and how much of, a refused client's bytes are read: a socket that is closed with unread bytes takes
/// back what was sent on it.
const LAST_WORDS: Duration = Duration::from_secs(1);
const MOST_LAST_WORDS: u64 = 64 * 1024;

/// Where the connections of one HTTP worker come in.
#[derive(Clone)]
pub(in crate::http) struct Entrance {
    limits: ClientLimits,
    encryption: Arc<Encryption>,
    /// Held while a handshake computes: the next one begins after other tasks had their turn.
    turn: Rc<Semaphore>,
}

impl Entrance {
    /// Creates the entrance: encrypted if there is something to encrypt with.
    pub(in crate::http) fn new(limits: ClientLimits, encryption: Arc<Encryption>) -> Self {
        Self {
            limits,
            encryption,
            turn: Rc::new(Semaphore::new(1)),
        }
    }

    /// Takes over an accepted socket.
    ///
    /// # Errors
    /// Returns an error if the client is gone or refused.
    pub(in crate::http) async fn admit(
        self,
        socket: TcpStream,
    ) -> io::Result<(Socket, Option<SocketAddr>)> {
        let (guarded, peer) = Guarded::new(socket, self.limits)?;
        let Some(tls) = self.encryption.tls() else {
            return Ok((Socket::Plain(guarded), Some(peer)));
        };
        let refusals = &self.encryption.refusals;
        match timeout(self.limits.handshake, self.secure(guarded, tls)).await {
            Ok(Ok(secured)) => {
                refusals.accepted();
                Ok((Socket::Secured(Box::new(secured)), Some(peer)))
            }
            Ok(Err(refusal)) => Err(refusals.note(peer, refusal)),
            Err(_) => Err(refusals.note(peer, Refusal::TooSlow)),
        }
    }

    async fn secure(&self, mut guarded: Guarded, tls: &Tls) -> Result<Secured, Refusal> {
        guarded.begin_greeting();
        let mut first = [0];
        let length = guarded
            .tcp()
            .peek(&mut first)
            .await
            .map_err(|_| Refusal::Gone)?;
        match first {
            _ if length == 0 => return Err(Refusal::Gone),
            [HANDSHAKE] => {}
            [byte] => {
                let is_http = byte.is_ascii_uppercase();
                if is_http {
                    answer_that_tls_is_spoken(&mut guarded).await;
                }
                return Err(Refusal::NoTls { is_http });
            }
        }
        // Before the certificate is judged: what is in force afterwards judges it once more.
        let number = tls.number();
        let mut stream = self.greet(guarded, tls).await?;
        let (guarded, session) = stream.get_mut();
        guarded.end_greeting();
        let shown = session.peer_certificates();
        let admission = shown.map(|chain| tls.admission(number, chain)).transpose();
        let admission = admission.map_err(Refusal::Certificate)?;
        Ok(Secured::new(stream, tls.clone(), admission))
    }

    async fn greet(&self, guarded: Guarded, tls: &Tls) -> Result<TlsStream<Guarded>, Refusal> {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), guarded).await;
        let hello = hello.map_err(|error| Refusal::of(&error))?;
        let turn = self.turn.acquire().await.map_err(|_| Refusal::Gone)?;
        // From here to the first wait for the client it computes.
        let mut rest = hello.into_stream(tls.config()).into_fallible();
        let begun = poll_fn(|context| Poll::Ready(Pin::new(&mut rest).poll(context))).await;
        drop(turn);
        let ended = match begun {
            Poll::Ready(ended) => ended,
            Poll::Pending => rest.await,
        };
        match ended {
            Ok(stream) => Ok(stream),
            Err((error, mut guarded)) => {
                hear_out(&mut guarded).await;
                Err(Refusal::of(&error))
            }
        }
    }
}

/// Answers a client that speaks HTTP where TLS is spoken.
async fn answer_that_tls_is_spoken(guarded: &mut Guarded) {
    let problem = Problem::no_tls();
    let status = problem.status_code();
    let body = json!(problem.document()).to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    if guarded.write_all(answer.as_bytes()).await.is_ok() {
        hear_out(guarded).await;
    }
}

/// Ends the own side and reads what a refused client still sends, within limits.
async fn hear_out(guarded: &mut Guarded) {
    if guarded.shutdown().await.is_ok() {
        let mut rest = guarded.take(MOST_LAST_WORDS);
        let mut nowhere = tokio::io::sink();
        let _ = timeout(LAST_WORDS, tokio::io::copy(&mut rest, &mut nowhere)).await;
    }
}
