//! What is understood, refused, and listed as help.

use super::*;
use crate::catalogue::Format;
use crate::cli::client::{
    EventsOrder, ImportOrder, List, ListOrder, OutputFormat, StoryOrder, StreamsOrder,
};
use crate::config::settings;

fn invocation(arguments: &[&str]) -> Invocation {
    parse([&["orchestrator"], arguments].concat()).unwrap()
}

#[test]
fn the_command_line_is_well_formed() {
    command_line().debug_assert();
}

#[test]
fn subcommands() {
    for (arguments, command) in [
        (&[] as &[&str], Command::Serve),
        (&["serve"], Command::Serve),
        (&["migrate"], Command::Migrate(MigrationDirection::Up)),
        (
            &["migrate", "--down"],
            Command::Migrate(MigrationDirection::DownOne),
        ),
        (&["config", "check"], Command::ConfigCheck),
        (&["config", "sample"], Command::ConfigSample),
        (&["config", "table"], Command::ConfigTable),
        (&["version"], Command::Version { json: false }),
        (&["version", "--json"], Command::Version { json: true }),
        (&["completions", "zsh"], Command::Completions(Shell::Zsh)),
        (&["man"], Command::Man(None)),
        (&["man", "x"], Command::Man(Some("x".into()))),
    ] {
        let expected = Invocation {
            command,
            flags: BTreeMap::new(),
        };
        assert_eq!(invocation(arguments), expected, "{arguments:?}");
    }
}

#[test]
fn questions_to_a_running_orchestrator() {
    let asked = |arguments: &[&str]| match invocation(arguments).command {
        Command::Ask(question) => question,
        other => panic!("{other:?}"),
    };
    let plain = |subject| Question {
        subject,
        address: Address::default(),
        output: OutputFormat::Table,
        watch: None,
    };
    for (arguments, judged) in [
        (&["status"] as &[&str], false),
        (&["status", "--exit-code"], true),
    ] {
        assert_eq!(asked(arguments), plain(Subject::Status { judged }));
    }
    assert_eq!(asked(&["capacity"]), plain(Subject::Capacity));
    assert_eq!(
        asked(&["explain", "cam-7"]),
        plain(Subject::Explain("cam-7".to_owned()))
    );
    assert_eq!(asked(&["consistency"]), plain(Subject::Consistency));
    let incidents = |parameters, limit: &str| {
        Subject::List(ListOrder {
            list: List::Incidents,
            parameters,
            limit: Some(limit.to_owned()),
        })
    };
    assert_eq!(asked(&["incidents"]), plain(incidents(vec![], "100")));
    assert_eq!(
        asked(&["incidents", "35"]),
        plain(Subject::Incident("35".to_owned()))
    );
    assert_eq!(
        asked(&["recover", "a b"]),
        plain(Subject::Recover("a b".to_owned()))
    );
    assert_eq!(
        asked(&["emergency", "a", "--reason", "-"]),
        plain(Subject::Emergency {
            id: "a".to_owned(),
            reason: "-".to_owned()
        })
    );
    for incomplete in [
        &["orchestrator", "recover"] as &[&str],
        &["orchestrator", "emergency", "a"],
        &["orchestrator", "emergency", "--reason", "x"],
        &["orchestrator", "incidents", "35", "--limit", "1"],
    ] {
        assert!(parse(incomplete).is_err(), "{incomplete:?}");
    }
    let given = [
        "incidents",
        "--json",
        "--url",
        "http://a",
        "--limit",
        "-1",
        "--instance",
        "b",
    ];
    let restricted = vec![("instance", "b".to_owned())];
    assert_eq!(
        asked(&given),
        Question {
            subject: incidents(restricted, "-1"),
            address: Address {
                url: Some("http://a".into()),
                key_file: None,
            },
            output: OutputFormat::Json,
            watch: None,
        }
    );
}

