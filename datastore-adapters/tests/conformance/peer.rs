//! A datastore as a process: started on free ports of the loopback with data in a temporary directory, ended on drop.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use datastore_adapters::{EtcdConfig, EtcdSource, EtcdStore};
use etcd_client::{Client, ConnectOptions};
use tempfile::TempDir;

/// How long a datastore may take to answer for the first time on a busy machine.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// A running datastore.
pub(super) struct Peer {
    binary: String,
    port: u16,
    data: TempDir,
    process: Option<Child>,
}

impl Peer {
    /// Our own.
    pub(super) async fn embedded() -> Self {
        Self::start_new(env!("CARGO_BIN_EXE_cattail-store")).await
    }

    /// An etcd.
    pub(super) async fn etcd(binary: &str) -> Self {
        Self::start_new(binary).await
    }

    async fn start_new(binary: &str) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let mut peer = Self { binary: binary.to_owned(), port: free_port(), data, process: None };
        peer.start().await;
        peer
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn config(&self) -> EtcdConfig {
        EtcdConfig { endpoints: vec![self.endpoint()], ..EtcdConfig::default() }
    }

    pub(super) async fn store(&self) -> EtcdStore {
        EtcdStore::connect(self.config()).await.expect("a store")
    }

    pub(super) fn source(&self) -> EtcdSource {
        EtcdSource::new(self.config())
    }

    /// A client below our adapters.
    pub(super) async fn client(&self) -> Client {
        let options = ConnectOptions::new().with_timeout(Duration::from_secs(5));
        Client::connect([self.endpoint()], Some(options)).await.expect("a client")
    }

    /// Starts the process, on the same port and data as before, and waits until it answers.
    pub(super) async fn start(&mut self) {
        assert!(self.process.is_none(), "it runs");
        self.process = Some(self.command().spawn().unwrap_or_else(|error| {
            panic!("cannot start {}: {error}. Install it: apt-get install etcd-server", self.binary)
        }));
        let answers = tokio::time::timeout(START_DEADLINE, async {
            while self.client().await.get("x", None).await.is_err() {
                let process = self.process.as_mut().expect("it was started");
                if let Some(status) = process.try_wait().expect("a child of ours") {
                    panic!("{} ended at once: {status}", self.binary);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        answers.await.expect("the datastore answers in time");
    }

    /// Kills the process; nothing is flushed, nobody is told.
    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a child of ours");
            process.wait().expect("a child of ours");
        }
    }

    /// Makes it another datastore, with nothing in it.
    pub(super) fn wipe(&mut self) {
        assert!(self.process.is_none(), "it runs");
        self.data = tempfile::tempdir().expect("a temporary directory");
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        if self.binary == env!("CARGO_BIN_EXE_cattail-store") {
            command.arg("--data-dir").arg(self.data.path());
            command.args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        } else {
            let peers = format!("http://127.0.0.1:{}", free_port());
            command.arg("--data-dir").arg(self.data.path()).args(["--name", "test", "--log-level", "error"]);
            command.args(["--listen-client-urls", &self.endpoint(), "--advertise-client-urls", &self.endpoint()]);
            command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
            command.args(["--initial-cluster", &format!("test={peers}")]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that was free just now.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback");
    listener.local_addr().expect("a bound socket").port()
}
