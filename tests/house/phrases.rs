//! Phrases that do not come back: riddles that were replaced by plain English, and words that hide
//! who acts. The subject of a sentence is a noun: worker, instance, stream, owner, caller, operator.
#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::sources::{ANYTHING, literals, root, sources};

/// In no document, in no text of the program and in none of its comments; each with what to write.
const NOWHERE: &[(&str, &str)] = &[
    (
        "of which none can be made but from the one before",
        "each can be constructed only from the previous one",
    ),
    ("asks nobody", "no further message is sent"),
    ("who is told a version", "the worker's version is echoed"),
    ("made a mistake while answering", "internal error"),
    ("that cannot be done now", "name the state that is needed"),
    ("it is tried on", "it keeps retrying"),
    ("it is then tried on", "it keeps retrying"),
    ("tried on for ever", "keeps retrying"),
    ("how it was newest first", "health history, newest first"),
    ("what to look at newest first", "alerts, newest first"),
    ("is no orchestrator", "unexpected response; check --url"),
    (
        "connections and files can be open",
        "could not raise the open-file limit",
    ),
    (
        "until leases are enforced",
        "leases are enforced for leased workers",
    ),
];

/// In no document and in no text that a user reads.
const NOT_FOR_USERS: &[(&str, &str)] = &[
    ("whoever", "name who: caller, worker, operator, program"),
    ("somebody", "name who, or use the passive"),
    ("nobody", "no instance, no worker, no caller"),
    ("everybody", "every instance, every caller"),
    ("anybody", "any instance, any caller"),
    ("let go", "release"),
    ("lets go", "releases"),
    ("letting go", "releasing"),
    ("turned away", "refused"),
    ("lose patience", "give up after its time limit"),
    ("loses patience", "gives up after its time limit"),
    ("the books", "the database"),
    ("could not be told", "unknown"),
    ("at the slowest step", "at the longest delay"),
    ("acted upon without being asked", "begins by itself"),
    ("who asks", "the caller, the requester"),
    ("handed out", "assigned"),
    ("hands out", "assigns"),
    ("beats on", "keeps sending heartbeats"),
    ("left alone", "only probed; not called"),
    ("hears nothing", "gets no answer"),
    ("behind your back", "say what the program does not do"),
    ("what ran out", "the streams whose lease is over"),
    ("for ever", "name the time, or say again and again"),
    ("asked last", "chosen last"),
    ("pays it back", "shortens it again; removes it"),
    ("in vain", "without effect"),
    ("looks alike", "looks the same"),
];

/// In no comment of the program.
const NOT_IN_COMMENTS: &[(&str, &str)] = &[
    ("whoever", "name who: caller, worker, operator, program"),
    ("somebody", "name who, or use the passive"),
    ("nobody", "no instance, no worker, no caller"),
    ("everybody", "every instance, every caller"),
    ("anybody", "any instance, any caller"),
    ("let go", "release"),
    ("lets go", "releases"),
    ("letting go", "releasing"),
    ("turned away", "refused"),
    ("turns away", "refuses"),
    ("lose patience", "give up after its time limit"),
    ("loses patience", "gives up after its time limit"),
    ("who asks", "the caller, the requester"),
    ("who is told", "the worker that is notified"),
    (
        "in the same breath",
        "in the same heartbeat, request or answer",
    ),
];

/// Whole comments that only repeat or question the name below them.
const EMPTY: &[&str] = &[
    "How many.",
    "How often.",
    "In which life.",
    "Since when.",
    "The name.",
    "To whom.",
    "What.",
    "When.",
    "Where to.",
    "Which one.",
    "Which ones.",
    "Who.",
    "Whose.",
    "Why.",
];

/// The words of a text in lower case, each with its line.
fn words(text: &str, first_line: usize) -> Vec<(usize, String)> {
    let lines = text.lines().zip(first_line..);
    lines
        .flat_map(|(line, number)| {
            line.split(|c: char| !c.is_alphanumeric())
                .filter(|word| !word.is_empty())
                .map(move |word| (number, word.to_lowercase()))
        })
        .collect()
}

