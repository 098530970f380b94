//! The rules of the house, as tests with the reason in the message.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::sources::{code, root, sources};

fn words(line: &str) -> BTreeSet<&str> {
    line.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .collect()
}

/// No line of `room` may contain one of `forbidden`, each given as a path or a word.
fn assert_absent(room: &str, forbidden: &[&str], reason: &str) {
    let mut found = Vec::new();
    for (path, text) in sources(room) {
        for (number, line) in code(&text) {
            for name in forbidden {
                let is_there = if name.contains("::") || name.contains(' ') {
                    line.contains(name)
                } else {
                    words(&line).contains(name)
                };
                if is_there {
                    let place = path.strip_prefix(root()).unwrap().display();
                    found.push(format!("{place}:{number}: {name}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{reason}\n{}", found.join("\n"));
}

#[test]
fn the_domain_knows_only_itself() {
    assert_absent(
        "crates/domain/src",
        &[
            "actix",
            "actix_web",
            "tokio",
            "diesel",
            "diesel_async",
            "log",
            "thiserror",
            "async",
            "Instant",
            "SystemTime",
            "fastrand",
            "rustix",
            "HashMap",
            "HashSet",
            "DashMap",
        ],
        "domain/ holds rules: no actor, no I/O, no clock, no randomness, no unordered walk",
    );
}

#[test]
fn the_store_knows_only_the_domain() {
    assert_absent(
        "src/store",
        &[
            "actix",
            "actix_web",
            "crate::actors",
            "crate::http",
            "crate::config",
            "crate::cli",
            "crate::app",
        ],
        "store/ keeps what the domain decided; it knows neither actors nor HTTP nor settings",
    );
}

#[test]
fn the_actors_know_the_store_only_as_a_trait() {
    assert_absent(
        "src/actors",
        &[
            "actix_web",
            "diesel",
            "diesel_async",
            "tokio_postgres",
            "MemoryStore",
            "SqliteStore",
            "PostgresStore",
            "crate::http",
            "crate::config",
            "crate::cli",
            "crate::app",
        ],
        "actors/ are shells around the machines: no HTTP, no SQL, no particular store",
    );
}

#[test]
fn http_only_translates() {
    assert_absent(
        "src/http",
        &[
            "diesel",
            "diesel_async",
            "crate::store",
            "crate::config",
            "crate::cli",
            "crate::app",
        ],
        "http/ translates and sends a message: no store, no SQL, no settings of its own",
    );
}

#[test]
fn the_configuration_knows_only_the_numbers_of_the_rules() {
    assert_absent(
        "src/config",
        &[
            "crate::actors",
            "crate::http",
            "crate::store",
            "crate::cli",
            "crate::app",
            "crate::clock",
            "actix",
            "actix_web",
            "diesel",
        ],
        "config/ reads and checks values; it never learns what they are for",
    );
}

#[test]
fn certificates_are_read_and_judged_without_a_program_around_them() {
    assert_absent(
        "src/tls",
        &[
            "crate::actors",
            "crate::app",
            "crate::cli",
            "crate::clock",
            "crate::config",
            "crate::http",
            "crate::store",
            "tokio",
            "ureq",
        ],
        "tls/ knows files and certificates; neither who names them, nor who speaks with them",
    );
}

#[test]
fn files_of_the_catalogue_are_read_without_a_program_around_them() {
    assert_absent(
        "src/catalogue",
        &[
            "crate::actors",
            "crate::app",
            "crate::cli",
            "crate::clock",
            "crate::config",
            "crate::http",
            "crate::store",
            "tokio",
            "ureq",
        ],
        "catalogue/ turns bytes into rows and back; it neither opens files nor calls anybody",
    );
}

#[test]
fn the_command_line_goes_through_the_app() {
    assert_absent(
        "src/cli",
        &[
            "crate::actors",
            "crate::http",
            "crate::store",
            "crate::domain",
            "diesel",
            "actix",
        ],
        "cli/ reads arguments and hands over to app.rs",
    );
}

#[test]
fn the_worker_library_shares_nothing_with_the_server() {
    assert_absent(
        "crates/client/src",
        &["async", "log", "tokio"],
        "client/ is built without the server, for programs that know nothing of it",
    );
    assert_absent(
        "crates/client/src/machine",
        &[
            "boot_time",
            "fastrand",
            "ureq",
            "rustix",
            "thread",
            "Instant",
        ],
        "the rules of a worker are pure: time, answers and chance are arguments",
    );
}

#[test]
fn nothing_is_left_unfinished() {
    for room in ["src", "crates", "tests", "examples", "benches"] {
        let mut found = Vec::new();
        for (path, text) in sources(room) {
            if path.ends_with("architecture.rs") {
                continue;
            }
            for (number, line) in text.lines().enumerate() {
                let marks = [
                    "TODO", "FIXME", "XXX", "#[ignore", "#[allow(", "todo!(", "dbg!(",
                ];
                if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                    found.push(format!("{}:{}: {mark}", path.display(), number + 1));
                }
            }
        }
        assert!(found.is_empty(), "unfinished work:\n{}", found.join("\n"));
    }
}

#[test]
fn files_are_called_by_the_noun_they_hold() {
    for (path, _) in sources("src").into_iter().chain(sources("crates")) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let vague = [
            "service", "manager", "utils", "util", "common", "helpers", "types", "misc",
        ];
        assert!(
            !vague.contains(&name.as_str()),
            "{}: what does it hold?",
            path.display()
        );
    }
}

#[test]
fn a_folder_of_modules_begins_with_its_mod_rs() {
    for room in ["src", "crates", "tests", "examples", "benches"] {
        for (path, _) in sources(room) {
            assert!(
                !path.with_extension("").is_dir(),
                "{}: a folder of that name is beside it; its front file is the folder's mod.rs",
                path.strip_prefix(root()).unwrap().display()
            );
        }
    }
}

#[test]
fn every_room_says_what_it_is_for() {
    for (path, text) in sources("src").into_iter().chain(sources("crates")) {
        assert!(
            text.starts_with("//!"),
            "{} does not open with what lives there",
            path.strip_prefix(root()).unwrap().display()
        );
    }
}

/// Documents that lead through the code by file name.
const GUIDES: [&str; 8] = [
    "docs/ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs/GUARANTEES.md",
    "docs/FAILURES.md",
    "docs/WORKERS.md",
    "docs/INSTALL.md",
    "docs/LOGGING.md",
    "docs/CLUSTER.md",
];

fn is_file_name(word: &str) -> bool {
    let folders = [
        "src/",
        "crates/",
        "deploy/",
        "tests/",
        "docs/",
        "migrations/",
        "examples/",
        "benches/",
    ];
    folders.iter().any(|folder| word.starts_with(folder))
}

#[test]
fn the_guides_name_files_that_exist() {
    for guide in GUIDES {
        let mut count = 0;
        let text = fs::read_to_string(root().join(guide)).unwrap();
        for path in text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|w| is_file_name(w))
        {
            let path = path.split([':', '#']).next().unwrap();
            assert!(
                root().join(path).exists(),
                "{guide} names `{path}`: not there"
            );
            count += 1;
        }
        let least = match guide {
            "docs/ARCHITECTURE.md" => 20,
            "docs/INSTALL.md" | "docs/LOGGING.md" => 0,
            _ => 2,
        };
        assert!(count > least, "{guide} leads through the code by file name");
    }
}

/// Each name that a document places in a file, as in `NAME` in `FILE` or `NAME` (`FILE`).
fn placed_names(text: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = text.split('`').collect();
    let codes = (1..parts.len().saturating_sub(2)).step_by(2);
    codes
        .filter(|at| matches!(parts[at + 1].trim(), "in" | "("))
        .map(|at| (parts[at], parts[at + 2]))
        .filter(|(name, file)| !is_file_name(name) && is_file_name(file) && !file.ends_with('/'))
        .collect()
}

#[test]
fn the_checklists_name_what_is_in_the_files() {
    let text = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let placed = placed_names(&text);
    assert!(placed.len() > 15, "{placed:?}");
    for (name, file) in placed {
        let code = fs::read_to_string(root().join(file)).unwrap();
        assert!(
            words(&code).contains(name),
            "CONTRIBUTING.md places `{name}` in {file}: not there"
        );
    }
}

#[test]
fn the_tables_of_actors_name_every_actor() {
    let architecture = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let module = fs::read_to_string(root().join("src/actors/mod.rs")).unwrap();
    let actors: Vec<(String, String)> = sources("src/actors")
        .iter()
        .flat_map(|(path, text)| {
            let path = path.strip_prefix(root()).unwrap().display().to_string();
            let lines = text.lines();
            let implementations = lines.filter_map(|line| line.strip_prefix("impl Actor for "));
            implementations
                .map(|rest| (rest.trim_end_matches(" {").to_owned(), path.clone()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(actors.len() >= 11, "{actors:?}");
    for (actor, path) in actors {
        let row = architecture
            .lines()
            .find(|line| line.starts_with(&format!("| {actor}")) && line.contains("src/actors/"));
        let row = row.unwrap_or_else(|| panic!("docs/ARCHITECTURE.md has no row for {actor}"));
        assert!(row.contains(&path), "{actor} is in {path}: {row}");
        let name = path.trim_start_matches("src/actors/");
        let name = name.trim_end_matches(".rs").trim_end_matches("/actor");
        let row = format!("//! | [`{name}`] |");
        assert!(
            module.contains(&row),
            "src/actors/mod.rs has no row for {name}"
        );
    }
}

/// Whether a file declares a type with a field that holds the store.
fn holds_the_store(text: &str) -> bool {
    code(text).any(|(_, line)| {
        // The parameter of a constructor is indented more.
        line.ends_with("store: Arc<dyn Store>,") && !line.starts_with("        ")
    })
}

#[test]
fn only_the_way_to_the_store_and_the_breaker_hold_it() {
    let holders: Vec<String> = sources("src/actors")
        .into_iter()
        .filter(|(_, text)| holds_the_store(text))
        .map(|(path, _)| path.strip_prefix(root()).unwrap().display().to_string())
        .collect();
    let allowed = [
        "src/actors/db_breaker/access.rs",
        "src/actors/db_breaker/actor.rs",
        // What was read before the actors began.
        "src/actors/loaded.rs",
    ];
    assert_eq!(
        holders, allowed,
        "an actor calls the store through StoreAccess, which counts calls and reports outcomes"
    );
}

#[test]
fn only_the_room_of_the_leader_holds_the_leadership_row() {
    let room = root().join("src/actors/leadership");
    let holds_it = |text: &str| code(text).any(|(_, line)| line.contains("dyn Leadership"));
    let files = sources("src/actors").into_iter();
    let (inside, outside): (Vec<PathBuf>, Vec<PathBuf>) = files
        .filter(|(_, text)| holds_it(text))
        .map(|(path, _)| path)
        .partition(|path| path.starts_with(&room));
    assert!(!inside.is_empty());
    // The row has a connection of its own and is no part of the fleet's store: a renewal is neither
    // admitted nor counted by the breaker, because it has to be sent while the breaker is open.
    assert_eq!(outside, [] as [PathBuf; 0]);
}
