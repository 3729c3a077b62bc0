//! A client that does not leave when it is asked to: the process waits for it as long as it said, and no longer.

#![allow(clippy::expect_used, reason = "tests")]

mod harness;

use std::{process::Stdio, time::Duration};

use anyhow::Context as _;
use datastore_adapters::embedded::{self, Engine};
use harness::{
    Certificates,
    client::{Client, State, connect},
    within,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use pki::development::Request;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
    task::JoinSet,
    time::Instant,
};

/// How long clients may take.
const DRAIN: Duration = Duration::from_secs(2);

/// What a busy machine may take for all the rest; Kubernetes kills 30 s after SIGTERM.
const SLACK: Duration = Duration::from_secs(10);

/// A typha that reads this datastore, and where it serves clients.
async fn start(certificates: &Certificates, etcd: &str) -> anyhow::Result<(Child, std::net::SocketAddr)> {
    let files = certificates.issue(&Request::named("typha"))?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_typha"));
    command.args(["--client-cn", "felix", "--admin-listen", "127.0.0.1:0", "--log-format", "json"]);
    command.args(["--etcd-endpoints", etcd, "--listen", "127.0.0.1:0"]);
    command.args(["--drain-secs", &DRAIN.as_secs().to_string()]);
    command.arg("--cert-file").arg(files.cert).arg("--key-file").arg(files.key).arg("--ca-file").arg(files.ca);
    let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut log = BufReader::new(child.stderr.take().context("no stderr")?).lines();
    loop {
        let line = within(log.next_line()).await??.context("it ended without listening")?;
        let entry: Value = serde_json::from_str(&line)?;
        if entry["admin"].is_string() {
            let address = entry["address"].as_str().context("no address")?.parse()?;
            // Read on, or the pipe fills up and typha waits.
            tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
            return Ok((child, address));
        }
    }
}

#[tokio::test]
async fn sigterm_ends_the_process_in_time_though_a_client_stays() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let mut tasks = JoinSet::new();
    let etcd = TcpListener::bind("127.0.0.1:0").await?;
    let etcd_address = format!("http://{}", etcd.local_addr()?);
    tasks.spawn(embedded::serve(Engine::open(certificates.path().join("store.redb"))?, etcd, std::future::pending()));
    let (mut process, address) = start(&certificates, &etcd_address).await?;
    let mut sync = connect(address, certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    client.checkpoint().await?;

    let (pid, asked_at) = (process.id().context("it has ended")?, Instant::now());
    kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
    let go_away = client.told_to_go().await?;
    assert_eq!(u128::from(go_away.within_ms), DRAIN.as_millis());
    // It is asked, and stays.
    let status = within(process.wait()).await??;
    let took = asked_at.elapsed();
    assert_eq!(status.code(), Some(0));
    assert!(took >= DRAIN && took < DRAIN + SLACK, "it took {took:?}");
    client.checkpoint().await.expect_err("the stream is gone");
    Ok(())
}