#[test]
fn questions_about_events() {
    let asked =
        |arguments: &str| match invocation(&arguments.split(' ').collect::<Vec<_>>()).command {
            Command::Ask(question) => question.subject,
            other => panic!("{other:?}"),
        };
    let given = "events --since 2h --until 5m --instance a --stream 4 --kind x,y --actor roll \
                 --incident 9";
    let parameters = vec![
        ("from", "2h".to_owned()),
        ("to", "5m".to_owned()),
        ("instance", "a".to_owned()),
        ("stream", "4".to_owned()),
        ("incident", "9".to_owned()),
        ("actor", "roll".to_owned()),
        ("kind", "x,y".to_owned()),
    ];
    let order = EventsOrder {
        parameters,
        limit: None,
        follow: false,
    };
    assert_eq!(asked(given), Subject::Events(order));
    let order = EventsOrder {
        parameters: vec![("from", "2h".to_owned())],
        limit: None,
        follow: true,
    };
    assert_eq!(asked("events --follow --since 2h"), Subject::Events(order));
    let story = |id: &str, is_stream, parameters| {
        Subject::Story(StoryOrder {
            id: id.to_owned(),
            is_stream,
            parameters,
        })
    };
    assert_eq!(asked("story cam-7"), story("cam-7", false, vec![]));
    assert_eq!(asked("story 7"), story("7", true, vec![]));
    assert_eq!(asked("story 7 --instance"), story("7", false, vec![]));
    let since = vec![("from", "1h".to_owned())];
    assert_eq!(
        asked("story x --stream --since 1h"),
        story("x", true, since)
    );
    for wrong in [
        "events --follow --limit 3",
        "events --follow --until 5m",
        "story",
        "story 7 --stream --instance",
    ] {
        let arguments = std::iter::once("orchestrator").chain(wrong.split(' '));
        assert!(parse(arguments).is_err(), "{wrong}");
    }
}

