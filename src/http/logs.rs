//! The last lines of this process's log, also on a standby.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use log::LevelFilter;
use serde::Serialize;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::problem::Problem;
use super::requests::{LogsQuery, read_query};
use super::state::{AppState, Load};
use crate::logging::{self, Line};

/// How many lines are shown by default.
const DEFAULT_LIMIT: u32 = 100;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LogsAnswer {
    /// Oldest first, each as `LOG_FORMAT=json` writes it.
    lines: Vec<Arc<Line>>,
}

/// A line has fields of its own beside these.
impl PartialSchema for Line {
    fn schema() -> RefOr<Schema> {
        let line =
            ObjectBuilder::new().description(Some("A line of the log, with its own fields."));
        ["timestamp", "level", "target", "message"]
            .into_iter()
            .fold(line, |line, name| {
                line.property(name, String::schema()).required(name)
            })
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .into()
    }
}

impl ToSchema for Line {
    fn name() -> Cow<'static, str> {
        "LogLine".into()
    }
}

/// `GET /logs`
pub(super) async fn logs(
    state: Option<Data<AppState>>,
    request: HttpRequest,
) -> Result<Json<LogsAnswer>, Problem> {
    let query: LogsQuery = read_query(&request)?;
    let _permit = state
        .as_ref()
        .map(|state| state.admit(Load::List))
        .transpose()?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT) as usize;
    let level = query.level.unwrap_or(LevelFilter::Trace);
    Ok(Json(LogsAnswer {
        lines: logging::last_lines(level, limit),
    }))
}
