//! Manifests as users may write them, through everything that looks at them before they are stored.

use model::validate::{FieldPath, identify, validate};

use crate::manifest;

/// Every document, and everything that is wrong with it, knows its place in the file.
pub fn manifest(mut bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n').count();
    for document in manifest::read("-", &mut bytes) {
        let Ok(document) = document else { continue };
        let Ok(key) = identify(&document.value, "default") else { continue };
        let report = validate(key.kind(), &document.value);
        for path in report.problems.iter().chain(&report.warnings).map(|problem| &problem.path) {
            let origin = document.origin(path).to_string();
            assert!(origin.starts_with("standard input"), "{origin}");
        }
        let origin = document.origin(&FieldPath::default()).to_string();
        let line = origin.rsplit(':').next().and_then(|line| line.parse::<usize>().ok()).unwrap_or_default();
        assert!(line <= lines, "{origin} is beyond the end of {lines} lines");
    }
}
