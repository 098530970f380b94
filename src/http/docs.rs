//! The pages about the API itself: `/openapi.json`, and `/docs`, which shows it in a browser.
//!
//! Each process answers them in every phase, also as a standby. All of it is part of the program, so the pages need
//! no other host; the policy that they are sent with forbids a browser to ask one. Texts are compressed for
//! clients that ask for it; files that are stored compressed are sent so.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::io::Write;
use std::sync::LazyLock;

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::problem::Problem;

/// The least that the page needs: its own files, and requests to this program.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// A text that does not change while the program runs.
pub(super) struct Page {
    content_type: &'static str,
    bytes: Bytes,
    etag: String,
    form: Form,
    caching: &'static str,
}

/// How the content of a page is stored.
enum Form {
    /// As it is, and once more compressed with gzip.
    Text { compressed: Bytes },
    /// Compressed with gzip, and in no other way.
    Compressed,
}

/// A client asks each time whether the page has changed.
const ASK_AGAIN: &str = "no-cache";

/// A client keeps the page: another content has another name.
const KEEP: &str = "public, max-age=31536000, immutable";

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({}, {} bytes)", self.content_type, self.bytes.len())
    }
}

impl Page {
    /// Creates a page with a text.
    pub(super) fn of(content_type: &'static str, text: impl Into<Bytes>) -> Self {
        let bytes: Bytes = text.into();
        let compressed = compressed(&bytes);
        Self::stored(content_type, bytes, Form::Text { compressed })
    }

    fn stored(content_type: &'static str, bytes: Bytes, form: Form) -> Self {
        // Only the identity of a text counts here: no one gains by making two that are alike.
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        Self {
            content_type,
            etag: format!("\"{:016x}\"", hasher.finish()),
            bytes,
            form,
            caching: ASK_AGAIN,
        }
    }

    /// Returns its content.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Creates a page from what is compressed with gzip.
    pub(super) fn compressed(content_type: &'static str, bytes: &'static [u8]) -> Self {
        Self::stored(content_type, bytes.into(), Form::Compressed)
    }

    /// Has clients keep it without asking again.
    pub(super) fn kept(self) -> Self {
        Self {
            caching: KEEP,
            ..self
        }
    }

    /// Answers a request for it: 304 if the client has it already.
    ///
    /// # Errors
    /// Returns 406 if the client does not take it as it is stored.
    pub(super) fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, Problem> {
        let mut response = match has_it(request, &self.etag) {
            true => HttpResponse::NotModified(),
            false => HttpResponse::Ok(),
        };
        response
            .insert_header((header::CACHE_CONTROL, self.caching))
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .insert_header((header::VARY, "accept-encoding"));
        let (bytes, is_compressed) = match &self.form {
            Form::Text { compressed } if names_gzip(request) => (compressed, true),
            Form::Text { .. } => (&self.bytes, false),
            Form::Compressed => (&self.bytes, true),
        };
        // Two encodings of one text are not the same bytes (RFC 9110, 8.8.3.3).
        let weak = if is_compressed { "W/" } else { "" };
        response.insert_header((header::ETAG, format!("{weak}{}", self.etag)));
        if has_it(request, &self.etag) {
            return Ok(response.finish());
        }
        if is_compressed {
            if !takes_gzip(request) {
                return Err(Problem::not_acceptable());
            }
            response.insert_header((header::CONTENT_ENCODING, "gzip"));
        }
        Ok(response.content_type(self.content_type).body(bytes.clone()))
    }
}

/// Compresses a text with gzip.
fn compressed(text: &[u8]) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let written = gzip.write_all(text).and_then(|()| gzip.finish());
    // A vector takes every byte.
    written.unwrap_or_default().into()
}

/// Returns whether a client asks for gzip by its name. One that says nothing gets a text as it is: a person may read it.
fn names_gzip(request: &HttpRequest) -> bool {
    request.headers().contains_key(header::ACCEPT_ENCODING) && takes_gzip(request)
}

