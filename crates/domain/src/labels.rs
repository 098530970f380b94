//! Labels as callers select by them: `key:value`.

use std::collections::BTreeMap;

/// Returns whether the wanted `key:value` is among the labels. Either part may hold colons.
pub fn has_label(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    labels.iter().any(|(key, value)| {
        let rest = wanted.strip_prefix(key.as_str());
        rest.and_then(|rest| rest.strip_prefix(':')) == Some(value.as_str())
    })
}

/// Returns whether each of the wanted `key:value` is among the labels.
pub fn has_labels(labels: &BTreeMap<String, String>, wanted: &[String]) -> bool {
    wanted.iter().all(|wanted| has_label(labels, wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_wherever_their_colons_are() {
        let labels: BTreeMap<String, String> = [("zone", "north"), ("a:b", "c"), ("empty", "")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let has = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|one| (*one).to_owned()).collect();
            has_labels(&labels, &wanted)
        };
        assert!(has(&[]));
        assert!(has(&["zone:north"]));
        assert!(has(&["a:b:c"]));
        assert!(has(&["empty:"]));
        assert!(has(&["zone:north", "a:b:c"]));
        for wanted in [
            "zone:nort",
            "zone:north:",
            "zone",
            "north",
            "a:b",
            "zon:north",
        ] {
            assert!(!has(&[wanted]), "{wanted}");
        }
        assert!(!has(&["zone:north", "zone:south"]), "all of them");
    }
}
