//! The body of an answer that holds something until its last piece is taken.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;

/// A body, and what is dropped with it.
pub(super) struct HeldBody<H> {
    body: BoxBody,
    _held: H,
}

impl<H> HeldBody<H> {
    /// Holds something until the body has ended.
    pub(super) fn new(body: BoxBody, held: H) -> Self {
        Self { body, _held: held }
    }
}

impl<H: Unpin> MessageBody for HeldBody<H> {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
