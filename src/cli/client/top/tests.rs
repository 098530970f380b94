//! `top` without a terminal: keys and answers in, wishes and a drawn screen out.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

use super::draw::{draw, height};
use super::model::{Key, Mode, Model, Page, Snapshot, Table, Wish};
use super::rows::View;

const ROWS: usize = 10;

fn instances(count: u32) -> Vec<Value> {
    let instance = |number: u32| {
        json!({"server_id": format!("w{number}"), "status": "active", "owned": number % 7,
            "running": number % 7, "max_streams": 10, "labels": {"rack": (number % 3).to_string()},
            "last_heartbeat": "2026-01-31T08:00:00Z"})
    };
    (1..=count).map(instance).collect()
}

fn snapshot(instances: &[Value]) -> Snapshot {
    let now = humantime::parse_rfc3339("2026-01-31T08:00:07Z").ok();
    let mut snapshot = Snapshot {
        lines: vec![
            [
                "health".to_owned(),
                "degraded: capacity utilization".to_owned(),
            ],
            ["streams".to_owned(), "12 to be run: 12 running".to_owned()],
        ],
        at: "2026-01-31 08:00:07".to_owned(),
        tables: Default::default(),
    };
    let rows = instances.iter().map(|row| View::Instances.row(row, now));
    snapshot.tables[0] = Table::Rows(rows.collect(), false);
    let waiting = json!({"id": 4, "name": "jazz", "state": "orphaned", "priority": 0,
        "waiting_since": "2026-01-31T07:59:00Z", "reason": "instance_failed"});
    snapshot.tables[1] = Table::Rows(vec![View::Waiting.row(&waiting, now)], true);
    snapshot.tables[4] = Table::Missing("the database does not answer.".to_owned());
    snapshot
}

fn model(count: u32) -> Model {
    Model::new(snapshot(&instances(count)))
}

fn press(model: &mut Model, keys: &str) -> Wish {
    let mut wish = Wish::Nothing;
    for letter in keys.chars() {
        wish = model.press(Key::Letter(letter), ROWS);
    }
    wish
}

fn names(model: &Model) -> Vec<&str> {
    model
        .rows(0, usize::MAX)
        .map(|row| row.name.as_str())
        .collect()
}

fn screen(model: &Model, width: u16, lines: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, lines)).unwrap();
    terminal.draw(|frame| draw(frame, model, false)).unwrap();
    let buffer = terminal.backend().buffer();
    let rows = buffer.content().chunks(usize::from(width));
    let rows = rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
    rows.map(|row| format!("{}\n", row.trim_end())).collect()
}

#[test]
fn the_screen_has_the_health_the_tables_and_what_keys_do() {
    let expected = "\
health       degraded: capacity utilization
streams      12 to be run: 12 running
 1 Instances 2  2 Waiting streams 1+  3 Moves 0  4 Incidents 0  5 Open alerts ?
INSTANCE  STATE   LOAD  OWNED  RUNNING  MAX  SILENT  LABELS
w1        active  10 %  1      1        10   7 s     rack=1
w2        active  20 %  2      2        10   7 s     rack=2

2026-01-31 08:00:07 UTC   Enter: open   /: filter   s: sort   d: drain   ?: keys   q: quit
";
    let model = model(2);
    assert_eq!(screen(&model, 100, 8), expected);
    assert_eq!(height(&model, 8), 3);
}

#[test]
fn each_number_shows_its_table_and_a_missing_one_says_why() {
    let mut model = model(1);
    press(&mut model, "2");
    assert!(
        screen(&model, 100, 8)
            .contains("4   jazz  orphaned  2026-01-31 07:59:00  instance failed  0")
    );
    press(&mut model, "3");
    assert!(screen(&model, 100, 8).contains("\nNo moves are under way.\n"));
    press(&mut model, "5");
    assert!(screen(&model, 100, 8).contains("\nthe database does not answer.\n"));
    model.press(Key::Tab, ROWS);
    assert_eq!(
        model.view,
        View::Instances,
        "after the last comes the first"
    );
}

#[test]
fn the_selection_follows_its_row_whatever_comes_and_goes() {
    let mut model = model(30);
    for _ in 0..4 {
        model.press(Key::Down, ROWS);
    }
    assert_eq!(model.current().unwrap().name, "w5");
    model.renew(snapshot(&instances(40)[2..]));
    assert_eq!(
        (model.cursor(), model.current().unwrap().name.as_str()),
        (2, "w5")
    );
    model.renew(snapshot(&instances(3)));
    assert_eq!(model.cursor(), 0, "it is gone");
    model.renew(snapshot(&[]));
    assert_eq!(model.press(Key::Enter, ROWS), Wish::Nothing);
    assert_eq!(press(&mut model, "d"), Wish::Nothing);
    assert!(screen(&model, 100, 8).contains("No instances have registered."));
}

#[test]
fn a_page_of_many_rows_has_the_selected_one() {
    let mut model = model(2_000);
    let shown = |model: &Model| screen(model, 100, 8);
    model.press(Key::Last, ROWS);
    assert!(shown(&model).contains("w2000") && !shown(&model).contains("w1 "));
    model.press(Key::PageUp, ROWS);
    assert_eq!(model.current().unwrap().name, "w1990");
    model.press(Key::First, ROWS);
    assert!(shown(&model).contains("w1 "));
}

