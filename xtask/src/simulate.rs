//! `cargo xtask simulate`: the simulation of datastore, typhas and clients, for as many seeds as one likes.
//!
//! It is a test of `felix-client`, which runs a thousand seeds by itself; this asks it for others by way of the
//! environment. A test build, so that overflows and debug assertions are looked for, but what takes the time is optimised.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::run;

/// The test that runs them.
const TEST: &str = "sync::simulation::seeds::tests::every_client_sees_only_what_was_and_ends_at_what_is";

/// What takes the time. Three times the seeds for a minute and a half of building.
const OPTIMISED: &[&str] = &["model", "typha", "felix-client"];

/// Where nothing else is asked for.
const SEEDS: u64 = 20_000;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many seeds, each twice [default: 20000, or any number with --minutes]
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// The first of them
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// Begins no seed after so many minutes
    #[arg(long, value_name = "M")]
    minutes: Option<u64>,
    /// Replays this seed alone, and tells what happens
    #[arg(long, value_name = "N", conflicts_with_all = ["seeds", "from", "minutes"])]
    seed: Option<u64>,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut test = run::cargo(["test", "--package", "felix-client", "--lib"]);
    for package in OPTIMISED {
        test.args(["--config", &format!("profile.dev.package.{package}.opt-level=2")]);
    }
    test.args(["--", "--exact", "--nocapture", TEST]);
    if let Some(seed) = options.seed {
        return run::pass_through(test.env("CATTAIL_SEED", seed.to_string()));
    }
    let seeds = options.seeds.or_else(|| options.minutes.is_none().then_some(SEEDS));
    let asked = [("CATTAIL_SEEDS", seeds), ("CATTAIL_SEEDS_MINUTES", options.minutes)];
    for (variable, number) in asked.into_iter().filter_map(|(variable, number)| Some((variable, number?))) {
        test.env(variable, number.to_string());
    }
    test.env("CATTAIL_SEEDS_FROM", options.from.to_string());
    if let Some(commit) = commit() {
        test.env("CATTAIL_COMMIT", commit);
    }
    run::pass_through(&mut test)
}

/// What is built. None where this is no checkout.
fn commit() -> Option<String> {
    let mut git = Command::new("git");
    git.args(["rev-parse", "--short", "HEAD"]).current_dir(run::root());
    run::output(&mut git).ok().map(|commit| commit.trim().to_owned())
}
