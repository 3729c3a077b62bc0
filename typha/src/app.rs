//! The process around the server: logging, signals, exit.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use datastore_adapters::EtcdSource;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use typha::Server;

use crate::args::{Args, LogFormat};

/// Serves until a signal comes or a part of the server ends.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let etcd = args.etcd();
    etcd.check()?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut server = Server::start(args.into_config(), EtcdSource::new(etcd)).await?;
    let reason = tokio::select! {
        error = server.failed() => return Err(error.into()),
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    let reason = format!("this replica was told to stop ({reason})");
    tokio::select! {
        () = server.drain(&reason) => tracing::info!("drained"),
        _ = terminate.recv() => tracing::warn!("told to stop again; not waiting for clients any longer"),
        _ = interrupt.recv() => tracing::warn!("told to stop again; not waiting for clients any longer"),
    }
    Ok(())
}

/// Sends logs to stderr.
pub(crate) fn init_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_terminal);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
