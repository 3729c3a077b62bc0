//! What a fan-out costs, measured: many clients in this process, a typha in another, a floor beside them.

mod fanout;
mod fleet;
mod floor;
mod local;
mod process;
mod recorder;
mod report;
mod scenario;
mod schedule;
mod workload;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};

use crate::scenario::{Overrides, Scenario};

/// Measures what it costs to fan updates out to many clients.
///
/// Starts cattail-store and typha on loopback with mutual TLS, connects clients that speak as felix does, writes by an
/// open-loop schedule and counts latency from the intended time. Then does the same with plain sockets, the floor.
///
///   cargo build --release --workspace --bins
///   target/release/loadtest run fanout --clients 1000 --rate 10 --seconds 10 --json fanout.json
#[derive(Parser)]
#[command(version, arg_required_else_help = true, verbatim_doc_comment)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run a scenario
    Run(RunArgs),
    /// The floor's server process, started by a run
    #[command(hide = true)]
    FloorServer {
        #[arg(long)]
        clients: u32,
    },
}

#[derive(clap::Args)]
struct RunArgs {
    /// The scenario's name
    #[arg(required_unless_present = "list")]
    scenario: Option<String>,
    /// List the scenarios
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    overrides: Overrides,
    /// Write the report as JSON here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Args::parse().task {
        Task::Run(args) => Box::pin(run(&args)).await,
        Task::FloorServer { clients } => tokio::task::block_in_place(|| floor::server::serve(clients)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &RunArgs) -> Result<()> {
    let Some(name) = args.scenario.as_deref().filter(|_| !args.list) else {
        for (name, about) in scenario::list() {
            println!("{name:<12}{about}");
        }
        return Ok(());
    };
    let scenario = Scenario::named(name, &args.overrides)?;
    raise_descriptor_limit(&scenario)?;
    let report = Box::pin(fanout::run(name, &scenario)).await?;
    print!("{report}");
    if let Some(file) = &args.json {
        let json = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, json + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    if report.lost > 0 {
        bail!("{} client-updates were lost", report.lost);
    }
    Ok(())
}

/// Descriptors that a run needs besides one for each client.
const DESCRIPTORS_BESIDES_CLIENTS: u64 = 100;

/// Children inherit the limit, so that typha too can hold all clients.
fn raise_descriptor_limit(scenario: &Scenario) -> Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let needed = u64::from(scenario.clients) + DESCRIPTORS_BESIDES_CLIENTS;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= needed {
        return Ok(());
    }
    setrlimit(Resource::RLIMIT_NOFILE, needed, hard.max(needed)).map_err(|error| {
        anyhow::anyhow!(
            "{} clients need {needed} file descriptors, the limit is {soft} ({error}); raise it: ulimit -n {needed}",
            scenario.clients
        )
    })
}
