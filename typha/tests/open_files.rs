//! How many agents a process has room for: not as few as shells and systemd let a process begin with.

#![allow(clippy::expect_used, reason = "tests")]

mod harness;

use std::{net::SocketAddr, process::Stdio, time::Duration};

use anyhow::Context as _;
use harness::{Certificates, admin, until, within};
use pki::development::Request;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStderr, Command},
    time::timeout,
};

/// A typha that has no datastore, started by a shell which limits it first.
struct Process {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Process {
    fn start(certificates: &Certificates, limit: &str) -> anyhow::Result<Self> {
        let files = certificates.issue(&Request::named("typha"))?;
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_typha")]);
        command.args(["--etcd-endpoints", "http://127.0.0.1:9", "--client-cn", "felix", "--log-format", "json"]);
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.arg("--cert-file").arg(files.cert).arg("--key-file").arg(files.key).arg("--ca-file").arg(files.ca);
        let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
        let log = BufReader::new(child.stderr.take().context("no stderr")?).lines();
        Ok(Self { child, log })
    }

    /// Where it serves, clients and admin, and what it said before that.
    async fn serving(&mut self) -> anyhow::Result<(SocketAddr, SocketAddr, String)> {
        let mut said = String::new();
        loop {
            let line = within(self.log.next_line()).await??.with_context(|| format!("it ended, and said {said}"))?;
            let entry: Value = serde_json::from_str(&line)?;
            if let (Some(address), Some(admin)) = (entry["address"].as_str(), entry["admin"].as_str()) {
                return Ok((address.parse()?, admin.parse()?, said));
            }
            said += &line;
        }
    }

    /// The limit that is in force, as the kernel tells it.
    fn limit(&self) -> anyhow::Result<u64> {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id().context("it has ended")?))?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).context("no such limit")?;
        Ok(line.split_whitespace().next().context("no number")?.parse()?)
    }
}

#[tokio::test]
async fn a_low_limit_that_may_be_raised_is_raised() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let mut process = Process::start(&certificates, "-S -n 256")?;
    let (_, _, said) = process.serving().await?;
    let limit = process.limit()?;
    // Where even the hard limit is lower it says so.
    assert!(limit > 20_000 || said.contains("LimitNOFILE="), "{limit}: {said}");
    assert!(limit > 256, "{said}");
    Ok(())
}

#[tokio::test]
async fn where_it_may_not_be_raised_agents_are_counted_and_the_admin_port_answers() -> anyhow::Result<()> {
    const FILES: usize = 400;
    let certificates = Certificates::new()?;
    let mut process = Process::start(&certificates, &format!("-n {FILES}"))?;
    let (address, admin, said) = process.serving().await?;
    assert!(said.contains("may have 400 files open") && said.contains("LimitNOFILE="), "{said}");
    let mut connections = Vec::new();
    for _ in 0..FILES {
        connections.push(TcpStream::connect(address).await?);
    }
    let asked = timeout(Duration::from_secs(5), async {
        until("those beyond are turned away", async || {
            let (_, metrics) = admin::get(admin, "/metrics").await?;
            Ok(metrics.contains("typha_rejections_total{reason=\"too many connections\"}"))
        })
        .await
    });
    asked.await.context("the admin port has no file left")??;
    Ok(())
}
