//! Numbers and switches.

/// Reads a whole number from `min` to `max`, both included.
pub(super) fn parse_count(text: &str, min: u32, max: u32) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| format!("must be a whole number from {min} to {max}"))
}

/// Reads a yes or no in any of the usual spellings.
pub(super) fn parse_switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("must be true or false (also 1 and 0, yes and no, on and off)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_keep_their_bounds() {
        assert_eq!(parse_count("1", 1, 100), Ok(1));
        assert_eq!(parse_count("100", 1, 100), Ok(100));
        for text in ["0", "101", "-1", "1.5", "ten", "1000000000000", "0x10"] {
            assert!(
                parse_count(text, 1, 100).is_err_and(|rule| rule.contains("1 to 100")),
                "{text}"
            );
        }
    }

    #[test]
    fn switches_have_eight_spellings() {
        for text in ["true", "1", "yes", "on", "TRUE", "Yes"] {
            assert_eq!(parse_switch(text), Ok(true), "{text}");
        }
        for text in ["false", "0", "no", "off", "OFF"] {
            assert_eq!(parse_switch(text), Ok(false), "{text}");
        }
        for text in ["2", "y", "enabled", "truee"] {
            assert!(parse_switch(text).is_err(), "{text}");
        }
    }
}
