//! A set of streams in 64 bits, so that what a worker runs can be compared with what it should
//! run on every heartbeat, however many streams there are.
//!
//! The digest is the sum modulo 2^64 of the finalizer of SplitMix64 over the ids: the order does
//! not matter, and a stream that comes or goes is one addition or subtraction. The finalizer is the
//! thirteenth of David Stafford's variants of MurmurHash3's, as in Sebastiano Vigna's
//! `splitmix64.c` (public domain), without the constant that SplitMix64 adds before. The digest is
//! no protection against an attacker who wants two sets to look alike, and need not be: a worker
//! that lies about its streams could as well send the right digest.

use std::fmt;

use super::ids::StreamId;

/// The number of hexadecimal digits of a digest on the wire.
const DIGITS: usize = 16;

/// The digest of a set of streams; the digest of the empty set is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamsDigest(u64);

impl StreamsDigest {
    /// Returns the digest of these streams. Each must be there once.
    pub fn of(streams: impl IntoIterator<Item = StreamId>) -> Self {
        let mut digest = Self::default();
        for stream in streams {
            digest.add(stream);
        }
        digest
    }

    /// Reads exactly 16 lower-case hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == DIGITS && text.bytes().all(is_digit))
            .then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
            .map(Self)
    }

    /// Adds a stream to the set.
    pub fn add(&mut self, stream: StreamId) {
        self.0 = self.0.wrapping_add(mix(stream));
    }

    /// Removes a stream that is in the set.
    pub fn remove(&mut self, stream: StreamId) {
        self.0 = self.0.wrapping_sub(mix(stream));
    }
}

impl fmt::Display for StreamsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

fn mix(stream: StreamId) -> u64 {
    let mut bits = stream.get().cast_unsigned();
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn of(ids: impl IntoIterator<Item = i64>) -> StreamsDigest {
        StreamsDigest::of(ids.into_iter().map(StreamId::new))
    }

    #[test]
    fn it_is_written_as_sixteen_small_digits_and_nothing_else_is_read() {
        assert_eq!(of([]).to_string(), "0000000000000000");
        assert_eq!(of([1]).to_string(), "5692161d100b05e5");
        assert_eq!(StreamsDigest::from_hex("5692161d100b05e5"), Some(of([1])));
        for bad in [
            "",
            "0",
            "5692161D100B05E5",
            "5692161d100b05e",
            "5692161d100b05e50",
            "+692161d100b05e5",
            "0x92161d100b05e5",
            "5692161d100b05eg",
            " 692161d100b05e5",
            "äääääääääääääääá",
            "ääääääää",
        ] {
            assert_eq!(StreamsDigest::from_hex(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn it_follows_the_set_whatever_the_order(steps in proptest::collection::vec(1_i64..40, 0..80)) {
            let (mut set, mut digest) = (BTreeSet::new(), StreamsDigest::default());
            for id in steps {
                // Comes if it is not there, goes if it is.
                if set.insert(id) {
                    digest.add(StreamId::new(id));
                } else {
                    set.remove(&id);
                    digest.remove(StreamId::new(id));
                }
            }
            prop_assert_eq!(digest, of(set.iter().rev().copied()));
            prop_assert_eq!(StreamsDigest::from_hex(&digest.to_string()), Some(digest));
        }
    }
}
