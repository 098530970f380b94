//! The state of `top`, and what follows from keys and answers.

use super::rows::{Row, View, compare};

/// A key, whatever the terminal calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Letter(char),
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Tab,
    Enter,
    Escape,
    Backspace,
}

/// What the program is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Quit,
    /// Ask for everything now.
    Refresh,
    /// Show one row of this table.
    Open(View, String),
    /// Ask what a drain of this instance would do.
    Plan(String),
    /// Order it.
    Drain(String),
}

/// What is known of the fleet.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Snapshot {
    /// The lines of `status`: a name and a sentence each, the health first.
    pub(super) lines: Vec<[String; 2]>,
    /// When the orchestrator answered, as it is shown.
    pub(super) at: String,
    /// One of each view.
    pub(super) tables: [Table; 5],
}

/// The rows of a view.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Table {
    /// With whether there are more than were read.
    Rows(Vec<Row>, bool),
    /// There are none, for this reason.
    Missing(String),
}

impl Default for Table {
    fn default() -> Self {
        Self::Rows(Vec::new(), false)
    }
}

/// A text that fills the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    /// The first line that is shown.
    pub(super) first: usize,
}

impl Page {
    pub(super) fn new(title: String, text: &str) -> Self {
        Self {
            title,
            lines: text.lines().map(str::to_owned).collect(),
            first: 0,
        }
    }

    fn scroll(&mut self, key: Key, height: usize) {
        let last = self.lines.len().saturating_sub(1);
        self.first = moved(self.first, key, height).min(last);
    }
}

/// What keys mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Table,
    /// What is typed becomes the filter.
    Filter,
    Page(Page),
    /// The plan of a drain of this instance, which is to be confirmed.
    Plan(String, Page),
    Help,
}

/// The order of a view's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sorting {
    /// The column; `None`: as the orchestrator answers.
    column: Option<usize>,
    is_descending: bool,
}

/// The state of `top`.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) snapshot: Snapshot,
    pub(super) view: View,
    pub(super) mode: Mode,
    pub(super) filter: String,
    /// Said once, below the table.
    pub(super) note: Option<String>,
    /// Why there is no newer snapshot.
    pub(super) failure: Option<String>,
    /// The instance whose plan was asked for, if no key was pressed since.
    awaited: Option<String>,
    sortings: [Sorting; 5],
    /// The id of the selected row of each view.
    selected: [Option<String>; 5],
    /// The rows that are shown, by their place in the table.
    shown: Vec<usize>,
}

