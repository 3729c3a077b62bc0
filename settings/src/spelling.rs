//! Which known name was likely meant by one that is not known.

/// How much of a longer name may be wrong for it to be suggested: `enpoints` for `endpoints`, `ca-cert` for `ca-file`.
const LIKENESS_MIN: f64 = 0.8;

/// Below this length one slip is all that is forgiven: short words are close to many others.
const SHORT_WORD: usize = 5;

/// The known name that is most like this one, if any is like it at all: for a hint.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = plain(name);
    let likeness = |candidate: &&str| strsim::jaro_winkler(&plain, &self::plain(candidate));
    let ranked = known.into_iter().map(|candidate| (likeness(&candidate), candidate));
    ranked.filter(|(score, _)| *score >= LIKENESS_MIN).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// Whether two names differ by so little that one is a mistyped other.
pub(crate) fn is_slip(name: &str, known: &str) -> bool {
    let (name, known) = (plain(name), plain(known));
    let allowed = if name.len() < SHORT_WORD { 1 } else { 2 };
    strsim::osa_distance(&name, &known) <= allowed
}

/// Case and the signs between words are what people get wrong most.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_other_styles_find_what_was_meant() {
        let known = ["etcd-endpoints", "listen", "ca-file", "drain-secs", "name"];
        for (name, meant) in [
            ("etcd-enpoints", Some("etcd-endpoints")),
            ("etcdEndpoints", Some("etcd-endpoints")),
            ("ETCD_ENDPOINTS", Some("etcd-endpoints")),
            ("lisen", Some("listen")),
            ("drain-seconds", Some("drain-secs")),
            ("caFile", Some("ca-file")),
            ("replicas", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), meant, "{name}");
        }
        assert!(is_slip("etcd-enpoints", "etcd-endpoints") && !is_slip("drain-seconds", "drain-secs"));
        assert!(is_slip("nam", "name") && !is_slip("tame", "names"));
    }
}
