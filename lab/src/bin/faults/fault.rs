//! What breaks, and how it is mended.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use felix_client::sync::{Client, Disconnect, Event};
use nix::sys::signal::Signal;
use pki::Files;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::{
    deployment::{CLIENTS, Deployment, ETCD, TYPHAS},
    fleet,
    stage::Stage,
};

/// A client leaves a replica that is silent for 20 s, or whose view is 15 s old and grows older; then it needs a moment.
const LEFT_LIMIT: Duration = Duration::from_mins(1);
/// How long a replica hangs at least.
const HANG: Duration = Duration::from_secs(20);
/// How long etcd stays away after it was killed: long enough to be noticed, too short for anybody to be stale.
const AWAY: Duration = Duration::from_secs(3);
/// Replicas look at their files every 5 s.
const RELOAD_LIMIT: Duration = Duration::from_secs(30);

/// What a client says whose certificate a typha refused.
const REFUSED: &str = "the peer refuses our certificate";
/// With TLS 1.3 the client is done with its handshake before it is refused: where the connection is gone by its first write,
/// as in one of ten, the reason is lost.
const REFUSED_ATTEMPTS: usize = 10;

/// Something that breaks. The replica that it happens to is the one with most clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// A typha is killed and started again.
    KillTypha,
    /// A typha hangs (SIGSTOP) until its clients have left it.
    HangTypha,
    /// A typha loses etcd and not its clients.
    CutFromEtcd,
    /// A typha loses its clients and not etcd; nobody is told.
    CutFromClients,
    /// etcd ends and starts again.
    RestartEtcd,
    /// etcd is killed, and away for a while.
    KillEtcd,
    /// Certificates of all and their CA are replaced, with an overlap.
    Rotate,
    /// All typhas are restarted, one after another, as an update does.
    Roll,
}

impl Fault {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::KillTypha,
        Self::HangTypha,
        Self::CutFromEtcd,
        Self::CutFromClients,
        Self::RestartEtcd,
        Self::KillEtcd,
        Self::Rotate,
        Self::Roll,
    ];

    /// Those that need not wait for a limit to run out.
    pub(crate) const QUICK: [Self; 4] = [Self::KillTypha, Self::KillEtcd, Self::Rotate, Self::Roll];

    pub(crate) fn title(self) -> String {
        let title = match self {
            Self::KillTypha => "kill -9 a typha",
            Self::HangTypha => "SIGSTOP a typha",
            Self::CutFromEtcd => "cut a typha from etcd",
            Self::CutFromClients => "cut a typha from its clients",
            Self::RestartEtcd => "restart etcd",
            Self::KillEtcd => "kill -9 etcd",
            Self::Rotate => "replace all certificates and the CA",
            Self::Roll => "restart all typhas in turn",
        };
        title.to_owned()
    }

    /// Whether no client may lose its stream by it: typha lives, or has time to ask its clients to go.
    pub(crate) fn cuts_nobody(self) -> bool {
        matches!(self, Self::RestartEtcd | Self::KillEtcd | Self::Rotate | Self::Roll)
    }

    /// Breaks it and mends it.
    pub(crate) fn strike(self, stage: &mut Stage) -> Result<()> {
        let target = stage.busiest();
        match self {
            Self::KillTypha => {
                stage.deployment.kill(target)?;
                left(stage, target)?;
                stage.deployment.start_process(target)
            }
            Self::HangTypha => {
                let until = Instant::now() + HANG;
                stage.deployment.signal(target, Signal::SIGSTOP)?;
                let left = left(stage, target)
                    .and_then(|()| stage.until("the hang to be over", HANG, |_| Ok(Instant::now() > until)));
                stage.deployment.signal(target, Signal::SIGCONT)?;
                left
            }
            Self::CutFromEtcd => cut(stage, target, ETCD),
            Self::CutFromClients => cut(stage, target, CLIENTS),
            Self::RestartEtcd => {
                stage.deployment.terminate(ETCD)?;
                stage.deployment.start_process(ETCD)
            }
            Self::KillEtcd => {
                stage.deployment.kill(ETCD)?;
                let until = Instant::now() + AWAY;
                stage.until("etcd to come back", LEFT_LIMIT, |_| Ok(Instant::now() > until))?;
                stage.deployment.start_process(ETCD)
            }
            Self::Rotate => rotate(stage),
            Self::Roll => TYPHAS.into_iter().try_for_each(|typha| {
                stage.deployment.terminate(typha)?;
                stage.deployment.start_process(typha)?;
                stage.all_well()
            }),
        }
    }
}

