//! Project automation. Builds and runs; knows nothing of what the project does.

mod bench;
mod ci;
mod conformance;
mod disk;
mod faults;
mod fuzz;
mod interop;
mod needs;
mod passed_on;
mod quickstart;
mod run;
mod simulate;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::passed_on::PassedOn;

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
    /// shows what happens to real packets. Ends by itself and leaves nothing behind; `--keep` leaves it running to explore.
    Quickstart(PassedOn),
    /// All tests, real etcd and real kernel included. Installs what they need where it may.
    Test(test::Options),
    /// What else must hold: format, lints, docs, licences, spelling, fences.
    Ci(ci::Options),
    /// Reachability cases: what policies mean, cell by cell.
    ///
    /// Takes case files, `--packets`, `--json OUT`.
    Conformance(PassedOn),
    /// A deployment that breaks in every way operators meet: nothing lost, and what each fault cost.
    ///
    /// A real etcd, three typhas in network namespaces and hundreds of clients, under steady writes. Takes faults, `--quick`,
    /// `--clients N`, `--json FILE`.
    Faults(PassedOn),
    /// The fuzz targets under libFuzzer: whatever a peer or a user can send.
    ///
    /// Builds them with coverage counters, in a target directory of their own. What they find stays in target/fuzz.
    Fuzz(fuzz::Options),
    /// The simulation of datastore, typhas and clients in one process, from as many seeds as one likes.
    ///
    /// Prints how often each fault was hit, and for a seed that fails the command that replays it.
    Simulate(simulate::Options),
    /// What a fan-out costs, and with `--peer calico` what it costs the real Calico Typha on the same machine.
    ///
    /// Builds the peer from the Go module proxy, where Go is installed. Both sides are measured over the same etcd, one
    /// after the other, with the same writes; docs/performance.md says what is measured.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let outcome = match Args::parse().task {
        Task::Quickstart(options) => quickstart::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Ci(options) => Ok(ci::run(&options)),
        Task::Conformance(options) => conformance::run(&options),
        Task::Faults(options) => faults::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Simulate(options) => simulate::run(&options),
        Task::Bench(options) => bench::run(&options),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
