//! `cattailctl typha status` against real replicas and dead ones: what it says, how fast, and its exit status.
#![expect(clippy::expect_used, reason = "a test ends where its ground gives way")]

use std::{
    net::TcpListener,
    process::{Command, Output},
    time::{Duration, Instant},
};

use datastore_adapters::SourceEvent;
use pki::{
    Peers,
    development::{Authority, Request},
};
use tokio::runtime::Runtime;
use typha::{
    Config, Limits, MemorySource, Server,
    clients::{Registration, Report},
};

/// Within this a dead replica is named, the start of the program included.
const PATIENCE: Duration = Duration::from_secs(3);

/// A replica in this process.
struct Replica {
    runtime: Runtime,
    server: Server,
    url: String,
    nodes: Vec<Registration>,
    _folder: tempfile::TempDir,
}

impl Replica {
    /// At revision 7, which changed a key.
    fn start(name: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let folder = tempfile::tempdir().expect("a directory");
        let authority = Authority::new("test CA").expect("a CA");
        let (events, source) = MemorySource::new(8);
        let config = Config {
            name: name.to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            admin_listen: Some(([127, 0, 0, 1], 0).into()),
            files: authority.write(folder.path(), "typha", &Request::named("typha")).expect("certificates"),
            peers: Peers::common_name("felix"),
            limits: Limits::default(),
        };
        let server = runtime.block_on(async {
            let server = Server::start(config, source).await.expect("a server");
            let key = model::Key::global(model::Kind::Tier, "default");
            let update = model::Update { key, value: Some("{}".into()), revision: 7 };
            let list = [
                SourceEvent::Init { datastore_id: 1 },
                SourceEvent::InitItems(vec![update]),
                SourceEvent::InitDone { revision: 7 },
            ];
            for event in list {
                events.send(event).await.expect("the server listens");
            }
            loop {
                let changed = server.board().changed();
                if server.board().load().in_sync {
                    return server;
                }
                changed.await;
            }
        });
        let url = format!("http://{}", server.admin_address().expect("it has one"));
        Self { runtime, server, url, nodes: Vec::new(), _folder: folder }
    }

    /// A node that enforces a revision.
    fn node(mut self, name: &str, applied_revision: u64) -> Self {
        let _guard = self.runtime.enter();
        let address = ([127, 0, 0, 1], 1).into();
        self.nodes.push(self.server.clients().register(name, "test", address));
        let report = Report { applied_revision, applied_at_unix_ms: 0, failures: Vec::new() };
        assert!(self.server.clients().report(name, report));
        self
    }
}

fn status(urls: &[&str], more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cattailctl"))
        .args(["typha", "status"])
        .args(more)
        .env("CATTAIL_TYPHA_ADMIN", urls.join(","))
        .output()
        .expect("it runs")
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8(text).expect("text")
}

#[test]
fn all_is_well() {
    let (a, b) = (Replica::start("typha-a").node("node-1", 7), Replica::start("typha-b").node("node-2", 8));
    let output = status(&[&a.url, &b.url], &[]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for words in ["typha-a", "typha-b", "revision 7 applied by 2 of 2 nodes"] {
        assert!(said.contains(words), "no {words:?} in\n{said}");
    }
}

#[test]
fn a_node_that_lags_is_named() {
    let a = Replica::start("typha-a").node("node-1", 7).node("node-2", 7).node("node-3", 6);
    let output = status(&[&a.url], &["-o", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(1), "{json:#}");
    assert_eq!(json["verdict"], "degraded");
    assert_eq!(json["nodes"]["lagging"], serde_json::json!(["node-3"]));
    let said = said(&output);
    assert!(said.contains("revision 7 applied by 2 of 3 nodes; node-3 lags"), "{said}");
}

#[test]
fn a_dead_replica_is_named_in_time() {
    let a = Replica::start("typha-a").node("node-1", 7);
    // Accepts, and never answers: a process that is stopped.
    let stopped = TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead = format!("http://{}", stopped.local_addr().expect("an address"));
    let start = Instant::now();
    let output = status(&[&a.url, &dead], &[]);
    let said = said(&output);
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("the replica at {dead} does not answer")), "{said}");
    assert!(said.contains("revision 7 applied by 1 of 1 nodes"), "{said}");
}

#[test]
fn where_nobody_answers_nobody_can_tell() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let output = status(&[&format!("http://{closed}"), "nonsense"], &[]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}
