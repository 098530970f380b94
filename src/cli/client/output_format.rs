//! The forms in which an answer is printed.

/// The form in which an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum OutputFormat {
    /// Text for people.
    Table,
    /// The same with more columns.
    Wide,
    /// One JSON value.
    Json,
    /// A JSON object a line.
    JsonLines,
}

impl OutputFormat {
    /// Every form, by its word on the command line.
    pub(in crate::cli) const WORDS: [(&'static str, Self); 4] = [
        ("table", Self::Table),
        ("wide", Self::Wide),
        ("json", Self::Json),
        ("jsonl", Self::JsonLines),
    ];

    /// Returns the form that a word stands for.
    pub(in crate::cli) fn from_word(word: &str) -> Option<Self> {
        let known = Self::WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, format)| *format)
    }

    /// Returns whether programs read it.
    pub(in crate::cli) const fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::JsonLines)
    }
}
