//! Whether an unknown word is likely a slip of the pen for a known one.

/// Below this length one slip is all that is forgiven: short words are close to many others.
const SHORT_WORD: usize = 5;

/// The known word that was likely meant, if any.
pub(super) fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let slips = |candidate: &str| {
        if word.eq_ignore_ascii_case(candidate) { 0 } else { distance(word.as_bytes(), candidate.as_bytes()) }
    };
    let allowed = if word.len() < SHORT_WORD { 1 } else { 2 };
    let ranked = known.into_iter().map(|candidate| (slips(candidate), candidate));
    ranked.filter(|(slips, _)| *slips <= allowed).min_by_key(|(slips, _)| *slips).map(|(_, candidate)| candidate)
}

/// Letters to insert, drop, replace or swap with their neighbour (optimal string alignment).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut two_back: Vec<usize>;
    let mut before: Vec<usize> = Vec::new();
    let mut current: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.iter().enumerate() {
        two_back = before;
        before = current;
        current = vec![i + 1];
        for (j, other) in b.iter().enumerate() {
            let replaced = before[j] + usize::from(letter != other);
            let mut least = replaced.min(before[j + 1] + 1).min(current[j] + 1);
            if i > 0 && j > 0 && *letter == b[j - 1] && a[i - 1] == *other {
                least = least.min(two_back[j - 1] + 1);
            }
            current.push(least);
        }
    }
    current[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        let known = ["spec", "selector", "namespaceSelector", "order", "types", "nets", "notNets"];
        for (word, expected) in [
            ("sepc", Some("spec")),
            ("selectr", Some("selector")),
            ("Selector", Some("selector")),
            ("namespaceselector", Some("namespaceSelector")),
            ("net", Some("nets")),
            ("odrer", Some("order")),
            ("type", Some("types")),
            ("ports", None),
            ("status", None),
            ("", None),
        ] {
            assert_eq!(suggestion(word, known), expected, "{word:?}");
        }
    }
}
