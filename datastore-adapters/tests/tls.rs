//! TLS between our adapter and a datastore that asks for certificates: the embedded store and a real etcd.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use datastore_adapters::{EtcdConfig, EtcdSource, EtcdStore, Source, SourceEvent, Store, StoreError};
use model::{Key, Kind};
use pki::{
    Files,
    development::{Authority, Request},
};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};

/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// A datastore that asks its clients for certificates.
struct Server {
    child: Child,
    endpoint: String,
    authority: Authority,
    directory: TempDir,
}

impl Server {
    fn start(binary: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let authority = Authority::new("datastore CA").expect("a CA");
        let request = Request { hosts: vec!["127.0.0.1".into()], ..Request::named("datastore") };
        let files = authority.write(directory.path(), "server", &request).expect("files");
        let endpoint = format!("https://127.0.0.1:{}", free_port());
        let mut command = Command::new(binary);
        command.arg("--data-dir").arg(directory.path().join("data"));
        command.arg("--cert-file").arg(&files.cert).arg("--key-file").arg(&files.key);
        if binary == "etcd" {
            let peers = format!("http://127.0.0.1:{}", free_port());
            command.arg("--client-cert-auth").arg("--trusted-ca-file").arg(&files.ca).args(["--log-level", "error"]);
            command.args(["--listen-client-urls", &endpoint, "--advertise-client-urls", &endpoint]);
            command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
            command.args(["--initial-cluster", &format!("default={peers}")]);
        } else {
            command.arg("--ca-file").arg(&files.ca).args(["--listen", endpoint.trim_start_matches("https://")]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {binary}: {error}. apt-get install etcd-server"));
        Self { child, endpoint, authority, directory }
    }

    fn client_files(&self, authority: &Authority, name: &str) -> Files {
        authority.write(&self.directory.path().join(name), name, &Request::named("typha")).expect("files")
    }

    fn config(&self, ca: PathBuf, identity: Option<(PathBuf, PathBuf)>) -> EtcdConfig {
        let (cert_file, key_file) = identity.unzip();
        let endpoints = vec![self.endpoint.clone()];
        EtcdConfig { endpoints, ca_file: Some(ca), cert_file, key_file, ..EtcdConfig::default() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

async fn read(config: EtcdConfig) -> Result<(), StoreError> {
    let store = EtcdStore::connect(config).await?;
    store.get(&Key::global(Kind::Tier, "default")).await.map(|_| ())
}

/// What a source says first.
async fn first_event(config: EtcdConfig) -> SourceEvent {
    let (sender, mut events) = mpsc::channel(1);
    let (_questions, asked) = mpsc::channel(1);
    let running = tokio::spawn(EtcdSource::new(config).run(sender, asked));
    let event = timeout(DEADLINE, events.recv()).await.expect("in time").expect("no end");
    running.abort();
    event
}

async fn admits_its_own_and_refuses_others(binary: &str) {
    let server = Server::start(binary);
    let own = server.client_files(&server.authority, "own");
    let with_identity = |files: &Files| Some((files.cert.clone(), files.key.clone()));
    let right = server.config(own.ca.clone(), with_identity(&own));
    let started = Instant::now();
    while let Err(error) = read(right.clone()).await {
        assert!(started.elapsed() < DEADLINE, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(matches!(first_event(right).await, SourceEvent::Init { .. }));

    let stranger = Authority::new("somebody else").expect("a CA");
    let foreign = server.client_files(&stranger, "foreign");
    let wrong = [
        server.config(own.ca.clone(), None),
        server.config(own.ca.clone(), with_identity(&foreign)),
        server.config(foreign.ca.clone(), with_identity(&own)),
    ];
    for config in wrong {
        let refused = read(config.clone()).await.expect_err("it must be refused").to_string();
        assert!(refused.contains(&server.endpoint), "{refused}");
        let SourceEvent::Unavailable { reason } = first_event(config).await else { panic!("it must be refused") };
        assert!(reason.contains(&server.endpoint), "{reason}");
        println!("{reason}");
    }
    let untrusted = first_event(server.config(foreign.ca, with_identity(&own))).await;
    assert!(
        matches!(untrusted, SourceEvent::Unavailable { ref reason } if reason.contains("certificate")),
        "{untrusted:?}"
    );
}

#[tokio::test]
async fn the_embedded_store_admits_its_own_and_refuses_others() {
    admits_its_own_and_refuses_others(env!("CARGO_BIN_EXE_cattail-store")).await;
}

#[tokio::test]
async fn etcd_admits_its_own_and_refuses_others() {
    admits_its_own_and_refuses_others("etcd").await;
}
