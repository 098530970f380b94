//! Masks URLs: only scheme and host are shown; of a database, each host.
//!
//! Users, passwords, camera keys and tokens stand in every other part of the URLs people write: in
//! the user-info, in the query, in the fragment, and in the path (`/live/USER/PASSWORD/7.ts`,
//! stream keys of RTMP). If it is in doubt which part of a URL is its host, nothing of it is shown,
//! because the apparent host may be the end of a password.
//!
//! One function serves the URLs of streams, of databases and of the orchestrator itself; it knows
//! nothing of the program, so every room may use it.

/// The stand-in for the hidden part.
const HIDDEN: &str = "(hidden)";

/// Returns scheme and host of a URL, such as `rtsp://camera.example/…`, or `(hidden)`.
pub fn masked_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return HIDDEN.to_owned();
    };
    let scheme_is_valid = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !scheme_is_valid {
        return HIDDEN.to_owned();
    }
    let authority_end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    let hosts = match authority.rsplit_once('@') {
        Some((user, hosts)) if !user.contains('@') => hosts,
        None => authority,
        Some(_) => return format!("{scheme}://{HIDDEN}"),
    };
    // Only databases have lists of hosts. What follows a comma elsewhere may be anything.
    let is_database = ["postgres", "postgresql"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    let named = hosts
        .split(',')
        .take(if is_database { usize::MAX } else { 1 });
    let shown = named.map(without_port).collect::<Vec<String>>().join(",");
    let host_is_plain = shown
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:[],".contains(&byte));
    // An `@` behind the host can be the end of a user-info with an unescaped `/`, `?` or `#`.
    if tail.contains('@') || !host_is_plain {
        return format!("{scheme}://{HIDDEN}");
    }
    let rest = if shown.len() < rest.len() { "/…" } else { "" };
    format!("{scheme}://{shown}{rest}")
}

fn without_port(host: &str) -> String {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((ip, _)) => format!("[{ip}]"),
        None => host.split(':').next().unwrap_or_default().to_owned(),
    }
}

/// Returns whether a text is a masked URL, of which a part is missing. Saving it would replace the URL
/// that it stands for.
pub fn is_masked(text: &str) -> bool {
    text.ends_with("/…") || text.ends_with(HIDDEN)
}

