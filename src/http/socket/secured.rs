//! A connection that HTTP is spoken on, encrypted or not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::dev::Extensions;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use crate::http::connection::Guarded;
use crate::tls::{Admission, Tls};

/// Marks a connection that is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct OverTls;

/// A connection that HTTP is spoken on.
#[derive(Debug)]
pub(in crate::http) enum Socket {
    Plain(Guarded),
    /// In a box: it is ten times as large.
    Secured(Box<Secured>),
}

/// An encrypted connection.
#[derive(Debug)]
pub(in crate::http) struct Secured {
    stream: TlsStream<Guarded>,
    tls: Tls,
    /// The client's certificate, if it showed one.
    admission: Option<Admission>,
}

impl Secured {
    /// Takes over a connection whose handshake has ended.
    pub(super) fn new(stream: TlsStream<Guarded>, tls: Tls, admission: Option<Admission>) -> Self {
        Self {
            stream,
            tls,
            admission,
        }
    }

    /// Returns whether the client is admitted, also by authorities that came into force meanwhile.
    fn is_admitted(&mut self) -> bool {
        match &mut self.admission {
            None => true,
            Some(admission) => self.tls.admits(admission),
        }
    }
}

impl Socket {
    /// Gives requests what is known of their connection: the handlers' view of it, whether it is encrypted, and
    /// the names of the client's certificate (`PeerNames`), if it showed one.
    pub(in crate::http) fn describe(&self, data: &mut Extensions) {
        match self {
            Self::Plain(guarded) => {
                data.insert(guarded.connection());
            }
            Self::Secured(secured) => {
                data.insert(secured.stream.get_ref().0.connection());
                data.insert(OverTls);
                if let Some(admission) = &secured.admission {
                    data.insert(admission.names().clone());
                }
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(guarded) => Pin::new(guarded).poll_read(context, buffer),
            Self::Secured(secured) => {
                // The end: nothing more is read. An answer under way is cut, because nothing is written either.
                if !secured.is_admitted() {
                    return Poll::Ready(Ok(()));
                }
                let before = buffer.filled().len();
                let mut read = Pin::new(&mut secured.stream).poll_read(context, buffer);
                // HTTP has ends of its own, so an end of the socket without one of TLS cuts nothing short.
                if let Poll::Ready(Err(error)) = &read
                    && error.kind() == io::ErrorKind::UnexpectedEof
                {
                    read = Poll::Ready(Ok(()));
                }
                // A client may end its side within TLS, and leave the socket open.
                if matches!(read, Poll::Ready(Ok(()))) && buffer.filled().len() == before {
                    secured.stream.get_ref().0.connection().end();
                }
                read
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(guarded) => Pin::new(guarded).poll_write(context, bytes),
            Self::Secured(secured) => {
                if !secured.is_admitted() {
                    return Poll::Ready(Err(io::ErrorKind::PermissionDenied.into()));
                }
                Pin::new(&mut secured.stream).poll_write(context, bytes)
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(guarded) => Pin::new(guarded).poll_flush(context),
            Self::Secured(secured) => Pin::new(&mut secured.stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(guarded) => Pin::new(guarded).poll_shutdown(context),
            Self::Secured(secured) => Pin::new(&mut secured.stream).poll_shutdown(context),
        }
    }
}