/// Returns whether a client has a page already.
fn has_it(request: &HttpRequest, etag: &str) -> bool {
    let lists = request.headers().get_all(header::IF_NONE_MATCH);
    let mut tags = lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|tag| tag == etag || tag == "*")
}

/// Returns whether a client takes gzip. One that says nothing takes everything (RFC 9110).
pub(super) fn takes_gzip(request: &HttpRequest) -> bool {
    let lists: Vec<&str> = request
        .headers()
        .get_all(header::ACCEPT_ENCODING)
        .filter_map(|list: &HeaderValue| list.to_str().ok())
        .collect();
    let mut any = lists.is_empty().then_some(true);
    for coding in lists.iter().flat_map(|list| list.split(',')) {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let quality = quality.trim().strip_prefix("q=").unwrap_or("1");
        let is_taken = quality
            .trim()
            .parse()
            .is_ok_and(|quality: f32| quality > 0.0);
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => return is_taken,
            "*" => any = Some(is_taken),
            _ => {}
        }
    }
    any.unwrap_or(false)
}

/// A file of the page.
pub(super) struct File {
    pub(super) name: &'static str,
    page: LazyLock<Page>,
}

static INDEX: LazyLock<Page> = LazyLock::new(|| {
    let text = include_str!("../../assets/swagger-ui/index.html");
    Page::of(HTML, text)
});

/// Every file that the page loads.
pub(super) static FILES: [File; 3] = [
    File {
        name: "start.js",
        page: LazyLock::new(|| {
            let text = include_str!("../../assets/swagger-ui/start.js");
            Page::of(SCRIPT, text)
        }),
    },
    File {
        name: "swagger-ui-bundle.js",
        page: LazyLock::new(|| {
            let bytes = include_bytes!("../../assets/swagger-ui/swagger-ui-bundle.js.gz");
            Page::compressed(SCRIPT, bytes)
        }),
    },
    File {
        name: "swagger-ui.css",
        page: LazyLock::new(|| {
            let bytes = include_bytes!("../../assets/swagger-ui/swagger-ui.css.gz");
            Page::compressed(STYLE, bytes)
        }),
    },
];

/// The content type of the page.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// The content type of scripts.
pub(super) const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The content type of style sheets.
pub(super) const STYLE: &str = "text/css; charset=utf-8";

/// The description, which is made when it is first asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Description(pub(super) fn() -> &'static Page);

/// `GET /openapi.json`
pub(super) async fn description(
    description: Data<Description>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    (description.0)().answer(&request)
}

/// `GET /docs`
pub(super) async fn index(request: HttpRequest) -> Result<HttpResponse, Problem> {
    INDEX.answer(&request)
}

/// `GET /docs/{file}`
pub(super) async fn file(
    name: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let found = FILES.iter().find(|file| file.name == name.as_str());
    let file = found.ok_or_else(Problem::unknown_file)?;
    file.page.answer(&request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn with(name: &'static str, value: &str) -> HttpRequest {
        TestRequest::default()
            .insert_header((name, value))
            .to_http_request()
    }

    #[test]
    fn a_client_takes_gzip_unless_it_says_otherwise() {
        assert!(takes_gzip(&TestRequest::default().to_http_request()));
        for (accepted, expected) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("br, *;q=0.1", true),
            ("", false),
            ("identity", false),
            ("br", false),
            ("gzip;q=0, *", false),
            ("*;q=0, gzip;q=1", true),
        ] {
            let taken = takes_gzip(&with("accept-encoding", accepted));
            assert_eq!(taken, expected, "{accepted}");
        }
    }

    #[test]
    fn a_client_that_has_a_page_gets_304() {
        let page = Page::of("text/plain", "a text");
        for tags in [
            page.etag.clone(),
            format!("\"x\", W/{}", page.etag),
            "*".to_owned(),
        ] {
            let response = page.answer(&with("if-none-match", &tags)).unwrap();
            assert_eq!(response.status(), 304, "{tags}");
        }
        let response = page.answer(&with("if-none-match", "\"x\"")).unwrap();
        assert_eq!(response.status(), 200);
        assert_ne!(Page::of("text/plain", "another text").etag, page.etag);
    }
}
