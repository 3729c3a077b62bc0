//! The embedded store's file in bad times: the process killed between writes, the file truncated, from another version,
//! or in use. What was acknowledged is there, revisions never go back, and a file that is not ours to open stays as it is.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use datastore_adapters::embedded::{Engine, EngineError};
use etcd_client::{Client, GetOptions, WatchOptions};
use tempfile::TempDir;

/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// A `cattail-store` on a port of its own choice.
struct Process {
    child: Child,
    endpoint: String,
}

impl Process {
    fn start(data_dir: &Path) -> Self {
        let mut child = command(data_dir).stdout(Stdio::piped()).spawn().expect("our own binary");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("its first line");
        let endpoint =
            line.split_whitespace().nth(2).unwrap_or_else(|| panic!("{line:?}")).trim_end_matches(',').to_owned();
        Self { child, endpoint }
    }

    async fn client(&self) -> Client {
        Client::connect([&self.endpoint], None).await.expect("a client")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cattail-store"));
    command.arg("--data-dir").arg(data_dir).args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null());
    command
}

/// A store with some content, closed.
fn store_file() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let process = Process::start(directory.path());
        let mut client = process.client().await;
        for n in 0..200 {
            client.put(format!("key-{n}"), "x".repeat(1000), None).await.expect("a write");
        }
    });
    let file = directory.path().join("store.redb");
    // Killed, so it is to be repaired once; what follows looks at a file that was closed properly.
    drop(Engine::open(&file).expect("a whole file"));
    (directory, file)
}

/// Opening must fail and leave the file as it was.
fn refusal(file: &Path) -> EngineError {
    let before = fs::read(file).expect("the file");
    let error = Engine::open(file).map(|engine| engine.revision()).expect_err("it must not open");
    assert!(fs::read(file).expect("the file") == before, "the file was touched");
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    error
}

#[tokio::test]
async fn a_kill_between_writes_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut acknowledged: BTreeMap<String, (u64, i64)> = BTreeMap::new();
    let mut newest = 0;
    for round in 0..5 {
        let process = Process::start(directory.path());
        let mut client = process.client().await;
        let found = client.get("", Some(GetOptions::new().with_all_keys())).await.expect("a read");
        let revision = found.header().expect("a header").revision();
        assert!(revision >= newest, "back from {newest} to {revision}");
        let values: BTreeMap<_, _> = found
            .kvs()
            .iter()
            .map(|kv| (kv.key_str().unwrap().to_owned(), (kv.value_str().unwrap().parse().unwrap(), kv.mod_revision())))
            .collect();
        for (key, known) in &acknowledged {
            assert!(
                values.get(key).is_some_and(|found| found >= known),
                "{key}: {known:?} became {:?}",
                values.get(key)
            );
        }
        replays_every_revision(&mut client, revision).await;

        // Several writers at once, so that the kill falls into a batch.
        let writers = (0..8).map(|writer| tokio::spawn(write(process.endpoint_client(), writer, round)));
        let writers: Vec<_> = writers.collect();
        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..300))).await;
        drop(process);
        for writer in writers {
            for (key, value, revision) in writer.await.expect("a writer") {
                newest = newest.max(revision);
                acknowledged.insert(key, (value, revision));
            }
        }
    }
    assert!(newest > 50, "hardly anything was written");
}

impl Process {
    fn endpoint_client(&self) -> impl Future<Output = Client> + Send + use<> {
        let endpoint = self.endpoint.clone();
        async move { Client::connect([endpoint], None).await.expect("a client") }
    }
}

/// Writes until the store is gone; what was acknowledged.
async fn write(client: impl Future<Output = Client>, writer: u64, round: u64) -> Vec<(String, u64, i64)> {
    let (mut client, mut acknowledged) = (client.await, Vec::new());
    for n in 0.. {
        let (key, value) = (format!("{writer}-{}", n % 5), round * 1_000_000 + n);
        match client.put(key.as_str(), value.to_string(), None).await {
            Ok(answer) => acknowledged.push((key, value, answer.header().expect("a header").revision())),
            Err(_) => break,
        }
    }
    acknowledged
}

async fn replays_every_revision(client: &mut Client, to: i64) {
    let options = WatchOptions::new().with_all_keys().with_start_revision(1);
    let mut stream = client.watch("", Some(options)).await.expect("a watch");
    let mut seen = 1;
    while seen < to {
        let message = tokio::time::timeout(DEADLINE, stream.message()).await.expect("in time");
        for event in message.expect("a message").expect("no end").events() {
            let revision = event.kv().expect("a key").mod_revision();
            assert_eq!(revision, seen + 1);
            seen = revision;
        }
    }
}

#[test]
fn a_truncated_file_is_refused_and_left_alone() {
    let (_directory, file) = store_file();
    let whole = fs::read(&file).expect("the file");
    for length in [0, 1, 100, 5000, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..length]).expect("the file");
        let error = refusal(&file);
        assert!(matches!(error, EngineError::Damaged { .. }), "{length}: {error:?}");
        assert!(error.to_string().contains("backup"), "{error}");
    }
    fs::write(&file, &whole).expect("the file");
    assert!(Engine::open(&file).expect("whole again").revision() > 200);
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("store.redb");
    fs::write(&file, "shopping list\n".repeat(1000)).expect("the file");
    assert!(matches!(refusal(&file), EngineError::Damaged { .. }));
}

#[test]
fn a_file_from_another_version_is_refused_and_left_alone() {
    let (_directory, file) = store_file();
    let format: redb::TableDefinition<&str, u64> = redb::TableDefinition::new("meta");
    let database = redb::Database::open(&file).expect("a redb file");
    let write = database.begin_write().expect("a transaction");
    write.open_table(format).expect("the table").insert("format", 2).expect("an insert");
    write.commit().expect("a commit");
    drop(database);
    let error = refusal(&file);
    assert!(matches!(error, EngineError::Format { found: 2, ours: 1, .. }), "{error:?}");
}

#[test]
fn a_file_in_use_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let _first = Process::start(directory.path());
    let file = directory.path().join("store.redb");
    let error = Engine::open(&file).map(|engine| engine.revision()).expect_err("it is in use");
    assert!(matches!(error, EngineError::Locked { .. }), "{error:?}");
    let second = command(directory.path()).output().expect("our own binary");
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(
        !second.status.success() && said.contains("in use") && said.contains(&file.display().to_string()),
        "{said}"
    );
}

#[test]
fn an_address_in_use_is_named() {
    let (first, second) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("another"));
    let running = Process::start(first.path());
    let address = running.endpoint.trim_start_matches("http://");
    let refused = Command::new(env!("CARGO_BIN_EXE_cattail-store"))
        .arg("--data-dir")
        .arg(second.path())
        .args(["--listen", address])
        .output()
        .expect("our own binary");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains(address), "{said}");
}

#[tokio::test]
async fn sigterm_ends_it_cleanly_even_with_a_watch() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut process = Process::start(directory.path());
    let mut client = process.client().await;
    client.put("key", "value", None).await.expect("a write");
    let mut watch = client.watch("key", None).await.expect("a watch");
    watch.message().await.expect("a message").expect("the watch is made");
    let pid = process.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    let deadline = Instant::now() + DEADLINE;
    let status = loop {
        if let Some(status) = process.child.try_wait().expect("a child of ours") {
            break status;
        }
        assert!(Instant::now() < deadline, "it does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(status.success(), "{status}");
    assert!(watch.message().await.is_err(), "the watch is told");
}
