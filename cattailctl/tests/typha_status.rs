//! `cattailctl typha status` against real replicas and dead ones: what it says, how fast, and its exit status.
#![expect(clippy::expect_used, reason = "a test ends where its ground gives way")]

use std::{
    io::{Read as _, Write as _, pipe},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd as _, OwnedFd},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

use datastore_adapters::SourceEvent;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, getsockname, listen, socket};
use pki::{
    Peers,
    development::{Authority, Request},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use typha::{
    Config, Limits, MemorySource, Server,
    clients::{Failure, Point, Registration, Report},
};

/// Within this a dead replica is named, the start of the program included.
const PATIENCE: Duration = Duration::from_secs(3);

/// A replica in this process.
struct Replica {
    runtime: Runtime,
    server: Server,
    url: String,
    nodes: Vec<Registration>,
    folder: tempfile::TempDir,
}

impl Replica {
    /// At revision 7, which changed a key.
    fn start(name: &str) -> Self {
        Self::start_with(name, Limits::default())
    }

    fn start_with(name: &str, limits: Limits) -> Self {
        Self::certified(name, limits, &Request::named("typha"))
    }

    fn certified(name: &str, limits: Limits, request: &Request) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let folder = tempfile::tempdir().expect("a directory");
        let authority = Authority::new("test CA").expect("a CA");
        let (events, source) = MemorySource::new(8);
        let config = Config {
            name: name.to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            admin_listen: Some(([127, 0, 0, 1], 0).into()),
            admin_peers: Vec::new(),
            files: authority.write(folder.path(), "typha", request).expect("certificates"),
            peers: Peers::common_name("felix"),
            limits,
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
        Self { runtime, server, url, nodes: Vec::new(), folder }
    }

    /// A node that enforces a revision.
    fn node(mut self, name: &str, applied_revision: u64) -> Self {
        let _guard = self.runtime.enter();
        let address = ([127, 0, 0, 1], 1).into();
        self.nodes.push(self.server.clients().register(name, "test", address));
        let report = Report { applied_revision, applied_at_unix_ms: 0, failures: Vec::new() };
        let latest = Point::latest(&self.server.board().load().view);
        self.server.clients().report(name, address, report, latest).expect("it counts");
        self
    }
}

fn command(urls: &[&str], more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cattailctl"));
    command.args(["typha", "status"]).args(more).env("CATTAIL_TYPHA_ADMIN", urls.join(","));
    command
}

fn status(urls: &[&str], more: &[&str]) -> Output {
    command(urls, more).output().expect("it runs")
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8(text).expect("text")
}

#[test]
fn all_is_well() {
    let (a, b) = (Replica::start("typha-a").node("node-1", 7), Replica::start("typha-b").node("node-2", 7));
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
    let output = status(&[&a.url], &["-o", "json", "--lag-limit", "0s"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(1), "{json:#}");
    assert_eq!(json["verdict"], "degraded");
    let lag = &json["nodes"]["lagging"][0];
    assert_eq!(
        (&lag["node"], &lag["behind_revisions"], &lag["stalled_ms"]),
        (&"node-3".into(), &1.into(), &Value::Null)
    );
    assert!(lag["behind_ms"].is_u64(), "{lag}");
    let said = said(&output);
    let sentence = "revision 7 applied by 2 of 3 nodes; node-3 lags: 1 revision behind for ";
    assert!(said.contains(sentence) && said.contains(" s, reads, has not reported more"), "{said}");
}

/// Nodes tell once a second what they enforce, and where something changes all the time some always have not yet.
#[test]
fn a_node_that_has_lacked_a_change_for_a_moment_is_shown_and_is_no_trouble() {
    let a = Replica::start("typha-a").node("node-1", 7).node("node-2", 6);
    let output = status(&[&a.url], &["--lag-limit", "5m"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("revision 7 applied by 1 of 2 nodes; node-2 lags: 1 revision behind for "), "{said}");
}

#[test]
fn how_much_more_a_node_could_not_enforce_is_counted() {
    let a = Replica::start("typha-a").node("node-1", 7).node("node-2", 7);
    let failure =
        |number| Failure { object: format!("NetworkPolicy/shop/web-{number}"), reason: "too large".to_owned() };
    for (node, count) in [("node-1", 1), ("node-2", 6)] {
        let failures = (1..=count).map(failure).collect();
        let report = Report { applied_revision: 7, applied_at_unix_ms: 0, failures };
        let latest = Point::latest(&a.server.board().load().view);
        a.server.clients().report(node, ([127, 0, 0, 1], 1).into(), report, latest).expect("it counts");
    }
    let said = said(&status(&[&a.url], &[]));
    assert!(said.contains("node-1 could not enforce NetworkPolicy/shop/web-1: too large\n"), "{said}");
    assert!(said.contains("node-2 could not enforce NetworkPolicy/shop/web-1: too large and 5 more\n"), "{said}");
}

/// A replica whose last change is older by one the first time it is asked, or always.
fn late(other: &Replica, times: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (address, admin) = (listener.local_addr().expect("an address"), other.url.replace("http://", ""));
    thread::spawn(move || {
        let mut left = times;
        for mut stream in listener.incoming().flatten() {
            let mut question = [0; 1024];
            let length = stream.read(&mut question).expect("a question");
            let question = String::from_utf8_lossy(&question[..length]).into_owned();
            let path = question.split(' ').nth(1).expect("a path");
            let mut real = TcpStream::connect(&admin).expect("a replica");
            write!(real, "GET {path} HTTP/1.0\r\n\r\n").expect("it listens");
            let mut answer = String::new();
            real.read_to_string(&mut answer).expect("an answer");
            if path == "/status" && left > 0 {
                left -= 1;
                answer = answer.replace("\"acks\":{\"revision\":7", "\"acks\":{\"revision\":6");
            }
            // Whoever asked may have enough of it.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

#[test]
fn a_replica_that_is_behind_for_a_moment_is_no_trouble_and_one_that_stays_behind_is() {
    let (a, b) = (Replica::start("typha-a").node("node-1", 7), Replica::start("typha-b"));
    let output = status(&[&a.url, &late(&b, 1)], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let output = status(&[&a.url, &late(&b, usize::MAX)], &[]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("typha-b at http") && said.contains("lacks the change of revision 7"), "{said}");
}

#[test]
fn who_reads_no_more_is_told_how_it_is_by_the_exit_status() {
    let a = Replica::start("typha-a").node("node-1", 6);
    for (urls, code) in [([a.url.as_str()], 1), (["nonsense"], 2)] {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let mut command = command(&urls, &["--lag-limit", "0s"]);
        let status = command.stdout(writer).stderr(Stdio::null()).status().expect("it runs");
        assert_eq!(status.code(), Some(code), "{urls:?}");
    }
}

#[test]
fn the_ten_worst_are_named_and_whether_they_read() {
    let mut a = Replica::start("typha-a");
    for number in 0..12 {
        a = a.node(&format!("node-{number:02}"), 6);
    }
    a.nodes[7].sent(1, Point::latest(&a.server.board().load().view), Instant::now());
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let said = said(&status(&[&a.url], &[]));
        assert!(
            said.contains("revision 7 applied by 0 of 12 nodes; lagging: node-00 (1 revision behind for "),
            "{said}"
        );
        assert!(said.contains("node-09 (") && said.contains(" and 2 more") && !said.contains("node-10"), "{said}");
        if said.contains("has not read for") {
            let stalled = said.split("node-").find(|node| node.contains("has not read for")).unwrap_or_default();
            return assert!(stalled.starts_with("07 (1 revision behind for "), "{said}");
        }
        assert!(Instant::now() < deadline, "nobody is stalled: {said}");
    }
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
fn a_replica_at_an_address_that_swallows_everything_is_named_in_time() {
    let a = Replica::start("typha-a").node("node-1", 7);
    let hole = BlackHole::open();
    let dead = format!("http://{}", hole.address);
    let start = Instant::now();
    let output = status(&[&a.url, &dead], &[]);
    let said = said(&output);
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("the replica at {dead} does not answer: no answer within 2 s")), "{said}");
}

/// An address of a host that is gone: what is sent there, connection requests included, is dropped in silence.
struct BlackHole {
    address: SocketAddr,
    _listener: OwnedFd,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    /// A listener that accepts nobody, whose queue is full: the kernel drops further requests.
    fn open() -> Self {
        let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
        bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).expect("a port");
        listen(&socket, Backlog::new(1).expect("a backlog")).expect("it listens");
        let address: SockaddrIn = getsockname(socket.as_raw_fd()).expect("an address");
        let address = SocketAddr::from(([127, 0, 0, 1], address.port()));
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
        let waiting = std::iter::from_fn(connect).take(100).collect();
        Self { address, _listener: socket, _waiting: waiting }
    }
}

#[test]
fn a_replica_is_stale_when_it_says_so() {
    let patient = Limits { stale_after: Duration::from_hours(1), ..Limits::default() };
    let hasty = Limits { stale_after: Duration::from_millis(200), ..Limits::default() };
    let (a, b) = (Replica::start_with("typha-a", patient), Replica::start_with("typha-b", hasty));
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let output = status(&[&a.url, &b.url], &[]);
        let said = said(&output);
        assert!(!said.contains("typha-a at http"), "it has an hour: {said}");
        if said.contains("has heard nothing from the datastore for") {
            assert!(said.contains("typha-b at http"), "{said}");
            let state = |name: &str| said.lines().find(|line| line.starts_with(name)).map(str::trim_end);
            assert!(state("typha-a ").is_some_and(|row| row.ends_with("in sync")), "{said}");
            assert!(state("typha-b ").is_some_and(|row| row.ends_with("stale")), "{said}");
            return assert_eq!(output.status.code(), Some(1), "{said}");
        }
        assert!(Instant::now() < deadline, "nobody is stale: {said}");
    }
}

/// What a replica is asked has two seconds, so an answer at all is an answer in time.
#[test]
fn five_thousand_nodes_are_shown_in_time() {
    let mut a = Replica::start("typha-a");
    for number in 0..5000 {
        a = a.node(&format!("node-{number:04}"), 7);
    }
    let output = status(&[&a.url], &[]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("revision 7 applied by 5000 of 5000 nodes"), "{said}");
}

/// A replica whose certificate was issued so many days ago, for so many from now.
fn issued(days_ago: u64, days_left: u64) -> Replica {
    let (now, day) = (SystemTime::now(), |days| Duration::from_hours(24 * days));
    let (not_before, not_after) = (now - day(days_ago), now + day(days_left) + Duration::from_hours(1));
    let request = Request { not_before, not_after, ..Request::named("typha") };
    Replica::certified("typha-a", Limits::default(), &request)
}

#[test]
fn certificates_are_shown_and_the_user_says_how_much_must_be_left() {
    let a = issued(1, 10);
    for (more, code) in [(&[][..], 0), (&["--fail-under", "9d"], 0), (&["--fail-under", "14d"], 1)] {
        let output = status(&[&a.url], more);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{more:?}: {said}");
        assert!(said.contains("CERTIFICATE") && said.contains("10 d"), "{said}");
        let complaint = "typha.crt) that has 10 d left, which is less than 14 d; issue a new one";
        assert_eq!(said.contains(complaint), code == 1, "{said}");
    }
    let output = status(&[&a.url], &["-o", "json", "--fail-under", "31d"]);
    let said = said(&output);
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let certificates = &json["replicas"][0]["status"]["certificates"];
    assert_eq!((&certificates[0]["subject"], &certificates[1]["role"]), (&"CN=typha".into(), &"ca".into()));
    assert!(certificates[0]["left_ms"].as_u64().is_some_and(|ms| ms / 86_400_000 == 10), "{certificates}");
    assert!(said.contains("has a CA (CN=test CA in ") && said.contains("that has 29 d left"), "{said}");
    assert_eq!(status(&[&a.url], &["--fail-under", "soon"]).status.code(), Some(2), "no duration");
}

#[test]
fn certificates_that_cannot_be_used_are_told_as_long_as_they_lie_there() {
    let limits = Limits { certificates_every: Duration::from_millis(20), ..Limits::default() };
    let a = Replica::start_with("typha-a", limits);
    assert_eq!(status(&[&a.url], &[]).status.code(), Some(0));
    std::fs::write(a.folder.path().join("typha.crt"), "garbage").expect("a file");
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let output = status(&[&a.url], &[]);
        let said = said(&output);
        if output.status.code() == Some(1) {
            let told = "goes on with its old certificates, the new ones cannot be used: ";
            return assert!(said.contains(told) && said.contains("typha.crt is not PEM"), "{said}");
        }
        assert!(Instant::now() < deadline, "{said}");
    }
}

#[test]
fn a_certificate_whose_renewal_was_missed_is_told_without_being_asked_for() {
    let output = status(&[&issued(90, 35).url], &[]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("that has 35 d left, less than three tenths of its life"), "{said}");
}

#[test]
fn five_thousand_nodes_of_three_replicas_are_shown_in_time_while_one_is_gone() {
    let (mut a, mut b) = (Replica::start("typha-a"), Replica::start("typha-b"));
    for number in 0..2500 {
        a = a.node(&format!("node-a-{number:04}"), 7);
        // Some are behind, which is told of them as well.
        b = b.node(&format!("node-b-{number:04}"), if number < 3 { 6 } else { 7 });
    }
    let hole = BlackHole::open();
    let dead = format!("http://{}", hole.address);
    let start = Instant::now();
    let output = status(&[&a.url, &dead, &b.url], &[]);
    let (took, said) = (start.elapsed(), said(&output));
    assert!(took < PATIENCE, "{took:?}");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("the replica at {dead} does not answer: no answer within 2 s")), "{said}");
    assert!(said.contains("revision 7 applied by 4997 of 5000 nodes; lagging: node-b-0000 ("), "{said}");
}

#[test]
fn where_nobody_answers_nobody_can_tell() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let urls = [&format!("http://{closed}"), "nonsense"];
    let output = status(&urls, &[]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("what the nodes enforce is not known: no replica answers\n"), "{said}");
    assert!(!said.contains("revision 0"), "{said}");
    let json: Value = serde_json::from_slice(&status(&urls, &["-o", "json"]).stdout).expect("JSON");
    let expected = json!({"revision": null, "applied": null, "total": null, "lagging": [], "failing": {}});
    assert_eq!((&json["verdict"], &json["nodes"]), (&"unknown".into(), &expected));
}
