//! M3U, the list of channels of media players: a line `#EXTINF` with the name, then a line with the URL.

use serde_json::{Map, Value};

use super::fault::Fault;
use super::row::{Row, TVG_ID};

/// The attributes that become labels, each with its label.
const LABELS: [(&str, &str); 2] = [("tvg-id", TVG_ID), ("group-title", "group_title")];

/// What a line `#EXTINF` says of the channel whose URL follows.
#[derive(Debug)]
struct Info {
    line: u64,
    name: String,
    labels: Map<String, Value>,
}

/// Reads a list line by line.
#[derive(Debug, Default)]
pub(super) struct M3u {
    info: Option<Info>,
}

impl M3u {
    /// Reads one line; returns the row that it completes.
    pub(super) fn feed(&mut self, line: u64, text: &str) -> Result<Option<Row>, Fault> {
        let text = text.trim();
        if let Some(info) = text.strip_prefix("#EXTINF:") {
            let (attributes, name) = split(info);
            let info = Info {
                line,
                name: name.trim().to_owned(),
                labels: labels(attributes),
            };
            return match self.info.replace(info) {
                Some(before) => Err(without_url(before.line)),
                None => Ok(None),
            };
        }
        if text.starts_with("#EXT-X-") {
            return Err(Fault::of_file(
                line,
                "is of an HLS playlist, which is one stream and no list of channels",
            ));
        }
        if text.is_empty() || text.starts_with('#') {
            return Ok(None);
        }
        let info = self.info.take().unwrap_or_else(|| Info {
            line,
            name: String::new(),
            labels: Map::new(),
        });
        let name = if info.name.is_empty() {
            last_segment(text).ok_or_else(|| {
                Fault::of_row(
                    info.line,
                    "has no name, and its URL has no last segment that could be one; write the name \
                     behind the comma of #EXTINF",
                )
            })?
        } else {
            &info.name
        };
        let mut fields = Map::new();
        fields.insert("name".to_owned(), name.into());
        fields.insert("url".to_owned(), text.into());
        if !info.labels.is_empty() {
            fields.insert("labels".to_owned(), info.labels.into());
        }
        Ok(Some(Row {
            line: info.line,
            fields,
        }))
    }

    /// Ends the list.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        match self.info.take() {
            Some(info) => Err(without_url(info.line)),
            None => Ok(()),
        }
    }
}

fn without_url(line: u64) -> Fault {
    Fault::of_row(line, "has no URL; it stands in the line behind its #EXTINF")
}

/// Splits what follows `#EXTINF:` at the first comma outside of quotes.
fn split(info: &str) -> (&str, &str) {
    let mut is_quoted = false;
    let comma = info.char_indices().find(|(_, letter)| {
        is_quoted ^= *letter == '"';
        *letter == ',' && !is_quoted
    });
    // A quote is missing somewhere.
    let comma = comma.map(|(at, _)| at).or_else(|| info.rfind(','));
    comma.map_or((info, ""), |at| (&info[..at], &info[at + 1..]))
}

fn labels(attributes: &str) -> Map<String, Value> {
    let mut labels = Map::new();
    for (attribute, label) in LABELS {
        if let Some(value) = attribute_of(attributes, attribute)
            && !value.is_empty()
        {
            labels.insert(label.to_owned(), value.into());
        }
    }
    labels
}

/// Returns the value of an attribute, with or without quotes.
fn attribute_of<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let mut is_quoted = false;
    let mut begin = 0;
    for (at, letter) in attributes.char_indices() {
        is_quoted ^= letter == '"';
        if letter.is_whitespace() && !is_quoted {
            begin = at + letter.len_utf8();
        }
        if letter == '=' && !is_quoted && attributes[begin..at].eq_ignore_ascii_case(name) {
            let value = &attributes[at + 1..];
            return Some(match value.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next().unwrap_or_default().trim(),
                None => value.split_whitespace().next().unwrap_or_default(),
            });
        }
    }
    None
}

/// Returns the last segment of a URL's path.
fn last_segment(url: &str) -> Option<&str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| {
        rest.split_once('/').map_or("", |(_, path)| path)
    });
    path.rsplit('/').find(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Vec<(u64, Value)>, Fault> {
        let (mut m3u, mut rows) = (M3u::default(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            if let Some(row) = m3u.feed(index as u64 + 1, line)? {
                rows.push((row.line, Value::from(row.fields)));
            }
        }
        m3u.end().map(|()| rows)
    }

    #[test]
    fn channels_have_a_name_a_url_and_two_labels() {
        let text = "#EXTM3U x-tvg-url=\"http://epg\"\n\
            #EXTINF:-1 tvg-id=\"news.de\" tvg-name=\"N\" group-title=\"News, talk\",News, one\n\
            #EXTVLCOPT:network-caching=1000\n\
            http://h/news\n\
            \n\
            #EXTINF:0 TVG-ID=jazz group-title=\"\",Jazz\n\
            http://h/jazz\n\
            http://u:p@h/live/rock.ts?token=x\n\
            #EXTINF:-1,\n\
            rtsp://h/cam/7/\n";
        let expected = [
            (
                2,
                json!({"name": "News, one", "url": "http://h/news",
                "labels": {"tvg_id": "news.de", "group_title": "News, talk"}}),
            ),
            (
                6,
                json!({"name": "Jazz", "url": "http://h/jazz", "labels": {"tvg_id": "jazz"}}),
            ),
            (
                8,
                json!({"name": "rock.ts", "url": "http://u:p@h/live/rock.ts?token=x"}),
            ),
            (9, json!({"name": "7", "url": "rtsp://h/cam/7/"})),
        ];
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn an_attribute_is_found_by_its_whole_name_outside_of_quotes() {
        for (attributes, value) in [
            ("-1 tvg-id=\"a b\"", Some("a b")),
            ("-1 x-tvg-id=\"a\"", None),
            ("-1 name=\"tvg-id=b\" tvg-id=c", Some("c")),
            ("-1 tvg-id=", Some("")),
            ("-1", None),
        ] {
            assert_eq!(attribute_of(attributes, "tvg-id"), value, "{attributes}");
        }
    }

    #[test]
    fn what_is_no_list_of_channels_is_refused_with_the_line() {
        for (text, line, word, ends_the_file) in [
            (
                "#EXTINF:-1,a\n#EXTINF:-1,b\nhttp://h/b",
                1,
                "has no URL",
                false,
            ),
            ("#EXTM3U\n#EXTINF:-1,a\n", 2, "has no URL", false),
            ("#EXTM3U\nhttp://h", 2, "has no name", false),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:10\n", 2, "HLS", true),
        ] {
            let fault = read(text).unwrap_err();
            assert_eq!(
                (fault.line, fault.ends_the_file),
                (line, ends_the_file),
                "{text}"
            );
            assert!(fault.reason.contains(word), "{fault}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_to_be_read(text in "(#EXTINF:)?[ -~ä\n]{0,60}") {
            let _ = read(&text);
        }

        #[test]
        fn a_name_comes_through_with_its_commas_and_quotes(name in "[a-z][a-z, \"=]{0,12}[a-z]") {
            let text = format!("#EXTINF:-1 tvg-id=\"x\",{name}\nhttp://h/a");
            let rows = read(&text).unwrap();
            prop_assert_eq!(&rows[0].1["name"], &json!(name));
        }
    }
}
