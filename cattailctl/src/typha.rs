//! `cattailctl typha status`: asks the admin APIs of all replicas at once, and says what is well and what is not.

mod ask;
mod certificates;
mod health;
mod nodes;
mod show;
mod span;
mod state;

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use self::{
    health::{Health, Verdict},
    span::Span,
};
use crate::console::Console;

/// Something lags, is stale, is gone or is about to expire.
const DEGRADED: u8 = 1;

/// No replica answers.
const UNKNOWN: u8 = 2;

/// Looks at typha.
#[derive(Debug, Args)]
pub(crate) struct Typha {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the replicas, their clients, and what the nodes enforce.
    #[command(
        after_help = "Exit status: 0 if all is well, 1 if something lags, is stale or is about to expire, 2 if nobody can tell."
    )]
    Status(Status),
}

#[derive(Debug, Args)]
struct Status {
    /// The admin APIs of all replicas. A name with many addresses, as a headless Service has, is that many replicas.
    #[arg(
        long,
        value_name = "URLS",
        env = "CATTAIL_TYPHA_ADMIN",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:9098"
    )]
    admin: Vec<String>,

    /// Complain of certificates and CAs that are valid for less than this, such as 14d, 36h or 90m. Where not given, of those
    /// with less than three tenths of their life left.
    #[arg(long, value_name = "DURATION")]
    fail_under: Option<Span>,

    /// Complain of nodes that have lacked a change for so long, such as 30s or 5m. Nodes tell at most once a second what they
    /// enforce, so that some always lag while something changes.
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    lag_limit: Span,

    /// How to show it; a table where it is not said.
    #[arg(short = 'o', long, value_name = "FORMAT", value_enum)]
    output: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// All that is known, as JSON.
    Json,
}

/// Does what was asked.
pub(crate) async fn run(typha: &Typha, console: &mut Console<'_>) -> anyhow::Result<ExitCode> {
    let Command::Status(Status { admin, fail_under, lag_limit, output }) = &typha.command;
    let health = Health::of(ask::all(admin).await, *fail_under, *lag_limit);
    let text = match output {
        Some(Format::Json) => serde_json::to_string_pretty(&health)?,
        None => show::table(&health),
    };
    console.say(&text)?;
    health.complaints.iter().try_for_each(|complaint| console.tell(complaint))?;
    Ok(match health.verdict {
        Verdict::Well => ExitCode::SUCCESS,
        Verdict::Degraded => DEGRADED.into(),
        Verdict::Unknown => UNKNOWN.into(),
    })
}
