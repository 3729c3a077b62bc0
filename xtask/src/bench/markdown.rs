//! Tables that a document can take as they are.

/// A table.
pub(super) fn table<const N: usize>(heading: [String; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rule = std::array::from_fn(|_| "---".to_owned());
    let lines = [heading, rule].into_iter().chain(rows).map(|cells| format!("| {} |", cells.join(" | ")));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}
