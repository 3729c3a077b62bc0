//! The command line.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::{Parser, Subcommand};

use crate::{deployment::FieldArgs, local::Datastore, report::slo::Objective, scenario::Overrides};

/// Measures what it costs to fan updates out to many clients.
///
/// Starts a datastore and typha on loopback with mutual TLS, connects clients that speak as felix does, writes by an
/// open-loop schedule and counts latency from the intended time. Then does the same with plain sockets, the floor.
///
///   cargo build --release --workspace --bins
///   target/release/loadtest run fanout --clients 1000 --seconds 10 --html fanout.html --slo 'p99<=100ms'
///
/// The exit status is 0 where all is well, 1 where a run failed or lost updates, 2 where the command line is wrong, 3 where
/// an objective was missed, 130 where it was interrupted.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, verbatim_doc_comment, max_term_width = 120)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Subcommand)]
pub(crate) enum Task {
    /// Run a scenario, or all
    Run(Box<RunArgs>),
    /// Compare two reports
    Compare(CompareArgs),
    /// Make one report of those of all processes that shared a run
    Merge(MergeArgs),
    /// Start a local deployment, say how to reach it with --target, and wait for Ctrl-C
    Serve(ServeArgs),
    /// The floor's server process, started by a run
    #[command(hide = true)]
    FloorServer {
        #[arg(long)]
        clients: u32,
    },
    /// Removes a run's folder when the run is gone, started by a run
    #[command(hide = true)]
    RemoveWhenOrphaned { folder: PathBuf },
}

#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// The scenario's name, a file (*.yaml), or `all`
    #[arg(required_unless_present = "list")]
    pub(crate) scenario: Option<String>,
    /// List the scenarios
    #[arg(long)]
    pub(crate) list: bool,
    #[command(flatten)]
    pub(crate) overrides: Overrides,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Run it so many times, and say how far apart the figures are
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,
    /// Do not measure plain sockets too, which takes as long again as the writes
    #[arg(long)]
    pub(crate) no_floor: bool,
    /// Start the etcd found in PATH instead of cattail-store
    #[arg(long, conflicts_with = "target")]
    etcd: bool,
    /// Start no datastore, but use the etcd at this address, and delete from it what was written
    #[arg(long, value_name = "IP:PORT", conflicts_with_all = ["target", "etcd"])]
    datastore: Option<SocketAddr>,
    /// The process of that etcd, where nobody else uses it: its CPU time is then the run's and not others'
    #[arg(long, value_name = "PID", requires = "datastore")]
    datastore_pid: Option<u32>,
    #[command(flatten)]
    pub(crate) field: FieldArgs,
}

impl RunArgs {
    /// What a local deployment is to start.
    pub(crate) fn datastore(&self) -> Datastore {
        let pid = self.datastore_pid;
        let given = self.datastore.map(|address| Datastore::Given { address, pid });
        given.unwrap_or_else(|| Datastore::chosen(self.etcd))
    }
}

/// What becomes of a report.
#[derive(clap::Args)]
pub(crate) struct OutputArgs {
    /// Write the report as JSON here
    #[arg(long, value_name = "FILE", value_parser = file_to_write)]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as a page with plots here
    #[arg(long, value_name = "FILE", value_parser = file_to_write)]
    pub(crate) html: Option<PathBuf>,
    /// What the run is to meet, for example 'p99<=100ms'; may be given more than once
    #[arg(long, value_name = "OBJECTIVE")]
    pub(crate) slo: Vec<Objective>,
}

/// A file that can be made, as far as that can be seen before a run, which may take hours.
fn file_to_write(text: &str) -> Result<PathBuf, String> {
    let file = PathBuf::from(text);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (file.is_dir(), folder.is_dir()) {
        (true, _) => Err("it is a folder; name a file in it".to_owned()),
        (false, false) => Err(format!("there is no folder {}", folder.display())),
        (false, true) => Ok(file),
    }
}

#[derive(clap::Args)]
pub(crate) struct MergeArgs {
    /// The reports of all shares (JSON), in any order
    #[arg(required = true, value_name = "SHARE.json")]
    pub(crate) shares: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(clap::Args)]
pub(crate) struct ServeArgs {
    /// Typha replicas
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) replicas: u32,
    /// Start the etcd found in PATH instead of cattail-store
    #[arg(long)]
    pub(crate) etcd: bool,
}

#[derive(clap::Args)]
pub(crate) struct CompareArgs {
    /// The report to compare with (JSON)
    #[arg(value_name = "A.json")]
    pub(crate) before: PathBuf,
    /// The report to compare (JSON)
    #[arg(value_name = "B.json")]
    pub(crate) after: PathBuf,
    /// Exit with status 3 where a figure is worse by more than so many percent
    #[arg(long, value_name = "PERCENT")]
    pub(crate) tolerance: Option<f64>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_report_that_has_nowhere_to_go_is_told_before_the_run() {
        let refused = |file: &str| {
            let parsed = Args::try_parse_from(["loadtest", "run", "fanout", "--json", file]);
            parsed.err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(refused("no/such/folder/out.json").contains("there is no folder no/such/folder"));
        assert!(refused("/").contains("it is a folder"));
        assert_eq!(refused("out.json"), "");
    }
}
