//! Runs files of reachability cases against our policy path, as `cargo xtask conformance` does.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use lab::{
    conformance::{self, Case, Tally, evaluation, packets},
    net,
};
use serde_json::json;

/// The format of the files, and the name of it in the report.
const FORMAT: &str = "networkpolicy-reachability";

/// Cases evaluated between two lines of progress.
const PROGRESS_EVERY: usize = 25;

/// Run reachability cases and compare every cell with what the file expects.
///
/// A file holds one JSON object a line: a cluster (namespaces, pods, Kubernetes network policies) in steps, and what
/// must be reachable after each. It may be compressed by gzip.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Files of cases.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Choose cases that cover every feature and run them with real packets between network namespaces.
    #[arg(long)]
    packets: bool,
    /// Run only the case with this index.
    #[arg(long, value_name = "N")]
    case: Option<u64>,
    /// Write the counts as JSON.
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    run(&options).unwrap_or_else(|error| {
        eprintln!("conformance: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(options: &Options) -> Result<ExitCode> {
    if options.packets {
        // First thing: later there may be threads, and then a user namespace is out of reach.
        net::acquire()?;
    }
    let cases = read(options)?;
    let total = if options.packets { with_packets(&cases)? } else { without_packets(&cases)? };
    if let Some(path) = &options.json {
        write_json(path, &total)?;
    }
    Ok(if total.tally.failed == 0 && total.tally.checked > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The cases of all files, or the one that is asked for.
fn read(options: &Options) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for file in &options.files {
        cases.extend(conformance::read(file)?);
    }
    if let Some(index) = options.case {
        cases.retain(|case| case.index == index);
        ensure!(!cases.is_empty(), "no case has index {index}");
    }
    Ok(cases)
}

/// What came of all cases that were run.
#[derive(Default)]
struct Total {
    cases: usize,
    tally: Tally,
}

impl Total {
    /// Takes a case's result in, and says what disagrees.
    fn add(&mut self, case: &Case, tally: &Tally) {
        self.cases += 1;
        self.tally.add_counts(tally);
        if tally.failed > 0 {
            println!("case {} ({}): {} cells disagree\n{}", case.index, case.description, tally.failed, tally.report());
        }
    }
}

fn without_packets(cases: &[Case]) -> Result<Total> {
    let mut total = Total::default();
    for case in cases {
        total.add(case, &evaluation::run(case)?);
        if total.cases % PROGRESS_EVERY == 0 {
            println!(
                "{} of {} cases evaluated, {} cells, {} failed",
                total.cases,
                cases.len(),
                total.tally.checked,
                total.tally.failed
            );
        }
    }
    println!("{} cases, {} cells checked, {} failed", total.cases, total.tally.checked, total.tally.failed);
    Ok(total)
}

fn with_packets(cases: &[Case]) -> Result<Total> {
    let chosen = conformance::choose(cases);
    println!(
        "{} of {} cases meet every feature; each runs in network namespaces of its own",
        chosen.len(),
        cases.len()
    );
    let mut total = Total::default();
    for case in chosen {
        let start = Instant::now();
        let tally = packets::run(case)?;
        let seconds = start.elapsed().as_secs_f32();
        println!("case {} ({}): {} cells in {seconds:.1} s", case.index, case.description, tally.checked);
        total.add(case, &tally);
    }
    println!(
        "{} cases, {} cells checked with packets, {} failed",
        total.cases, total.tally.checked, total.tally.failed
    );
    println!("{} cells skipped: SCTP, and pods that talk to themselves", total.tally.skipped);
    Ok(total)
}

fn write_json(path: &Path, total: &Total) -> Result<()> {
    let report = json!({
        "format": FORMAT,
        "cases": total.cases,
        "cells_checked": total.tally.checked,
        "cells_failed": total.tally.failed,
        "cells_skipped": total.tally.skipped,
    });
    std::fs::write(path, format!("{report:#}\n")).with_context(|| format!("writing {}", path.display()))
}
