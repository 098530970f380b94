//! Finds the known name that is most similar to an unknown one.

/// Returns the number of insertions, deletions, replacements and swaps of neighbours that turn one
/// text into the other (optimal string alignment), counted in bytes.
pub fn edit_distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut before = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for row in 1..=left.len() {
        let mut current = vec![row; right.len() + 1];
        for column in 1..=right.len() {
            let differs = usize::from(left[row - 1] != right[column - 1]);
            let mut best = (last[column - 1] + differs)
                .min(last[column] + 1)
                .min(current[column - 1] + 1);
            let is_swap = row > 1
                && column > 1
                && left[row - 1] == right[column - 2]
                && left[row - 2] == right[column - 1];
            if is_swap {
                best = best.min(before[column - 2] + 1);
            }
            current[column] = best;
        }
        before = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

/// How many characters of a name are compared: the cost grows with the product of both lengths.
const LONGEST_COMPARED: usize = 64;

/// Returns the known name nearest to an unknown one; of several equally near the first in the
/// alphabet. `None` if there are no known names.
pub fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let name: String = name.chars().take(LONGEST_COMPARED).collect();
    let name = name.to_ascii_lowercase();
    let ranked = known.iter().map(|known| {
        let extends = name.starts_with(known) || known.starts_with(&name);
        let distance = edit_distance(&name, known);
        (if extends { 0 } else { distance }, distance, *known)
    });
    ranked.min().map(|(_, _, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (left, right, distance) in [
            ("", "ABC", 3),
            ("ABC", "ABC", 0),
            ("ABC", "ACB", 1),
            ("ABC", "AC", 1),
            ("KITTEN", "SITTING", 3),
        ] {
            assert_eq!(edit_distance(left, right), distance, "{left} {right}");
            assert_eq!(edit_distance(right, left), distance, "{right} {left}");
        }
    }

    #[test]
    fn the_nearest_name_is_the_one_with_the_fewest_slips() {
        let known = ["after", "instance", "label", "limit", "state", "status"];
        for (name, expected) in [
            ("statsu", "status"),
            ("sate", "state"),
            ("instance_id", "instance"),
            ("LIMIT", "limit"),
            ("labels", "label"),
            ("lim", "limit"),
            ("stat", "state"),
        ] {
            assert_eq!(nearest(name, &known), Some(expected), "{name}");
        }
        assert_eq!(nearest("limit", &[]), None);
        assert!(nearest(&"ä".repeat(5_000), &known).is_some());
    }
}