/// Returns a sentence with each URL in it masked: a media program that cannot open a stream repeats
/// the URL as it was given.
pub fn with_masked_urls(sentence: &str) -> String {
    const BOUNDS: &[char] = &[' ', '\t', '\r', '\n', '"', '\'', '`', '<', '>', '(', ')'];
    let mut text = String::with_capacity(sentence.len());
    for word in sentence.split_inclusive(BOUNDS) {
        let end = word.find(BOUNDS).unwrap_or(word.len());
        let (word, bound) = word.split_at(end);
        // The end of a sentence or a clause belongs to no URL.
        let url = word.trim_end_matches(['.', ',', ':', ';']);
        if url.contains("://") {
            // `key=rtsp://…` begins before its scheme.
            let at = url.find("://").unwrap_or(0);
            let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
            let begin = url[..at].trim_end_matches(is_scheme).len();
            text.push_str(&url[..begin]);
            text.push_str(&masked_url(&url[begin..]));
            text.push_str(&word[url.len()..]);
        } else {
            text.push_str(word);
        }
        text.push_str(bound);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_masked_url_has_scheme_and_host_only() {
        for (text, shown) in [
            (
                "rtsp://admin:geheim@10.0.0.8:554/cam?channel=1",
                "rtsp://10.0.0.8/…",
            ),
            (
                "http://10.0.0.9/live.m3u8?token=geheim",
                "http://10.0.0.9/…",
            ),
            (
                "rtsp://admin:geheim%21@[fe80::1]/h264",
                "rtsp://[fe80::1]/…",
            ),
            (
                "RTSP://Admin:Geheim@Camera.Example",
                "RTSP://Camera.Example/…",
            ),
            ("rtmp://live.example/app/geheim", "rtmp://live.example/…"),
            ("http://h/live/user/geheim/7.ts", "http://h/…"),
            ("srt://h:9000?passphrase=geheim", "srt://h/…"),
            ("http://h#geheim", "http://h/…"),
            ("http://h/a;session=geheim", "http://h/…"),
            ("rtsp://u:geheim@a,geheim/x", "rtsp://a/…"),
            (
                "postgres://u:geheim@a:1,[::1]:2,b/d?password=geheim",
                "postgres://a,[::1],b/…",
            ),
            ("postgresql://a,b/d", "postgresql://a,b/…"),
            ("http://h", "http://h"),
        ] {
            assert_eq!(masked_url(text), shown, "{text}");
            assert_eq!(is_masked(shown), shown != text, "{text}");
            assert!(!is_masked(text), "{text}");
        }
    }

    #[test]
    fn a_url_whose_host_is_in_doubt_is_hidden() {
        for text in [
            "",
            "geheim",
            "user:geheim@host/path",
            "rtsp:user:geheim@host",
            "rtsp:/user:geheim@host",
            " rtsp://user:geheim@host",
            "user:geheim@rtsp://host",
        ] {
            assert_eq!(masked_url(text), "(hidden)", "{text}");
            assert!(is_masked(&masked_url(text)), "{text}");
        }
        for text in [
            "rtsp://user:geheim@more@host/x",
            "rtsp://user:ge/heim@host/x",
            "rtsp://user:ge\\heim@host/x",
            "rtsp://user:ge?heim@host/x",
            "rtsp://user:ge#heim@host/x",
            "http://host/x?token=ge@heim",
            "http://ho st/geheim",
            "http://h\u{202e}ost/geheim",
        ] {
            assert_eq!(
                masked_url(text),
                format!("{}://(hidden)", &text[..4]),
                "{text}"
            );
        }
    }

    #[test]
    fn urls_in_a_sentence_are_masked_and_its_words_stay() {
        for (sentence, shown) in [
            (
                "cannot open 'rtsp://admin:geheim@10.0.0.8/cam': Connection refused.",
                "cannot open 'rtsp://10.0.0.8/…': Connection refused.",
            ),
            (
                "input=http://h/live?token=geheim, then http://h: timed out",
                "input=http://h/…, then http://h: timed out",
            ),
            ("rtsp://u:ge@heim@h failed", "rtsp://(hidden) failed"),
            ("no camera: 5 of 7\n", "no camera: 5 of 7\n"),
        ] {
            assert_eq!(with_masked_urls(sentence), shown);
        }
    }

    /// URLs as people write them, with a secret where secrets are written.
    fn urls_with(secret: &str) -> Vec<String> {
        [
            "rtsp://user:SECRET@host.example:554/cam",
            "rtsp://SECRET@host.example/cam",
            "rtsp://user:SECRET@[::1]:554/cam?channel=1",
            "rtsp://a,b:SECRET@host.example",
            "http://host.example/live?token=SECRET",
            "http://host.example/live?a=1&SECRET&b=2",
            "http://user:SECRET@host.example/live?token=SECRET#SECRET",
            "http://host.example#SECRET",
            "rtmp://host.example/app/SECRET",
            "HTTP://USER:SECRET@HOST.EXAMPLE/",
            "user:SECRET@host.example",
            "host.example/live?token=SECRET",
            "rtsp:user:SECRET@host.example",
            "rtsp:/user:SECRET@host.example/x",
            "rtsp://user:SECRET@other@host.example/x",
            " \trtsp://user:SECRET@host.example/x",
            "rtsp://user:SECRET@host.example/x\n",
            "rtsp://user:SECRET@",
            "postgres://user:SECRET@a.example:5432,b.example:5433/name?password=SECRET",
            "postgres://a.example,b.example/name?password=SECRET",
        ]
        .iter()
        .map(|text| text.replace("SECRET", secret))
        .collect()
    }

    proptest! {
        /// The secret is marked at both ends, so that a part of it is found as well.
        #[test]
        fn no_part_of_a_secret_is_shown(middle in "[ -~äß\u{202e}\u{2028}]{0,24}") {
            let secret = format!("sQx{middle}xQs");
            let encoded: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
            for url in urls_with(&secret) {
                let shown = masked_url(&url);
                prop_assert!(
                    !shown.contains("sQx") && !shown.contains("xQs"),
                    "{shown} of {url}"
                );
            }
            for url in urls_with(&encoded) {
                prop_assert!(!masked_url(&url).contains('%'), "{url}");
            }
        }
    }
}
