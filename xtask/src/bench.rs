//! `cargo xtask bench`: our typha under load, against its targets, as it grows, or beside the real Calico Typha on the same
//! machine. Builds and starts the load programs and puts their reports into tables; measures nothing itself.

mod case;
mod etcd;
mod growth;
mod markdown;
mod ours;
mod peer;
mod table;
mod targets;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use nix::sys::statvfs::statvfs;
use serde_json::{Value, json};

use self::{case::CASES, etcd::Etcd, ours::Ours, peer::Calico};
use crate::{
    needs::{self, Need},
    run,
};

/// Clients of a case, where nothing else is asked for.
const CLIENTS: u32 = 1000;
/// Room for what a case writes, and its history.
const MEMORY_BYTES: u64 = 4 << 30;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Show what more clients and more keys cost; takes some minutes
    #[arg(long, conflicts_with_all = ["peer", "cases"])]
    growth: bool,
    /// Whom to measure beside us
    #[arg(long, value_enum)]
    peer: Option<Peer>,
    /// Clients of a case, each with a stream of its own over mutual TLS [default: 1000]
    #[arg(long, value_name = "N", conflicts_with = "growth")]
    clients: Option<u32>,
    /// How long a case's writes go on, where there are any [default: what the scenario says]
    #[arg(long, value_name = "S", conflicts_with = "growth")]
    seconds: Option<f64>,
    /// How often to run all that the targets need; their table has the median, and the worst of what must not happen
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..),
          conflicts_with_all = ["peer", "growth", "cases"])]
    rounds: u32,
    /// Only these cases; without cases and other options: typha against its targets, which takes about ten minutes
    #[arg(value_name = "CASE", value_parser = case::names())]
    cases: Vec<String>,
    /// Write the reports as JSON here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Peer {
    /// Calico Typha v3.31.0, built from the Go module proxy
    Calico,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let is_of_cases = options.peer.is_some() || !options.cases.is_empty();
    if !is_of_cases && (options.clients.is_some() || options.seconds.is_some()) {
        bail!("the targets say how many clients, and for how long; --clients and --seconds are for a CASE or --peer");
    }
    needs::provide(&[Need::CCompiler, Need::Etcd, Need::Etcdctl])?;
    let calico = match options.peer {
        Some(Peer::Calico) => Some(Calico::build()?),
        None => None,
    };
    let ours = Ours::build()?;
    if options.growth {
        return growth::run(&ours, options);
    }
    if !is_of_cases {
        return targets::run(&ours, options);
    }
    let (mut found, mut all_well) = (Vec::new(), true);
    for case in CASES.iter().filter(|case| options.cases.is_empty() || options.cases.iter().any(|n| n == case.name)) {
        let etcd = Etcd::start(&ours, &scratch())?;
        eprintln!("==> {}: Cattail", case.name);
        let mine = ours.measure(case, options, &etcd);
        let theirs = calico.as_ref().map(|calico| {
            eprintln!("==> {}: Calico, over the same etcd", case.name);
            etcd.forget_history()?;
            calico.measure(mine.as_ref().ok(), &etcd)
        });
        all_well &= mine.is_ok() && theirs.as_ref().is_none_or(Result::is_ok);
        println!("{}", table::render(case, &mine, theirs.as_ref()));
        found.push(json!({
            "case": case.name,
            "cattail": as_json(&mine),
            "calico": theirs.as_ref().map(as_json),
        }));
    }
    if let Some(file) = &options.json {
        write(file, &json!({ "cases": found }))?;
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(side: &Result<Value>) -> Value {
    side.as_ref().map_or_else(|error| json!({ "error": format!("{error:#}") }), Value::clone)
}

fn write(file: &Path, json: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(json)? + "\n";
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// What one would type to do a run by hand.
fn shell_line(scenario: &str, options: &[&str]) -> String {
    format!("loadtest run {scenario} --etcd {}", options.join(" "))
}

/// Where a case's datastore and Calico's side keep their files: in memory where there is room, so that no disk is measured.
/// loadtest chooses by itself.
fn scratch() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let room = statvfs(memory).map_or(0, |memory| memory.blocks_available() * memory.fragment_size());
    if room >= MEMORY_BYTES { memory.to_path_buf() } else { std::env::temp_dir() }
}

/// Where a side's report goes before it is read.
fn report_file(side: &str) -> PathBuf {
    run::target_dir().join("peers").join(format!("{side}.json"))
}