#[test]
fn rows_are_sorted_by_each_column_and_back() {
    let mut model = model(9);
    let unsorted: Vec<String> = names(&model).into_iter().map(str::to_owned).collect();
    press(&mut model, "ssss");
    assert_eq!(model.sorting(), Some((3, false)));
    assert_eq!(names(&model)[..3], ["w7", "w1", "w8"]);
    press(&mut model, "S");
    assert_eq!(names(&model)[..1], ["w6"]);
    assert!(screen(&model, 100, 8).contains("OWNED \u{25bc}"));
    press(&mut model, "Ssssss");
    assert_eq!(
        (model.sorting(), names(&model)),
        (None, unsorted.iter().map(String::as_str).collect())
    );
}

#[test]
fn a_filter_leaves_out_what_lacks_the_text_until_escape() {
    let mut model = model(9);
    press(&mut model, "/RACK=2x");
    assert!(names(&model).is_empty());
    assert!(screen(&model, 100, 8).contains("No row has \"RACK=2x\"."));
    assert!(screen(&model, 100, 8).contains("/RACK=2x_"));
    model.press(Key::Backspace, ROWS);
    assert_eq!(names(&model), ["w2", "w5", "w8"]);
    model.press(Key::Enter, ROWS);
    assert_eq!(model.mode, Mode::Table);
    assert_eq!(press(&mut model, "q"), Wish::Quit, "keys are orders again");
    model.press(Key::Escape, ROWS);
    assert_eq!(names(&model).len(), 9);
}

#[test]
fn a_row_is_opened_by_its_name_and_left_with_escape() {
    let mut model = model(3);
    model.press(Key::Down, ROWS);
    let wish = model.press(Key::Enter, ROWS);
    assert_eq!(wish, Wish::Open(View::Instances, "w2".to_owned()));
    model.open(
        Page::new("Instance w2".to_owned(), "one\ntwo\nthree\n"),
        None,
    );
    assert!(screen(&model, 100, 8).contains("Instance w2\none\ntwo\n"));
    model.press(Key::Down, ROWS);
    assert!(screen(&model, 100, 8).contains("Instance w2\ntwo\n"));
    model.press(Key::Last, ROWS);
    assert!(screen(&model, 100, 8).contains("Instance w2\nthree\n"));
    assert_eq!(
        model.press(Key::Letter('d'), ROWS),
        Wish::Nothing,
        "no order from a page"
    );
    model.press(Key::Escape, ROWS);
    assert_eq!(model.mode, Mode::Table);
}

#[test]
fn a_drain_is_ordered_only_by_y_and_only_after_its_plan_was_shown() {
    let mut model = model(3);
    assert_eq!(press(&mut model, "d"), Wish::Plan("w1".to_owned()));
    let plan = || Page::new("Drain w1".to_owned(), "12 streams would move.\n");
    for key in [
        Key::Enter,
        Key::Escape,
        Key::Letter('n'),
        Key::Letter('d'),
        Key::Tab,
    ] {
        press(&mut model, "d");
        model.open(plan(), Some("w1".to_owned()));
        assert!(screen(&model, 100, 8).contains("y: order this drain"));
        assert_eq!(model.press(key, ROWS), Wish::Nothing, "{key:?}");
        assert_eq!(model.note.as_deref(), Some("Nothing was ordered."));
    }
    press(&mut model, "d");
    model.open(plan(), Some("w1".to_owned()));
    model.press(Key::Down, ROWS);
    assert_eq!(press(&mut model, "y"), Wish::Drain("w1".to_owned()));
    assert_eq!(press(&mut model, "y"), Wish::Nothing, "once");
    press(&mut model, "2");
    assert_eq!(press(&mut model, "d"), Wish::Nothing);
    assert!(model.note.as_deref().unwrap().contains("Only an instance"));
}

#[test]
fn a_plan_that_comes_after_another_key_is_not_there_to_be_confirmed() {
    let mut model = model(3);
    let plan = || Page::new("Drain w1".to_owned(), "12 streams would move.\n");
    for keys in ["dj", "d/", "dr", "d2"] {
        model.mode = Mode::Table;
        press(&mut model, "1");
        for key in keys.chars() {
            model.press(Key::Letter(key), ROWS);
        }
        let mode = model.mode.clone();
        model.open(plan(), Some("w1".to_owned()));
        assert_eq!(model.mode, mode, "{keys}");
        assert!(model.note.as_deref().unwrap().contains("came late"));
        assert_eq!(press(&mut model, "y"), Wish::Nothing, "{keys}");
    }
}

#[test]
fn without_an_answer_what_is_shown_has_its_time() {
    let mut model = model(2);
    model.fail("no orchestrator answers at http://a.".to_owned());
    let shown = screen(&model, 110, 8);
    assert!(shown.contains("w1 "), "{shown}");
    let reason =
        "no orchestrator answers at http://a. What is shown is from 2026-01-31 08:00:07 UTC.";
    assert!(shown.contains(reason), "{shown}");
    model.renew(snapshot(&instances(2)));
    assert!(!screen(&model, 110, 8).contains("no orchestrator"));
}

/// A terminal may be as small as a person likes.
#[test]
fn a_small_screen_is_no_fault() {
    let mut model = model(50);
    for (width, lines) in [(1, 1), (5, 2), (20, 3), (200, 4)] {
        screen(&model, width, lines);
    }
    press(&mut model, "?");
    assert!(screen(&model, 90, 20).contains("Keys\n1 to 5, Tab"));
    assert_eq!(
        press(&mut model, "q"),
        Wish::Nothing,
        "any key leaves the help"
    );
    assert_eq!(model.mode, Mode::Table);
}
