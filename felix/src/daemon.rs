//! Wires the agent to the kernel and to the outside, and ends them in order. No decisions are made here.

use std::{future::Future, pin::pin, sync::Arc};

use anyhow::{Context as _, bail};
use felix_client::{agent::Agent, sync};
use pki::{ClientTls, Files, Peers};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use crate::{
    admin::{Admin, Views},
    args::Args,
    enforcement::{Ended, Enforced, Enforcement},
    kernel::NodeKernel,
    privilege,
};

/// Runs until a signal or until something that cannot be mended.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    privilege::check()?;
    let kernel = NodeKernel::open(args.resync_seconds)?;
    let config = Arc::new(sync_config(&args)?);
    let agent = Agent::start(Arc::clone(&config), &args.node);
    let (enforced_sender, enforced) = watch::channel(Enforced::default());
    let views = Views { node: args.node.as_str().into(), agent: agent.status(), enforced, sync: Arc::clone(&config) };
    let mut helpers = JoinSet::new();
    if let Some(address) = args.admin_listen {
        helpers.spawn(Admin::bind(address, views).await?.serve());
    }
    let stop = pin!(stop_signal()?);
    tracing::info!(
        node = args.node,
        zone = args.zone,
        typha = args.typha.join(","),
        "felix runs; waiting for the whole state"
    );
    let reporter = agent.reporter();
    let report = move |report| reporter.report(report);
    let enforcement = Enforcement::new(kernel, report, enforced_sender);
    tokio::select! {
        ended = enforcement.run(agent, stop) => match ended {
            Ended::Stopped => tracing::info!("asked to stop; the kernel goes on enforcing"),
            Ended::AgentGone => bail!("the agent broke down; the kernel goes on enforcing what it has. Restart felix"),
        },
        Some(failed) = helpers.join_next() => failed??,
    }
    Ok(())
}

fn sync_config(args: &Args) -> anyhow::Result<sync::Config> {
    let files = Files { cert: args.cert_file.clone(), key: args.key_file.clone(), ca: args.ca_file.clone() };
    let typha = Peers::common_name(&args.typha_cn).speaking(args.tls_min_version);
    let tls = ClientTls::client(files, typha).context("cannot connect to typha")?;
    let config = sync::Config::new(args.typha.iter().map(String::as_str), tls);
    Ok(sync::Config { takes_zstd: true, zone: args.zone.as_deref().map(Into::into), ..config })
}

/// Says when to end: SIGTERM from a supervisor, SIGINT from a terminal.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
