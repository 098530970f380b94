//! The formats of files, and how a file's name gives its format away.

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A header row with names of fields, and a row for each stream.
    Csv,
    /// An object for each stream, as `POST /streams` takes it.
    Jsonl,
    /// A list of channels, as media players read it.
    M3u,
}

impl Format {
    /// Returns the format of a word of the command line.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "csv" => Some(Self::Csv),
            "jsonl" => Some(Self::Jsonl),
            "m3u" => Some(Self::M3u),
            _ => None,
        }
    }

    /// Returns the format that the extension of a file's name stands for.
    pub(crate) fn of_file(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "csv" | "tsv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "m3u" | "m3u8" => Some(Self::M3u),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_says_the_format() {
        for (name, format) in [
            ("streams.csv", Some(Format::Csv)),
            ("/a.m3u/STREAMS.TSV", Some(Format::Csv)),
            ("x.y.ndjson", Some(Format::Jsonl)),
            ("tv.M3U8", Some(Format::M3u)),
            ("streams.json", None),
            ("csv", None),
            ("-", None),
        ] {
            assert_eq!(Format::of_file(name), format, "{name}");
        }
    }
}
