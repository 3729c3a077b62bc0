//! Watches of the embedded store under load: a slow reader holds up nobody, catches up from the history, and is told
//! when the history is gone; progress is told only when nothing is missing; leases end.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use datastore_adapters::embedded::{self, Engine};
use etcd_client::{Client, GetOptions, PutOptions, WatchOptions, WatchStream};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};

/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// A store served within the test.
struct Server {
    endpoint: String,
    serving: JoinHandle<()>,
    _directory: TempDir,
}

impl Server {
    async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let engine = Engine::open(directory.path().join("store.redb")).expect("a store");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on the loopback");
        let endpoint = format!("http://{}", listener.local_addr().expect("a bound socket"));
        let serving = tokio::spawn(async {
            embedded::serve(engine, listener, std::future::pending()).await.expect("it serves");
        });
        Self { endpoint, serving, _directory: directory }
    }

    async fn client(&self) -> Client {
        Client::connect([&self.endpoint], None).await.expect("a client")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn watch(client: &mut Client, options: WatchOptions) -> WatchStream {
    let mut stream = client.watch("", Some(options.with_all_keys())).await.expect("a watch");
    assert!(next(&mut stream).await.created());
    stream
}

async fn next(stream: &mut WatchStream) -> etcd_client::WatchResponse {
    timeout(DEADLINE, stream.message()).await.expect("in time").expect("a message").expect("no end")
}

#[tokio::test]
async fn a_slow_reader_holds_up_nobody_and_catches_up() {
    let server = Server::start().await;
    // Connections of their own: flow control of one connection is shared by its streams.
    let (mut slow_client, mut quick_client, mut writer) =
        (server.client().await, server.client().await, server.client().await);
    let mut slow = watch(&mut slow_client, WatchOptions::new()).await;
    let mut quick = watch(&mut quick_client, WatchOptions::new()).await;
    let value = "x".repeat(50_000);
    for n in 0..200 {
        writer.put(format!("key-{n}"), value.as_str(), None).await.expect("a write");
        let events = next(&mut quick).await;
        assert_eq!(events.events().len(), 1, "the quick reader gets each at once");
    }
    let mut seen = 1;
    while seen < 201 {
        let message = next(&mut slow).await;
        for event in message.events() {
            seen += 1;
            assert_eq!(event.kv().expect("a key").mod_revision(), seen);
        }
        let bytes: usize = message.events().iter().filter_map(|event| event.kv()).map(|kv| kv.value().len()).sum();
        assert!(bytes < 3 << 20, "a message of {bytes} bytes");
    }
}

#[tokio::test]
async fn history_is_bounded_and_a_reader_left_behind_is_told() {
    let server = Server::start().await;
    let (mut client, mut writer) = (server.client().await, server.client().await);
    // Twice the history's bound.
    let value = "x".repeat(1 << 20);
    for n in 0..70 {
        writer.put(format!("key-{}", n % 3), value.as_str(), None).await.expect("a write");
    }
    let options = WatchOptions::new().with_all_keys().with_start_revision(2);
    let mut left_behind = client.watch("", Some(options)).await.expect("a watch");
    assert!(next(&mut left_behind).await.created());
    let told = next(&mut left_behind).await;
    assert!(told.canceled() && told.compact_revision() > 2, "{told:?}");
    let mut resumed = watch(&mut client, WatchOptions::new().with_start_revision(told.compact_revision())).await;
    let first = next(&mut resumed).await.events()[0].kv().expect("a key").mod_revision();
    assert_eq!(first, told.compact_revision(), "the compacted revision itself can still be watched");
    assert_eq!(client.get("", Some(GetOptions::new().with_all_keys())).await.expect("a read").count(), 3);
}

#[tokio::test]
async fn requested_progress_never_comes_ahead_of_events() {
    let server = Server::start().await;
    let (mut client, mut writer) = (server.client().await, server.client().await);
    let mut stream = watch(&mut client, WatchOptions::new()).await;
    let mut seen = 1;
    for _ in 0..50 {
        let put = writer.put("key", "value", None);
        let (asked, put) = tokio::join!(stream.request_progress(), put);
        asked.expect("a request");
        let written = put.expect("a write").header().expect("a header").revision();
        let (mut progress, mut event) = (false, false);
        while !(progress && event) {
            let message = next(&mut stream).await;
            if let [of] = message.events() {
                seen = of.kv().expect("a key").mod_revision();
                event = true;
            } else {
                assert_eq!(message.header().expect("a header").revision(), seen, "all up to it was delivered");
                progress = true;
            }
        }
        assert_eq!(seen, written);
    }
}

#[tokio::test]
async fn a_lease_that_ends_takes_its_keys_along() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut stream = watch(&mut client, WatchOptions::new()).await;
    let lease = client.lease_grant(1, None).await.expect("a lease").id();
    client.put("leased", "value", Some(PutOptions::new().with_lease(lease))).await.expect("a write");
    client.put("free", "value", None).await.expect("a write");
    assert_eq!(client.lease_time_to_live(lease, None).await.expect("a time").granted_ttl(), 1);
    let mut deleted = None;
    while deleted.is_none() {
        let message = next(&mut stream).await;
        let deletion = message.events().iter().find(|event| event.event_type() == etcd_client::EventType::Delete);
        deleted = deletion.and_then(|event| event.kv()).map(|kv| kv.key().to_vec());
    }
    assert_eq!(deleted.as_deref(), Some(&b"leased"[..]));
    assert!(client.lease_time_to_live(lease, None).await.expect("a time").ttl() < 0);
    assert_eq!(client.get("free", None).await.expect("a read").count(), 1);
}
