//! The request that led to something: its id, and the trace that it belongs to.
//!
//! The caller may name both. What it names is bounded and of a form that is safe in a header and in a
//! log line; anything else is ignored, never refused: a worker must not fail because a proxy before it
//! writes another form.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The most bytes of a request's id.
pub const MAX_REQUEST_ID: usize = 128;

/// Returns whether an id of a request is taken over: 1 to [`MAX_REQUEST_ID`] letters, digits and
/// `-_.:/+=@`, all of ASCII.
pub fn is_request_id(id: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
    (1..=MAX_REQUEST_ID).contains(&id.len()) && id.iter().all(is_plain)
}

/// Returns a new id from a random number: 32 hexadecimal digits.
pub fn new_request_id(random: u128) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut id = [b'0'; 32];
    for (place, digit) in id.iter_mut().enumerate() {
        let nibble = (random >> (124 - 4 * place)) & 0xf;
        *digit = DIGITS[nibble as usize];
    }
    id
}

/// The place of a request in a trace: the header `traceparent` of W3C Trace Context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(Box<str>);

impl TraceParent {
    /// Returns the four fields of a header. Fields that a later version adds behind them are left out.
    /// A header that the standard does not allow is none.
    pub fn parse(header: &str) -> Option<Self> {
        const LENGTH: usize = "00-".len() + 32 + 1 + 16 + 1 + 2;
        let fields = header.get(..LENGTH)?;
        let (version, rest) = fields.split_at_checked(2)?;
        let (trace, rest) = rest.strip_prefix('-')?.split_at_checked(32)?;
        let (parent, rest) = rest.strip_prefix('-')?.split_at_checked(16)?;
        let flags = rest.strip_prefix('-')?;
        let is_hex = |text: &str| {
            let mut digits = text.bytes();
            digits.all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_zero = |text: &str| text.bytes().all(|digit| digit == b'0');
        let is_complete = match &header[LENGTH..] {
            "" => true,
            more => version != "00" && more.starts_with('-'),
        };
        let is_valid = [version, trace, parent, flags].into_iter().all(is_hex)
            && version != "ff"
            && !is_zero(trace)
            && !is_zero(parent)
            && is_complete;
        is_valid.then(|| Self(format!("00-{trace}-{parent}-{flags}").into()))
    }

    /// Returns the id of the trace.
    pub fn trace_id(&self) -> &str {
        &self.0[3..35]
    }
}

/// The header as it is passed on, in version 00.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who gave the order that led to an event. It is saved with the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct EventOrigin {
    /// The name of the caller's key; none where no key is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    pub request_id: Arc<str>,
    /// The place of the request in a trace, if the caller named one: the header for messages about the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Arc<str>>,
}

/// What is known of the request that led to something. Clones are cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestContext {
    id: Arc<str>,
    trace: Option<Arc<TraceParent>>,
    origin: Option<Arc<EventOrigin>>,
}

impl RequestContext {
    /// Creates the context of a request with this id.
    pub fn new(id: &str, trace: Option<TraceParent>) -> Self {
        Self {
            id: id.into(),
            trace: trace.map(Arc::new),
            origin: None,
        }
    }

    /// The same request, which is an order of this caller.
    #[must_use]
    pub fn ordered_by(self, key: Option<Arc<str>>, address: Option<IpAddr>) -> Self {
        let origin = EventOrigin {
            key,
            address,
            request_id: self.id.clone(),
            traceparent: self.trace().map(|trace| trace.to_string().into()),
        };
        Self {
            origin: Some(Arc::new(origin)),
            ..self
        }
    }

    /// Returns who gave the order; `None` if the request is none.
    pub fn origin(&self) -> Option<&Arc<EventOrigin>> {
        self.origin.as_ref()
    }

    /// Returns the id of the request.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the place in a trace, if the caller named one.
    pub fn trace(&self) -> Option<&TraceParent> {
        self.trace.as_deref()
    }

    /// Returns the id of the trace, if the caller named one.
    pub fn trace_id(&self) -> Option<&str> {
        self.trace().map(TraceParent::trace_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_bounded_and_plain() {
        let longest = "a".repeat(MAX_REQUEST_ID);
        for id in ["a", "0f-9_.:/+=@", "Root=1-67891233-abcdef", &longest] {
            assert!(is_request_id(id.as_bytes()), "{id}");
        }
        let too_long = "a".repeat(MAX_REQUEST_ID + 1);
        for id in ["", "a b", "a\n", "a\"", "ä", "a;b", &too_long] {
            assert!(!is_request_id(id.as_bytes()), "{id:?}");
        }
    }

    #[test]
    fn a_new_id_is_the_number_in_hexadecimal_digits() {
        let shown = |random| String::from_utf8(new_request_id(random).to_vec()).unwrap();
        assert_eq!(shown(0), "0".repeat(32));
        assert_eq!(shown(u128::MAX), "f".repeat(32));
        assert_eq!(
            shown(0x0123_4567_89ab_cdef_0000_0000_0000_00a1),
            "0123456789abcdef00000000000000a1"
        );
        assert!(is_request_id(&new_request_id(7)));
    }

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_traceparent_of_the_standard_is_taken_over() {
        for header in [
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            format!("01-{TRACE}-00f067aa0ba902b7-01"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01-what-the-future-will-be-like"),
        ] {
            let parent = TraceParent::parse(&header).unwrap_or_else(|| panic!("{header}"));
            assert_eq!(parent.trace_id(), TRACE);
            assert_eq!(
                parent.to_string(),
                format!("00-{TRACE}-00f067aa0ba902b7-01")
            );
        }
    }

    #[test]
    fn any_other_traceparent_is_ignored() {
        let zero = "0".repeat(32);
        for header in [
            String::new(),
            "00".to_owned(),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{zero}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-0"),
            format!("00-{TRACE}-00f067aa0ba902b7-0g"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("01-{TRACE}-00f067aa0ba902b7-01more"),
            format!("00_{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7_01"),
            "ä".repeat(40),
        ] {
            assert_eq!(TraceParent::parse(&header), None, "{header}");
        }
    }
}
