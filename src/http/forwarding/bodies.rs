//! Bodies on their way: of requests to the leader, and of its answers to the client.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::HttpRequest;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::{Bytes, BytesMut};
use futures_util::future::poll_fn;
use futures_util::{Stream, StreamExt, stream};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::super::connection::BodyHasEnded;
use super::super::problem::Problem;

/// A body up to this size is read before it is sent.
const READ_FIRST: usize = 256 * 1024;

/// No answer from one orchestrator to another is longer.
const LONGEST_ANSWER: usize = 16 * 1024;

/// How many pieces of a larger body wait for the leader to take them.
const PIECES_AHEAD: usize = 4;

/// The body of a request: all of it, or its beginning and the rest that is still to come.
pub(super) struct RequestBody {
    beginning: Bytes,
    rest: Option<Payload>,
    /// The length that the client announced.
    announced: Option<u64>,
    is_taken: bool,
    limit: Duration,
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestBody({} bytes read)", self.beginning.len())
    }
}

impl RequestBody {
    /// Reads a body, or the beginning of a large one, for at most `limit`.
    ///
    /// # Errors
    /// Returns 400 or 408 if the client does not send it.
    pub(super) async fn read(
        mut payload: Payload,
        request: &HttpRequest,
        announced: Option<u64>,
        limit: Duration,
    ) -> Result<Self, Problem> {
        let mut beginning = BytesMut::new();
        let is_large = announced.is_some_and(|length| length > READ_FIRST as u64);
        let reading = async {
            while !is_large && beginning.len() <= READ_FIRST {
                let Some(piece) = payload.next().await else {
                    request.extensions_mut().insert(BodyHasEnded);
                    return Ok(None);
                };
                beginning.extend_from_slice(&piece?);
            }
            Ok::<_, PayloadError>(Some(payload))
        };
        let rest = timeout(limit, reading).await;
        let rest = rest.map_err(|_| Problem::too_slow())?;
        let rest =
            rest.map_err(|_| Problem::malformed("The body could not be read to its end."))?;
        Ok(Self {
            beginning: beginning.freeze(),
            rest,
            announced,
            is_taken: false,
            limit,
        })
    }

    /// The bytes, if they are all there.
    pub(super) fn whole(&self) -> Option<&Bytes> {
        (self.rest.is_none() && !self.is_taken).then_some(&self.beginning)
    }

    /// Returns the body for the leader; `None` if it was sent before and cannot be sent again.
    pub(super) fn outgoing(&mut self, request: &HttpRequest) -> Option<CarriedBody> {
        if self.is_taken {
            return None;
        }
        let Some(rest) = self.rest.take() else {
            return Some(CarriedBody::whole(self.beginning.clone()));
        };
        self.is_taken = true;
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let (limit, request) = (self.limit, request.clone());
        actix_web::rt::spawn(async move {
            if let Ok(Ok(())) = timeout(limit, pass(rest, &sender)).await {
                request.extensions_mut().insert(BodyHasEnded);
            } else {
                // The leader must not take the part for the whole.
                let cut = io::Error::from(io::ErrorKind::UnexpectedEof);
                let _ = sender.send(Err(cut)).await;
            }
        });
        Some(CarriedBody {
            beginning: Some(std::mem::take(&mut self.beginning)).filter(|part| !part.is_empty()),
            pieces: Some(pieces),
            length: self.announced,
        })
    }

    /// Returns it as it came, for a handler of this process; `None` if it was sent before.
    pub(super) fn restored(&mut self) -> Option<Payload> {
        if self.is_taken {
            return None;
        }
        self.is_taken = true;
        let beginning = std::mem::take(&mut self.beginning);
        let beginning = stream::iter([Ok(beginning)]);
        let payload: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> =
            match self.rest.take() {
                None => Box::pin(beginning),
                Some(rest) => Box::pin(beginning.chain(rest)),
            };
        Some(Payload::Stream { payload })
    }
}

/// Passes the pieces on while the leader takes them.
async fn pass(
    mut rest: Payload,
    sender: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), PayloadError> {
    while let Some(piece) = rest.next().await {
        if sender.send(Ok(piece?)).await.is_err() {
            return Err(PayloadError::Incomplete(None));
        }
    }
    Ok(())
}

/// The body of a request on its way to the leader.
#[derive(Debug)]
pub(in crate::http) struct CarriedBody {
    beginning: Option<Bytes>,
    pieces: Option<mpsc::Receiver<io::Result<Bytes>>>,
    length: Option<u64>,
}

impl CarriedBody {
    /// A body that is all there.
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self {
            length: Some(bytes.len() as u64),
            beginning: Some(bytes).filter(|bytes| !bytes.is_empty()),
            pieces: None,
        }
    }
}

/// The body of a request that has none.
pub(in crate::http) fn no_body() -> CarriedBody {
    CarriedBody::whole(Bytes::new())
}

/// The body of an orchestrator's own request.
pub(in crate::http) fn body_of(bytes: Vec<u8>) -> CarriedBody {
    CarriedBody::whole(bytes.into())
}

/// Reads the body of an answer that another orchestrator gave to this one; `None` if it breaks off or is too long.
pub(in crate::http) async fn collected(mut body: Incoming) -> Option<Vec<u8>> {
    let mut collected = Vec::new();
    loop {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        match frame {
            None => return Some(collected),
            Some(Ok(frame)) => {
                let piece: Bytes = frame.into_data().unwrap_or_default();
                collected.extend_from_slice(&piece);
            }
            Some(Err(_)) => return None,
        }
        if collected.len() > LONGEST_ANSWER {
            return None;
        }
    }
}

impl Body for CarriedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(beginning) = self.beginning.take() {
            return Poll::Ready(Some(Ok(Frame::data(beginning))));
        }
        match &mut self.pieces {
            None => Poll::Ready(None),
            Some(pieces) => pieces
                .poll_recv(context)
                .map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.beginning.is_none() && self.pieces.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The body of an answer of the leader.
pub(super) struct LeaderAnswer {
    pub(super) incoming: Incoming,
    pub(super) size: BodySize,
    /// Ends the answer early: the client of an event stream resumes at another member.
    pub(super) ends: Option<Pin<Box<dyn Future<Output = ()>>>>,
    pub(super) _permit: Option<OwnedSemaphorePermit>,
}

impl MessageBody for LeaderAnswer {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are of the connection to the leader.
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => break,
            }
        }
        match &mut self.ends {
            Some(ends) => ends.as_mut().poll(context).map(|()| None),
            None => Poll::Pending,
        }
    }
}
