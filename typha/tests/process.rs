//! The typha process on a real datastore: readiness, a write that reaches a client, and how it ends.

#![allow(clippy::expect_used, reason = "tests")]

#[path = "../../telemetry/tests/collector/mod.rs"]
mod collector;
mod harness;

use std::{net::SocketAddr, process::Stdio};

use anyhow::Context as _;
use collector::Collector;
use datastore_adapters::{
    EtcdConfig, EtcdStore, Store as _,
    embedded::{self, Engine},
};
use harness::{
    Certificates, admin,
    client::{Client, State, connect},
    until, within,
};
use model::{Key, Kind};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use pki::{Files, development::Request};
use serde_json::Value;
use telemetry::{Logs, TraceId, Traces};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStderr, Command},
    task::JoinSet,
};

fn command(files: &Files) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_typha"));
    command.args(["--client-cn", "felix", "--admin-listen", "127.0.0.1:0", "--log-format", "json"]);
    command.arg("--cert-file").arg(&files.cert);
    command.arg("--key-file").arg(&files.key);
    command.arg("--ca-file").arg(&files.ca);
    command
}

/// A typha process; killed when the test ends.
struct Process {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Process {
    fn start(certificates: &Certificates, etcd: SocketAddr, extra: &[&str]) -> anyhow::Result<Self> {
        let mut child = command(&certificates.issue(&Request::named("typha"))?)
            .args(["--etcd-endpoints", &format!("http://{etcd}"), "--listen", "127.0.0.1:0"])
            .args(extra)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let log = BufReader::new(child.stderr.take().context("no stderr")?).lines();
        Ok(Self { child, log })
    }

    /// Where it says that it listens: clients and admin.
    async fn addresses(&mut self) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        loop {
            let line = within(self.log.next_line()).await??.context("it ended without listening")?;
            let entry: Value = serde_json::from_str(&line)?;
            if let (Some(address), Some(admin)) = (entry["address"].as_str(), entry["admin"].as_str()) {
                return Ok((address.parse()?, admin.parse()?));
            }
        }
    }

    async fn terminate(mut self) -> anyhow::Result<Option<i32>> {
        let pid = self.child.id().context("it has ended")?;
        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
        Ok(within(self.child.wait()).await??.code())
    }
}

