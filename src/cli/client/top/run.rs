//! The terminal, the signals, and the thread that asks.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::signal::unix::{SignalKind, signal};

use super::draw::{draw, height};
use super::model::{Key, Model, Page, Snapshot, Wish};
use super::source;
use crate::cli::client::connection::Connection;
use crate::cli::exit::Exit;
use crate::cli::output::complain;
use crate::logging::escapes::escaped;

/// How often the loop looks for answers and signals while no key is pressed.
const LOOK: Duration = Duration::from_millis(100);

/// What the thread that asks, or a signal, says.
enum News {
    Snapshot(Box<Snapshot>),
    Failed(String),
    /// A text to show; with an instance it is the plan of its drain.
    Page(Page, Option<String>),
    Note(String),
    /// The process is to end.
    End,
}

/// Shows the fleet until the person quits, and asks again after each pause.
pub(in crate::cli::client) fn run(connection: Connection, pause: Duration) -> Exit {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        complain(
            "orchestrator: top needs a terminal; `orchestrator status --json` is for programs.",
        );
        return Exit::Misused;
    }
    let first = match source::snapshot(&connection) {
        Ok(first) => first,
        Err(reason) => {
            complain(&format!("orchestrator: {reason}"));
            return Exit::Failed;
        }
    };
    let (tell, news) = mpsc::channel();
    let (wish, wishes) = mpsc::channel();
    let signals = tell.clone();
    let started = start("signals", move || watch_signals(&signals))
        .and_then(|()| start("questions", move || ask(&connection, pause, &wishes, &tell)));
    if let Err(error) = started {
        complain(&format!("orchestrator: top cannot start: {error}"));
        return Exit::Failed;
    }
    let mut terminal = match ratatui::try_init() {
        Ok(terminal) => terminal,
        Err(error) => {
            complain(&format!(
                "orchestrator: the terminal cannot be used: {error}"
            ));
            return Exit::Failed;
        }
    };
    let shown = show(&mut terminal, Model::new(first), &wish, &news);
    ratatui::restore();
    match shown {
        Ok(exit) => exit,
        Err(error) => {
            complain(&format!(
                "orchestrator: the terminal cannot be used: {error}"
            ));
            Exit::Failed
        }
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map(|_| ())
}

fn show(
    terminal: &mut DefaultTerminal,
    mut model: Model,
    wish: &Sender<Wish>,
    news: &Receiver<News>,
) -> io::Result<Exit> {
    let in_colours = has_colours();
    loop {
        terminal.draw(|frame| draw(frame, &model, in_colours))?;
        if event::poll(LOOK)? {
            match event::read()? {
                Event::Key(pressed) if is_interrupt(pressed) => return Ok(Exit::Interrupted),
                Event::Key(pressed) => {
                    let rows = height(&model, terminal.size()?.height);
                    let wished = key(pressed).map(|key| model.press(key, rows));
                    match wished {
                        None | Some(Wish::Nothing) => {}
                        Some(Wish::Quit) => return Ok(Exit::Done),
                        // The thread ends with this one.
                        Some(wished) => drop(wish.send(wished)),
                    }
                }
                _ => {}
            }
        }
        for one in news.try_iter() {
            match one {
                News::Snapshot(snapshot) => model.renew(*snapshot),
                News::Failed(reason) => model.fail(reason),
                News::Page(page, plan) => model.open(page, plan),
                News::Note(note) => model.note = Some(note),
                News::End => return Ok(Exit::Interrupted),
            }
        }
    }
}

/// Returns whether the person wants colours (<https://no-color.org>).
#[expect(
    clippy::disallowed_methods,
    reason = "a wish about the terminal, no setting of the program"
)]
fn has_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn is_interrupt(pressed: KeyEvent) -> bool {
    pressed.code == KeyCode::Char('c') && pressed.modifiers.contains(KeyModifiers::CONTROL)
}

fn key(pressed: KeyEvent) -> Option<Key> {
    if pressed.kind == KeyEventKind::Release {
        return None;
    }
    Some(match pressed.code {
        KeyCode::Char(letter) if !pressed.modifiers.contains(KeyModifiers::CONTROL) => {
            Key::Letter(letter)
        }
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::First,
        KeyCode::End => Key::Last,
        KeyCode::Tab => Key::Tab,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}

/// Asks for everything after each pause, and for single things as they are wished, until the screen is closed.
fn ask(connection: &Connection, pause: Duration, wishes: &Receiver<Wish>, tell: &Sender<News>) {
    connection.keep_notes();
    loop {
        let said = match wishes.recv_timeout(pause) {
            Ok(Wish::Refresh) | Err(RecvTimeoutError::Timeout) => refreshed(connection),
            Ok(Wish::Open(view, name)) => {
                let page = source::page(connection, view, &name);
                page.map_or_else(News::Note, |page| News::Page(page, None))
            }
            Ok(Wish::Plan(id)) => {
                let plan = source::plan(connection, &id);
                plan.map_or_else(News::Note, |plan| News::Page(plan, Some(id)))
            }
            Ok(Wish::Drain(id)) => {
                let begun = source::begin_drain(connection, &id);
                let note = begun.unwrap_or_else(|reason| reason);
                if tell.send(News::Note(escaped(&note))).is_err() {
                    return;
                }
                refreshed(connection)
            }
            Ok(Wish::Nothing | Wish::Quit) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let note = connection.take_note();
        let note = note.map(|note| News::Note(escaped(&note)));
        if note
            .into_iter()
            .chain([said])
            .any(|news| tell.send(news).is_err())
        {
            return;
        }
    }
}

fn refreshed(connection: &Connection) -> News {
    match source::snapshot(connection) {
        Ok(snapshot) => News::Snapshot(Box::new(snapshot)),
        Err(reason) => News::Failed(reason),
    }
}

/// Reports signals that end the process. Their default would leave the terminal as it is drawn.
fn watch_signals(tell: &Sender<News>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        let signals = (
            signal(SignalKind::terminate()),
            signal(SignalKind::hangup()),
        );
        if let (Ok(mut terminate), Ok(mut hangup)) = signals {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            let _ = tell.send(News::End);
        }
    });
}
