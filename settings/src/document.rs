//! Parts of documents that are written from code, and held to it by tests.

use std::{fs, path::Path};

/// Where this variable is set, [`hold`] writes instead of complaining.
const BLESS: &str = "CATTAIL_BLESS";

/// Compares what a document says between `<!-- NAME: written by its tests, … -->` and `<!-- NAME: end -->` with what it
/// ought to say. The error is for whoever runs the tests.
pub fn hold(document: &Path, name: &str, text: &str) -> Result<(), String> {
    let begin = format!("<!-- {name}: written by its tests, {BLESS}=1 rewrites -->\n");
    let end = format!("<!-- {name}: end -->\n");
    let file = document.display();
    let written = fs::read_to_string(document).map_err(|error| format!("cannot read {file}: {error}"))?;
    let (head, rest) = written.split_once(&begin).ok_or_else(|| format!("{file} has no line {begin}"))?;
    let (old, tail) = rest.split_once(&end).ok_or_else(|| format!("{file} has no line {end}"))?;
    if old == text {
        return Ok(());
    }
    if std::env::var_os(BLESS).is_none() {
        return Err(format!("{file} is out of date; run this test with {BLESS}=1. It should say\n{text}"));
    }
    fs::write(document, [head, &begin, text, &end, tail].concat())
        .map_err(|error| format!("cannot write {file}: {error}"))
}
