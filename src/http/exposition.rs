//! The formats of `/metrics`, and which of them a scraper asks for.

use std::fmt;

use actix_web::HttpRequest;
use actix_web::http::header;
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exposition {
    /// The text format that every tool reads.
    Classic,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

const OPEN_METRICS: &str = "application/openmetrics-text";

impl Exposition {
    /// Returns the format that a request prefers; without a preference the classic one, which more tools
    /// read.
    pub(super) fn wanted_by(request: &HttpRequest) -> Self {
        let headers = request.headers().get_all(header::ACCEPT);
        let lists = headers.filter_map(|list| list.to_str().ok());
        Self::preferred(lists)
    }

    /// Returns the format that lists of media types prefer.
    fn preferred<'a>(lists: impl Iterator<Item = &'a str>) -> Self {
        let (mut open, mut classic) = (0.0, 0.0);
        for range in lists.flat_map(|list| list.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse().ok());
            let quality: f64 = quality.unwrap_or(1.0);
            match kind.as_str() {
                OPEN_METRICS => open = f64::max(open, quality),
                "text/plain" | "text/*" | "*/*" => classic = f64::max(classic, quality),
                _ => {}
            }
        }
        if open > 0.0 && open >= classic {
            Self::OpenMetrics
        } else {
            Self::Classic
        }
    }

    /// Returns the content type.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Writes everything that is registered.
    ///
    /// # Errors
    /// Returns an error if a metric cannot be written in this format.
    pub(super) fn write(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut written = String::new();
        match self {
            Self::Classic => prometheus_text::encode(&mut written, registry)?,
            Self::OpenMetrics => text::encode(&mut written, registry)?,
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_preferred_one_and_else_the_classic_one() {
        let (open, classic) = (Exposition::OpenMetrics, Exposition::Classic);
        let table: [(&[&str], Exposition); 9] = [
            (&[], classic),
            (&["*/*"], classic),
            (&["text/html"], classic),
            (&["application/openmetrics-text"], open),
            (
                // What Prometheus sends.
                &["application/openmetrics-text;version=1.0.0,\
                 application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,\
                 */*;q=0.1"],
                open,
            ),
            (
                &["text/plain, application/openmetrics-text; q=0.5"],
                classic,
            ),
            (
                &["text/plain;q=0.3", "Application/OpenMetrics-Text;q=0.5"],
                open,
            ),
            (&["application/openmetrics-text;q=0"], classic),
            (
                &["application/openmetrics-text;q=bad, text/plain;q=0.9"],
                open,
            ),
        ];
        for (lists, expected) in table {
            let found = Exposition::preferred(lists.iter().copied());
            assert_eq!(found, expected, "{lists:?}");
        }
    }
}
