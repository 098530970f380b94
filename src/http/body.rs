//! Reads the body of a request: all of it, within a limit, whatever its `Content-Type`. A
//! compressed body is refused, and a byte-order mark before the JSON is skipped: tools of some
//! systems write one, and it is invisible in the file.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::StreamExt;

use super::connection::{BodyHasEnded, ClientLimits};
use super::problem::Problem;
use super::requests::{Record, read_json, whole};
use super::state::AppState;

/// The largest body that is read.
pub const MAX_BODY: usize = 16 * 1024 * 1024;

/// How much of a body that is too large is still read: a client that is cut off while it sends sees
/// a broken connection instead of the answer.
const MAX_DISCARDED: usize = 4 * MAX_BODY;

/// Bodies above this size are parsed on another thread, so that no heartbeat waits for them.
const PARSED_APART: usize = 64 * 1024;

/// A whole body. It may hold URLs with passwords, so printing it shows its size.
pub(super) struct Body(Bytes);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

impl Body {
    /// Reads the body as a request of this type.
    ///
    /// # Errors
    /// Returns 400 if it is not JSON, 422 with every bad field if it is no such request.
    pub(super) async fn read<T: Record + Send + 'static>(self) -> Result<T, Problem> {
        if self.0.len() > PARSED_APART {
            web::block(move || parse(&self.0))
                .await
                .unwrap_or_else(|_| Err(Problem::internal()))
        } else {
            parse(&self.0)
        }
    }
}

impl Body {
    /// Reads a body that may be left out, which is the same as `{}`.
    ///
    /// # Errors
    /// As [`Body::read`].
    pub(super) async fn read_or_default<T: Record + Send + 'static>(self) -> Result<T, Problem> {
        if self.0.iter().all(u8::is_ascii_whitespace) {
            return parse(b"{}");
        }
        self.read().await
    }
}

/// U+FEFF as UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

fn parse<T: Record>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::malformed(
            "The body is empty; a JSON object is expected.",
        ));
    }
    match read_json(bytes, &whole::<T>()) {
        Ok(read) => read.map_err(Problem::from),
        // The text names the fault with line and column, and repeats nothing of the body.
        Err(error) => Err(Problem::malformed(format!(
            "The body is not valid JSON: {error}."
        ))),
    }
}

impl FromRequest for Body {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let announced = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if is_encoded(request) {
            return Box::pin(async { Err(Problem::unsupported_encoding()) });
        }
        let limit = request
            .app_data::<web::Data<AppState>>()
            .map_or_else(ClientLimits::default, |state| state.settings().client)
            .body;
        let (payload, request) = (payload.take(), request.clone());
        Box::pin(async move {
            let collected = tokio::time::timeout(limit, collect(payload, announced));
            let body = collected.await.unwrap_or(Err(Problem::too_slow()))?;
            request.extensions_mut().insert(BodyHasEnded);
            body.ok_or_else(|| Problem::too_large(MAX_BODY)).map(Self)
        })
    }
}

/// Returns whether the body must be decoded before it can be read.
fn is_encoded(request: &HttpRequest) -> bool {
    let mut encodings = request.headers().get_all(header::CONTENT_ENCODING);
    encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Returns the body; `None` if it is too large, but was read to its end.
async fn collect(mut payload: Payload, announced: Option<usize>) -> Result<Option<Bytes>, Problem> {
    let announced = announced.unwrap_or(0);
    if announced > MAX_DISCARDED {
        return Err(Problem::too_large(MAX_BODY));
    }
    let mut is_too_large = announced > MAX_BODY;
    let mut received = 0_usize;
    // No memory is reserved for a length that was only announced.
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk =
            chunk.map_err(|_| Problem::malformed("The body could not be read to its end."))?;
        received = received.saturating_add(chunk.len());
        is_too_large |= received > MAX_BODY;
        if received > MAX_DISCARDED {
            return Err(Problem::too_large(MAX_BODY));
        }
        if is_too_large {
            body = BytesMut::new();
        } else {
            body.extend_from_slice(&chunk);
        }
    }
    Ok((!is_too_large).then(|| body.freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::requests::AssignRequest;

    #[test]
    fn one_byte_order_mark_before_the_json_is_skipped() {
        let read = |text: &str| parse::<AssignRequest>(text.as_bytes());
        let good = r#"{"server_id": "a", "requested_count": 1}"#;
        let skipped = read(&format!("\u{FEFF}{good}")).unwrap();
        assert_eq!(skipped.requested_count, Some(1));
        let two = read(&format!("\u{FEFF}\u{FEFF}{good}"));
        assert!(two.is_err(), "two are not JSON");
        let after = read(&format!("{good}\u{FEFF}"));
        assert!(after.is_err(), "it stands at the beginning");
        let empty = read("\u{FEFF}").unwrap_err().to_string();
        assert!(empty.contains("is empty"), "{empty}");
    }

    #[test]
    fn what_is_no_json_is_told_where() {
        let detail = |body: &[u8]| parse::<AssignRequest>(body).unwrap_err().to_string();
        let missing_colon = detail(b"{\"a\": 1,\n  \"b\" 2}");
        assert!(missing_colon.contains("line 2 column 7"), "{missing_colon}");
        assert!(detail(b"").contains("empty"));
        assert!(detail(b"[1]").contains("must be a JSON object"));
        assert!(detail(b"{\"a\": \"\xff\"}").contains("line 1"));
        let deep = "[".repeat(100_000);
        assert!(detail(deep.as_bytes()).contains("recursion"));
    }
}
