//! Source files: each opens with what it is for, none is an orphan, none outgrows its budget.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::run;

/// Lines of production code; beyond it a room wants splitting.
const FILE_LINES_MAX: usize = 400;

/// What must not stand in any file: traces of one machine.
const TRACES: &[&str] = &["/root/", "/work/", "/home/"];

pub(super) fn check() -> Result<Vec<String>> {
    let root = run::root();
    let listed = run::output(std::process::Command::new("git").arg("ls-files").current_dir(&root))?;
    let files: BTreeSet<PathBuf> = listed.lines().map(PathBuf::from).collect();
    let mut complaints = Vec::new();
    for file in &files {
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        complaints.extend(traces(file, &text));
        if file.extension().is_some_and(|extension| extension == "rs") {
            complaints.extend(source(file, &text));
            complaints.extend(orphan(&root, file).with_context(|| file.display().to_string())?);
        }
    }
    Ok(complaints)
}

fn traces(file: &Path, text: &str) -> Vec<String> {
    if file.ends_with("xtask/src/tidy/files.rs") || file.ends_with("Cargo.lock") {
        return Vec::new();
    }
    let found = TRACES.iter().filter(|trace| text.contains(**trace));
    found.map(|trace| format!("{}: holds a path of somebody's machine ({trace}…)", file.display())).collect()
}

fn source(file: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !text.starts_with("//!") {
        complaints.push(format!("{}: does not open with //! and what it is for", file.display()));
    }
    let in_tests = file.components().any(|part| part.as_os_str() == "tests") || file.ends_with("tests.rs");
    let lines = text.split("#[cfg(test)]").next().unwrap_or_default().lines().count();
    if lines > FILE_LINES_MAX && !in_tests {
        complaints.push(format!("{}: {lines} lines of production code, at most {FILE_LINES_MAX}", file.display()));
    }
    complaints
}

/// A file that no `mod` names is never compiled.
fn orphan(root: &Path, file: &Path) -> Result<Option<String>> {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let dir = file.parent().unwrap_or(Path::new(""));
    let parent_name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_root =
        matches!(stem, "main" | "lib" | "build") || matches!(parent_name, "bin" | "tests" | "benches" | "fuzz_targets");
    if is_root {
        return Ok(None);
    }
    let (stem, dir) = if stem == "mod" { (parent_name, dir.parent().unwrap_or(dir)) } else { (stem, dir) };
    let candidates = [dir.with_extension("rs"), dir.join("mod.rs"), dir.join("lib.rs"), dir.join("main.rs")];
    let siblings: Vec<PathBuf> =
        candidates.into_iter().map(|path| root.join(path)).filter(|path| path.is_file()).collect();
    for sibling in siblings {
        let text = fs::read_to_string(&sibling).with_context(|| sibling.display().to_string())?;
        if text.contains(&format!("mod {stem};")) {
            return Ok(None);
        }
    }
    Ok(Some(format!("{}: no `mod {stem};` names it, so it is never compiled", file.display())))
}
