//! The request that is being served: what is logged and commanded meanwhile is about it.
//!
//! It belongs to a task, not to a thread: other requests are served between two steps of one.

use std::sync::Arc;

use tokio::task::futures::TaskLocalFuture;

use crate::domain::request::{EventOrigin, RequestContext};

tokio::task_local! {
    static REQUEST: RequestContext;
}

/// Serves a request: everything within the future is about it.
pub fn within<F: Future>(request: RequestContext, served: F) -> TaskLocalFuture<RequestContext, F> {
    REQUEST.scope(request, served)
}

/// Serves a request, if there is one, or something else.
pub async fn within_any<F: Future>(request: Option<RequestContext>, served: F) -> F::Output {
    match request {
        Some(request) => within(request, served).await,
        None => served.await,
    }
}

/// Does something on behalf of a request, if there is one.
pub fn sync_within<T>(request: Option<&RequestContext>, work: impl FnOnce() -> T) -> T {
    match request {
        Some(request) => REQUEST.sync_scope(request.clone(), work),
        None => work(),
    }
}

/// Returns the request that is being served, if one is.
pub fn current() -> Option<RequestContext> {
    REQUEST.try_with(RequestContext::clone).ok()
}

/// Returns who gave the order that is being carried out, if one is.
pub fn current_origin() -> Option<Arc<EventOrigin>> {
    REQUEST
        .try_with(|request| request.origin().cloned())
        .ok()
        .flatten()
}

/// Looks at the request that is being served, if one is.
pub(super) fn with_current(look: impl FnOnce(&RequestContext)) {
    // Outside of a request there is nothing to look at.
    let _ = REQUEST.try_with(look);
}
