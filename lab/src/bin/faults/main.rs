//! Faults of a whole deployment: a real etcd, three typhas in network namespaces, hundreds of clients, steady writes; then
//! one thing after another breaks. After each, nothing may be lost, and what it cost is measured.
//!
//! This file is the order of events. `deployment` owns processes and links, `fleet` the clients and their accounts,
//! `writer` the writes, `fault` what breaks, `cost` what is measured, `table` how it is told.

mod account;
mod authority;
mod cost;
mod deployment;
mod fault;
mod fleet;
mod options;
mod slots;
mod stage;
mod table;
mod wait;
mod writer;

use std::{fs, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser as _;
use serde_json::json;

use crate::{options::Options, stage::Stage};

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nfaults failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    // Both before any other thread exists: the kernel asks it of the first, and the second must reach all threads.
    lab::net::acquire()?;
    let interrupts = lab::interrupt::block()?;
    let workdir = tempfile::Builder::new().prefix("cattail-faults-").tempdir().context("making a temporary folder")?;
    interrupts.clean_up_on_signal(workdir.path().to_owned())?;
    let outcome = breakdowns(options, workdir.path());
    if outcome.is_err() {
        eprintln!("\nLogs of all processes: {}", workdir.keep().display());
    }
    outcome
}

/// Everything up and in sync, then one fault after another.
fn breakdowns(options: &Options, workdir: &std::path::Path) -> Result<()> {
    let load_average = table::load_average();
    let mut stage = Stage::set(options, workdir)?;
    let mut costs = Vec::new();
    for fault in options.faults() {
        eprintln!("==> {}", fault.title());
        let cost = stage.endure(fault).with_context(|| fault.title())?;
        eprintln!("    {cost}");
        costs.push(cost);
    }
    stage.end();
    println!("{}", table::render(options, &load_average, &costs));
    if let Some(file) = &options.json {
        let report = json!({
            "clients": options.clients(), "writes_per_second": options.rate, "load_average": load_average, "faults": costs,
        });
        let text = serde_json::to_string_pretty(&report)? + "\n";
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
