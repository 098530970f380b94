//! The SQLSTATE of the last error and of the last warning on a connection.
//!
//! Whether an error concerns the content of a statement or the server is decided by its SQLSTATE.
//! The texts do not show it, because they are in the server's language. Neither do the errors of
//! the query library, which keeps only a few codes and drops warnings. So the bytes that arrive on a connection are
//! read along, on this side of any encryption: the code of each error message and of each warning is remembered, and
//! nothing else.
//!
//! A warning (class 01) makes a COMMIT doubtful that was answered with success. PostgreSQL gives it if the wait for a
//! synchronous standby was cancelled: the transaction is then on the primary, and may be nowhere else. The warning comes
//! before the end of the answer, so it has been read along once the answer is complete.
//!
//! Messages of the protocol are a letter, a length of four bytes that counts itself, and a body.
//! The body of an error (`E`) or a notice (`N`) is a list of fields: a letter and a text that ends with a zero byte;
//! the field `C` is the code.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use diesel::connection::{Instrumentation, InstrumentationEvent};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

use crate::store::error::StoreError;

/// The length of a code.
const CODE_LENGTH: usize = 5;

/// A message begins with its kind and its length.
const HEADER_LENGTH: usize = 5;

/// How much of an error or a notice is read at most; its code is among the first fields.
const MAX_READ: usize = 1_024;

/// Returns whether a code concerns the content of a statement: the same content would be refused
/// again, and other content would not. The codes of missing rights and missing tables do not,
/// because they concern the whole database.
pub(super) fn is_about_content(code: &[u8; CODE_LENGTH]) -> bool {
    const NOT_OURS: [&[u8; CODE_LENGTH]; 4] = [b"42501", b"42P01", b"42703", b"42883"];
    // In this order: how often a row is touched, a value, a constraint, a type, a view's condition,
    // a size (an entry too long for its index), a trigger that refuses.
    const CLASSES: [&[u8; 2]; 7] = [b"21", b"22", b"23", b"42", b"44", b"54", b"P0"];
    let is_of_class = CLASSES.iter().any(|class| code.starts_with(*class));
    is_of_class && !NOT_OURS.contains(&code)
}

/// The codes of the last error and of the last warning on a connection. Clones share them; they travel with their
/// connection as the connection's instrumentation.
#[derive(Debug, Clone, Default)]
pub(super) struct LastCodes(Arc<Mutex<Codes>>);

#[derive(Debug, Default)]
struct Codes {
    error: Option<[u8; CODE_LENGTH]>,
    warning: Option<[u8; CODE_LENGTH]>,
}

impl LastCodes {
    /// Returns the codes of a connection, which have been forgotten.
    pub(super) fn of(connection: &mut AsyncPgConnection) -> Self {
        let last = connection.instrumentation().downcast_ref::<Self>();
        let last = last.cloned().unwrap_or_default();
        *last.codes() = Codes::default();
        last
    }

    /// Returns the code since the last call, if there was an error.
    pub(super) fn take_error(&self) -> Option<[u8; CODE_LENGTH]> {
        self.codes().error.take()
    }

    /// Forgets the warnings of the statements before a COMMIT.
    pub(super) fn forget_warnings(&self) {
        self.codes().warning = None;
    }

    /// Judges a COMMIT that was answered with success.
    ///
    /// # Errors
    /// `InDoubt` if it was answered with a warning.
    pub(super) fn check_commit(&self) -> Result<(), StoreError> {
        let Some(code) = self.codes().warning.take() else {
            return Ok(());
        };
        let code = String::from_utf8_lossy(&code).into_owned();
        Err(StoreError::InDoubt(format!(
            "COMMIT was answered with a warning (SQLSTATE {code}): the server may not have waited for its standby"
        )))
    }

