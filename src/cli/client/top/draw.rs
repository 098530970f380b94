//! Draws `top`.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Clear, Paragraph, Row as Drawn, Table as Grid};

use super::model::{Mode, Model, Page, Table};
use super::rows::{Tone, View};

/// The lines around the rows of a table: tabs, heads and the line at the bottom.
const AROUND: u16 = 3;

const HELP: &str = "\
1 to 5, Tab        another table
arrows, j, k       select a row; also Page Up, Page Down, Home and End
Enter              explain the instance or the stream, tell the incident, show the alert
/                  filter: only rows that have what you type; Esc ends it
s                  sort by the next column; after the last one as the orchestrator answers
S                  turn the order round
d                  show what a drain of the selected instance would do; y orders it
r                  ask now
q                  quit";

/// Returns how many rows of a table fit on a screen of this height.
pub(super) fn height(model: &Model, screen: u16) -> usize {
    let head = u16::try_from(model.snapshot.lines.len()).unwrap_or(u16::MAX);
    screen.saturating_sub(head).saturating_sub(AROUND).into()
}

/// Draws everything; in colours, unless the person wants none.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, in_colours: bool) {
    let palette = Palette { in_colours };
    let head = u16::try_from(model.snapshot.lines.len()).unwrap_or(u16::MAX);
    let [top, tabs, body, bottom] = Layout::vertical([
        Constraint::Length(head),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(head_lines(model, palette)), top);
    frame.render_widget(tab_line(model), tabs);
    match &model.mode {
        Mode::Table | Mode::Filter => draw_table(frame, model, palette, body),
        Mode::Page(page) | Mode::Plan(_, page) => draw_page(frame, page, body),
        Mode::Help => draw_page(frame, &Page::new("Keys".to_owned(), HELP), body),
    }
    frame.render_widget(bottom_line(model, palette), bottom);
}

/// The colours of what stands out.
#[derive(Debug, Clone, Copy)]
struct Palette {
    in_colours: bool,
}

impl Palette {
    fn of(self, tone: Tone) -> Style {
        let (colour, modifier) = match tone {
            Tone::Plain => return Style::new(),
            Tone::Warning => (Color::Yellow, Modifier::empty()),
            Tone::Bad => (Color::Red, Modifier::BOLD),
        };
        if self.in_colours {
            Style::new().fg(colour).add_modifier(modifier)
        } else {
            Style::new().add_modifier(modifier)
        }
    }
}

fn head_lines(model: &Model, palette: Palette) -> Vec<Line<'_>> {
    let lines = model.snapshot.lines.iter();
    lines
        .map(|[name, sentence]| {
            let tone = match (name.as_str(), sentence.as_str()) {
                ("health", "healthy") => Tone::Plain,
                ("health", sentence) if sentence.starts_with("degraded") => Tone::Warning,
                ("health", _) => Tone::Bad,
                ("instances" | "streams" | "load", _) => Tone::Plain,
                _ => Tone::Warning,
            };
            Line::from(vec![
                Span::styled(
                    format!("{name:<13}"),
                    Style::new().add_modifier(Modifier::DIM),
                ),
                Span::styled(sentence.as_str(), palette.of(tone)),
            ])
        })
        .collect()
}

fn tab_line(model: &Model) -> Line<'static> {
    let tabs = View::ALL.iter().enumerate().map(|(index, view)| {
        let count = match &model.snapshot.tables[index] {
            Table::Rows(rows, false) => rows.len().to_string(),
            Table::Rows(rows, true) => format!("{}+", rows.len()),
            Table::Missing(_) => "?".to_owned(),
        };
        let text = format!(" {} {} {count} ", index + 1, view.title());
        if *view == model.view {
            Span::styled(text, Style::new().add_modifier(Modifier::REVERSED))
        } else {
            Span::raw(text)
        }
    });
    Line::from_iter(tabs)
}

fn draw_table(frame: &mut Frame<'_>, model: &Model, palette: Palette, area: Rect) {
    if let Table::Missing(reason) = model.table() {
        frame.render_widget(Paragraph::new(reason.as_str()), area);
        return;
    }
    if model.len() == 0 {
        let none = if model.filter.is_empty() {
            model.view.none().to_owned()
        } else {
            format!("No row has \"{}\".", model.filter)
        };
        frame.render_widget(Paragraph::new(none), area);
        return;
    }
    let height = usize::from(area.height.saturating_sub(1)).max(1);
    let cursor = model.cursor();
    // The page that has the cursor.
    let first = cursor / height * height;
    let heads: Vec<String> = heads(model);
    let rows: Vec<_> = model.rows(first, height).collect();
    let mut widths: Vec<usize> = heads.iter().map(|head| head.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = cell.chars().count().max(*width);
        }
    }
    let drawn = rows.iter().enumerate().map(|(place, row)| {
        let style = palette.of(row.tone);
        let style = if first + place == cursor {
            style.add_modifier(Modifier::REVERSED)
        } else {
            style
        };
        Drawn::new(row.cells.iter().map(|cell| Cell::from(cell.as_str()))).style(style)
    });
    let widths = widths
        .iter()
        .map(|width| Constraint::Length((*width).try_into().unwrap_or(u16::MAX)));
    let head = Drawn::new(heads).style(Style::new().add_modifier(Modifier::BOLD));
    let grid = Grid::new(drawn, widths).header(head).column_spacing(2);
    frame.render_widget(grid, area);
}

/// Returns the names of the columns; the one that sorts has an arrow.
fn heads(model: &Model) -> Vec<String> {
    let sorting = model.sorting();
    let heads = model.view.heads().into_iter().enumerate();
    heads
        .map(|(column, head)| match sorting {
            Some((sorted, true)) if sorted == column => format!("{head} \u{25bc}"),
            Some((sorted, false)) if sorted == column => format!("{head} \u{25b2}"),
            _ => head.to_owned(),
        })
        .collect()
}

fn draw_page(frame: &mut Frame<'_>, page: &Page, area: Rect) {
    let title = Line::styled(
        page.title.as_str(),
        Style::new().add_modifier(Modifier::BOLD),
    );
    let text = page.lines.iter().skip(page.first);
    let text = text.map(|line| Line::from(line.as_str()));
    let lines: Vec<Line<'_>> = std::iter::once(title).chain(text).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines), area);
}

fn bottom_line(model: &Model, palette: Palette) -> Line<'static> {
    if let Mode::Filter = model.mode {
        return Line::from(format!("/{}_", model.filter));
    }
    if let Mode::Plan(..) = model.mode {
        return Line::styled(
            "y: order this drain   any other key: order nothing",
            palette.of(Tone::Warning),
        );
    }
    if let Some(note) = &model.note {
        return Line::from(note.clone());
    }
    if let Some(reason) = &model.failure {
        let at = &model.snapshot.at;
        let text = format!("{reason} What is shown is from {at} UTC.");
        return Line::styled(text, palette.of(Tone::Bad));
    }
    let filter = match model.filter.as_str() {
        "" => String::new(),
        filter => format!("   only \"{filter}\" (Esc: all)"),
    };
    Line::from(format!(
        "{} UTC{filter}   Enter: open   /: filter   s: sort   d: drain   ?: keys   q: quit",
        model.snapshot.at
    ))
}