#[test]
fn an_order_about_the_catalogue_is_read_with_its_flags() {
    let order = |arguments: &[&str]| match invocation(arguments).command {
        Command::Ask(Question {
            subject: Subject::Streams(order),
            ..
        }) => order,
        other => panic!("{other:?}"),
    };
    let import = ImportOrder {
        file: "-".into(),
        format: Some(Format::M3u),
        dry_run: false,
        keep_going: true,
        prune: true,
        yes: true,
    };
    let given = "streams import - --format m3u --keep-going --prune --yes --url http://a";
    let given: Vec<&str> = given.split(' ').collect();
    assert_eq!(order(&given), StreamsOrder::Import(import));
    assert_eq!(
        order(&["streams", "export"]),
        StreamsOrder::Export(Format::Csv)
    );
    assert_eq!(
        order(&["streams", "delete", "7", "8", "7"]),
        StreamsOrder::Delete(vec![7, 8])
    );
    for list in [&["streams", "list"] as &[&str], &["streams"]] {
        let given = [list, &["--label", "a:b", "--limit", "1", "--label", "c=d"]].concat();
        let listed = ListOrder {
            list: List::Streams,
            parameters: vec![("label", "a:b".to_owned()), ("label", "c:d".to_owned())],
            limit: Some("1".to_owned()),
        };
        match invocation(&given).command {
            Command::Ask(question) => assert_eq!(question.subject, Subject::List(listed)),
            other => panic!("{other:?}"),
        }
    }
    for wrong in [
        &["orchestrator", "streams", "import"] as &[&str],
        &["orchestrator", "streams", "--limit", "1", "import", "x"],
        &["orchestrator", "streams", "enable", "news"],
        &["orchestrator", "streams", "disable", "0"],
        &["orchestrator", "streams", "export", "--format", "m3u"],
        &["orchestrator", "streams", "export", "--json"],
    ] {
        assert!(parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn flags_count_before_and_after_a_subcommand() {
    for arguments in [
        &["--heartbeat-timeout", "3", "config", "check"],
        &["config", "--heartbeat-timeout", "3", "check"],
        &["config", "check", "--heartbeat-timeout", "3"],
    ] {
        let flags = invocation(arguments).flags;
        assert_eq!(
            flags,
            BTreeMap::from([("HEARTBEAT_TIMEOUT".into(), "3".into())])
        );
    }
}

#[test]
fn a_flag_without_effect_or_given_twice_is_refused() {
    for (arguments, part) in [
        (
            &["--heartbeat-timeout", "3", "status"] as &[&str],
            "no effect on `orchestrator status`",
        ),
        (
            &["status", "--heartbeat-timeout", "3"],
            "--heartbeat-timeout",
        ),
        (&["--heartbeat-timeout", "3", "migrate"], "no effect"),
        (&["--bind-address", "a:1", "config", "sample"], "no effect"),
        (&["--database-url", "x", "recover", "a"], "no effect"),
        (
            &["--rust-log", "off", "config", "check", "--rust-log", "off"],
            "given twice",
        ),
        (
            &["--rust-log", "off", "--rust-log", "off"],
            "multiple times",
        ),
    ] {
        let error = parse([&["orchestrator"], arguments].concat()).unwrap_err();
        assert!(
            error.use_stderr() && error.exit_code() == 2,
            "{arguments:?}"
        );
        assert!(error.to_string().contains(part), "{arguments:?}: {error}");
    }
    let flags = invocation(&["--database-url", "memory:", "migrate"]).flags;
    assert_eq!(flags["DATABASE_URL"], "memory:");
}

#[test]
fn the_help_of_a_subcommand_lists_its_own_options() {
    let help = |arguments: &[&str]| {
        let shown = parse([&["orchestrator"], arguments, &["--help"]].concat()).unwrap_err();
        assert_eq!(shown.exit_code(), 0);
        shown.to_string()
    };
    for (arguments, own) in [
        (&["status"] as &[&str], "--url"),
        (&["incidents"], "--instance"),
        (&["consistency"], "--json"),
        (&["recover"], "<ID>"),
        (&["emergency"], "--reason"),
        (&["config"], "check"),
        (&["config", "check"], "orchestrator --help"),
        (&["config", "sample"], "--help"),
        (&["instances"], "--output"),
        (&["moves"], "--watch"),
        (&["alerts"], "--all"),
        (&["streams"], "import"),
        (&["version"], "--json"),
        (&["completions"], "bash"),
        (&["man"], "[DIR]"),
    ] {
        let help = help(arguments);
        assert!(help.contains(own), "{own} is missing in {help}");
        for setting in settings() {
            let flag = format!("--{} ", setting.flag);
            assert!(!help.contains(&flag), "{flag} of {arguments:?} in {help}");
        }
    }
    let help = help(&["migrate"]);
    assert!(help.contains("--down") && help.contains("--database-url"));
    assert!(!help.contains("--heartbeat-timeout"), "{help}");
}

#[test]
fn config_alone_shows_its_subcommands() {
    let error = parse(["orchestrator", "config"]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let text = error.to_string();
    assert!(text.contains("sample") && !text.contains("URL"), "{text}");
}

#[test]
fn a_negative_number_is_a_value() {
    let flags = invocation(&["--retry-delay-seconds", "-5"]).flags;
    assert_eq!(flags["RETRY_DELAY_SECONDS"], "-5");
}

#[test]
fn help_names_every_flag_variable_and_default() {
    let help = command_line()
        .term_width(10_000)
        .render_long_help()
        .to_string();
    for setting in settings() {
        let flag = format!("--{} <{}>", setting.flag, setting.kind.placeholder());
        let variable = format!("[env: {}]", setting.name);
        let default = format!("[default: {}]", setting.default.describe());
        for part in [flag, variable, default] {
            assert!(help.contains(&part), "{part} is missing");
        }
    }
}

#[test]
fn an_order_about_a_roll_is_read_with_its_reason_and_may_be_tried() {
    let order = |arguments: &[&str]| match invocation(arguments).command {
        Command::Ask(Question {
            subject: Subject::Planned(order),
            ..
        }) => order,
        other => panic!("{other:?}"),
    };
    for (word, tried) in [("pause", false), ("resume", true), ("cancel", false)] {
        let mut given = vec!["roll", word, "7", "--reason", "lunch"];
        given.extend(tried.then_some("--dry-run"));
        let order = order(&given);
        assert_eq!((order.id.as_str(), order.dry_run), ("7", tried), "{word}");
        assert_eq!(order.body["reason"], "lunch");
    }
}

#[test]
fn a_completion_has_a_setting_only_where_help_lists_it() {
    fn flags(command: &clap::Command) -> usize {
        let known = |argument: &&Arg| {
            let long = argument.get_long();
            settings().iter().any(|setting| long == Some(setting.flag))
        };
        command.get_arguments().filter(known).count()
    }
    let shown = shown_command_line();
    assert_eq!(flags(&shown), settings().len());
    for inner in shown.get_subcommands() {
        let most = match inner.get_name() {
            "serve" => settings().len(),
            "migrate" => settings().len() / 2,
            _ => 0,
        };
        assert!(flags(inner) <= most, "{}", inner.get_name());
        for below in inner.get_subcommands() {
            // Without a server it needs the database.
            let makes_a_key = (inner.get_name(), below.get_name()) == ("keys", "create");
            let most = if makes_a_key { settings().len() / 2 } else { 0 };
            assert!(
                flags(below) <= most,
                "{} {}",
                inner.get_name(),
                below.get_name()
            );
        }
    }
}
