//! Links in documents: a relative one must lead to a file.

use std::{fs, path::Path, process::Command};

use anyhow::Result;

use crate::run;

pub(super) fn check() -> Result<Vec<String>> {
    let root = run::root();
    let listed = run::output(Command::new("git").args(["ls-files", "*.md"]).current_dir(&root))?;
    let mut complaints = Vec::new();
    for file in listed.lines() {
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        let dir = Path::new(file).parent().unwrap_or(Path::new(""));
        let dead = targets(&text).filter(|target| !root.join(dir).join(target).exists());
        complaints.extend(dead.map(|target| format!("{file}: the link to {target} leads nowhere")));
    }
    Ok(complaints)
}

/// Relative link targets of a Markdown text, without their anchors.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split('#').next()?.trim();
        let relative = !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:");
        relative.then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relative_targets_are_looked_at() {
        let text = "[a](docs/a.md#x) [b](https://x.org/y) [c](#here) ![d](d.png)";
        assert_eq!(targets(text).collect::<Vec<_>>(), ["docs/a.md", "d.png"]);
    }
}
