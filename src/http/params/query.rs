//! The parameters of a query: each route has its own, and refuses others.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, web};

use super::text::{parse_number, parse_time};
use crate::domain::ids::{InstanceId, StreamId};
use crate::domain::spelling::nearest;
use crate::domain::time::WallTime;
use crate::http::problem::{FieldError, Problem};
use crate::http::requests::{MAX_SAFE_INTEGER, SERVER_ID_LENGTH, check_text};

/// How many items a page has at the most.
const MAX_PAGE: usize = 10_000;

/// How many items a page has at the most that is read from the database.
const MAX_STORED_PAGE: u32 = 1_000;

/// How much of a parameter's name is repeated in a refusal, in characters.
const MAX_SHOWN_NAME: usize = 64;

/// How many labels a list is narrowed by at the most.
const MAX_LABELS: usize = 16;

/// How long a label may be as `key:value`, in characters: no label is longer.
const LABEL_LENGTH: RangeInclusive<usize> = 1..=641;

/// Names that other programs have for parameters of ours.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("server_id", "instance"),
    ("server", "instance"),
    ("worker", "instance"),
    ("stream_id", "stream"),
    ("type", "kind"),
    ("since", "from"),
    ("until", "to"),
    ("sort", "order"),
    ("cursor", "after"),
    ("offset", "after"),
    ("page", "after"),
    ("count", "limit"),
    ("per_page", "limit"),
    ("page_size", "limit"),
];

/// Why a parameter that a route does not have is refused. A filter that was ignored would be answered
/// with everything, which looks like an answer.
fn unknown(name: &str, known: &[&'static str]) -> FieldError {
    let mut known = known.to_vec();
    known.sort_unstable();
    known.dedup();
    let other = OTHER_NAMES
        .iter()
        .find(|(other, ours)| *other == name && known.contains(ours))
        .map(|(_, ours)| *ours);
    let reason = match other.or_else(|| nearest(name, &known)) {
        None => "is not a parameter of this route, which takes none".to_owned(),
        Some(meant) => {
            let all: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            format!(
                "is not a parameter of this route; did you mean `{meant}`? It takes {}",
                all.join(", ")
            )
        }
    };
    FieldError {
        field: name.chars().take(MAX_SHOWN_NAME).collect(),
        reason,
    }
}

/// Middleware of a route without parameters: refuses any.
pub(in crate::http) async fn refuse_any<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match Query::of(request.request()).finish() {
        Ok(()) => Ok(next.call(request).await?.map_into_boxed_body()),
        Err(problem) => Ok(request.error_response(problem)),
    }
}

/// `key:value`, either of which may hold colons: an entry of labels it is to be found in.
fn parse_label(text: &str) -> Result<String, String> {
    check_text(text, &LABEL_LENGTH)?;
    if text.contains(':') {
        Ok(text.to_owned())
    } else {
        Err("must be KEY:VALUE, such as zone:north".to_owned())
    }
}