/// Waits until no client has its stream from a replica.
fn left(stage: &mut Stage, target: &str) -> Result<()> {
    stage.until(&format!("clients to leave {target}"), LEFT_LIMIT, |stage| Ok(stage.fleet.at(target) == 0))?;
    stage.all_well()
}

fn cut(stage: &mut Stage, target: &str, other: &str) -> Result<()> {
    stage.deployment.cut(target, other)?;
    let left = left(stage, target);
    stage.deployment.heal()?;
    left
}

/// As an operator does it: the new CA beside the old one, then certificates of the new CA, then the new CA alone.
fn rotate(stage: &mut Stage) -> Result<()> {
    let old = stage.deployment.certificates.keep_old()?;
    reloaded(stage, |deployment| deployment.certificates.overlap())?;
    reloaded(stage, |deployment| deployment.certificates.reissue())?;
    reloaded(stage, |deployment| deployment.certificates.retire())?;
    let new = stage.deployment.certificates.felix.clone();
    if let Some(refusal) = refusal(stage, &new)? {
        bail!("a client with a new certificate is not let in: {refusal}");
    }
    stage.deployment.certificates.trust_anew(&old)?;
    refused_for_it(stage, &old)
}

/// An error unless a client with these files is told that it is refused for its certificate; any other reason would say
/// nothing about certificates.
fn refused_for_it(stage: &Stage, files: &Files) -> Result<()> {
    let mut last = None;
    for _ in 0..REFUSED_ATTEMPTS {
        match refusal(stage, files)? {
            Some(Disconnect::Tls { reason, .. }) if reason.contains(REFUSED) => return Ok(()),
            None => bail!("a client with a certificate of the old CA is let in"),
            other => last = other,
        }
    }
    let reason = last.map(|reason| reason.to_string()).unwrap_or_default();
    bail!("a client with a certificate of the old CA is never refused for it, but {reason}")
}

/// Changes files, and waits until all typhas have seen it.
fn reloaded(stage: &mut Stage, change: impl FnOnce(&mut Deployment) -> Result<()>) -> Result<()> {
    let before = TYPHAS.map(|typha| stage.deployment.reloads(typha));
    change(&mut stage.deployment)?;
    stage.until("the new files to be in force", RELOAD_LIMIT, |stage| {
        let seen = TYPHAS.iter().zip(before).all(|(typha, before)| stage.deployment.reloads(typha) > before);
        Ok(seen)
    })
}

/// Why a newcomer with these files gets no stream at its first attempt; none where it gets one.
fn refusal(stage: &Stage, files: &Files) -> Result<Option<Disconnect>> {
    let config = fleet::config(&Deployment::servers(), files)?;
    let (client, _reporter) = Client::new(config.into(), "newcomer");
    let (events, mut told) = mpsc::channel(1);
    let newcomer = stage.runtime.spawn(client.run(events));
    let first = stage.runtime.block_on(async { timeout(LEFT_LIMIT, told.recv()).await });
    newcomer.abort();
    match first.ok().flatten().context("a newcomer hears nothing")? {
        Event::Connected { .. } => Ok(None),
        Event::Disconnected { reason, .. } => Ok(Some(reason)),
        other => bail!("a newcomer heard {other:?} first"),
    }
}
