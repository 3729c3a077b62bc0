//! The binary as an operator meets it: what it says when something is missing, what its probes say, how it ends.
//!
//! No typha answers here, and nothing is programmed before one did; so this kernel is safe.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use pki::development::{Authority, Request};

/// Far more than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// felix with all that it needs, but for what `folder` lacks. Its typha is a port where nobody listens.
fn felix(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_felix"));
    command.args(["--node", "node-1", "--typha", "127.0.0.1:1#zone-a", "--typha-cn", "typha"]);
    for (option, file) in [("--cert-file", "felix.crt"), ("--key-file", "felix.key"), ("--ca-file", "ca.crt")] {
        command.arg(option).arg(folder.join(file));
    }
    command
}

fn with_certificates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    Authority::new("test CA").unwrap().write(folder.path(), "felix", &Request::named("felix")).unwrap();
    folder
}

fn complaint(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_is_missing_is_named() {
    let nothing = Command::new(env!("CARGO_BIN_EXE_felix")).output().unwrap();
    let text = complaint(&nothing);
    assert!(text.contains("--node") && text.contains("--typha-cn"), "{text}");

    let folder = with_certificates();
    std::fs::remove_file(folder.path().join("ca.crt")).unwrap();
    let text = complaint(&felix(folder.path()).output().unwrap());
    assert!(text.contains("ca.crt"), "needs root to come this far: {text}");

    let text = complaint(&felix(folder.path()).args(["--log", "="]).output().unwrap());
    assert!(text.contains("no log filter"), "{text}");
}

/// A felix that runs until the test ends.
struct Running {
    child: Child,
    admin: String,
}

impl Running {
    fn start(folder: &Path) -> Self {
        let mut child = felix(folder)
            .args(["--admin-listen", "127.0.0.1:0", "--log-format", "json"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let admin = loop {
            let line = lines.next().expect("it says where it serves, unless it needs root").unwrap();
            let value: serde_json::Value = serde_json::from_str(&line).expect("log lines are JSON");
            if let Some(address) = value["address"].as_str() {
                break address.to_owned();
            }
        };
        // Read on, or the pipe fills up and felix waits.
        std::thread::spawn(move || lines.count());
        Self { child, admin }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.admin).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: felix\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn until(&self, path: &str, contains: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path);
            if answer.contains(contains) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{path} never said {contains:?}: {answer}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn probes_say_what_it_waits_for_and_sigterm_ends_it() {
    let folder = with_certificates();
    let mut felix = Running::start(folder.path());
    assert!(felix.get("/healthz").starts_with("HTTP/1.1 200"));
    let unready = felix.until("/readyz", "cannot connect to typha at 127.0.0.1:1");
    assert!(unready.starts_with("HTTP/1.1 503"), "{unready}");
    let status = felix.get("/status");
    assert!(status.contains(r#""applied_revision":null"#) && status.contains(r#""upstream_age_ms":null"#), "{status}");
    assert!(status.contains(r#""replicas":[{"address":"127.0.0.1:1","zone":"zone-a""#), "{status}");
    assert!(
        status.contains(r#""certificates":[{"role":"own","file":""#) && status.contains(r#""is_short":false"#),
        "{status}"
    );
    let metrics = felix.until("/metrics", r#"felix_sync_disconnects_total{reason="unreachable"}"#);
    assert!(
        metrics.contains("felix_connected 0")
            && metrics.contains("felix_upstream_age_seconds NaN")
            && metrics.contains("felix_sync_replicas 1")
            && metrics.ends_with("# EOF\n"),
        "{metrics}"
    );
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    settings::hold(&document, "felix", &telemetry::metrics_table(&metrics)).expect("what is scraped is documented");

    let asked = Instant::now();
    let pid = felix.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(felix.child.wait().unwrap().success());
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?} to end", asked.elapsed());
}
