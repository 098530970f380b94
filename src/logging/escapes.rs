//! Characters that deceive a reader, and their escapes in everything that people read.
//!
//! Names, labels, reasons and URLs come from outside. They are kept and answered unchanged; but a
//! line of the log or of a table is read by a person, on a terminal. There a control character can
//! move the cursor, a bidirectional mark can show a name backwards, a separator can begin a line
//! that looks like one of the program's own, and an invisible character makes two names look alike.
//! So each of them is written as an escape: `\u{202e}`.
//!
//! The sinks call these functions, not the places that make a text: the form of a line of the log
//! (`line.rs`), and of the command line the tables (`client::table`) and everything that is printed
//! (`output.rs`).

/// Returns a text on one line, with every deceptive character escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        push(&mut escaped, letter);
    }
    escaped
}

/// Returns several lines with every deceptive character escaped; line feeds stay.
pub(crate) fn escaped_lines(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '\n' {
            escaped.push(letter);
        } else {
            push(&mut escaped, letter);
        }
    }
    escaped
}

/// Returns a JSON text of the same value, with every deceptive character escaped. Such characters
/// stand only within the texts of a JSON value, where `\u202e` means the same; line feeds stand
/// between them.
pub(crate) fn escaped_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter == '\n' || !deceives(letter) {
            escaped.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            escaped.push_str(&format!("\\u{unit:04x}"));
        }
    }
    escaped
}

fn push(escaped: &mut String, letter: char) {
    if deceives(letter) {
        escaped.extend(letter.escape_default());
    } else {
        escaped.push(letter);
    }
}

/// Returns whether a character controls the terminal, or is invisible.
pub(crate) fn deceives(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            // Bidirectional marks, embeddings, overrides and isolates.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Separators of lines and paragraphs.
            | '\u{2028}' | '\u{2029}'
            // Of no width: joiners, word joiner and invisible operators, byte-order mark.
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            // Soft hyphen, grapheme joiner, fillers, Mongolian vowel separator, blank Braille.
            | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
            // Variation selectors, annotations, tags; and what stands for a lost character.
            | '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
            // Spaces that are not the space: two names would look alike.
            | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One of each kind.
    const DECEIVING: &str = "\0\n\t\u{7f}\u{85}\u{1b}\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\
        \u{2066}\u{2067}\u{2068}\u{2069}\u{2028}\u{2029}\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{ad}\u{e0041}\u{a0}";

    #[test]
    fn every_deceiving_character_is_escaped() {
        for letter in DECEIVING.chars() {
            let text = format!("a{letter}b");
            let shown = escaped(&text);
            assert!(shown.is_ascii(), "{shown}");
            assert!(shown.starts_with("a\\"), "{shown}");
        }
        assert_eq!(escaped("w\u{202e}1\nx"), "w\\u{202e}1\\nx");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in [
            "w\u{f6}rter",
            "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
            "\u{65e5}\u{672c}",
            "a \\ \"b\"",
            "\u{1f4fa}",
        ] {
            assert_eq!(escaped(text), text);
            assert_eq!(escaped_json(text), text);
        }
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(escaped_lines("a\u{1b}[2J\nb\r\n"), "a\\u{1b}[2J\nb\\r\n");
    }

    proptest! {
        #[test]
        fn nothing_deceives_once_it_is_escaped(text in any::<String>()) {
            prop_assert!(!escaped(&text).contains(deceives));
            prop_assert!(!escaped_lines(&text).replace('\n', "").contains(deceives));
        }

        #[test]
        fn escaped_json_is_the_same_value(text in any::<String>(), kind in 0..DECEIVING.chars().count()) {
            let odd: String = DECEIVING.chars().skip(kind).take(2).collect();
            let value = serde_json::json!({ format!("k{odd}"): [format!("{text}{odd}")] });
            for json in [value.to_string(), format!("{value:#}")] {
                let shown = escaped_json(&json);
                prop_assert!(!shown.replace('\n', "").contains(deceives), "{shown}");
                prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&shown).unwrap(), &value);
            }
        }
    }
}
