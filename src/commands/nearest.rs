//! Which known names somebody may have meant.

/// How many names are suggested.
const MAX_SUGGESTIONS: usize = 5;
/// Edits that a suggestion may be away.
const MAX_DISTANCE: usize = 3;
/// Characters that must be alike at the beginning for a name that is further away.
const MIN_PREFIX: usize = 6;
/// Longer texts are no misspelt name.
const MAX_LENGTH: usize = 256;

/// The known names that resemble a text, nearest first: at most three edits away, or with a long
/// beginning in common.
#[must_use]
pub fn nearest<'n>(text: &str, known: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let wanted: Vec<char> = text.chars().take(MAX_LENGTH + 1).flat_map(char::to_lowercase).collect();
    if wanted.is_empty() || wanted.len() > MAX_LENGTH {
        return Vec::new();
    }
    let mut found: Vec<(usize, &str)> = known
        .filter_map(|name| {
            let letters: Vec<char> = name.chars().flat_map(char::to_lowercase).collect();
            let distance = edits(&wanted, &letters);
            let alike = wanted.iter().zip(&letters).take_while(|(a, b)| a == b).count();
            let near = distance <= MAX_DISTANCE && distance < wanted.len();
            (near || alike >= MIN_PREFIX).then_some((distance, name))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(MAX_SUGGESTIONS).map(|(_, name)| name).collect()
}

/// The least number of letters to insert, remove or replace to make one text of the other.
fn edits(from: &[char], to: &[char]) -> usize {
    // Row by row: `row[j]` is the distance of the letters so far to the first `j` of `to`.
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, other) in row.iter_mut().skip(1).zip(to) {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = *cell;
            left = replaced.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(from.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(a: &str, b: &str) -> usize {
        edits(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>())
    }

    #[test]
    fn known_distances() {
        assert_eq!((distance("", ""), distance("abc", ""), distance("", "abc"), distance("abc", "abc")), (0, 3, 3, 0));
        assert_eq!((distance("kitten", "sitting"), distance("flaw", "lawn"), distance("ab", "ba")), (3, 2, 2));
    }

    #[test]
    fn near_names_come_first_and_far_ones_not_at_all() {
        let known = ["TRAP_FUEL", "TRAP_FUELS", "PROFILE_READ_FAILED", "PROFILE_JSON_INVALID", "OTHER"];
        let near = |text: &str| nearest(text, known.into_iter());
        assert_eq!(near("trap_fule"), ["TRAP_FUEL", "TRAP_FUELS"]);
        assert_eq!(near("PROFILE_READ"), ["PROFILE_READ_FAILED", "PROFILE_JSON_INVALID"]);
        assert!(near("XYZ").is_empty() && near("").is_empty() && near(&"A".repeat(100_000)).is_empty());
    }
}