    fn codes(&self) -> MutexGuard<'_, Codes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instrumentation for LastCodes {
    fn on_connection_event(&mut self, _: InstrumentationEvent<'_>) {}
}

/// Follows the messages of a connection as their bytes arrive, in whatever pieces.
#[derive(Debug, Default)]
struct Follower {
    header: Vec<u8>,
    /// How much of the body of the current message is left.
    left: usize,
    said: Option<Said>,
    /// The body, of an error or a notice.
    body: Vec<u8>,
}

/// A message that has a code.
#[derive(Debug, Clone, Copy)]
enum Said {
    Error,
    Notice,
}

impl Follower {
    fn follow(&mut self, mut bytes: &[u8], last: &LastCodes) {
        while !bytes.is_empty() {
            if self.left == 0 {
                bytes = self.begin(bytes, last);
                continue;
            }
            let (body, rest) = bytes.split_at(self.left.min(bytes.len()));
            if self.said.is_some() {
                let room = MAX_READ.saturating_sub(self.body.len()).min(body.len());
                self.body.extend_from_slice(&body[..room]);
            }
            self.left -= body.len();
            bytes = rest;
            if self.left == 0 {
                self.end(last);
            }
        }
    }

    /// Reads a part of a header; returns the bytes after it.
    fn begin<'b>(&mut self, bytes: &'b [u8], last: &LastCodes) -> &'b [u8] {
        let missing = HEADER_LENGTH - self.header.len();
        let (more, rest) = bytes.split_at(missing.min(bytes.len()));
        self.header.extend_from_slice(more);
        if let [kind, length @ ..] = self.header.as_slice()
            && let Ok(length) = <[u8; 4]>::try_from(length)
        {
            let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            self.said = match kind {
                b'E' => Some(Said::Error),
                b'N' => Some(Said::Notice),
                _ => None,
            };
            self.left = length.saturating_sub(4);
            self.header.clear();
            if self.left == 0 {
                self.end(last);
            }
        }
        rest
    }

    fn end(&mut self, last: &LastCodes) {
        if let (Some(said), Some(code)) = (self.said.take(), code_of(&self.body)) {
            match said {
                Said::Error => last.codes().error = Some(code),
                Said::Notice if code.starts_with(b"01") => last.codes().warning = Some(code),
                Said::Notice => {}
            }
        }
        self.body.clear();
    }
}

/// Returns the code among the fields of an error or a notice.
fn code_of(body: &[u8]) -> Option<[u8; CODE_LENGTH]> {
    let mut fields = body.split(|byte| *byte == 0);
    let field = fields.find(|field| field.first() == Some(&b'C'))?;
    field[1..].try_into().ok()
}

/// A connection whose bytes are read along.
pub(super) struct Followed<S> {
    stream: S,
    follower: Follower,
    last: LastCodes,
}

