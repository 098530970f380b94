//! Removes users and passwords from the URLs within a text.
//!
//! The orchestrator masks what it knows to be a URL. Texts of workers and operators (reasons, states, labels)
//! are passed on as they are, and a URL may stand in them.

/// What stands for the removed part.
const REMOVED: &str = "…";

/// Returns a text with the user-info of each URL in it replaced.
pub(super) fn without_passwords(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        kept.push_str(before);
        // A password may hold any character that ends no URL: the last `@` counts.
        let end = after.find(ends_a_url).unwrap_or(after.len());
        let user_ends = after[..end].rfind('@').unwrap_or(0);
        if user_ends > 0 {
            kept.push_str(REMOVED);
        }
        rest = &after[user_ends..];
    }
    kept.push_str(rest);
    kept
}

fn ends_a_url(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control() || "\"'<>`|".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_passwords_go_and_the_rest_stays() {
        for (text, kept) in [
            ("no URL, a@b", "no URL, a@b"),
            ("http://a/b?c", "http://a/b?c"),
            ("x http://u:geheim@a/b y", "x http://…@a/b y"),
            ("http://u:ge/he@im@a/b", "http://…@a/b"),
            (
                "{\"u\":\"rtsp://u:geheim@a\",\"v\":1}",
                "{\"u\":\"rtsp://…@a\",\"v\":1}",
            ),
            ("http://a http://u:geheim@b", "http://a http://…@b"),
            ("http://", "http://"),
        ] {
            assert_eq!(without_passwords(text), kept);
        }
    }
}
