//! A set of streams in 64 bits.

use super::super::stream::StreamId;

/// The digest of a set of streams, in any order: what an orchestrator compares with its own when
/// the ids themselves would be too many for each heartbeat.
///
/// It is the wrapping sum over the ids of the finalizer of SplitMix64.
pub fn digest(ids: impl IntoIterator<Item = StreamId>) -> u64 {
    ids.into_iter()
        .map(|id| mix(id.cast_unsigned()))
        .fold(0, u64::wrapping_add)
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn it_is_that_of_the_set_and_of_no_order() {
        assert_eq!(digest([]), 0);
        assert_eq!(digest([1]), 0x5692_161d_100b_05e5);
        assert_eq!(digest([1, 2, 3]), digest([3, 1, 2]));
        assert_ne!(digest([1, 2]), digest([3]));
        assert_eq!(digest([1, 2]), digest([1]).wrapping_add(digest([2])));
    }
}
