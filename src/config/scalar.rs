//! Numbers and switches.

use crate::domain::settings::Fraction;

/// Reads a whole number from `min` to `max`, both included.
pub(super) fn parse_count(text: &str, min: u32, max: u32) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| format!("must be a whole number from {min} to {max}"))
}

/// Reads a part of a whole, from 0 to 1.
pub(super) fn parse_fraction(text: &str) -> Result<Fraction, String> {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse()
        .ok()
        .filter(|_| is_plain)
        .and_then(Fraction::new)
        .ok_or_else(|| "must be a number from 0 to 1, such as 0.5".to_owned())
}

/// Reads the name of a label.
pub(super) fn parse_label(text: &str) -> Result<String, String> {
    let is_plain = !text.chars().any(char::is_control) && !text.contains(':');
    let length = text.chars().count();
    if is_plain && (1..=128).contains(&length) {
        Ok(text.to_owned())
    } else {
        Err(
            "must be the name of a label, 1 to 128 characters without colons, such as zone"
                .to_owned(),
        )
    }
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
    fn fractions_are_parts_of_a_whole() {
        for (text, number) in [
            ("0", 0.0),
            ("0.5", 0.5),
            ("1", 1.0),
            ("1.0", 1.0),
            (".25", 0.25),
        ] {
            assert_eq!(
                parse_fraction(text).map(Fraction::as_f64),
                Ok(number),
                "{text}"
            );
        }
        for text in [
            "-0.1", "1.1", "50%", "1/2", "half", "NaN", "inf", "1e-1", "0,5",
        ] {
            assert!(
                parse_fraction(text).is_err_and(|rule| rule.contains("0 to 1")),
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
