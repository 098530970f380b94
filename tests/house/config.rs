//! The configuration as an operator meets it: the real program, its output and its exit codes.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene up has failed"
)]

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const SECRET: &str = "s3cr3t";

/// The program in an empty directory with an empty environment.
struct Desk {
    directory: TempDir,
}

struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Desk {
    fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
        }
    }

    fn with_dotenv(text: impl AsRef<[u8]>) -> Self {
        let desk = Self::new();
        std::fs::write(desk.directory.path().join(".env"), text).unwrap();
        desk
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
        self.run_in(self.directory.path(), arguments, environment)
    }

    fn run_in(&self, at: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        command
            .current_dir(at)
            .env_clear()
            .args(arguments)
            .envs(environment.iter().copied());
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        Outcome {
            code: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }

    fn check(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
        self.run(&[&["config", "check"], arguments].concat(), environment)
    }
}

impl Outcome {
    /// The line of `config check` about this setting, its columns joined by one space.
    fn line(&self, name: &str) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        let mut lines = self.stdout.lines();
        let line = lines.find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The problems of a refusal, one per line after the headline.
    fn problems(&self) -> Vec<&str> {
        assert_eq!(self.code, Some(2), "{} {}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        self.stderr.lines().skip(1).collect()
    }
}

#[test]
fn the_sample_file_is_what_the_program_writes() {
    let sample = Desk::new().run(&["config", "sample"], &[]);
    assert_eq!(sample.code, Some(0));
    assert_eq!(
        sample.stdout,
        include_str!("../../.env.example"),
        "write it anew: orchestrator config sample > .env.example"
    );
}

#[test]
fn a_copied_sample_changes_nothing() {
    let plain = Desk::new().check(&[], &[]);
    let copied = Desk::with_dotenv(include_str!("../../.env.example")).check(&[], &[]);
    let settings = |outcome: &Outcome| {
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let lines = outcome.stdout.lines().filter(|line| line.starts_with("  "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(settings(&plain), settings(&copied));
    assert_eq!(
        settings(&plain).len(),
        resilient_orchestrator::config::settings().len()
    );
}

#[test]
fn the_table_command_writes_the_table() {
    let table = Desk::new().run(&["config", "table"], &[]);
    assert_eq!(
        table.stdout,
        resilient_orchestrator::config::markdown_table()
    );
}

#[test]
fn help_lists_every_setting() {
    let help = Desk::new().run(&["--help"], &[]);
    assert_eq!(help.code, Some(0));
    for setting in resilient_orchestrator::config::settings() {
        for part in [
            format!("--{}", setting.flag),
            format!("[env: {}]", setting.name),
        ] {
            assert!(
                help.stdout.contains(&part),
                "{part} is missing in:\n{}",
                help.stdout
            );
        }
    }
}

#[test]
fn a_bad_value_is_named_with_its_rule_wherever_it_was_set() {
    let cases = [
        ("HEARTBEAT_TIMEOUT", "soon", "is not a length of time"),
        ("HEARTBEAT_TIMEOUT", "0", "must be at least 1ms"),
        ("HEARTBEAT_TIMEOUT", "20000d", "must be at most 3650d"),
        ("RETRY_DELAY_SECONDS", "-5", "must not be negative"),
        (
            "MAX_RETRY_ATTEMPTS",
            "many",
            "must be a whole number from 1 to 1000",
        ),
        (
            "DATABASE_POOL_SIZE",
            "101",
            "must be a whole number from 1 to 100",
        ),
        (
            "MAX_STREAMS_PER_INSTANCE",
            "0",
            "must be a whole number from 1 to 100000",
        ),
        ("EXPONENTIAL_BACKOFF", "maybe", "must be true or false"),
        ("BIND_ADDRESS", "8001", "has no host"),
        ("LOG_FORMAT", "xml", "must be text or json"),
        ("RUST_LOG", "a=loud", "has a part that is no log filter"),
    ];
    for (name, value, rule) in cases {
        let flag = format!("--{}", name.to_lowercase().replace('_', "-"));
        let sentence = |origin: &str| format!("{name} ({origin}) is {value:?}: it {rule}");
        for (outcome, origin) in [
            (
                Desk::new().run(&[], &[(name, value)]),
                "environment".to_owned(),
            ),
            (
                Desk::new().run(&[&flag, value], &[]),
                format!("flag {flag}"),
            ),
            (
                Desk::with_dotenv(format!("{name}={value}")).run(&[], &[]),
                ".env".to_owned(),
            ),
        ] {
            let problems = outcome.problems();
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with(&sentence(&origin)), "{problems:?}");
        }
    }
}

#[test]
fn all_problems_are_told_at_once_one_per_line() {
    let outcome = Desk::with_dotenv("MAX_RETRY_ATTEMPTS=0\n").check(
        &["--log-format", "a\nb"],
        &[
            ("HEARTBEAT_TIMEOUT", "x"),
            ("WORKER_STOP", "1h"),
            ("LEASE_DURATION", "30m"),
        ],
    );
    assert!(
        outcome
            .stderr
            .starts_with("orchestrator: nothing was started: 4 problems")
    );
    let problems = outcome.problems();
    for name in [
        "HEARTBEAT_TIMEOUT",
        "MAX_RETRY_ATTEMPTS",
        "LOG_FORMAT",
        "WORKER_STOP",
    ] {
        let about = problems
            .iter()
            .filter(|line| line.starts_with(name))
            .count();
        assert_eq!(about, 1, "{name}: {problems:?}");
    }
    assert_eq!(problems.len(), 4, "{problems:?}");
}

#[test]
fn settings_that_do_not_go_together_are_explained() {
    let outcome = Desk::with_dotenv("HEARTBEAT_WARNING_THRESHOLD=120\n").run(
        &["--heartbeat-timeout", "90s"],
        &[("EMERGENCY_THRESHOLD", "60")],
    );
    let problems = outcome.problems();
    assert_eq!(
        problems,
        [
            "HEARTBEAT_WARNING_THRESHOLD must be less than HEARTBEAT_TIMEOUT (an instance is late \
             before it has failed), but HEARTBEAT_WARNING_THRESHOLD is 2m (.env), \
             HEARTBEAT_TIMEOUT is 1m 30s (flag --heartbeat-timeout). Set \
             HEARTBEAT_WARNING_THRESHOLD below 1m 30s or HEARTBEAT_TIMEOUT above 2m.",
            "HEARTBEAT_TIMEOUT must be less than EMERGENCY_THRESHOLD (an instance has failed \
             before it is an emergency), but HEARTBEAT_TIMEOUT is 1m 30s (flag \
             --heartbeat-timeout), EMERGENCY_THRESHOLD is 1m (environment). Set HEARTBEAT_TIMEOUT \
             below 1m or EMERGENCY_THRESHOLD above 1m 30s.",
        ]
    );
}

#[test]
fn short_thresholds_are_valid() {
    let desk = Desk::new();
    let outcome = desk.check(&[], &[("HEARTBEAT_TIMEOUT", "3s")]);
    assert_eq!(
        outcome.line("EMERGENCY_THRESHOLD"),
        "EMERGENCY_THRESHOLD 6s derived: 2 × HEARTBEAT_TIMEOUT"
    );
    let outcome = desk.check(
        &[],
        &[("HEARTBEAT_TIMEOUT", "3 s"), ("EMERGENCY_THRESHOLD", "8 s")],
    );
    assert_eq!(
        outcome.line("EMERGENCY_THRESHOLD"),
        "EMERGENCY_THRESHOLD 8s environment"
    );
}

#[test]
fn flags_beat_the_environment_which_beats_the_file() {
    let desk =
        Desk::with_dotenv("BIND_ADDRESS=127.0.0.1:1\nDATABASE_TIMEOUT=1s\nINSTANCE_RETENTION=1h\n");
    let outcome = desk.check(
        &["--bind-address", "127.0.0.3:3"],
        &[
            ("BIND_ADDRESS", "127.0.0.2:2"),
            ("DATABASE_TIMEOUT", "2s"),
            ("EVENT_RETENTION", ""),
        ],
    );
    assert_eq!(
        outcome.line("BIND_ADDRESS"),
        "BIND_ADDRESS 127.0.0.3:3 flag --bind-address"
    );
    assert_eq!(
        outcome.line("DATABASE_TIMEOUT"),
        "DATABASE_TIMEOUT 2s environment"
    );
    assert_eq!(
        outcome.line("INSTANCE_RETENTION"),
        "INSTANCE_RETENTION 1h .env"
    );
    assert_eq!(
        outcome.line("METRICS_RETENTION"),
        "METRICS_RETENTION 7d default"
    );
    assert_eq!(
        outcome.line("EVENT_RETENTION"),
        "EVENT_RETENTION 30d default"
    );
}

#[test]
fn an_empty_variable_is_unset_and_an_empty_flag_is_refused() {
    let desk = Desk::with_dotenv("LOG_FORMAT=json\n");
    let outcome = desk.check(&[], &[("LOG_FORMAT", ""), ("DATABASE_URL", " ")]);
    assert_eq!(outcome.line("LOG_FORMAT"), "LOG_FORMAT json .env");
    assert_eq!(
        outcome.line("DATABASE_URL"),
        "DATABASE_URL sqlite://orchestrator.db default"
    );
    let refused = desk.check(&["--bind-address", ""], &[]);
    assert!(refused.problems()[0].contains("flag --bind-address) is \"\": it must not be empty"));
}

#[test]
fn the_nearest_file_above_counts() {
    let desk = Desk::with_dotenv("LOG_FORMAT=json\n");
    let below = desk.directory.path().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    let outcome = desk.run_in(&below, &["config", "check"], &[]);
    assert_eq!(outcome.line("LOG_FORMAT"), "LOG_FORMAT json .env");
    assert!(outcome.stdout.contains("/.env\n"), "{}", outcome.stdout);
}

#[test]
fn a_password_is_never_shown() {
    let desk = Desk::new();
    for (url, shown) in [
        (
            format!("mysql://root:{SECRET}@db.example/fleet"),
            "mysql://db.example/…",
        ),
        (
            format!("postgres://root:{SECRET}@db.example:0/fleet"),
            "postgres://db.example/…",
        ),
        (
            format!("postgres://root:a@{SECRET}@db.example/fleet"),
            "postgres://(hidden)",
        ),
        (format!("root:{SECRET}@db.example"), "(hidden)"),
    ] {
        for outcome in [
            desk.run(&[], &[("DATABASE_URL", &url)]),
            desk.run(&["--database-url", &url], &[]),
            desk.run(&["migrate"], &[("DATABASE_URL", &url)]),
        ] {
            assert_eq!(outcome.problems().len(), 1);
            assert!(
                outcome.stderr.contains(&format!("is {shown}: it ")),
                "{}",
                outcome.stderr
            );
            assert!(!outcome.stderr.contains(SECRET), "{}", outcome.stderr);
        }
    }
    let url = format!("postgresql://root:{SECRET}@db.example:5432/fleet?sslmode=require");
    let valid = desk.check(&[], &[("DATABASE_URL", &url)]);
    assert_eq!(
        valid.line("DATABASE_URL"),
        "DATABASE_URL postgresql://db.example/… environment"
    );
    assert!(!valid.stdout.contains(SECRET));
    let pasted = desk.run(&[], &[("BIND_ADDRESS", &url)]);
    assert!(!pasted.stderr.contains(SECRET), "{}", pasted.stderr);
    let help = desk.run(&["--help"], &[("DATABASE_URL", &url)]);
    assert!(!help.stdout.contains(SECRET));
}

#[test]
fn a_malformed_file_is_named_by_line_and_not_quoted() {
    let text = format!("LOG_FORMAT=json\n\nDATABASE_URL {SECRET}\nBIND_ADDRESS=8001\n");
    let outcome = Desk::with_dotenv(text).run(&[], &[]);
    let problems = outcome.problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("/.env, line 3: "), "{problems:?}");
    assert!(
        problems[1].starts_with("BIND_ADDRESS (.env)"),
        "{problems:?}"
    );
    assert!(!outcome.stderr.contains(SECRET), "{}", outcome.stderr);

    let binary = Desk::with_dotenv(b"A=\xff\n").run(&[], &[]);
    assert!(
        binary.problems()[0].contains("not UTF-8"),
        "{}",
        binary.stderr
    );
}

#[cfg(unix)]
#[test]
fn values_that_are_no_text_are_refused_and_other_peoples_are_ignored() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let run = |name: &OsStr| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        let desk = Desk::new();
        command
            .current_dir(desk.directory.path())
            .env_clear()
            .args(["config", "check"]);
        command
            .env(name, OsStr::from_bytes(b"\xff"))
            .output()
            .unwrap()
    };
    let ours = run(OsStr::new("LOG_FORMAT"));
    assert_eq!(ours.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ours.stderr).contains("must be UTF-8 text"));
    assert_eq!(run(OsStr::new("THEIRS")).status.code(), Some(0));
    assert_eq!(run(OsStr::from_bytes(b"\xfe")).status.code(), Some(0));
}

