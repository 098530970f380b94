//! The cookie of a session.
//!
//! Over TLS its name begins with `__Host-`: browsers take such a cookie only with `Secure`, for the whole host, and never
//! from a neighbour. `HttpOnly` keeps it from scripts. `SameSite=Strict` keeps it from requests that other sites cause,
//! and the header `x-requested-with`, which no form of another site can send, is asked for besides.

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::domain::access::{KEY_PREFIX, KeySecret};

const SECURE: &str = "__Host-orchestrator";
const PLAIN: &str = "orchestrator_session";

/// What a request came over, to this program or to a proxy that is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Channel {
    Tls,
    Plain,
}

/// Returns the header that sets the cookie of a session.
pub(in crate::http) fn session_cookie(secret: &KeySecret, channel: Channel) -> String {
    let text = secret.expose();
    written(text.trim_start_matches(KEY_PREFIX), channel)
}

/// Returns the header that has a browser forget the cookie.
pub(in crate::http) fn ended_cookie(channel: Channel) -> String {
    written("", channel) + "; Max-Age=0"
}

fn written(value: &str, channel: Channel) -> String {
    let (name, secure) = match channel {
        Channel::Tls => (SECURE, "; Secure"),
        Channel::Plain => (PLAIN, ""),
    };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}")
}

/// Returns the session that a request names; `None` inside: its value is none. Without TLS there can be no cookie of the
/// first name, so that one counts first.
pub(super) fn session_of(request: &HttpRequest) -> Option<Option<KeySecret>> {
    [SECURE, PLAIN].into_iter().find_map(|wanted| {
        let headers = request.headers().get_all(header::COOKIE);
        let texts = headers.filter_map(|header| header.to_str().ok());
        let mut pairs = texts.flat_map(|text| text.split(';'));
        let value = pairs.find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            (name.trim() == wanted).then(|| value.trim().trim_matches('"'))
        })?;
        Some(KeySecret::parse(&format!("{KEY_PREFIX}{value}")))
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_cookie_is_for_this_host_alone_and_no_script_reads_it() {
        let secret = KeySecret::from_bytes([0; 32]);
        let value = "A".repeat(43);
        assert_eq!(
            session_cookie(&secret, Channel::Tls),
            format!("__Host-orchestrator={value}; Path=/; HttpOnly; SameSite=Strict; Secure")
        );
        assert_eq!(
            session_cookie(&secret, Channel::Plain),
            format!("orchestrator_session={value}; Path=/; HttpOnly; SameSite=Strict")
        );
        assert!(ended_cookie(Channel::Tls).ends_with("Secure; Max-Age=0"));
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let secret = KeySecret::from_bytes([0; 32]);
        let value = "A".repeat(43);
        let read = |text: String| {
            let request = TestRequest::default().insert_header((header::COOKIE, text));
            session_of(&request.to_http_request())
        };
        for text in [
            format!("orchestrator_session={value}"),
            format!("a=b; orchestrator_session={value}; c=d"),
            format!("__Host-orchestrator=\"{value}\";orchestrator_session=x"),
        ] {
            assert_eq!(read(text.clone()), Some(Some(secret.clone())), "{text}");
        }
        assert_eq!(read("orchestrator_session=".to_owned()), Some(None));
        assert_eq!(
            read("my_orchestrator_session=x; orchestrator".to_owned()),
            None
        );
    }
}
