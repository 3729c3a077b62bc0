//! The quickstart: a whole cluster on one machine, real manifests in, real packets through, and what happens when
//! something changes or dies.
//!
//! This file is the order of events; each event is a file under `steps/`. Everything that runs is the production
//! binary, started as a child process; only nodes, pods and packets come from the laboratory.

mod admin;
mod agents;
mod binaries;
mod certificates;
mod cluster;
mod control;
mod examples;
mod expected;
mod matrix;
mod narration;
mod options;
mod steps;
mod typha_pair;

use std::{process::ExitCode, time::Instant};

use anyhow::{Context as _, Result};
use clap::Parser as _;

use crate::{binaries::Binaries, cluster::Cluster, examples::Examples, narration::say, options::Options};

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nquickstart failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let started = Instant::now();
    // Both before any other thread exists: the kernel asks it of the first, and the second must reach all threads.
    let privilege = lab::net::acquire()?;
    let interrupts = lab::interrupt::block()?;

    let binaries = Binaries::find(options.binaries.as_deref())?;
    let examples = Examples::read(&options.examples)?;
    let workdir =
        tempfile::Builder::new().prefix("cattail-quickstart-").tempdir().context("making a temporary folder")?;
    interrupts.clean_up_on_signal(workdir.path().to_owned())?;

    let mut cluster = Cluster::build(binaries, &examples, workdir.path(), privilege)?;
    let outcome = story(&mut cluster, &examples, started).and_then(|()| {
        if !options.keep {
            return Ok(());
        }
        interrupts.welcome();
        steps::explore::run(&mut cluster, &examples)
    });
    cluster.end();
    if outcome.is_err() {
        eprintln!("\nLogs of all processes: {}", workdir.keep().display());
    }
    outcome
}

/// The order of events.
fn story(cluster: &mut Cluster, examples: &Examples, started: Instant) -> Result<()> {
    steps::start_up::run(cluster, examples)?;
    steps::first_manifests::run(cluster, examples)?;
    steps::policy_change::run(cluster, examples)?;
    steps::pod_arrival::run(cluster, examples)?;
    steps::typha_failure::run(cluster, examples)?;
    steps::felix_restart::run(cluster, examples)?;
    let took_s = started.elapsed().as_secs_f64();
    say!("\nDone: every cell of every matrix was right and no packet was lost ({took_s:.0} s).");
    Ok(())
}