#[test]
fn a_misspelt_variable_is_warned_about() {
    let desk = Desk::with_dotenv(format!("DATABASE_URI=postgres://u:{SECRET}@db/x\n"));
    let environment = [
        ("HEARTBEAT_TIMOUT", "3"),
        ("DATABASE_HOST", "db"),
        ("PATH", "/bin"),
    ];
    let outcome = desk.check(&[], &environment);
    assert_eq!(outcome.code, Some(0));
    let warnings: Vec<_> = outcome
        .stdout
        .lines()
        .skip_while(|line| *line != "Warnings")
        .skip(1)
        .collect();
    assert_eq!(
        warnings,
        [
            "  HEARTBEAT_TIMOUT (environment) is not a setting and has no effect; did you mean \
             HEARTBEAT_TIMEOUT?",
            "  DATABASE_URI (.env) is not a setting and has no effect; did you mean DATABASE_URL?",
        ]
    );
    assert!(!outcome.stdout.contains(SECRET));
}

#[test]
fn misused_commands_exit_like_bad_settings() {
    for arguments in [
        &["dance"] as &[&str],
        &["--no-such-flag"],
        &["--bind-address"],
        &["config"],
    ] {
        let outcome = Desk::new().run(arguments, &[]);
        assert_eq!(outcome.code, Some(2), "{arguments:?}");
        assert!(!outcome.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_url_in_the_wrong_place_is_not_repeated() {
    let desk = Desk::new();
    let url = format!("postgres://root:{SECRET}@db.example/fleet");
    for arguments in [
        vec![url.as_str()],
        vec!["migrate", url.as_str()],
        vec!["config", url.as_str()],
    ] {
        let outcome = desk.run(&arguments, &[]);
        assert_eq!(outcome.code, Some(2), "{arguments:?}");
        assert!(!outcome.stderr.contains(SECRET), "{}", outcome.stderr);
        assert!(
            outcome.stderr.contains("--database-url"),
            "{}",
            outcome.stderr
        );
    }
    // `--help` names URLs of its own and is no error.
    assert_eq!(desk.run(&["--help"], &[]).code, Some(0));
}

/// What `config check` warns of, without the indentation.
fn warnings(outcome: &Outcome) -> Vec<String> {
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let lines = outcome
        .stdout
        .lines()
        .skip_while(|line| *line != "Warnings");
    lines.skip(1).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn a_default_in_braces_is_applied() {
    let text = "HEARTBEAT_TIMEOUT=${PATIENCE:-90}\nEVENT_RETENTION=${DAYS}d\n";
    let outcome = Desk::with_dotenv(text).check(&[], &[("DAYS", "3")]);
    assert_eq!(
        outcome.line("HEARTBEAT_TIMEOUT"),
        "HEARTBEAT_TIMEOUT 1m 30s .env"
    );
    assert_eq!(outcome.line("EVENT_RETENTION"), "EVENT_RETENTION 3d .env");
    assert_eq!(warnings(&outcome), [""; 0]);
}

#[test]
fn of_two_lines_for_a_setting_the_later_counts_and_both_are_named() {
    let desk = Desk::with_dotenv("HEARTBEAT_TIMEOUT=90\n# c\nHEARTBEAT_TIMEOUT=120\n");
    let outcome = desk.check(&[], &[]);
    assert_eq!(
        outcome.line("HEARTBEAT_TIMEOUT"),
        "HEARTBEAT_TIMEOUT 2m .env"
    );
    let [warning] = &warnings(&outcome)[..] else {
        panic!("{}", outcome.stdout)
    };
    assert!(
        warning.starts_with("HEARTBEAT_TIMEOUT is set in lines 1 and 3 of ")
            && warning.ends_with("/.env; line 3 counts."),
        "{warning}"
    );
}

#[test]
fn a_dollar_that_cuts_a_password_is_refused() {
    let text = format!("LOG_FORMAT=json\nDATABASE_URL=postgres://u:pa${SECRET}@127.0.0.1/o\n");
    let outcome = Desk::with_dotenv(text).check(&[], &[]);
    let problems = outcome.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].contains("/.env, line 2: DATABASE_URL refers with a $"),
        "{problems:?}"
    );
    assert!(!outcome.stderr.contains(SECRET), "{}", outcome.stderr);
    let quoted = format!("DATABASE_URL='postgres://u:pa${SECRET}@127.0.0.1/o'\n");
    assert_eq!(Desk::with_dotenv(quoted).check(&[], &[]).code, Some(0));
}

#[test]
fn a_file_of_settings_that_cannot_be_read_is_said() {
    let desk = Desk::new();
    let path = desk.directory.path().join(".env");
    std::fs::create_dir(&path).unwrap();
    for arguments in [&["config", "check"] as &[&str], &[], &["migrate"]] {
        let outcome = desk.run(arguments, &[]);
        let problems = outcome.problems();
        assert!(
            problems[0].contains("/.env: is a directory"),
            "{problems:?}"
        );
    }
    // Whoever asks an orchestrator is not sent to another one than the file may name.
    let asked = desk.run(&["status"], &[]);
    assert_eq!(asked.code, Some(2));
    assert!(
        asked.stderr.contains("is a directory") && asked.stderr.contains("--url"),
        "{}",
        asked.stderr
    );
    let asked = desk.run(&["status", "--url", "http://127.0.0.1:1"], &[]);
    assert_eq!(asked.code, Some(1), "{}", asked.stderr);
}

#[test]
fn a_parameter_of_a_database_url_has_an_effect_or_is_refused() {
    let desk = Desk::new();
    for (query, part) in [
        ("sslmode=banana", "it has an sslmode that is not known"),
        ("sslmode=require&sslmode=require", "it has sslmode twice"),
        ("sslrootcert=/ca.pem", "its sslmode does not encrypt"),
        ("sslmod=require", "the nearest one is sslmode"),
        ("connect_timeout=soon", "connect_timeout"),
    ] {
        let url = format!("postgres://u:{SECRET}@127.0.0.1:1/o?{query}");
        for outcome in [
            desk.check(&[], &[("DATABASE_URL", &url)]),
            desk.run(&[], &[("DATABASE_URL", &url)]),
        ] {
            assert!(outcome.problems()[0].contains(part), "{}", outcome.stderr);
            assert!(!outcome.stderr.contains(SECRET), "{}", outcome.stderr);
        }
    }
    let url = format!("postgres://u:{SECRET}@127.0.0.1:1/o?sslmode=prefer");
    let outcome = desk.check(&[], &[("DATABASE_URL", &url)]);
    assert!(
        warnings(&outcome)[0].starts_with("DATABASE_URL (environment) has sslmode=prefer"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn a_log_level_of_another_program_is_applied_and_said() {
    let outcome = Desk::new().check(&[], &[("RUST_LOG", "warning")]);
    assert_eq!(outcome.line("RUST_LOG"), "RUST_LOG warn environment");
    assert_eq!(
        warnings(&outcome),
        [
            "RUST_LOG (environment) has \"warning\", which is no level of this program, and is \
             taken for warn; write warn."
        ]
    );
    let refused = Desk::new().check(&[], &[("RUST_LOG", "inf")]);
    assert!(
        refused.problems()[0].contains("did you mean info?"),
        "{}",
        refused.stderr
    );
    let module = Desk::new().check(&[], &[("RUST_LOG", "info,orchestrator=debug")]);
    assert!(
        warnings(&module)[0].contains("has \"orchestrator\", which is no module"),
        "{}",
        module.stdout
    );
}

#[test]
fn a_setting_that_another_one_makes_void_is_warned_about() {
    let outcome = Desk::with_dotenv("DATABASE_POOL_SIZE=9\n").check(&[], &[]);
    assert_eq!(
        warnings(&outcome),
        ["DATABASE_POOL_SIZE (.env) has no effect: only PostgreSQL has more than one connection."]
    );
}

#[test]
fn quotes_that_no_shell_took_away_are_named() {
    let outcome = Desk::new().check(&[], &[("HEARTBEAT_TIMEOUT", "\"90\"")]);
    assert!(
        outcome.problems()[0].contains("the quotes around it are part of the value"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn config_without_a_subcommand_names_its_subcommands() {
    let outcome = Desk::new().run(&["config"], &[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
    for part in ["check", "sample", "Usage: orchestrator config"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains("URL"), "{}", outcome.stderr);
}

#[test]
fn the_help_of_a_subcommand_has_no_settings_of_the_server() {
    for arguments in [
        &["status", "--help"] as &[&str],
        &["recover", "--help"],
        &["config", "check", "--help"],
    ] {
        let help = Desk::new().run(arguments, &[]);
        assert_eq!(help.code, Some(0));
        assert!(
            !help.stdout.contains("--heartbeat-timeout"),
            "{}",
            help.stdout
        );
    }
}

#[test]
fn what_deceives_in_an_argument_or_a_value_is_shown_escaped() {
    let outcome = Desk::new().run(&["stat\u{202e}us"], &[]);
    assert_eq!(outcome.code, Some(2));
    assert!(
        outcome.stderr.contains("stat\\u{202e}us"),
        "{}",
        outcome.stderr
    );
    let outcome = Desk::new().check(&[], &[("BIND_ADDRESS", "a\u{200b}b:1")]);
    let problem = outcome.problems()[0];
    assert!(problem.contains("a\\u{200b}b:1"), "{problem}");
}
