//! Selector cases collected elsewhere, read from the directory that `CATTAIL_VECTORS` names.

use std::{collections::BTreeMap, path::Path};

use selector::Selector;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    #[serde(rename = "match")]
    matches: Vec<MatchCase>,
    reject: Vec<String>,
    canonical: Vec<CanonicalCase>,
}

#[derive(Deserialize)]
struct MatchCase {
    selector: String,
    matches: Vec<BTreeMap<String, String>>,
    non_matches: Vec<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct CanonicalCase {
    input: String,
    canonical: String,
    /// Empty where only the text is given.
    uid: String,
}

#[test]
fn selectors_agree_with_the_collected_cases() {
    let Some(directory) = std::env::var_os("CATTAIL_VECTORS") else {
        eprintln!("not run: set CATTAIL_VECTORS to the directory that holds selectors.json");
        return;
    };
    let path = Path::new(&directory).join("selectors.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let vectors: Vectors = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let failures: Vec<String> = [matching(&vectors), rejected(&vectors), canonical(&vectors)].concat();
    assert!(failures.is_empty(), "{} cases disagree:\n{}", failures.len(), failures.join("\n"));
}

fn matching(vectors: &Vectors) -> Vec<String> {
    let mut failures = Vec::new();
    for case in &vectors.matches {
        let selector = match Selector::parse(&case.selector) {
            Ok(selector) => selector,
            Err(error) => {
                failures.push(format!("{:?} must parse: {error}", case.selector));
                continue;
            }
        };
        for (labels, expected) in
            case.matches.iter().map(|l| (l, true)).chain(case.non_matches.iter().map(|l| (l, false)))
        {
            if selector.matches(labels) != expected {
                failures.push(format!("{:?} on {labels:?} must be {expected}", case.selector));
            }
        }
    }
    failures
}

fn rejected(vectors: &Vectors) -> Vec<String> {
    let accepted = vectors.reject.iter().filter(|text| Selector::parse(text).is_ok());
    accepted.map(|text| format!("{text:?} must not parse")).collect()
}

fn canonical(vectors: &Vectors) -> Vec<String> {
    let mut failures = Vec::new();
    for case in &vectors.canonical {
        match Selector::parse(&case.input) {
            Ok(selector) if selector.canonical() != case.canonical => {
                failures.push(format!("{:?} becomes {selector}, must become {}", case.input, case.canonical));
            }
            Ok(selector) if !case.uid.is_empty() && selector.uid() != case.uid => {
                failures.push(format!("{:?} has uid {}, must have {}", case.input, selector.uid(), case.uid));
            }
            Ok(_) => {}
            Err(error) => failures.push(format!("{:?} must parse: {error}", case.input)),
        }
    }
    failures
}
