//! `cattail-store`: the embedded datastore as a process. Flags, a listener, signals; the store itself is the library's.

mod args;

use std::process::ExitCode;

use anyhow::Context;
use datastore_adapters::embedded::{self, Engine};
use settings::{LogFormat, Settings};
use telemetry::{Logs, Traces};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::args::Args;

/// The file in the data directory.
const STORE_FILE: &str = "store.redb";

#[tokio::main]
async fn main() -> ExitCode {
    match run(settings::load(&args::PROGRAM)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cattail-store: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings<Args>) -> anyhow::Result<()> {
    let Settings { args, remarks } = settings;
    let logs = Logs { json: args.log_format == LogFormat::Json, filter: &args.log };
    // Whoever writes tells of the write; the store has nothing to add.
    let _telemetry = telemetry::start(logs, Traces::default())?;
    for remark in remarks {
        tracing::warn!("{remark}");
    }
    // Before anything is announced: a signal that comes right after the announcement must find its handler.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let engine = Engine::open(args.data_dir.join(STORE_FILE))?;
    let listener = TcpListener::bind(args.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; is another store or etcd running there? --listen takes another address",
            args.listen
        )
    })?;
    if !args.listen.ip().is_loopback() && args.ca_file.is_none() {
        tracing::warn!(address = %args.listen, "anyone who reaches this address may read and write; --ca-file would ask for certificates");
    }
    let scheme = if args.cert_file.is_some() { "https" } else { "http" };
    println!("listening on {scheme}://{}, data in {}", listener.local_addr()?, engine.path().display());
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    match args.tls() {
        Some(files) => embedded::serve_tls(engine, listener, &files, shutdown).await?,
        None => embedded::serve(engine, listener, shutdown).await?,
    }
    Ok(())
}
