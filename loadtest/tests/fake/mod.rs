//! A deployment whose faults are known: a real typha, fed by a source that delays, loses or holds back what it is told to.
#![allow(unreachable_pub, reason = "shared by test files")]

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

use datastore_adapters::{
    EtcdConfig, EtcdSource, EtcdStore, Source, SourceEvent, Store as _,
    embedded::{self, Engine},
};
use model::{Key, Kind, Update};
use pki::{
    Files, Peers,
    development::{Authority, Request},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use typha::{Config, Limits, Server};

/// Events between the honest source and the faults.
const EVENTS: usize = 1024;

/// What the fake does to the writes of a run, told by their numbers.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Every change comes so much later.
    pub delay: Duration,
    /// These writes never come.
    pub lost: Vec<u32>,
    /// From this write on, nothing comes for so long.
    pub stall: Option<(u32, Duration)>,
}

/// Store, typha, and certificates. Dropping it ends them.
pub struct Fake {
    _server: Server,
    _tasks: JoinSet<()>,
    folder: TempDir,
    client: Files,
    target: SocketAddr,
    store_url: String,
}

impl Fake {
    pub async fn start(faults: Faults) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let engine = Engine::open(folder.path().join("store"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let store_url = format!("http://{}", listener.local_addr()?);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _ = embedded::serve(engine, listener, std::future::pending()).await;
        });
        let authority = Authority::new("fake CA")?;
        let files = authority.write(folder.path(), "typha", &Request::named("typha"))?;
        let client = authority.write(folder.path(), "felix", &Request::named("felix"))?;
        let config = Config {
            name: "fake".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin_listen: None,
            admin_peers: Vec::new(),
            files,
            peers: Peers::common_name("felix"),
            limits: Limits::default(),
        };
        let etcd = EtcdConfig { endpoints: vec![store_url.clone()], ..EtcdConfig::default() };
        let server = Server::start(config, Faulty { honest: EtcdSource::new(etcd), faults }).await?;
        let target = server.address();
        Ok(Self { _server: server, _tasks: tasks, folder, client, target, store_url })
    }

    /// Runs the program against the fake; what it printed, and its report.
    pub async fn run(&self, args: &[&str]) -> anyhow::Result<(Output, Value)> {
        let json = self.folder.path().join("report.json");
        let mut command = self.command(args);
        command.arg("--json").arg(&json);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let text = std::fs::read(&json)
            .map_err(|error| anyhow::anyhow!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
        Ok((output, serde_json::from_slice(&text)?))
    }

    /// The program, to be run against the fake.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
        command.arg("run").args(args).args(["--target", &self.target.to_string(), "--typha-cn", "typha", "--yes"]);
        command.args(["--etcd-endpoints", &self.store_url]);
        let file = |flag: &str, file: &PathBuf| [flag.into(), file.clone().into_os_string()];
        command.args(file("--cert-file", &self.client.cert)).args(file("--key-file", &self.client.key));
        command.args(file("--ca-file", &self.client.ca));
        command
    }

    /// Where the datastore listens.
    pub fn datastore(&self) -> &str {
        self.store_url.trim_start_matches("http://")
    }

    /// How many keys of a run are still in the datastore.
    pub async fn left_behind(&self) -> anyhow::Result<usize> {
        let etcd = EtcdConfig { endpoints: vec![self.store_url.clone()], ..EtcdConfig::default() };
        Ok(EtcdStore::connect(etcd).await?.list(Kind::GlobalNetworkSet, None).await?.items.len())
    }
}

/// An honest source behind its faults.
struct Faulty {
    honest: EtcdSource,
    faults: Faults,
}

impl Source for Faulty {
    async fn run(self, events: mpsc::Sender<SourceEvent>, questions: mpsc::Receiver<Vec<Key>>) {
        let (honest, mut received) = mpsc::channel(EVENTS);
        // Times are noted where events come in, so that a delayed one does not delay the next one twice.
        let (timed, mut due) = mpsc::channel(EVENTS);
        let delay = self.faults.delay;
        let stamp = async {
            while let Some(event) = received.recv().await {
                if timed.send((Instant::now() + delay, event)).await.is_err() {
                    return;
                }
            }
        };
        let pass = async {
            let mut faults = self.faults;
            while let Some((at, event)) = due.recv().await {
                sleep_until(at).await;
                if let Some(length) = faults.stalls_at(&event) {
                    sleep(length).await;
                }
                if events.send(faults.spoil(event)).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(self.honest.run(honest, questions), stamp, pass);
    }
}

impl Faults {
    fn stalls_at(&mut self, event: &SourceEvent) -> Option<Duration> {
        let (number, length) = self.stall?;
        let SourceEvent::Apply { updates, .. } = event else { return None };
        if !updates.iter().any(|update| write_number(update) == Some(number)) {
            return None;
        }
        self.stall = None;
        Some(length)
    }

    fn spoil(&self, event: SourceEvent) -> SourceEvent {
        let SourceEvent::Apply { revision, mut updates } = event else { return event };
        updates.retain(|update| write_number(update).is_none_or(|number| !self.lost.contains(&number)));
        // The datastore went on, whatever became of the change.
        if updates.is_empty() { SourceEvent::Progress { revision } } else { SourceEvent::Apply { revision, updates } }
    }
}

/// The number in a value of a run.
fn write_number(update: &Update) -> Option<u32> {
    let value = String::from_utf8_lossy(update.value.as_ref()?).into_owned();
    value.split_once("\"loadtest-write\":\"")?.1.get(..10)?.parse().ok()
}