/// Where a text has a phrase, also if the phrase is broken over two lines.
fn places(words: &[(usize, String)], phrase: &str) -> Vec<usize> {
    let wanted: Vec<&str> = phrase.split(' ').collect();
    words
        .windows(wanted.len())
        .filter(|found| {
            found
                .iter()
                .map(|(_, word)| word.as_str())
                .eq(wanted.clone())
        })
        .map(|found| found[0].0)
        .collect()
}

/// A document without the code in it: names of tests and fields are no sentences.
fn prose(document: &str) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for c in document.chars() {
        if c == '`' {
            is_code = !is_code;
        }
        prose.push(if is_code && c != '\n' { ' ' } else { c });
    }
    prose
}

fn documents() -> Vec<PathBuf> {
    let folders = ["", "docs", "docs/decisions", "examples"];
    let mut documents: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(root().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    documents.sort();
    assert!(documents.len() > 10, "{documents:?}");
    documents
}

/// The files of the program, each up to the tests in it.
fn program() -> Vec<(PathBuf, String)> {
    let is_test =
        |path: &Path| path.ends_with("tests.rs") || path.iter().any(|part| part == "tests");
    let files = sources("src").into_iter().chain(sources("crates"));
    let files: Vec<_> = files
        .filter(|(path, _)| !is_test(path.strip_prefix(root()).unwrap()))
        .map(|(path, text)| {
            let end = text.find("#[cfg(test)]\nmod tests {");
            let text = text[..end.unwrap_or(text.len())].to_owned();
            (path, text)
        })
        .collect();
    assert!(files.len() > 100, "{}", files.len());
    files
}

/// A line for each phrase of the list that a text has.
fn findings(path: &Path, words: &[(usize, String)], list: &[(&str, &str)]) -> Vec<String> {
    let path = path.strip_prefix(root()).unwrap().display();
    let mut found = Vec::new();
    for (phrase, instead) in list {
        for line in places(words, phrase) {
            found.push(format!("{path}:{line}: `{phrase}`; better: {instead}"));
        }
    }
    found
}

#[test]
fn documents_have_none_of_the_phrases_that_were_replaced() {
    let mut found = Vec::new();
    for path in documents() {
        let words = words(&prose(&fs::read_to_string(&path).unwrap()), 1);
        found.extend(findings(&path, &words, NOWHERE));
        found.extend(findings(&path, &words, NOT_FOR_USERS));
    }
    assert!(found.is_empty(), "write it plainly:\n{}", found.join("\n"));
}

#[test]
fn texts_and_comments_of_the_program_have_none_of_the_phrases_that_were_replaced() {
    let mut found = Vec::new();
    for (path, text) in program() {
        found.extend(findings(&path, &words(&text, 1), NOWHERE));
        for (line, literal) in literals(&text) {
            let literal = words(&literal.replace(ANYTHING, " … "), line);
            found.extend(findings(&path, &literal, NOT_FOR_USERS));
        }
    }
    assert!(found.is_empty(), "write it plainly:\n{}", found.join("\n"));
}

#[test]
fn comments_have_a_noun_as_their_subject() {
    let mut found = Vec::new();
    for (path, text) in program() {
        let is_comment = |line: &str| line.trim_start().starts_with("//");
        let comments: Vec<&str> = text
            .lines()
            .map(|line| if is_comment(line) { line } else { "" })
            .collect();
        let words = words(&comments.join("\n"), 1);
        found.extend(findings(&path, &words, NOT_IN_COMMENTS));
    }
    assert!(found.is_empty(), "write it plainly:\n{}", found.join("\n"));
}

#[test]
fn a_comment_says_more_than_the_name_below_it() {
    let mut found = Vec::new();
    for (path, text) in program() {
        let path = path.strip_prefix(root()).unwrap().display().to_string();
        for (line, number) in text.lines().zip(1..) {
            let comment = line.trim_start().strip_prefix("/// ");
            if comment.is_some_and(|comment| EMPTY.contains(&comment)) {
                found.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "say something, or delete it and expect `missing_docs` with the reason:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_phrase_is_found_over_the_end_of_a_line_and_not_within_a_word_or_code() {
    let text = "It lets\ngo of it. `nobody` asks; nobodyness.";
    assert_eq!(places(&words(text, 7), "lets go"), [7]);
    assert_eq!(places(&words(&prose(text), 1), "nobody"), [] as [usize; 0]);
    assert_eq!(places(&words("Nobody asks", 3), "nobody"), [3]);
}
