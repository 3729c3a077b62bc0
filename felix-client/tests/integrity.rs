//! A bit flips in a replica's memory: it is found, told, and mended by the damaged keys alone, and no client acts on it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod lab;

use std::{
    fs::{self, File, OpenOptions},
    io::{Seek as _, SeekFrom, Write as _},
    os::fd::AsRawFd as _,
    sync::{Arc, OnceLock},
};

use datastore_adapters::SourceEvent;
use felix_client::sync::{Disconnect, Event, Mode, ProtocolError};
use lab::{Lab, PATIENCE, Replica, Running};
use model::{Key, Update};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    time::{Instant, timeout},
};
use typha::feed::Published;

const KEYS: u64 = 2000;

/// What was logged by all tests of this file, each of which damages a key of its own.
struct Log(File);

impl Log {
    fn start() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let file = tempfile::tempfile().unwrap();
            tracing_subscriber::fmt().with_writer(file.try_clone().unwrap()).with_ansi(false).init();
            Log(file)
        })
    }

    fn lines_with(&self, words: &[&str]) -> usize {
        // Opened anew, so that the place does not move where is written.
        let text = fs::read_to_string(format!("/proc/self/fd/{}", self.0.as_raw_fd())).unwrap();
        text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }
}

/// Flips a bit in a value that the replica holds, as a defect of the machine would: past the program.
fn flip_in(replica: &Replica, key: &str) {
    let view = Arc::clone(&replica.server.board().load().view);
    let byte = view.get(key).expect("the key is there").encoded().last().expect("bytes");
    let mut memory = OpenOptions::new().write(true).open("/proc/self/mem").unwrap();
    memory.seek(SeekFrom::Start(std::ptr::from_ref(byte) as u64)).unwrap();
    memory.write_all(&[std::hint::black_box(*byte) ^ 1]).unwrap();
}

/// Waits until what is published is so.
async fn until(replica: &Replica, what: &str, is_so: impl Fn(&Published) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so(&replica.server.board().load()) {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::task::yield_now().await;
    }
}

async fn metric(replica: &Replica, name: &str) -> u64 {
    let mut stream = TcpStream::connect(replica.server.admin_address().unwrap()).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).expect(name);
    value.parse::<f64>().unwrap() as u64
}

/// The datastore's answer to a question, and the keys asked for.
async fn answer(lab: &Lab, replica: &Replica, questions: &mut mpsc::Receiver<Vec<Key>>) -> Vec<String> {
    let keys = timeout(PATIENCE, questions.recv()).await.expect("a question in time").expect("the replica lives");
    let item = |key: &Key| {
        let stored = lab.state.get(key);
        let (value, revision) = stored.map_or((None, lab.revision), |(value, at)| (Some(value.clone()), *at));
        Update { key: key.clone(), value, revision }
    };
    let items = keys.iter().map(item).collect();
    replica.source.send(SourceEvent::Reread { revision: lab.revision, items }).await.unwrap();
    keys.iter().map(Key::to_string).collect()
}

/// Reads to the end of a stream.
async fn refused(client: &mut Running) -> Disconnect {
    loop {
        match client.next().await {
            Event::Disconnected { reason, .. } => return reason,
            Event::Updates(updates) => panic!("acted upon at {}", updates.revision),
            Event::Connected { .. } | Event::ServerNotInSync => {}
        }
    }
}

fn is_mismatch(reason: &Disconnect) -> bool {
    matches!(reason, Disconnect::Protocol { source: ProtocolError::DigestMismatch { .. }, .. })
}

