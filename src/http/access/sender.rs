//! The caller, as handlers know it.

use std::future::{Ready, pending, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::rules::Access;
use crate::domain::access::{Caller, Credential, Scope};
use crate::domain::ids::InstanceId;
use crate::domain::request::EventOrigin;
use crate::http::problem::Problem;

/// The caller of a request, which `guarded` has put there.
#[derive(Debug, Clone)]
pub(in crate::http) struct Sender {
    caller: Caller,
    access: Access,
    /// As the events of its order name it.
    origin: Option<Arc<EventOrigin>>,
}

impl Sender {
    pub(super) fn new(caller: Caller, access: Access, origin: Option<Arc<EventOrigin>>) -> Self {
        Self {
            caller,
            access,
            origin,
        }
    }

    /// Returns how the events of its order name it; `None` if the request is no order.
    pub(in crate::http) fn origin(&self) -> Option<&EventOrigin> {
        self.origin.as_deref()
    }

    /// Returns who it is.
    pub(in crate::http) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Returns what callers are recognized by.
    pub(in crate::http) fn access(&self) -> &Access {
        &self.access
    }

    /// Checks that the caller may act for an instance.
    ///
    /// # Errors
    /// Returns 403 if its key is for other `server_id`s.
    pub(in crate::http) fn may_act_for(&self, id: &InstanceId) -> Result<(), Problem> {
        if self.caller.scope.allows(id.as_str()) {
            return Ok(());
        }
        let patterns = match &self.caller.scope {
            Scope::Any => String::new(),
            Scope::Only(patterns) => {
                let shown = patterns.iter().map(|pattern| format!("`{pattern}`"));
                shown.collect::<Vec<_>>().join(", ")
            }
        };
        Err(Problem::other_instance(&self.caller, id, &patterns))
    }

    /// Returns once the caller is not good any more; never where no key is needed.
    pub(in crate::http) async fn ended(&self) {
        match self.caller.credential {
            // The connection of a certificate ends with it, and with it the wait.
            Credential::NotNeeded | Credential::Certificate | Credential::Network => {
                pending().await
            }
            Credential::Key(_) | Credential::Session { .. } => {
                self.access.keyring().ended(&self.caller).await;
            }
        }
    }
}

impl FromRequest for Sender {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // A route without a guard has no caller, and a handler that asks for one there is a fault.
        let sender = request.extensions().get::<Self>().cloned();
        ready(sender.ok_or_else(Problem::internal))
    }
}
