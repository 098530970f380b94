//! The way out, as the actor sees it.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::domain::webhook::{Answer, Forbidden, Secret, TargetUrl};

/// A request to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct OutgoingRequest {
    pub url: TargetUrl,
    /// The id of the message.
    pub id: String,
    /// The moment of this try, in seconds since 1970.
    pub timestamp: i64,
    pub body: Vec<u8>,
    /// The header `traceparent`: the place in a trace of the request that led to the message.
    pub traceparent: Option<String>,
    /// The secrets that sign it, the current one first.
    pub secrets: Vec<Secret>,
}

/// Sends requests to receivers. Each is over within a time limit of the sender's.
pub trait WebhookSender: Send + Sync + fmt::Debug {
    /// Sends a request and returns its end.
    fn send(&self, request: OutgoingRequest) -> BoxFuture<'static, Answer>;

    /// Returns why the host of a URL may not be called, if it is known and may not.
    fn check(&self, url: TargetUrl) -> BoxFuture<'static, Option<Forbidden>>;

    /// Returns whether loopback addresses may be called.
    fn allows_loopback(&self) -> bool;
}

/// No way out: every request fails. For tests, which have no receivers.
#[derive(Debug, Clone, Copy)]
pub struct NoSender;

impl WebhookSender for NoSender {
    fn send(&self, _: OutgoingRequest) -> BoxFuture<'static, Answer> {
        let reason = "there is no way out".to_owned();
        Box::pin(std::future::ready(Answer::Unreachable(reason)))
    }

    fn check(&self, _: TargetUrl) -> BoxFuture<'static, Option<Forbidden>> {
        Box::pin(std::future::ready(None))
    }

    fn allows_loopback(&self) -> bool {
        false
    }
}
