//! The conditions that narrow lists. An entry must meet every condition that is given.

use crate::ids::InstanceId;
use crate::labels::has_labels;
use crate::stream::{Place, Stream, StreamState};

/// A part of a name, in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameFilter(String);

impl NameFilter {
    /// Selects names that contain `part`.
    pub fn containing(part: &str) -> Self {
        Self(part.to_lowercase())
    }

    /// Returns whether a name contains the part.
    pub fn wants(&self, name: &str) -> bool {
        name.to_lowercase().contains(&self.0)
    }
}

/// Selects the streams of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamFilter {
    /// Only streams in this state.
    pub state: Option<StreamState>,
    /// Only streams that this instance owns.
    pub instance: Option<InstanceId>,
    /// Only streams of this group.
    pub group: Option<String>,
    /// Only streams with such a name.
    pub name: Option<NameFilter>,
    /// Only streams with all of these labels, each `key:value`.
    pub labels: Vec<String>,
}

impl StreamFilter {
    /// Returns whether a stream meets the conditions.
    pub fn wants(&self, stream: &Stream, place: &Place) -> bool {
        let owner = place.assignment().map(|assignment| &assignment.instance);
        self.state
            .is_none_or(|state| stream.state_at(place) == state)
            && (self.instance.is_none() || self.instance.as_ref() == owner)
            && (self.group.is_none() || self.group.as_deref() == stream.group().map(AsRef::as_ref))
            && has_labels(&stream.labels, &self.labels)
            && self
                .name
                .as_ref()
                .is_none_or(|name| name.wants(&stream.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_name_is_found_whatever_its_case() {
        let name = NameFilter::containing("BÜRO");
        assert!(name.wants("Kamera Büro 3"));
        assert!(name.wants("büro"));
        assert!(!name.wants("Bureau"));
    }
}
