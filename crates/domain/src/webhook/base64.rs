//! Base64 with the standard alphabet, which secrets and signatures are written in.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes bytes as base64, with padding.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let is_padding = place > chunk.len();
            let index = (bits >> (18 - 6 * place)) & 63;
            text.push(if is_padding {
                '='
            } else {
                char::from(ALPHABET[index as usize])
            });
        }
    }
    text
}

/// Reads base64, with or without padding; `None` if the text is none.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let padded = text.len().is_multiple_of(4);
    let trimmed = if padded {
        let once = text.strip_suffix('=').unwrap_or(text);
        once.strip_suffix('=').unwrap_or(once)
    } else {
        text
    };
    if trimmed.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(trimmed.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for symbol in trimmed.bytes() {
        let index = ALPHABET.iter().position(|known| *known == symbol)?;
        bits = (bits << 6 | u32::try_from(index).ok()?) & 0x3fff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_standard_are_written_and_read() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
            assert_eq!(from_base64(coded).unwrap(), plain.as_bytes());
            let bare = coded.trim_end_matches('=');
            assert_eq!(from_base64(bare).unwrap(), plain.as_bytes(), "{bare}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "Z", "Zg=", "Z===", "Zm9v=", "Zm 9v", "Zm-v", "Zm_v", "Zg==Zg==",
        ] {
            assert_eq!(from_base64(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes: Vec<u8>) {
            prop_assert_eq!(from_base64(&base64(&bytes)), Some(bytes));
        }
    }
}