/// The parameters of a query. Of a repeated one the last counts, unless the reader says otherwise;
/// one that nothing asked for is refused.
#[derive(Debug)]
pub(in crate::http) struct Query {
    pairs: Vec<(String, String)>,
    /// The names that were asked for: those this route has.
    asked: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Query {
    /// The query of a request; nothing in it can fail to be read.
    pub(in crate::http) fn of(request: &HttpRequest) -> Self {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string())
            .map(web::Query::into_inner)
            .unwrap_or_default();
        Self {
            pairs,
            asked: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// A parameter read by `parse`, whose error is the reason. Empty is the same as absent.
    pub(in crate::http) fn get<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.asked.push(name);
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
    pub(in crate::http) fn limit(&mut self) -> Option<usize> {
        self.get("limit", |text| {
            parse_number(text, 1, MAX_PAGE as i64)
                .map(|limit| usize::try_from(limit).unwrap_or(MAX_PAGE))
        })
    }

    /// How many items a page is to have that is read from the database.
    pub(in crate::http) fn short_limit(&mut self) -> Option<u32> {
        self.get("limit", |text| {
            parse_number(text, 1, i64::from(MAX_STORED_PAGE))
                .map(|limit| u32::try_from(limit).unwrap_or(MAX_STORED_PAGE))
        })
    }

    /// The number a page follows; 0 stands before the first.
    pub(in crate::http) fn after_number(&mut self) -> Option<i64> {
        self.get("after", |text| parse_number(text, 0, MAX_SAFE_INTEGER))
    }

    /// A number within bounds, both included.
    pub(in crate::http) fn number(
        &mut self,
        name: &'static str,
        least: i64,
        most: i64,
    ) -> Option<i64> {
        self.get(name, |text| parse_number(text, least, most))
    }

    /// The stream a page follows; 0 stands before the first.
    pub(in crate::http) fn after_stream(&mut self) -> Option<StreamId> {
        self.after_number().map(StreamId::new)
    }

    /// The instance a page follows.
    pub(in crate::http) fn after_instance(&mut self) -> Option<InstanceId> {
        self.instance("after")
    }

    /// An instance, registered or not.
    pub(in crate::http) fn instance(&mut self, name: &'static str) -> Option<InstanceId> {
        self.get(name, |text| {
            check_text(text, &SERVER_ID_LENGTH)?;
            Ok(InstanceId::new(text))
        })
    }

    /// A text, which is refused if it is given and empty.
    pub(in crate::http) fn text(
        &mut self,
        name: &'static str,
        length: &RangeInclusive<usize>,
    ) -> Option<String> {
        self.asked.push(name);
        let (_, text) = self.pairs.iter().rev().find(|(key, _)| key == name)?;
        match check_text(text, length) {
            Ok(()) => Some(text.clone()),
            Err(reason) => {
                self.refuse(name, &reason);
                None
            }
        }
    }

    /// A moment.
    pub(in crate::http) fn time(&mut self, name: &'static str) -> Option<WallTime> {
        self.get(name, parse_time)
    }

    /// A parameter that must be there; the stand-in is never used if it is not.
    pub(in crate::http) fn required<T>(
        &mut self,
        name: &'static str,
        stand_in: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let is_given = |(key, value): &(String, String)| key == name && !value.is_empty();
        if !self.pairs.iter().any(is_given) {
            self.refuse(name, "is missing");
        }
        self.get(name, parse).unwrap_or(stand_in)
    }

    /// How long to wait: seconds, or a text like `30s`; no longer than `most`.
    pub(in crate::http) fn wait(&mut self, name: &'static str, most: Duration) -> Option<Duration> {
        self.get(name, |text| {
            let read = match text.parse::<f64>() {
                // So many seconds that they do not fit are still only too many.
                Ok(seconds) if seconds.is_finite() => {
                    Duration::try_from_secs_f64(seconds.min(most.as_secs_f64())).ok()
                }
                Ok(_) => None,
                Err(_) => humantime::parse_duration(text).ok(),
            };
            read.map(|wait| wait.min(most)).ok_or_else(|| {
                "must be seconds as a number, or a text like 30s, and not negative".to_owned()
            })
        })
    }

    /// One of some words, or absent.
    pub(in crate::http) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        all: &[T],
        word: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        self.get(name, |text| find_word(text, all, &word))
    }

    /// Some words between commas, each once; empty if absent.
    pub(in crate::http) fn words<T: Copy + PartialEq>(
        &mut self,
        name: &'static str,
        all: &[T],
        word: impl Fn(T) -> &'static str,
    ) -> Vec<T> {
        let read = |text: &str| {
            let mut found = Vec::new();
            for part in text.split(',') {
                let one = find_word(part.trim(), all, &word)?;
                if !found.contains(&one) {
                    found.push(one);
                }
            }
            Ok(found)
        };
        self.get(name, read).unwrap_or_default()
    }

    /// The labels that are asked for, `key:value`: each time the parameter is given.
    pub(in crate::http) fn labels(&mut self) -> Vec<String> {
        self.asked.push("label");
        let given = self.pairs.iter();
        let given = given.filter(|(key, value)| key == "label" && !value.is_empty());
        let (mut labels, mut errors) = (Vec::new(), Vec::new());
        for (_, text) in given.take(MAX_LABELS + 1) {
            match parse_label(text) {
                Ok(label) => labels.push(label),
                Err(reason) => errors.push(reason),
            }
        }
        if labels.len() > MAX_LABELS {
            errors.push(format!("must be given at most {MAX_LABELS} times"));
        }
        for reason in errors {
            self.refuse("label", &reason);
        }
        labels
    }

    /// Notes that parameters do not fit together.
    pub(in crate::http) fn refuse(&mut self, name: &str, reason: &str) {
        self.errors.push(FieldError {
            field: name.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 422 with every parameter that was refused, those nothing asked for among them.
    pub(in crate::http) fn finish(mut self) -> Result<(), Problem> {
        let mut seen: BTreeSet<&str> = self.asked.iter().copied().collect();
        for (name, _) in &self.pairs {
            if seen.insert(name) {
                self.errors.push(unknown(name, &self.asked));
            }
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        let total = self.errors.len();
        Err(Problem::invalid(self.errors, total))
    }
}

fn find_word<T: Copy>(
    text: &str,
    all: &[T],
    word: &impl Fn(T) -> &'static str,
) -> Result<T, String> {
    all.iter()
        .copied()
        .find(|one| word(*one) == text)
        .ok_or_else(|| {
            let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
            format!("must be one of {}", words.join(", "))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seconds_or_text_and_has_a_longest() {
        let most = Duration::from_secs(60);
        let read = |text: &str| {
            let mut query = Query {
                pairs: vec![("wait".to_owned(), text.to_owned())],
                asked: Vec::new(),
                errors: Vec::new(),
            };
            let wait = query.wait("wait", most);
            (wait, query.errors.len())
        };
        for (text, millis) in [
            ("0", 0),
            ("30", 30_000),
            ("0.25", 250),
            ("30s", 30_000),
            ("1500ms", 1_500),
            ("1m", 60_000),
            ("60.001", 60_000),
            ("1h", 60_000),
            ("1e300", 60_000),
        ] {
            let wait = Some(Duration::from_millis(millis));
            assert_eq!(read(text), (wait, 0), "{text}");
        }
        for text in [
            "-1",
            "-0.1s",
            "-5s",
            "soon",
            "30 parsecs",
            "NaN",
            "inf",
            "30,5",
        ] {
            assert_eq!(read(text), (None, 1), "{text}");
        }
        assert_eq!(read(""), (None, 0), "absent");
    }
}
