//! Reads what stands in the path of a request, by the same rules as a body.

use actix_web::{FromRequest, HttpRequest, web};

use super::problem::Problem;
use super::requests::{MAX_SAFE_INTEGER, NODE_LENGTH, SERVER_ID_LENGTH, check_text, parse_integer};
use crate::domain::breaker::BreakerName;
use crate::domain::ids::{InstanceId, StreamId};
use crate::domain::leadership::NodeName;
use crate::domain::webhook::check_name;

/// The `server_id` in the path. It is percent-decoded once, so that `%2F` is a slash of the id
/// and `%25` a percent sign.
///
/// # Errors
/// 422 if no instance could ever have that name.
pub(super) fn server_id(request: &HttpRequest) -> Result<InstanceId, Problem> {
    let id = segment(request, "server_id")?;
    check_text(&id, &SERVER_ID_LENGTH)
        .map_err(|reason| Problem::invalid_field("server_id", reason))?;
    Ok(InstanceId::new(id))
}

/// The stream id in the path.
///
/// # Errors
/// 422 if it is not a stream id.
pub(super) fn stream_id(request: &HttpRequest) -> Result<StreamId, Problem> {
    number(request, "id").map(StreamId::new)
}

/// The name of a breaker in the path.
///
/// # Errors
/// 422 if no breaker could ever have that name.
pub(super) fn breaker(request: &HttpRequest) -> Result<BreakerName, Problem> {
    let name = segment(request, "name")?;
    check_text(&name, &SERVER_ID_LENGTH)
        .map_err(|reason| Problem::invalid_field("name", reason))?;
    Ok(BreakerName::new(name))
}

/// The name of a webhook in the path.
///
/// # Errors
/// 422 if no webhook could ever have that name.
pub(super) fn webhook(request: &HttpRequest) -> Result<String, Problem> {
    let name = segment(request, "name")?;
    check_name(&name).map_err(|reason| Problem::invalid_field("name", reason))?;
    Ok(name)
}

/// The name of an orchestrator in the path.
///
/// # Errors
/// 422 if no orchestrator could ever have that name.
pub(super) fn node(request: &HttpRequest) -> Result<NodeName, Problem> {
    let name = segment(request, "node")?;
    check_text(&name, &NODE_LENGTH).map_err(|reason| Problem::invalid_field("node", reason))?;
    Ok(NodeName::new(name))
}

/// The number in the path; `name` is what it is called in a refusal.
///
/// # Errors
/// 422 if it is no number that anything could be known by.
pub(super) fn number(request: &HttpRequest, name: &str) -> Result<i64, Problem> {
    let text = segment(request, name)?;
    parse_integer(&text, &(1..=MAX_SAFE_INTEGER))
        .map_err(|reason| Problem::invalid_field(name, reason))
}

fn segment(request: &HttpRequest, name: &str) -> Result<String, Problem> {
    let unreadable = || Problem::invalid_field(name, "must be percent-encoded UTF-8");
    // The router replaces what is not UTF-8; an id that merely looks the same is another one.
    let replaced = char::REPLACEMENT_CHARACTER;
    let path = web::Path::<String>::extract(request)
        .into_inner()
        .map_err(|_| unreadable())?
        .into_inner();
    if path.contains(replaced)
        && !request
            .uri()
            .path()
            .to_ascii_uppercase()
            .contains("%EF%BF%BD")
    {
        return Err(unreadable());
    }
    Ok(path)
}