impl<S> Followed<S> {
    pub(super) fn new(stream: S, last: LastCodes) -> Self {
        Self {
            stream,
            follower: Follower::default(),
            last,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Followed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let arrived = buffer.filled().get(before..).unwrap_or_default();
        this.follower.follow(arrived, &this.last);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Followed<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Followed<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

/// Encrypts with the connector inside, and reads along the bytes that arrive.
#[derive(Clone)]
pub(super) struct FollowedTls<T> {
    inner: T,
    last: LastCodes,
}

impl<T> FollowedTls<T> {
    pub(super) fn new(inner: T, last: LastCodes) -> Self {
        Self { inner, last }
    }
}

impl<S, T> MakeTlsConnect<S> for FollowedTls<T>
where
    T: MakeTlsConnect<S>,
    T::TlsConnect: Send + 'static,
    T::Stream: Send + 'static,
    <T::TlsConnect as TlsConnect<S>>::Future: Send,
    S: Send + 'static,
{
    type Stream = Followed<T::Stream>;
    type TlsConnect = FollowedTls<T::TlsConnect>;
    type Error = T::Error;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Self::TlsConnect, Self::Error> {
        let inner = self.inner.make_tls_connect(domain)?;
        Ok(FollowedTls::new(inner, self.last.clone()))
    }
}

impl<S, T> TlsConnect<S> for FollowedTls<T>
where
    T: TlsConnect<S> + Send + 'static,
    T::Future: Send,
    S: Send + 'static,
{
    type Stream = Followed<T::Stream>;
    type Error = T::Error;
    type Future = BoxFuture<'static, Result<Self::Stream, Self::Error>>;

    fn connect(self, stream: S) -> Self::Future {
        let Self { inner, last } = self;
        async move { Ok(Followed::new(inner.connect(stream).await?, last)) }.boxed()
    }
}

/// Takes the place of a connector for encryption, and encrypts nothing: the driver hands its plain
/// socket to no other type.
#[derive(Clone)]
pub(super) struct Plain;

/// A plain socket where the driver expects an encrypted one.
pub(super) struct PlainStream<S>(S);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Plain {
    type Stream = PlainStream<S>;
    type TlsConnect = Self;
    type Error = io::Error;

    fn make_tls_connect(&mut self, _: &str) -> Result<Self, io::Error> {
        Ok(Self)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Plain {
    type Stream = PlainStream<S>;
    type Error = io::Error;
    type Future = std::future::Ready<Result<PlainStream<S>, io::Error>>;

    fn connect(self, stream: S) -> Self::Future {
        std::future::ready(Ok(PlainStream(stream)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PlainStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PlainStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for PlainStream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], &length[..], body].concat()
    }

    fn error(code: &str) -> Vec<u8> {
        let fields = format!("SFEHLER\0VERROR\0C{code}\0MC ist kein Wert\0\0");
        message(b'E', fields.as_bytes())
    }

    fn notice(code: &str) -> Vec<u8> {
        let fields = format!("SWARNUNG\0VWARNING\0C{code}\0MAbbruch\0\0");
        message(b'N', fields.as_bytes())
    }

    #[test]
    fn values_constraints_and_sizes_are_content_and_the_state_of_the_server_is_not() {
        for code in [
            b"22021", b"22003", b"22P05", b"23505", b"23514", b"42804", b"54000", b"P0001",
        ] {
            assert!(is_about_content(code), "{code:?}");
        }
        for code in [
            b"08006", b"25006", b"40001", b"40P01", b"42501", b"42P01", b"53100", b"53200",
            b"55P03", b"57014", b"57P01", b"58030", b"XX000",
        ] {
            assert!(!is_about_content(code), "{code:?}");
        }
    }

    #[test]
    fn an_error_is_remembered_until_it_is_taken() {
        let last = LastCodes::default();
        let mut follower = Follower::default();
        follower.follow(&notice("00000"), &last);
        assert_eq!(last.take_error(), None, "a notice is no error");
        follower.follow(&error("22021"), &last);
        follower.follow(&message(b'Z', b"E"), &last);
        assert_eq!(last.take_error(), Some(*b"22021"));
        assert_eq!(last.take_error(), None);
    }

    #[test]
    fn a_commit_with_a_warning_is_in_doubt_once() {
        let last = LastCodes::default();
        let mut follower = Follower::default();
        // messages of the answer, whether the COMMIT is in doubt
        let table = [
            (notice("00000"), false),
            (error("01000"), false),
            (notice("01000"), true),
            (notice("01007"), true),
        ];
        for (answer, in_doubt) in table {
            follower.follow(&notice("01000"), &last);
            last.forget_warnings();
            follower.follow(&answer, &last);
            let checked = last.check_commit();
            assert_eq!(matches!(checked, Err(StoreError::InDoubt(_))), in_doubt);
            assert_eq!(last.check_commit(), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_tell_the_same(
            bodies in proptest::collection::vec((0_u8..5, 0_usize..3_000), 1..12),
            piece in 1_usize..700,
        ) {
            let mut bytes = Vec::new();
            for (kind, length) in bodies {
                bytes.extend(match kind {
                    0 => error("22003"),
                    1 => error("23505"),
                    2 => message(b'I', &[]),
                    3 => notice("01000"),
                    _ => message(b'D', &vec![b'E'; length]),
                });
            }
            let (whole, pieces) = (LastCodes::default(), LastCodes::default());
            Follower::default().follow(&bytes, &whole);
            let mut follower = Follower::default();
            for piece in bytes.chunks(piece) {
                follower.follow(piece, &pieces);
            }
            prop_assert_eq!(whole.take_error(), pieces.take_error());
            prop_assert_eq!(whole.check_commit(), pieces.check_commit());
        }
    }
}
