//! The connectivity matrix: expected by the file, measured by packets, printed side by side.

use anyhow::{Context as _, Result, bail};
use lab::net::probe::{self, Attempt, Outcome, PATIENCE, Probe};

use crate::{
    cluster::Cluster,
    examples::Examples,
    expected::{Cell, Policies},
    narration::say,
};

/// How many wrong cells are spelled out.
const WRONG_SHOWN: usize = 20;

/// How much of the matrix is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Every cell.
    Table,
    /// One line, and what is wrong.
    Summary,
}

/// Sends real packets for every cell and compares. An error names every cell that is wrong.
pub(crate) fn check(cluster: &Cluster, examples: &Examples, policies: Policies, show: Show) -> Result<()> {
    let present = cluster.present(examples);
    let cells = examples.expected.cells(policies, &present)?;
    let outcomes = measure(cluster, &cells)?;
    if show == Show::Table {
        print(&present, &cells, &outcomes);
    }
    let wrong: Vec<String> =
        cells.iter().zip(&outcomes).filter(|(cell, outcome)| !is_right(cell, **outcome)).map(describe).collect();
    if wrong.is_empty() {
        say!("  {}", tally(&cells));
        return Ok(());
    }
    let shown = wrong[..wrong.len().min(WRONG_SHOWN)].join("\n  ");
    bail!("{} of {} cells of the matrix are wrong:\n  {shown}", wrong.len(), cells.len());
}

fn measure(cluster: &Cluster, cells: &[Cell]) -> Result<Vec<Outcome>> {
    let attempts: Result<Vec<Attempt<'_>>> = cells
        .iter()
        .map(|cell| {
            let from = cluster.lab.pod(&cell.from).with_context(|| format!("no pod {}", cell.from))?;
            Ok(Attempt { from, to: cluster.address_of(&cell.to)?, probe: cell.probe })
        })
        .collect();
    Ok(probe::run(&attempts?, PATIENCE)?)
}

/// Refusal is never right: every port that is asked about has a listener, so somebody else said no.
fn is_right(cell: &Cell, outcome: Outcome) -> bool {
    match outcome {
        Outcome::Answered(_) => cell.allowed,
        Outcome::Silent => !cell.allowed,
        Outcome::Refused => false,
    }
}

fn describe((cell, outcome): (&Cell, &Outcome)) -> String {
    let expected = if cell.allowed { "an answer" } else { "silence" };
    let measured = match outcome {
        Outcome::Answered(_) => "was answered",
        Outcome::Silent => "met silence",
        Outcome::Refused => "was refused (no route, or a reset)",
    };
    format!("{} -> {} {} {measured}, expected {expected}", cell.from, cell.to, cell.probe)
}

fn tally(cells: &[Cell]) -> String {
    let count = |matches: fn(&Probe) -> bool| cells.iter().filter(|cell| matches(&cell.probe)).count();
    let allowed = cells.iter().filter(|cell| cell.allowed).count();
    format!(
        "All {} cells are right: {allowed} answered, {} dropped ({} by TCP, {} by UDP, {} by ICMP).",
        cells.len(),
        cells.len() - allowed,
        count(|probe| matches!(probe, Probe::Tcp(_))),
        count(|probe| matches!(probe, Probe::Udp(_))),
        count(|probe| matches!(probe, Probe::Ping)),
    )
}

/// One row for each port, one column for each source, both in the order of the files.
fn print(present: &[String], cells: &[Cell], outcomes: &[Outcome]) {
    say!("  Each cell: first what is expected, then what packets met.");
    say!("  ✓ answered, · dropped. Two different marks would be an error.\n");
    say!("  {:<22}{}", "", present.iter().map(|source| heading(source)).collect::<String>());
    let measured: Vec<(&Cell, &Outcome)> = cells.iter().zip(outcomes).collect();
    for row in measured.chunk_by(|(left, _), (right, _)| left.to == right.to && left.probe == right.probe) {
        let column = |source: &String| {
            let found = row.iter().find(|(cell, _)| cell.from == *source);
            let text = found.map_or_else(String::new, |(cell, outcome)| marks(cell, **outcome));
            format!("{text:^width$}", width = width(source))
        };
        let title = row.first().map(|(cell, _)| format!("{} {}", short(&cell.to), cell.probe)).unwrap_or_default();
        say!("  {title:<22}{}", present.iter().map(column).collect::<String>());
    }
    say!("");
}

fn marks(cell: &Cell, outcome: Outcome) -> String {
    let expected = if cell.allowed { '✓' } else { '·' };
    let measured = match outcome {
        Outcome::Answered(_) => '✓',
        Outcome::Silent => '·',
        Outcome::Refused => '!',
    };
    format!("{expected}{measured}")
}

/// Names are unique without their namespaces in the examples; columns stay narrow.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn width(source: &str) -> usize {
    short(source).len() + 1
}

fn heading(source: &str) -> String {
    format!("{:^width$}", short(source), width = width(source))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_refusal_is_never_right_and_a_wrong_cell_is_named() {
        let cell = |allowed| Cell { from: "a/b".into(), to: "c/d".into(), probe: Probe::Tcp(80), allowed };
        let answered = Outcome::Answered(Duration::ZERO);
        assert!(is_right(&cell(true), answered) && is_right(&cell(false), Outcome::Silent));
        for (allowed, outcome) in
            [(false, answered), (true, Outcome::Silent), (true, Outcome::Refused), (false, Outcome::Refused)]
        {
            assert!(!is_right(&cell(allowed), outcome));
        }
        assert_eq!(describe((&cell(false), &answered)), "a/b -> c/d tcp/80 was answered, expected silence");
    }
}
