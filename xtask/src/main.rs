//! Project automation. Builds and runs; knows nothing of what the project does.

mod ci;
mod conformance;
mod needs;
mod quickstart;
mod run;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Cattail's project automation.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// The main job on this machine: manifests in, packets allowed and denied in the kernel.
    ///
    /// Builds the binaries, then starts a datastore, two typhas and three felix agents in network namespaces, and
    /// shows what happens to real packets. Ends by itself and leaves nothing behind.
    Quickstart(quickstart::Options),
    /// All tests, real etcd and real kernel included. Installs what they need where it may.
    Test(test::Options),
    /// What else must hold: format, lints, docs, licences, spelling, fences.
    Ci(ci::Options),
    /// Reachability cases: what policies mean, cell by cell.
    Conformance(conformance::Options),
}

fn main() -> ExitCode {
    let outcome = match Args::parse().task {
        Task::Quickstart(options) => quickstart::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Ci(options) => Ok(ci::run(&options)),
        Task::Conformance(options) => conformance::run(&options),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
