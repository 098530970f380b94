//! One connection: every wait on its client is bounded here, and ends with the connection.
//!
//! ```text
//!             first byte              handler called          answer made         last byte written
//!   waiting ────────────▶ head ────────────────▶ serving ────────────▶ writing ──────────────▶ waiting
//!      │ idle               │ head                  │ body                │ stalled_write
//!      └────────────────────┴───── closed ──────────┴─────────────────────┘
//! ```
//!
//! The HTTP server limits the first head and the time between two requests. It has no limit for a
//! head that begins later, for the rest of a chunked body after its answer, and for an answer that
//! is not read. So each socket is wrapped in a [`Guarded`], which has these three limits, and the
//! kernel's buffer of the connection is limited there. A [`Connection`] is the handlers' view of
//! it: whether the client has ended its side, and that a request is being served.
//!
//! Memory: 32 KiB are read ahead, an answer is written in pieces ([`MAX_PIECE`]), and the kernel holds
//! twice [`ClientLimits::send_buffer`]: less than 1 MiB for a client that never reads.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{ConnectionType, Version, header};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage, HttpRequest};
use log::debug;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// How long the program waits for a client, and how much it holds for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientLimits {
    /// Limit for the handshake of TLS, from the connection. Longer than for a head: when a whole fleet comes back
    /// at once, a client waits for its turn.
    pub handshake: Duration,
    /// Limit for the head of a request, from its first byte; for the first request, from the
    /// connection.
    pub head: Duration,
    /// Limit for the body of a request, from the end of its head.
    pub body: Duration,
    /// Limit for the client to read any of an answer. Also how long the network may leave sent data
    /// unacknowledged.
    pub stalled_write: Duration,
    /// Limit for the next request.
    pub idle: Duration,
    /// Limit for the client to close after an answer that announced the end of the connection.
    pub close: Duration,
    /// The kernel's send buffer in bytes, as requested; the kernel holds twice as much.
    pub send_buffer: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(20),
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            stalled_write: Duration::from_secs(30),
            // Longer than the 30 s after which workers call again, so that they keep their
            // connections.
            idle: Duration::from_secs(75),
            close: Duration::from_secs(5),
            send_buffer: 128 * 1024,
        }
    }
}

/// How much of an answer is handed on at once.
pub(super) const MAX_PIECE: usize = 32 * 1024;

/// The handlers' view of the connection of their request. Clones are the same connection, which
/// lives on one thread.
#[derive(Debug, Clone, Default)]
pub(super) struct Connection(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Requests whose answer is not handed on completely.
    serving: Cell<usize>,
    /// Whether a request was answered before its body had ended.
    is_closing: Cell<bool>,
    /// Whether the client has ended its side.
    has_ended: Cell<bool>,
    /// A handler that waits for that end.
    waiter: RefCell<Option<Waker>>,
}

impl Connection {
    /// Returns the connection of a request; `None` in tests without sockets.
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        request.conn_data::<Self>().cloned()
    }

    /// Returns once the client has ended its side: it may be gone, and sends nothing more.
    pub(super) async fn ended(&self) {
        poll_fn(|context| {
            if self.0.has_ended.get() {
                return Poll::Ready(());
            }
            *self.0.waiter.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Marks a request as being served until the guard is dropped.
    fn serve(&self) -> Serving {
        self.0.serving.set(self.0.serving.get() + 1);
        Serving(self.clone())
    }

    /// Ends the connection once the client had time to read its answer, if it must end. The task of
    /// the connection is woken, so that it applies that limit.
    async fn end_soon(&self, is_to_end: bool) {
        if !is_to_end {
            return;
        }
        self.0.is_closing.set(true);
        poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::Ready(())
        })
        .await;
    }

    fn is_serving(&self) -> bool {
        self.0.serving.get() > 0
    }

    /// Notes that the client has ended its side.
    pub(super) fn end(&self) {
        self.0.has_ended.set(true);
        if let Some(waiter) = self.0.waiter.borrow_mut().take() {
            waiter.wake();
        }
    }
}

/// While it exists, no head is expired.
#[derive(Debug)]
struct Serving(Connection);

impl Drop for Serving {
    fn drop(&mut self) {
        let serving = &self.0.0.serving;
        serving.set(serving.get().saturating_sub(1));
    }
}

/// A socket whose waits are bounded.
#[derive(Debug)]
pub(super) struct Guarded {
    socket: TcpStream,
    limits: ClientLimits,
    connection: Connection,
    /// Whether the bytes that come are those of a handshake, which has a limit of its own.
    is_greeting: bool,
    /// Whether bytes came while no request was served: a head has begun.
    head_has_begun: bool,
    /// The limit of a head that has begun and is incomplete.
    head: Option<Pin<Box<Sleep>>>,
    /// The limit after a request was answered before its body had ended.
    closing: Option<Pin<Box<Sleep>>>,
    /// The limit while the client reads nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Guarded {
    /// Takes over an accepted socket.
    ///
    /// # Errors
    /// Returns an error if the client is gone already.
    pub(super) fn new(socket: TcpStream, limits: ClientLimits) -> io::Result<(Self, SocketAddr)> {
        let peer = socket.peer_addr()?;
        limit_the_kernel(&socket, &limits)?;
        let guarded = Self {
            socket,
            limits,
            connection: Connection::default(),
            is_greeting: false,
            head_has_begun: false,
            head: None,
            closing: None,
            stalled: None,
        };
        Ok((guarded, peer))
    }