#[tokio::test]
async fn a_write_reaches_a_client_and_sigterm_ends_the_process_with_0() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let mut tasks = JoinSet::new();
    // The datastore's address is known before the datastore is there.
    let etcd = TcpListener::bind("127.0.0.1:0").await?;
    let etcd_address = etcd.local_addr()?;
    let mut process = Process::start(&certificates, etcd_address, &["--drain-secs", "5"])?;
    let (address, admin_address) = process.addresses().await?;
    let (code, body) = admin::get(admin_address, "/readyz").await?;
    assert_eq!((code, body.contains("not in sync")), (503, true), "{body}");

    let engine = Engine::open(certificates.path().join("store.redb"))?;
    tasks.spawn(embedded::serve(engine, etcd, std::future::pending()));
    until("ready", async || Ok(admin::get(admin_address, "/readyz").await?.0 == 200)).await?;

    let mut sync = connect(address, certificates.client()?).await?;
    let mut client = Client::subscribe(&mut sync, "node-1", State::default()).await?;
    client.checkpoint().await?;
    let endpoints = vec![format!("http://{etcd_address}")];
    let store = EtcdStore::connect(EtcdConfig { endpoints, ..EtcdConfig::default() }).await?;
    let value =
        r#"{"apiVersion":"projectcalico.org/v3","kind":"Tier","metadata":{"name":"shop"},"spec":{"order":100}}"#;
    let revision = store.create(&Key::global(Kind::Tier, "shop"), value.into()).await?;
    client.reach(revision).await?;
    assert!(client.state.entries.contains_key("Tier/shop"));

    drop((client, sync));
    assert_eq!(process.terminate().await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn a_write_and_its_publication_by_another_process_meet_in_one_trace() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let mut tasks = JoinSet::new();
    let etcd = TcpListener::bind("127.0.0.1:0").await?;
    let etcd_address = etcd.local_addr()?;
    let engine = Engine::open(certificates.path().join("store.redb"))?;
    tasks.spawn(embedded::serve(engine, etcd, std::future::pending()));
    let collector = Collector::start().await;
    let flags = ["--otlp-endpoint", &collector.endpoint, "--name", "typha-a"];
    let mut process = Process::start(&certificates, etcd_address, &flags)?;
    let (_, admin_address) = process.addresses().await?;
    until("ready", async || Ok(admin::get(admin_address, "/readyz").await?.0 == 200)).await?;

    let traces = Traces { endpoint: Some(&collector.endpoint), ratio: 1.0, service: "writer", instance: "test" };
    let telemetry = telemetry::start(Logs { json: false, filter: "warn" }, traces)?;
    let endpoints = vec![format!("http://{etcd_address}")];
    let store = EtcdStore::connect(EtcdConfig { endpoints, ..EtcdConfig::default() }).await?;
    let revision = store.create(&Key::global(Kind::Tier, "shop"), r#"{"spec":{"order":100}}"#.into()).await?;
    until("published", async || {
        let status: Value = serde_json::from_str(&admin::get(admin_address, "/status").await?.1)?;
        Ok(status["revision"].as_u64() >= Some(revision))
    })
    .await?;
    let status: Value = serde_json::from_str(&admin::get(admin_address, "/status").await?.1)?;
    let datastore = u64::from_str_radix(status["datastore_id"].as_str().context("it has one")?, 16)?;
    telemetry.shutdown().await;
    // Its last spans leave with it.
    assert_eq!(process.terminate().await?, Some(0));

    let trace = TraceId::of(datastore, revision).to_string();
    let spans = collector.spans();
    // Other tests of this process write too, each to a datastore of its own.
    let of_it = |name: &str| {
        let span = spans.iter().find(|span| span.name == name && span.trace == trace);
        span.with_context(|| format!("no {name} of {trace} in {spans:#?}"))
    };
    let (write, publish) = (of_it("write")?, of_it("publish")?);
    assert_eq!((write.attribute("cattail.keys"), publish.attribute("cattail.keys")), ("Tier/shop", "Tier/shop"));
    assert_eq!((&*write.resource["service.name"], &*publish.resource["service.name"]), ("writer", "typha"));
    assert_eq!(publish.resource["service.instance.id"], "typha-a");
    assert!(write.start_ns <= publish.start_ns, "{spans:#?}");
    Ok(())
}

/// Runs a typha that cannot start, to its end: the status and what it says.
async fn fail(files: &Files, listen: &str) -> anyhow::Result<(Option<i32>, String)> {
    let mut command = command(files);
    command.args(["--etcd-endpoints", "http://127.0.0.1:9", "--listen", listen]);
    let output = within(command.kill_on_drop(true).output()).await??;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[tokio::test]
async fn a_bad_certificate_file_is_named_and_the_process_ends_with_1() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let files = certificates.issue(&Request::named("typha"))?;
    std::fs::write(&files.key, "not a key")?;
    let (code, error) = fail(&files, "127.0.0.1:0").await?;
    assert_eq!((code, error.contains("typha.key is not PEM")), (Some(1), true), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_address_in_use_is_named_and_the_process_ends_with_1() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let taken = TcpListener::bind("127.0.0.1:0").await?;
    let address = taken.local_addr()?.to_string();
    let (code, error) = fail(&certificates.issue(&Request::named("typha"))?, &address).await?;
    assert_eq!((code, error.contains(&address), error.contains("--listen")), (Some(1), true, true), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_the_way_out() -> anyhow::Result<()> {
    let (certificates, taken) = (Certificates::new()?, TcpListener::bind("127.0.0.1:0").await?);
    let address = taken.local_addr()?.to_string();
    let mut typha = command(&certificates.issue(&Request::named("typha"))?);
    typha.args(["--etcd-endpoints", "http://127.0.0.1:9", "--listen", &address]).kill_on_drop(true);
    let output = within(typha.output()).await??;
    let said = String::from_utf8(output.stderr)?;
    assert!(!output.status.success() && said.contains(&address), "{said}");
    assert!(said.contains("another typha") && said.contains("--listen takes another address"), "{said}");
    Ok(())
}
