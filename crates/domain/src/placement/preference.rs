//! What a single stream prefers among the instances that can have it.

/// How many streams of a stream's group an instance has beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Crowding {
    pub on_instance: usize,
    /// On instances with the same value of the label by which groups are spread.
    pub under_label: usize,
}

/// How well an instance suits a stream, before its score: the least is best. The order of the fields is
/// the order of the criteria.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Preference {
    /// Whether the stream belongs on another instance, or on none.
    pub is_not_pinned: bool,
    /// 0 unless the instance gave the stream back lately; else its place among those, the oldest first.
    pub gave_it_back: usize,
    /// The streams of its group that are there.
    pub crowding: Crowding,
}

impl Preference {
    /// The preference of an instance that is as good as can be for a stream with or without a pin.
    pub fn best(has_pin: bool) -> Self {
        Self {
            is_not_pinned: !has_pin,
            gave_it_back: 0,
            crowding: Crowding::default(),
        }
    }
}