#[tokio::test]
async fn a_client_that_meets_damage_makes_the_replica_mend_itself() {
    let (mut lab, log) = (Lab::new(), Log::start());
    lab.fill(KEYS as usize).await;
    let (replica, mut questions) = lab.replica_that_asks("typha-a").await;
    let config = lab.config(&[replica.address()]);
    let mut steady = Running::start(config.clone());
    steady.reach(KEYS).await;
    // So much that nobody gets the snapshot any more that was made for this client.
    for key in 0..KEYS / 4 {
        lab.write(&[(&format!("tier-{key:05}"), Some("{\"a\": 1}"))], &[&replica]).await;
    }
    let revision = lab.revision;
    steady.reach(revision).await;
    let before = replica.server.clients().totals();

    flip_in(&replica, "Tier/tier-00700");
    let mut fresh = Running::start(config);
    let reason = refused(&mut fresh).await;
    assert!(is_mismatch(&reason), "{reason:?}");
    assert_eq!(answer(&lab, &replica, &mut questions).await, ["Tier/tier-00700"], "only what is damaged is read again");
    assert_eq!(fresh.reach(revision).await, (vec![Mode::Snapshot], KEYS as usize));
    assert_eq!(fresh.state, lab.state);

    // Whoever had a good state kept it and its stream, and pays for nothing.
    lab.write(&[("after", Some("{}"))], &[&replica]).await;
    assert_eq!(steady.reach(revision + 1).await, (vec![], 1));
    assert_eq!(steady.state, lab.state);
    let after = replica.server.clients().totals();
    assert_eq!(
        (after.snapshots - before.snapshots, after.resumes, after.repairs),
        (2, 0, 0),
        "both are the new client's"
    );

    for (name, value) in [
        ("typha_damaged_entries_total", 1),
        ("typha_reread_entries_total", 1),
        ("typha_lost_entries", 0),
        ("typha_damaged_sums_total", 0),
    ] {
        assert_eq!(metric(&replica, name).await, value, "{name}");
    }
    assert_eq!(log.lines_with(&["ERROR", "an entry in memory is damaged", "Tier/tier-00700", "range="]), 1);
    assert!(log.lines_with(&["INFO", "the state is whole"]) > 0);
}

#[tokio::test]
async fn an_update_that_is_damaged_on_its_way_costs_its_reader_one_range() {
    let mut lab = Lab::new();
    lab.fill(KEYS as usize).await;
    let (replica, mut questions) = lab.replica_that_asks("typha-a").await;
    let proxy = lab::Proxy::start(replica.address()).await;
    let mut client = Running::start(lab.config(std::slice::from_ref(&proxy.address)));
    client.reach(KEYS).await;
    // The client is away while a key is written and damaged.
    proxy.cut().await;
    lab.write(&[("tier-00800", Some("{\"a\": 1}"))], &[&replica]).await;
    until(&replica, "the write", |state| state.view.revision() > KEYS).await;
    flip_in(&replica, "Tier/tier-00800");
    assert!(!is_mismatch(&refused(&mut client).await), "the cut");
    assert!(is_mismatch(&refused(&mut client).await));
    let bytes = replica.server.clients().totals().bytes;
    assert_eq!(answer(&lab, &replica, &mut questions).await, ["Tier/tier-00800"]);
    assert_eq!(client.reach(KEYS + 1).await, (vec![Mode::Resume], 1));
    assert_eq!(client.state, lab.state);
    let totals = replica.server.clients().totals();
    assert_eq!((totals.snapshots, totals.repairs), (1, 1));
    assert!(totals.bytes - bytes < 2000, "a 256th of the state is less: {}", totals.bytes - bytes);
}

#[tokio::test]
async fn a_replica_that_cannot_mend_itself_is_left_for_another() {
    let mut lab = Lab::new();
    lab.fill(KEYS as usize).await;
    let (damaged, mut questions) = lab.replica_that_asks("typha-a").await;
    until(&damaged, "the list", |state| state.in_sync).await;
    flip_in(&damaged, "Tier/tier-00900");
    let mut client = Running::start(lab.config(&[damaged.address()]));
    assert!(is_mismatch(&refused(&mut client).await));
    timeout(PATIENCE, questions.recv()).await.expect("it asks").expect("it lives");
    // The datastore does not answer. The client waits in vain and is told to look elsewhere; it was given nothing.
    until(&damaged, "the damage", |state| state.integrity.lost_entries == 1).await;
    let state = damaged.server.board().load();
    assert!(!state.in_sync);
    assert!(state.complaint.as_deref().is_some_and(|complaint| complaint.contains("damaged")));
    let reason = refused(&mut client).await;
    assert!(reason.to_string().contains("damaged"), "{reason}");
    // It asks again by itself.
    assert_eq!(answer(&lab, &damaged, &mut questions).await, ["Tier/tier-00900"]);
    client.reach(KEYS).await;
    assert_eq!(client.state, lab.state);
}
