//! `etcdctl` against the embedded store: what its users type works.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Output, Stdio},
    thread::JoinHandle,
};

use datastore_adapters::embedded::{self, Engine};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A store served within the test.
struct Server {
    endpoint: String,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
    _directory: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let engine = Engine::open(directory.path().join("store.redb")).expect("a store");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port on the loopback");
        listener.set_nonblocking(true).expect("a socket");
        let endpoint = listener.local_addr().expect("a bound socket").to_string();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let serving = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket");
                embedded::serve(engine, listener, stopped).await.expect("it serves");
            });
        });
        Self { endpoint, stop, serving: Some(serving), _directory: directory }
    }

    fn etcdctl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").args(["--endpoints", &self.endpoint]).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let output = self.etcdctl(arguments).output();
        output.unwrap_or_else(|error| panic!("cannot run etcdctl: {error}. Install it: apt-get install etcd-client"))
    }

    /// Its output, where it succeeds.
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "etcdctl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Its complaint, where it fails.
    fn complains(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "etcdctl {arguments:?} should fail");
        String::from_utf8(output.stderr).expect("text")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

/// An `etcdctl watch`, ended on drop.
struct Watch(Child, Lines<BufReader<ChildStdout>>);

impl Watch {
    fn next(&mut self, lines: usize) -> Vec<String> {
        self.1.by_ref().take(lines).collect::<Result<_, _>>().expect("text")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn put_get_and_del() {
    let server = Server::start();
    assert_eq!(server.says(&["put", "/shop/a", "1"]), "OK\n");
    assert_eq!(server.says(&["put", "/shop/b", "2"]), "OK\n");
    assert_eq!(server.says(&["put", "--prev-kv", "/shop/a", "3"]), "OK\n/shop/a\n1\n");
    assert_eq!(server.says(&["get", "/shop/a"]), "/shop/a\n3\n");
    assert_eq!(server.says(&["get", "--prefix", "/shop"]), "/shop/a\n3\n/shop/b\n2\n");
    assert_eq!(server.says(&["get", "--prefix", "--keys-only", "--limit", "1", "/shop"]), "/shop/a\n\n");
    assert_eq!(server.says(&["get", "--prefix", "--print-value-only", "--order", "DESCEND", "/"]), "2\n3\n");
    assert_eq!(server.says(&["get", "--rev", "2", "/shop/a"]), "/shop/a\n1\n");
    assert_eq!(server.says(&["get", "/shop/a", "/shop/b"]), "/shop/a\n3\n");
    assert_eq!(server.says(&["del", "--prefix", "/shop"]), "2\n");
    assert_eq!(server.says(&["get", "--prefix", "/shop"]), "");
    assert!(server.complains(&["put", "", "x"]).contains("key is not provided"));
}

#[test]
fn watch_from_the_past_and_on() {
    let server = Server::start();
    server.says(&["put", "/shop/a", "1"]);
    let mut child = server.etcdctl(&["watch", "--prev-kv", "--prefix", "--rev", "1", "/shop"]);
    let mut child = child.stdout(Stdio::piped()).spawn().expect("etcdctl: apt-get install etcd-client");
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let mut watch = Watch(child, output.lines());
    assert_eq!(watch.next(3), ["PUT", "/shop/a", "1"]);
    server.says(&["put", "/elsewhere", "x"]);
    server.says(&["put", "/shop/a", "2"]);
    assert_eq!(watch.next(5), ["PUT", "/shop/a", "1", "/shop/a", "2"]);
    server.says(&["del", "/shop/a"]);
    assert_eq!(watch.next(4), ["DELETE", "/shop/a", "2", "/shop/a"]);
}

#[test]
fn transactions_compaction_and_leases() {
    let server = Server::start();
    server.says(&["put", "a", "1"]);
    server.says(&["put", "a", "2"]);
    assert_eq!(server.says(&["compaction", "3"]), "compacted revision 3\n");
    assert!(server.complains(&["get", "--rev", "2", "a"]).contains("required revision has been compacted"));
    assert!(server.complains(&["compaction", "3"]).contains("required revision has been compacted"));
    assert!(server.complains(&["get", "--rev", "99", "a"]).contains("required revision is a future revision"));
    assert!(server.complains(&["watch", "--rev", "2", "a"]).contains("required revision has been compacted"));

    let granted = server.says(&["lease", "grant", "600"]);
    let lease = granted.split_whitespace().nth(1).expect("its id").to_owned();
    server.says(&["put", "--lease", &lease, "leased", "x"]);
    assert!(server.says(&["lease", "keep-alive", "--once", &lease]).contains("TTL(600)"));
    assert_eq!(server.says(&["lease", "revoke", &lease]), format!("lease {lease} revoked\n"));
    assert_eq!(server.says(&["get", "leased"]), "");
    assert!(server.complains(&["put", "--lease", &lease, "leased", "x"]).contains("requested lease not found"));
}