impl Model {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        let mut model = Self {
            snapshot,
            view: View::Instances,
            mode: Mode::Table,
            filter: String::new(),
            note: None,
            failure: None,
            awaited: None,
            sortings: [Sorting::default(); 5],
            selected: Default::default(),
            shown: Vec::new(),
        };
        model.arrange();
        model
    }

    /// Takes over a newer answer. The selected row stays selected if it is still there.
    pub(super) fn renew(&mut self, snapshot: Snapshot) {
        self.snapshot = snapshot;
        self.failure = None;
        self.arrange();
    }

    /// Notes that there was no answer.
    pub(super) fn fail(&mut self, reason: String) {
        self.failure = Some(reason);
    }

    /// Shows a text, or the plan of a drain. A plan that comes after another key is not shown: the next key may be
    /// meant for something else.
    pub(super) fn open(&mut self, page: Page, plan: Option<String>) {
        self.mode = match plan {
            Some(id) if self.awaited.take().as_ref() == Some(&id) => Mode::Plan(id, page),
            Some(id) => {
                self.note = Some(format!("The plan for {id} came late; press d again."));
                return;
            }
            None => Mode::Page(page),
        };
    }

    /// Returns the table that is shown.
    pub(super) fn table(&self) -> &Table {
        &self.snapshot.tables[self.view.index()]
    }

    /// Returns how many rows are shown.
    pub(super) fn len(&self) -> usize {
        self.shown.len()
    }

    /// Returns some of the rows that are shown, in order.
    pub(super) fn rows(&self, from: usize, most: usize) -> impl Iterator<Item = &Row> {
        let rows = match self.table() {
            Table::Rows(rows, _) => rows.as_slice(),
            Table::Missing(_) => &[],
        };
        let places = self.shown.iter().skip(from).take(most);
        places.filter_map(|place| rows.get(*place))
    }

    /// Returns the place of the selected row.
    pub(super) fn cursor(&self) -> usize {
        let selected = self.selected[self.view.index()].as_ref();
        let place = selected.and_then(|id| self.rows(0, usize::MAX).position(|row| row.id == *id));
        place.unwrap_or_default()
    }

    /// Returns the column by which rows are sorted, and whether the largest comes first.
    pub(super) fn sorting(&self) -> Option<(usize, bool)> {
        let sorting = self.sortings[self.view.index()];
        sorting.column.map(|column| (column, sorting.is_descending))
    }

    /// Takes a key; `height` is the number of rows on the screen.
    pub(super) fn press(&mut self, key: Key, height: usize) -> Wish {
        let key = match (&self.mode, key) {
            (Mode::Filter, key) => key,
            (_, Key::Letter('j')) => Key::Down,
            (_, Key::Letter('k')) => Key::Up,
            (_, key) => key,
        };
        self.note = None;
        self.awaited = None;
        match &mut self.mode {
            Mode::Table => self.press_in_table(key, height),
            Mode::Filter => {
                self.press_in_filter(key);
                Wish::Nothing
            }
            Mode::Help => {
                self.mode = Mode::Table;
                Wish::Nothing
            }
            Mode::Page(page) => {
                match key {
                    Key::Escape | Key::Enter | Key::Letter('q') => self.mode = Mode::Table,
                    key => page.scroll(key, height),
                }
                Wish::Nothing
            }
            Mode::Plan(id, page) => match key {
                Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::First | Key::Last => {
                    page.scroll(key, height);
                    Wish::Nothing
                }
                Key::Letter('y' | 'Y') => {
                    let id = std::mem::take(id);
                    self.mode = Mode::Table;
                    Wish::Drain(id)
                }
                Key::Letter(_) | Key::Tab | Key::Enter | Key::Escape | Key::Backspace => {
                    self.mode = Mode::Table;
                    self.note = Some("Nothing was ordered.".to_owned());
                    Wish::Nothing
                }
            },
        }
    }

    fn press_in_table(&mut self, key: Key, height: usize) -> Wish {
        match key {
            Key::Letter('q') => return Wish::Quit,
            Key::Letter('r') => return Wish::Refresh,
            Key::Letter('?' | 'h') => self.mode = Mode::Help,
            Key::Letter('/') => self.mode = Mode::Filter,
            Key::Letter('s') => self.sort_by_next(),
            Key::Letter('S') => {
                let sorting = &mut self.sortings[self.view.index()];
                sorting.is_descending = !sorting.is_descending;
                self.arrange();
            }
            Key::Letter('d') => return self.plan(),
            Key::Letter(digit @ '1'..='5') => {
                let place = digit as usize - '1' as usize;
                self.show(View::ALL[place]);
            }
            Key::Tab => self.show(View::ALL[(self.view.index() + 1) % View::ALL.len()]),
            Key::Escape => {
                self.filter.clear();
                self.arrange();
            }
            Key::Enter => {
                if let Some(row) = self.current() {
                    return Wish::Open(self.view, row.name.clone());
                }
            }
            Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::First | Key::Last => {
                let last = self.len().saturating_sub(1);
                let place = moved(self.cursor(), key, height).min(last);
                self.select(place);
            }
            Key::Letter(_) | Key::Backspace => {}
        }
        Wish::Nothing
    }

    fn press_in_filter(&mut self, key: Key) {
        match key {
            Key::Letter(letter) => self.filter.push(letter),
            Key::Backspace => {
                self.filter.pop();
            }
            Key::Enter => self.mode = Mode::Table,
            Key::Escape => {
                self.filter.clear();
                self.mode = Mode::Table;
            }
            Key::Up
            | Key::Down
            | Key::PageUp
            | Key::PageDown
            | Key::First
            | Key::Last
            | Key::Tab => {
                self.mode = Mode::Table;
            }
        }
        self.arrange();
    }

    fn plan(&mut self) -> Wish {
        match (self.view, self.current()) {
            (View::Instances, Some(row)) => {
                let id = row.name.clone();
                self.awaited = Some(id.clone());
                Wish::Plan(id)
            }
            (View::Instances, None) => Wish::Nothing,
            _ => {
                self.note = Some("Only an instance can be drained: press 1.".to_owned());
                Wish::Nothing
            }
        }
    }

    /// Returns the selected row.
    pub(super) fn current(&self) -> Option<&Row> {
        self.rows(self.cursor(), 1).next()
    }

    fn show(&mut self, view: View) {
        self.view = view;
        self.arrange();
    }

    fn select(&mut self, place: usize) {
        let id = self.rows(place, 1).next().map(|row| row.id.clone());
        self.selected[self.view.index()] = id;
    }

    fn sort_by_next(&mut self) {
        let columns = self.view.heads().len();
        let sorting = &mut self.sortings[self.view.index()];
        sorting.column = match sorting.column {
            None => Some(0),
            Some(column) if column + 1 < columns => Some(column + 1),
            Some(_) => None,
        };
        self.arrange();
    }

    /// Filters and sorts the rows that are shown.
    fn arrange(&mut self) {
        let Table::Rows(rows, _) = &self.snapshot.tables[self.view.index()] else {
            self.shown.clear();
            return;
        };
        let wanted = self.filter.to_lowercase();
        let is_wanted = |row: &Row| {
            let has = |cell: &String| cell.to_lowercase().contains(&wanted);
            wanted.is_empty() || row.cells.iter().any(has)
        };
        let places = (0..rows.len()).filter(|place| is_wanted(&rows[*place]));
        let mut shown: Vec<usize> = places.collect();
        let sorting = self.sortings[self.view.index()];
        if let Some(column) = sorting.column {
            let cell = |place: &usize| rows[*place].cells.get(column).map_or("", String::as_str);
            shown.sort_by(|one, other| compare(cell(one), cell(other)));
        }
        if sorting.is_descending {
            shown.reverse();
        }
        self.shown = shown;
    }
}

/// Returns where a key leads to from a place.
fn moved(place: usize, key: Key, height: usize) -> usize {
    match key {
        Key::Up => place.saturating_sub(1),
        Key::Down => place.saturating_add(1),
        Key::PageUp => place.saturating_sub(height),
        Key::PageDown => place.saturating_add(height),
        Key::First => 0,
        Key::Last => usize::MAX,
        Key::Letter(_) | Key::Tab | Key::Enter | Key::Escape | Key::Backspace => place,
    }
}
