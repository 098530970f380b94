//! Keys of callers.

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{PageEnd, Time, page};
use super::body::Body;
use super::params;
use super::pieces::{self, Nothing, Rows};
use super::problem::Problem;
use super::requests::{KeyRequest, KeysQuery, future, read_query};
use super::state::{AppState, Load};
use crate::domain::access::{AccessKey, KeyDraft, Role, ServerIdPattern};
use crate::domain::ids::KeyId;

/// How many keys a page has by default.
const DEFAULT_LIMIT: u32 = 1_000;

/// A key, without its secret, which only its holder has.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeyAnswer {
    id: KeyId,
    name: String,
    role: Role,
    /// For which `server_id`s a worker may call; empty: for any.
    #[schema(value_type = Vec<String>)]
    server_ids: Vec<ServerIdPattern>,
    created_at: Time,
    expires_at: Option<Time>,
    revoked_at: Option<Time>,
    /// To the minute.
    last_used_at: Option<Time>,
}

impl From<AccessKey> for KeyAnswer {
    fn from(key: AccessKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            role: key.role,
            server_ids: key.server_ids,
            created_at: Time(key.created_at),
            expires_at: key.expires_at.map(Time),
            revoked_at: key.revoked_at.map(Time),
            last_used_at: key.last_used_at.map(Time),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedAnswer {
    status: &'static str,
    id: KeyId,
    name: String,
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Time>,
    /// The key, which is in this answer only.
    key: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevokedAnswer {
    status: &'static str,
    id: KeyId,
    name: String,
    revoked_at: Option<Time>,
}

/// `GET /keys`
pub(super) async fn list(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query: KeysQuery = read_query(&request)?;
    let _permit = state.admit(Load::List)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let keys = state.orchestrator().keyring().list().into_iter();
    let after = keys.skip_while(|key| query.after.is_some_and(|after| key.id <= after));
    let found: Vec<AccessKey> = after.take(limit as usize + 1).collect();
    let (keys, next) = page(found, limit, |key| key.id);
    let rows = keys.into_iter().map(KeyAnswer::from);
    let end = PageEnd::new(next, state.stale_since());
    pieces::answer(Rows::of(&Nothing {}, "keys", rows, &end)?).await
}

/// `POST /keys`
pub(super) async fn create(
    state: Data<AppState>,
    body: Body,
) -> Result<Json<CreatedAnswer>, Problem> {
    let _permit = state.admit(Load::Write)?;
    let request: KeyRequest = body.read().await?;
    let orchestrator = state.orchestrator();
    let now = orchestrator.clock().wall();
    let expires = request.expires.map(|when| future("expires", when, now));
    let draft = KeyDraft {
        name: request.name.clone(),
        role: request.role,
        server_ids: request.server_ids.unwrap_or_default(),
        expires_at: expires.transpose()?,
    };
    let expires_at = draft.expires_at.map(Time);
    let created = orchestrator.create_key(draft).await?;
    Ok(Json(CreatedAnswer {
        status: "created",
        id: created.id,
        name: request.name,
        role: request.role,
        expires_at,
        key: created.secret.expose(),
    }))
}

/// `DELETE /keys/{id}`
pub(super) async fn revoke(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<Json<RevokedAnswer>, Problem> {
    let id = KeyId::new(params::number(&request, "id")?);
    let _permit = state.admit(Load::Write)?;
    let key = state.orchestrator().revoke_key(id).await?;
    Ok(Json(RevokedAnswer {
        status: "revoked",
        id,
        name: key.name,
        revoked_at: key.revoked_at.map(Time),
    }))
}
