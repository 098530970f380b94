//! Words for numbers, in sentences that people read.

/// Returns `1 stream` or `12 streams`.
pub fn counted(streams: impl TryInto<u64>) -> String {
    match streams.try_into().unwrap_or(u64::MAX) {
        1 => "1 stream".to_owned(),
        many => format!("{many} streams"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_singular() {
        for (streams, words) in [(0_u32, "0 streams"), (1, "1 stream"), (12, "12 streams")] {
            assert_eq!(counted(streams), words);
        }
        assert_eq!(counted(1_usize), "1 stream");
    }
}
