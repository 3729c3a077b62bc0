//! The process around the server: logging, signals, exit.

use anyhow::Context as _;
use datastore_adapters::EtcdSource;
use settings::{LogFormat, Settings};
use telemetry::{Logs, Telemetry, Traces};
use tokio::signal::unix::{SignalKind, signal};
use typha::{Config, Server};

use crate::{args::Args, open_files::OpenFiles};

/// Serves until a signal comes or a part of the server ends.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let etcd = args.etcd();
    etcd.check()?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut config = args.into_config();
    make_room(&mut config);
    let mut server = Server::start(config, EtcdSource::new(etcd)).await?;
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

/// Makes room for as many agents as the server bears, or has it bear those that there is room for: beyond that nothing could
/// be opened, and the admin port would not answer.
fn make_room(config: &mut Config) {
    let wanted = config.limits.connections;
    match OpenFiles::for_connections(wanted) {
        Ok(files) if files.room() < wanted => {
            let advice = files.advice(wanted);
            // Who serves thousands need not be told at every start that it could be more.
            if files.room() < wanted / 2 {
                tracing::warn!("{advice}");
            } else {
                tracing::info!("{advice}");
            }
            config.limits.connections = files.room();
        }
        Ok(_) => {}
        Err(error) => tracing::warn!("cannot raise how many files this process may have open: {error}"),
    }
}

/// Starts logs and traces, and says what is odd about the settings.
pub(crate) fn observe(settings: &Settings<Args>) -> anyhow::Result<Telemetry> {
    let Settings { args, remarks } = settings;
    let logs = Logs { json: args.log_format == LogFormat::Json, filter: &args.log };
    let (endpoint, ratio) = (args.traces.endpoint.as_deref(), args.traces.ratio);
    let telemetry = telemetry::start(logs, Traces { endpoint, ratio, service: "typha", instance: &args.name() })?;
    for remark in remarks {
        tracing::warn!("{remark}");
    }
    Ok(telemetry)
}
