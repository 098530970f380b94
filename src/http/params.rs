//! Reads what stands in the path and in the query of a request, by the same rules as a body.

use actix_web::{FromRequest, HttpRequest, web};

use super::fields::{MAX_SAFE_INTEGER, SERVER_ID_LENGTH, check_text, describe_range};
use super::problem::{FieldError, Problem};
use crate::domain::ids::{InstanceId, StreamId};

/// How many items a page has at the most.
pub(super) const MAX_PAGE: usize = 10_000;

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
    let text = segment(request, "id")?;
    parse_integer(&text, 1, MAX_SAFE_INTEGER)
        .map(StreamId::new)
        .map_err(|reason| Problem::invalid_field("id", reason))
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

fn parse_integer(text: &str, least: i64, most: i64) -> Result<i64, String> {
    let range = least..=most;
    text.parse::<i64>()
        .ok()
        .filter(|number| range.contains(number) && !text.starts_with('+'))
        .ok_or_else(|| format!("must be an integer {}", describe_range(&range)))
}

/// The parameters of a query; unknown ones are ignored, of a repeated one the last counts.
#[derive(Debug)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Query {
    /// The query of a request; nothing in it can fail to be read.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string())
            .map(web::Query::into_inner)
            .unwrap_or_default();
        Self {
            pairs,
            errors: Vec::new(),
        }
    }

    /// A parameter read by `parse`, whose error is the reason. Empty is the same as absent.
    pub(super) fn get<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (_, value) = self
            .pairs
            .iter()
            .rev()
            .find(|(key, value)| key == name && !value.is_empty())?;
        match parse(value) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.errors.push(FieldError {
                    field: name.to_owned(),
                    reason,
                });
                None
            }
        }
    }

    /// How many items a page is to have.
    pub(super) fn limit(&mut self) -> Option<usize> {
        self.get("limit", |text| {
            parse_integer(text, 1, MAX_PAGE as i64)
                .map(|limit| usize::try_from(limit).unwrap_or(MAX_PAGE))
        })
    }

    /// The stream a page follows; 0 stands before the first.
    pub(super) fn after_stream(&mut self) -> Option<StreamId> {
        self.get("after", |text| {
            parse_integer(text, 0, MAX_SAFE_INTEGER).map(StreamId::new)
        })
    }

    /// The instance a page follows.
    pub(super) fn after_instance(&mut self) -> Option<InstanceId> {
        self.get("after", |text| {
            check_text(text, &SERVER_ID_LENGTH)?;
            Ok(InstanceId::new(text))
        })
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 422 with every parameter that was refused.
    pub(super) fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let total = self.errors.len();
        Err(Problem::invalid(self.errors, total))
    }
}
