//! What a `.env` says, and where one is found. Values are compared with another reader of the format.

use proptest::prelude::*;

use std::path::Path;

use super::file::{DotEnv, parse, read_from};

fn read(text: &str) -> DotEnv {
    parse(text, Path::new(".env"), |name| {
        (name == "FROM_OUTSIDE").then(|| "outside".to_owned())
    })
}

fn value(text: &str, name: &str) -> Option<String> {
    let read = read(text);
    assert_eq!(read.problems, [], "{text}");
    read.values.get(name).cloned()
}

fn problems(text: &str) -> Vec<String> {
    let problems = read(text).problems;
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for problem in &problems {
        assert!(!problem.contains("secret"), "{problem}");
    }
    problems
}

fn places(text: &str) -> Vec<String> {
    let place = |problem: String| problem.split(": ").next().unwrap().to_owned();
    problems(text).into_iter().map(place).collect()
}

#[test]
fn reads_values_quotes_and_comments() {
    let text = "\u{feff}# a comment\r\nA=1\r\n\nexport B='two # words'\nA=2\nC=x # rest\n\
                D = \"a\nb\" \nE= # none\nF=a#b\nG=\nH=#x\n  I=\\ \\n\\$\\\"x";
    let read = read(text);
    assert_eq!(read.problems, []);
    let values: Vec<_> = read
        .values
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(
        values,
        [
            ("A", "2"),
            ("B", "two # words"),
            ("C", "x"),
            ("D", "a\nb"),
            ("E", ""),
            ("F", "a#b"),
            ("G", ""),
            ("H", "#x"),
            ("I", " \n$\"x"),
        ]
    );
}

#[test]
fn every_malformed_line_is_named_by_its_number_only() {
    assert_eq!(
        places("A=1\n\n# c\nsecret\nB=2\nX=secret words\n"),
        [".env, line 4", ".env, line 6"]
    );
    assert_eq!(places("secret"), [".env, line 1"]);
    let long = format!("A={}\nsecret secret\n", "x".repeat(20_000));
    assert_eq!(places(&long), [".env, line 2"]);
    assert_eq!(places("A=\"a\nb\"\nsecret\n"), [".env, line 3"]);
}

#[test]
fn an_open_quote_is_reported_where_it_opens() {
    assert_eq!(places("A=1\nB=\"secret\nC=3\nD=4\n"), [".env, line 2"]);
    assert_eq!(places("A=1\nB='secret\nC=3"), [".env, line 2"]);
    assert_eq!(places("A=1\nB=${secret\nC=3"), [".env, line 2"]);
}

#[test]
fn a_reference_takes_the_environment_then_an_earlier_line_then_its_default() {
    for (text, expected) in [
        ("X=$FROM_OUTSIDE", "outside"),
        ("FROM_OUTSIDE=1\nX=a${FROM_OUTSIDE}b", "aoutsideb"),
        ("A_B=1\nX=$A_B-2", "1-2"),
        ("A=1\nX=\"$A\"", "1"),
        ("A=1\nX='$A'", "$A"),
        ("A=1\nX=\\$A", "$A"),
        ("X=${NONE:-90}", "90"),
        ("X=${NONE:-}", ""),
        ("NONE=\nX=${NONE:-90}", "90"),
        ("NONE=\nX=a$NONE", "a"),
        ("X=cost$", "cost$"),
        ("X=pa$$5!", "pa$$5!"),
    ] {
        assert_eq!(value(text, "X").as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn a_dollar_that_would_cut_a_password_is_refused_without_repeating_it() {
    let sentences = problems(
        "A=1\nDATABASE_URL=postgres://u:pa$secret@h/d\nRUST_LOG=$(secret)\n\
         LOG_FORMAT=${A:?secret}\nORCHESTRATOR_URL=http://${secret}:1\n",
    );
    assert_eq!(sentences.len(), 4, "{sentences:?}");
    for (sentence, (line, name)) in sentences.iter().zip([
        (2, "DATABASE_URL"),
        (3, "RUST_LOG"),
        (4, "LOG_FORMAT"),
        (5, "ORCHESTRATOR_URL"),
    ]) {
        let begin = format!(".env, line {line}: {name} ");
        assert!(sentence.starts_with(&begin), "{sentence}");
        assert!(sentence.contains("single quotes"), "{sentence}");
    }
}

#[test]
fn variables_of_other_programs_are_not_judged() {
    let read = read("OTHER=pa$word\nTHEIRS=$(date)\nTHEIRS=2\n");
    assert_eq!((read.problems, read.warnings), (vec![], vec![]));
    assert_eq!(read.values["OTHER"], "pa$word");
}

#[test]
fn a_second_line_for_a_setting_counts_and_is_a_warning() {
    let read = read("HEARTBEAT_TIMEOUT=90\n\nHEARTBEAT_TIMEOUT=120\n");
    assert_eq!(read.values["HEARTBEAT_TIMEOUT"], "120");
    let warnings: Vec<String> = read.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["HEARTBEAT_TIMEOUT is set in lines 1 and 3 of .env; line 3 counts."]
    );
}

#[test]
fn a_file_in_the_working_directory_that_cannot_be_read_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    let path = inner.join(".env");
    std::fs::create_dir_all(&path).unwrap();
    let read = read_from(&inner, |_| None);
    assert_eq!(read.path.as_deref(), Some(path.as_path()));
    assert!(read.problems[0].to_string().contains("is a directory"));

    std::fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    let read = read_from(&inner, |_| None);
    assert!(read.problems[0].to_string().contains("cannot be read"));
}

#[test]
fn a_directory_of_that_name_further_up_is_passed_over_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "A=1").unwrap();
    let inner = folder.path().join("a/b");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::create_dir(folder.path().join("a/.env")).unwrap();
    let read = read_from(&inner, |_| None);
    assert_eq!((read.problems.len(), &*read.values["A"]), (0, "1"));
    let warning = read.warnings[0].to_string();
    assert!(warning.contains("a/.env is a directory"), "{warning}");
}

proptest! {
    /// Without `$`, `#` and backslashes both read the same, or both refuse. These three are where this
    /// reader differs on purpose, or the other one is not sure of itself.
    #[test]
    fn values_are_read_as_another_reader_reads_them(value in "[ -\"%-&(-\\[\\]-~]{0,12}|'[ -\"%-&(-\\[\\]-~]{0,12}'") {
        let text = format!("A={value}\n");
        let theirs: Result<Vec<_>, _> = dotenvy::Iter::new(text.as_bytes()).collect();
        let ours = read(&text);
        match theirs {
            Ok(theirs) => {
                prop_assert_eq!(&ours.problems, &[]);
                prop_assert_eq!(ours.values.get("A"), theirs.first().map(|(_, value)| value));
            }
            Err(_) => prop_assert_eq!(ours.problems.len(), 1),
        }
    }
}
