//! The caller itself: who it is, and the session of a browser. Also on a standby, whose console asks for both.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::access::{Access, Sender, channel_of, ended_cookie, recognize_key, session_cookie};
use super::answer::Time;
use super::body::Body;
use super::problem::Problem;
use super::requests::SessionRequest;
use super::state::{AppState, Load};
use crate::domain::access::{Credential, Role, Scope, ServerIdPattern};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WhoAmIAnswer {
    /// Whether callers need a key: `on` or `off`.
    auth: &'static str,
    /// The name of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Arc<str>>,
    role: Role,
    /// For which `server_id`s the caller may act; absent: for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    server_ids: Option<Vec<ServerIdPattern>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Time>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionAnswer {
    status: &'static str,
    name: Option<Arc<str>>,
    role: Role,
    expires_at: Time,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionEndAnswer {
    status: &'static str,
}

/// `GET /whoami`
pub(super) async fn who_am_i(
    state: Option<Data<AppState>>,
    sender: Sender,
) -> Result<Json<WhoAmIAnswer>, Problem> {
    let _permit = state
        .as_ref()
        .map(|state| state.admit(Load::Read))
        .transpose()?;
    let caller = sender.caller();
    Ok(Json(WhoAmIAnswer {
        auth: match caller.credential {
            Credential::NotNeeded => "off",
            Credential::Key(_)
            | Credential::Session { .. }
            | Credential::Certificate
            | Credential::Network => "on",
        },
        name: caller.name.clone(),
        role: caller.role,
        server_ids: match &caller.scope {
            Scope::Any => None,
            Scope::Only(patterns) => Some(patterns.to_vec()),
        },
        expires_at: caller.expires_at.map(Time),
    }))
}

/// `POST /session`
pub(super) async fn begin(
    state: Option<Data<AppState>>,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let _permit = state
        .as_ref()
        .map(|state| state.admit(Load::Read))
        .transpose()?;
    let access = request.app_data::<Access>().ok_or_else(Problem::internal)?;
    let body: SessionRequest = body.read().await?;
    if !access.keyring().is_in_force() {
        return Err(Problem::no_session_needed());
    }
    let caller = recognize_key(&request, access, body.key.trim())?;
    let begun = access.keyring().begin_session(&caller);
    let (secret, ends_at) = begun.ok_or_else(Problem::internal)?;
    let cookie = session_cookie(&secret, channel_of(&request, access));
    Ok(HttpResponse::Ok()
        .insert_header((header::SET_COOKIE, cookie))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(SessionAnswer {
            status: "started",
            name: caller.name,
            role: caller.role,
            expires_at: Time(ends_at),
        }))
}

/// `DELETE /session`
pub(super) async fn end(
    state: Option<Data<AppState>>,
    sender: Sender,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let _permit = state
        .as_ref()
        .map(|state| state.admit(Load::Read))
        .transpose()?;
    sender.access().keyring().end_session(sender.caller());
    let cookie = ended_cookie(channel_of(&request, sender.access()));
    Ok(HttpResponse::Ok()
        .insert_header((header::SET_COOKIE, cookie))
        .json(SessionEndAnswer { status: "ended" }))
}
