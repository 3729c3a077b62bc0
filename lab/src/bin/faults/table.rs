//! How costs are told to people.

use std::{fmt::Write as _, fs};

use crate::{cost::Cost, options::Options};

const HEAD: [&str; 11] = [
    "fault",
    "until well",
    "cut",
    "moved",
    "resumes",
    "snapshots",
    "repairs",
    "received",
    "longest gap (median)",
    "oldest write",
    "typha CPU",
];

/// A Markdown table, which reads as well in a terminal.
pub(crate) fn render(options: &Options, load_average: &str, costs: &[Cost]) -> String {
    let mut text = format!(
        "{} clients, 3 typhas, etcd, {} writes/s; load average {load_average} before the first fault\n\n",
        options.clients(),
        options.rate
    );
    let rows: Vec<[String; 11]> = std::iter::once(HEAD.map(str::to_owned)).chain(costs.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    for (number, row) in rows.iter().enumerate() {
        line(&mut text, row.iter().zip(&widths).map(|(cell, width)| format!(" {cell:<width$} ")));
        if number == 0 {
            line(&mut text, widths.iter().map(|width| "-".repeat(width + 2)));
        }
    }
    text
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    let _ = writeln!(text, "|{}|", cells.join("|"));
}

fn row(cost: &Cost) -> [String; 11] {
    [
        cost.fault.clone(),
        format!("{:.1} s", cost.seconds),
        cost.clients_cut.to_string(),
        cost.clients_moved.to_string(),
        cost.resumes.to_string(),
        cost.snapshots.to_string(),
        cost.repairs.to_string(),
        format!("{:.1} MB", cost.received_bytes as f64 / 1e6),
        format!("{} ms ({})", cost.longest_gap_ms, cost.median_gap_ms),
        format!("{} ms", cost.oldest_write_ms),
        format!("{:.1} s", cost.typha_cpu_seconds),
    ]
}

/// As the kernel tells it: of the last minute, five, fifteen.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
