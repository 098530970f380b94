//! Translates the orchestrator's sentences about routes into commands.
//!
//! The orchestrator answers callers of its HTTP interface, so its sentences name routes. At the
//! command line the command that does the same is needed. The sentences are translated where they
//! are printed, so that sentences added later are translated too.

/// A route and the command that does the same. The name of an instance follows a path that ends
/// with `/`.
const COMMANDS: [(&str, &str, &str); 12] = [
    (
        "POST /resilience/emergency/",
        "orchestrator emergency",
        " --reason TEXT",
    ),
    ("POST /resilience/recovery/", "orchestrator recover", ""),
    ("GET /resilience/incidents/", "orchestrator incidents", ""),
    ("GET /resilience/incidents", "orchestrator incidents", ""),
    (
        "GET /resilience/consistency",
        "orchestrator consistency",
        "",
    ),
    ("GET /resilience/status", "orchestrator status", ""),
    ("GET /resilience/alerts", "orchestrator alerts", ""),
    (
        "GET /resilience/silences",
        "orchestrator alerts silences",
        "",
    ),
    ("GET /resilience/patterns", "orchestrator patterns", ""),
    ("GET /webhooks", "orchestrator webhooks", ""),
    ("GET /keys", "orchestrator keys", ""),
    ("GET /cluster", "orchestrator cluster", ""),
];

/// Returns the sentence with each route that has a command replaced by the command.
pub(super) fn in_commands(sentence: &str) -> String {
    let mut text = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some((at, (route, command, end))) = next_route(rest) {
        text.push_str(&rest[..at]);
        text.push('`');
        text.push_str(command);
        rest = &rest[at + route.len()..];
        if route.ends_with('/') {
            // A name may hold any character, but a sentence goes on behind a space or ends behind a
            // dot.
            let length = rest.find([' ', ';', ',']).unwrap_or(rest.len());
            let name = rest[..length].trim_end_matches(['.', ':']);
            text.push_str(&format!(" {}", quoted(name)));
            rest = &rest[name.len()..];
        }
        text.push_str(end);
        text.push('`');
    }
    text.push_str(rest);
    text
}

/// Returns the first route of a sentence that has a command, and its place.
fn next_route(sentence: &str) -> Option<(usize, (&str, &str, &str))> {
    COMMANDS
        .iter()
        .filter_map(|known| Some((find(sentence, known.0)?, *known)))
        .min_by_key(|(at, _)| *at)
}

/// Finds a route as a whole: `/resilience/status` is not the beginning of a longer path.
fn find(sentence: &str, route: &str) -> Option<usize> {
    let ends = |at: usize| {
        let next = sentence[at + route.len()..].chars().next();
        route.ends_with('/')
            || !next.is_some_and(|next| next.is_alphanumeric() || "/?_-".contains(next))
    };
    sentence
        .match_indices(route)
        .map(|(at, _)| at)
        .find(|at| ends(*at))
}

/// Returns a name quoted for a shell.
fn quoted(name: &str) -> String {
    let is_plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:@{}".contains(&byte));
    if is_plain && !name.is_empty() {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_with_a_command_is_shown_as_the_command() {
        for (sentence, shown) in [
            (
                "`a` has not failed, it is active; nothing was done. POST /resilience/emergency/a \
                 takes the streams even of an instance that beats.",
                "`a` has not failed, it is active; nothing was done. `orchestrator emergency a \
                 --reason TEXT` takes the streams even of an instance that beats.",
            ),
            (
                "It is in maintenance until it registers again or POST /resilience/recovery/a.b \
                 releases it.",
                "It is in maintenance until it registers again or `orchestrator recover a.b` \
                 releases it.",
            ),
            (
                "There is no incident 9. GET /resilience/incidents lists them.",
                "There is no incident 9. `orchestrator incidents` lists them.",
            ),
            (
                "Use POST /resilience/recovery/a$b.",
                "Use `orchestrator recover 'a$b'`.",
            ),
            (
                "GET /resilience/breakers lists them.",
                "GET /resilience/breakers lists them.",
            ),
            (
                "See GET /resilience/statuses",
                "See GET /resilience/statuses",
            ),
            ("`a` owned no streams.", "`a` owned no streams."),
        ] {
            assert_eq!(in_commands(sentence), shown);
        }
    }
}
