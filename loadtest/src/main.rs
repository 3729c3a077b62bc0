//! What a fan-out costs, measured: many clients in this process, typha in others, a floor beside them.

mod args;
mod clock;
mod deployment;
mod fleet;
mod floor;
mod interrupt;
mod limit;
mod local;
mod process;
mod recorder;
mod report;
mod run;
mod sampler;
mod scenario;
mod schedule;
mod share;
mod stage;
mod workload;
mod writer;

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;

use self::{
    args::{Args, CompareArgs, MergeArgs, OutputArgs, RunArgs, ServeArgs, Task},
    interrupt::Interrupt,
    local::{Datastore, Local},
    report::{Report, compare, html, merge, spread},
    scenario::Scenario,
};

/// The exit status where the run went well and what it found is not good enough.
const MISSED: u8 = 3;
/// The exit status of a run that was ended early by SIGINT or SIGTERM, as shells have it.
const INTERRUPTED: u8 = 130;
/// Between two looks at whether the processes of a deployment live.
const LOOK: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Args::parse().task {
        Task::Run(args) => Box::pin(run(&args)).await,
        Task::Compare(args) => compare(&args),
        Task::Merge(args) => merge(&args),
        Task::Serve(args) => serve(&args).await,
        Task::FloorServer { clients } => {
            tokio::task::block_in_place(|| floor::server::serve(clients)).map(|()| ExitCode::SUCCESS)
        }
        Task::RemoveWhenOrphaned { folder } => {
            tokio::task::block_in_place(|| local::remove_when_orphaned(&folder)).map(|()| ExitCode::SUCCESS)
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
    let (mut is_missed, mut interrupt) = (false, Interrupt::new()?);
    for name in &names {
        let mut reports = Vec::new();
        for time in 1..=args.repeat {
            let report = Box::pin(run_one(name, args, &mut interrupt)).await;
            let report = report.with_context(|| format!("scenario {name}"))?;
            let suffix = [(names.len() > 1).then(|| (*name).to_owned()), (args.repeat > 1).then(|| time.to_string())];
            let code = tell(&report, &args.output, &suffix.into_iter().flatten().collect::<Vec<_>>())?;
            if report.is_interrupted {
                return Ok(code);
            }
            is_missed |= code == ExitCode::from(MISSED);
            reports.push(report);
        }
        print(&spread::spread(&reports));
    }
    Ok(if is_missed { ExitCode::from(MISSED) } else { ExitCode::SUCCESS })
}

async fn run_one(name: &str, args: &RunArgs, interrupt: &mut Interrupt) -> Result<Report> {
    let mut scenario = Scenario::named(name, &args.overrides)?;
    args.field.restrain(&mut scenario, &args.overrides);
    deployment::confirm(name, &scenario, &args.field)?;
    limit::check(&scenario, args.field.targets())?;
    let mut report = Box::pin(run::run(name, &scenario, args, interrupt)).await?;
    report.slo = args.output.slo.iter().map(|objective| objective.judge(&report)).collect();
    Ok(report)
}

/// Prints and writes a report; the exit status that it stands for.
fn tell(report: &Report, output: &OutputArgs, suffix: &[String]) -> Result<ExitCode> {
    print(&report.to_string());
    let write = |file: &Path, text: String| {
        let file = with_suffix(file, suffix);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    };
    if let Some(file) = &output.json {
        write(file, serde_json::to_string_pretty(report)? + "\n")?;
    }
    if let Some(file) = &output.html {
        write(file, html::page(report))?;
    }
    if report.is_interrupted {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    if report.totals.lost > 0 {
        bail!("{} client-updates were lost", report.totals.lost);
    }
    let is_missed = report.slo.iter().any(|verdict| !verdict.is_met);
    Ok(if is_missed { ExitCode::from(MISSED) } else { ExitCode::SUCCESS })
}

/// To whoever listens. Where nobody does any more (`… | head`), that is no reason to lose the files.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// `out.json` becomes `out-fanout-2.json` where several scenarios are run, and each several times.
fn with_suffix(file: &Path, suffix: &[String]) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let stem = std::iter::once(&*stem).chain(suffix.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
    let extension = file.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
    file.with_file_name(stem + &extension)
}

fn merge(args: &MergeArgs) -> Result<ExitCode> {
    let reports = args.shares.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?;
    let mut report = merge::merge(reports)?;
    report.slo = args.output.slo.iter().map(|objective| objective.judge(&report)).collect();
    tell(&report, &args.output, &[])
}

async fn serve(args: &ServeArgs) -> Result<ExitCode> {
    let mut interrupt = Interrupt::new()?;
    let starting = Local::start(Datastore::chosen(args.etcd), args.replicas, false);
    let mut local = interrupt.or(starting).await.context("interrupted")??;
    println!("{}", local.options());
    eprintln!("Serving until Ctrl-C; put these options behind `loadtest run SCENARIO`.");
    while interrupt.or(tokio::time::sleep(LOOK)).await.is_some() {
        local.check_alive()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(args: &CompareArgs) -> Result<ExitCode> {
    let compared = compare::compare(&read(&args.before)?, &read(&args.after)?, args.tolerance);
    print(&compared.text);
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
