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
    let lines = production_lines(text);
    if lines > FILE_LINES_MAX && !in_tests {
        complaints.push(format!("{}: {lines} lines of production code, at most {FILE_LINES_MAX}", file.display()));
    }
    complaints
}

/// All lines before the tests that end a file. `#[cfg(test)]` alone ends nothing: it stands above `mod tests;` too, with
/// the whole file below.
fn production_lines(text: &str) -> usize {
    let lines: Vec<_> = text.lines().collect();
    let are_tests = |pair: &[&str]| {
        let [attribute, module] = pair else { return false };
        *attribute == "#[cfg(test)]" && module.contains("mod ") && module.ends_with('{')
    };
    lines.windows(2).position(are_tests).unwrap_or(lines.len())
}

/// Directories whose every file is a crate's root, and may name modules.
const ROOTS: &[&str] = &["bin", "tests", "benches", "fuzz_targets"];

/// A file that no `mod` names is never compiled.
fn orphan(root: &Path, file: &Path) -> Result<Option<String>> {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let dir = file.parent().unwrap_or(Path::new(""));
    if matches!(stem, "main" | "lib" | "build") || ROOTS.contains(&name(dir)) {
        return Ok(None);
    }
    let (stem, dir) = if stem == "mod" { (name(dir), dir.parent().unwrap_or(dir)) } else { (stem, dir) };
    for namer in namers(root, dir)? {
        let text = fs::read_to_string(&namer).with_context(|| namer.display().to_string())?;
        if text.contains(&format!("mod {stem};")) {
            return Ok(None);
        }
    }
    Ok(Some(format!("{}: no `mod {stem};` names it, so it is never compiled", file.display())))
}

fn name(dir: &Path) -> &str {
    dir.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// The files that may name a module that lies in `dir`.
fn namers(root: &Path, dir: &Path) -> Result<Vec<PathBuf>> {
    let named = [dir.with_extension("rs"), dir.join("mod.rs"), dir.join("lib.rs"), dir.join("main.rs")];
    let mut namers: Vec<PathBuf> =
        named.into_iter().map(|path| root.join(path)).filter(|path| path.is_file()).collect();
    if ROOTS.contains(&name(dir)) {
        for entry in fs::read_dir(root.join(dir)).with_context(|| dir.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                namers.push(path);
            }
        }
    }
    Ok(namers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_are_named_at_the_top_hide_no_line_of_what_follows() {
        let body = "fn f() {}\n".repeat(FILE_LINES_MAX);
        let complaints = |text: &str| source(Path::new("calc/src/rules.rs"), text).len();
        assert_eq!(complaints(&format!("//! Room.\n#[cfg(test)]\nmod tests;\n{body}")), 1);
        assert_eq!(complaints(&format!("//! Room.\n#[cfg(test)]\nmod tests {{\n{body}}}\n")), 0);
        assert_eq!(complaints(&body), 1, "it does not say what it is for");
    }

    #[test]
    fn a_path_of_somebodys_machine_is_found() {
        assert_eq!(traces(Path::new("docs/a.md"), &format!("see {}", TRACES[0])).len(), 1);
        assert_eq!(traces(Path::new("docs/a.md"), "see /etc/typha").len(), 0);
    }
}