    /// Returns the handlers' view.
    pub(super) fn connection(&self) -> Connection {
        self.connection.clone()
    }

    /// Returns the socket.
    pub(super) fn tcp(&self) -> &TcpStream {
        &self.socket
    }

    /// The bytes that come from here on are those of a handshake.
    pub(super) fn begin_greeting(&mut self) {
        self.is_greeting = true;
    }

    /// The bytes that come from here on are those of requests.
    pub(super) fn end_greeting(&mut self) {
        self.is_greeting = false;
    }

    /// Returns whether nothing more is read from the client.
    fn is_cut_off(&mut self, context: &mut Context<'_>) -> bool {
        let limits = self.limits;
        if self.connection.0.is_closing.get() && is_over(&mut self.closing, limits.close, context) {
            return true;
        }
        if self.connection.is_serving() {
            self.head_has_begun = false;
            self.head = None;
        }
        self.head_has_begun && is_over(&mut self.head, limits.head, context)
    }
}

/// Returns whether a limit, which begins with the first call, is over; the task is woken when it
/// is.
fn is_over(
    timer: &mut Option<Pin<Box<Sleep>>>,
    limit: Duration,
    context: &mut Context<'_>,
) -> bool {
    let timer = timer.get_or_insert_with(|| Box::pin(sleep(limit)));
    timer.as_mut().poll(context).is_ready()
}

/// Sets the limits that only the kernel can keep: it detects a lost network, and holds little for a
/// client that does not read, also after the connection was closed.
fn limit_the_kernel(socket: &TcpStream, limits: &ClientLimits) -> io::Result<()> {
    let millis = u32::try_from(limits.stalled_write.as_millis()).unwrap_or(u32::MAX);
    let silence = (limits.stalled_write / 2).max(Duration::from_secs(1));
    let probes = (limits.stalled_write / 6).max(Duration::from_secs(1));
    socket.set_nodelay(true)?;
    sockopt::set_tcp_user_timeout(socket, millis)?;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, silence)?;
    sockopt::set_tcp_keepintvl(socket, probes)?;
    sockopt::set_socket_send_buffer_size(socket, limits.send_buffer)?;
    Ok(())
}

impl AsyncRead for Guarded {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Zero bytes mean the end: the server writes the rest of its answer and closes.
        if this.is_cut_off(context) {
            debug!("a client took too long to send a request; its connection is closed");
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.socket).poll_read(context, buffer);
        if matches!(read, Poll::Ready(Ok(()))) {
            if buffer.filled().len() == before {
                this.connection.end();
            } else if !this.is_greeting && !this.connection.is_serving() {
                this.head_has_begun = true;
            }
        }
        read
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(context, bytes);
        if written.is_ready() {
            this.stalled = None;
            return written;
        }
        if !is_over(&mut this.stalled, this.limits.stalled_write, context) {
            return Poll::Pending;
        }
        debug!("a client took nothing of its answer for too long; its connection is closed");
        // The kernel would otherwise offer its buffer to the client for minutes.
        let _ = sockopt::set_socket_linger(&this.socket, Some(Duration::ZERO));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}

/// Marks a request whose body was read to its end.
#[derive(Debug)]
pub(super) struct BodyHasEnded;

/// Middleware: reports the progress of requests to their connection. The connection ends after an
/// answer that was given before the body had ended, because the rest of the body would be taken for
/// the next request. (The server does so itself if the length of the body is known.)
pub(super) async fn tell_the_connection<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(connection) = Connection::of(request.request()) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let serving = connection.serve();
    let knows_chunks = request.version() > Version::HTTP_10;
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let mut answer = match next.call(request).await {
        Ok(answer) => answer,
        Err(error) => {
            // A handler panicked, so it is unknown how much of the body it read.
            connection.end_soon(is_chunked).await;
            return Err(error);
        }
    };
    let was_read = answer.request().extensions().contains::<BodyHasEnded>();
    let ends = answer.response().head().connection_type() == ConnectionType::Close;
    if is_chunked && !was_read {
        let head = answer.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    connection.end_soon(!was_read && (is_chunked || ends)).await;
    if !knows_chunks && answer.response().body().size() == BodySize::Stream {
        // The end of this answer is the end of the connection.
        let head = answer.response_mut().head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
    Ok(answer.map_body(|_, body| {
        BoxBody::new(Watched {
            body: body.boxed(),
            rest: Bytes::new(),
            _serving: serving,
        })
    }))
}

/// The body of an answer: handed on in pieces, and counted as under way until its end.
struct Watched {
    body: BoxBody,
    /// The part of the last piece that is still to be handed on.
    rest: Bytes,
    _serving: Serving,
}

impl MessageBody for Watched {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            match Pin::new(&mut this.body).poll_next(context) {
                Poll::Ready(Some(Ok(bytes))) => this.rest = bytes,
                end => return end,
            }
        }
        let length = this.rest.len().min(MAX_PIECE);
        Poll::Ready(Some(Ok(this.rest.split_to(length))))
    }
}

#[cfg(test)]
mod tests;
