//! What a fan-out costs, measured: many clients in this process, typha in others, a floor beside them.

mod args;
mod deployment;
mod fleet;
mod floor;
mod local;
mod process;
mod recorder;
mod report;
mod run;
mod sampler;
mod scenario;
mod schedule;
mod stage;
mod workload;
mod writer;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;

use self::{
    args::{Args, CompareArgs, RunArgs, Task},
    report::{Report, compare, html},
    scenario::Scenario,
};

/// The exit status where the run went well and what it found is not good enough.
const MISSED: u8 = 3;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Args::parse().task {
        Task::Run(args) => Box::pin(run(&args)).await,
        Task::Compare(args) => compare(&args),
        Task::FloorServer { clients } => {
            tokio::task::block_in_place(|| floor::server::serve(clients)).map(|()| ExitCode::SUCCESS)
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("loadtest: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(args: &RunArgs) -> Result<ExitCode> {
    let Some(name) = args.scenario.as_deref().filter(|_| !args.list) else {
        for (name, about) in scenario::list() {
            println!("{name:<12}{about}");
        }
        return Ok(ExitCode::SUCCESS);
    };
    let names: Vec<&str> = if name == "all" { scenario::all().collect() } else { vec![name] };
    let mut missed = 0;
    for name in &names {
        let suffix = (names.len() > 1).then_some(*name);
        let report = Box::pin(run_one(name, args)).await.with_context(|| format!("scenario {name}"))?;
        print!("{report}");
        write(&report, args, suffix)?;
        if report.lost > 0 {
            bail!("{} client-updates were lost", report.lost);
        }
        missed += report.slo.iter().filter(|verdict| !verdict.is_met).count();
    }
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::from(MISSED) })
}

async fn run_one(name: &str, args: &RunArgs) -> Result<Report> {
    let mut scenario = Scenario::named(name, &args.overrides)?;
    args.field.restrain(&mut scenario, &args.overrides);
    deployment::confirm(name, &scenario, &args.field)?;
    raise_descriptor_limit(&scenario)?;
    let mut report = Box::pin(run::run(name, &scenario, &args.field, args.datastore())).await?;
    report.slo = args.slo.iter().map(|objective| objective.judge(&report)).collect();
    Ok(report)
}

fn write(report: &Report, args: &RunArgs, suffix: Option<&str>) -> Result<()> {
    let write = |file: &Path, text: String| {
        let file = with_suffix(file, suffix);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    };
    if let Some(file) = &args.json {
        write(file, serde_json::to_string_pretty(report)? + "\n")?;
    }
    if let Some(file) = &args.html {
        write(file, html::page(report))?;
    }
    Ok(())
}

/// `out.json` becomes `out-fanout.json` where several scenarios are run.
fn with_suffix(file: &Path, suffix: Option<&str>) -> PathBuf {
    let Some(suffix) = suffix else { return file.to_owned() };
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
    file.with_file_name(format!("{stem}-{suffix}{extension}"))
}

fn compare(args: &CompareArgs) -> Result<ExitCode> {
    let compared = compare::compare(&read(&args.before)?, &read(&args.after)?, args.tolerance);
    print!("{}", compared.text);
    if args.tolerance.is_none() || compared.worse.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("loadtest: worse than the tolerance allows: {}", compared.worse.join(", "));
    Ok(ExitCode::from(MISSED))
}

fn read(file: &Path) -> Result<Report> {
    let json = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&json).with_context(|| format!("{} is no report of this version", file.display()))
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
