//! A bit of what a client holds flips: it is found, told, and mended by the range that it is in.

use bytes::Bytes;
use model::digest::{Digest, EntryHash, RangeSet, range_of};
use pki::{
    Peers,
    development::{Authority, Request},
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use proto::sync::v1::{Begin, Checkpoint, Entry, begin};
use tempfile::NamedTempFile;

use super::{
    super::{choice::Cause, protocol::ProtocolError, replica::Replica},
    *,
};

const ADDRESS: &str = "10.0.0.1:5473";
const KEYS: [&str; 3] = ["Tier/a", "Tier/b", "Tier/c"];

fn feed() -> (Feed, mpsc::Receiver<Event>) {
    let (authority, folder) = (Authority::new("test CA").unwrap(), tempfile::tempdir().unwrap());
    let files = authority.write(folder.path(), "felix", &Request::named("felix")).unwrap();
    let tls = pki::load_client(&files, &Peers::common_name("typha")).unwrap();
    let (events, received) = mpsc::channel(16);
    let config = Arc::new(Config::new([ADDRESS], Arc::new(tls)));
    (Feed { config, node: "n".into(), server: "".into(), protocol: Protocol::default(), events }, received)
}

fn entry(key: &str) -> Entry {
    Entry { key: key.to_owned(), value: Some(Bytes::from_static(b"{}")), revision: 3 }
}

/// A stream with these keys, up to what the datastore holds.
fn stream(mode: begin::Mode, keys: &[&str], ranges: RangeSet) -> Batch {
    let begin = Begin {
        mode: mode.into(),
        datastore_id: 7,
        server: "typha-a".into(),
        ranges: ranges.to_bytes().to_vec().into(),
    };
    let entries = keys.iter().map(|key| entry(key)).collect();
    Batch { begin: Some(begin), entries, ..checkpoint() }
}

fn checkpoint() -> Batch {
    let mut digest = Digest::default();
    for key in KEYS {
        digest.add(EntryHash::of(key, 3, b"{}"));
    }
    let digest = digest.to_bytes().to_vec().into();
    let checkpoint = Checkpoint { revision: 3, digest, upstream_age_ms: 0, in_sync: true };
    Batch { checkpoint: Some(checkpoint), ..Batch::default() }
}

fn metric(feed: &Feed, name: &str) -> String {
    let (mut registry, mut text) = (Registry::default(), String::new());
    feed.config.metrics.register(&mut registry);
    encode(&mut text, &registry).unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).expect(name).to_owned()
}

#[tokio::test]
async fn a_flipped_bit_of_what_is_held_is_told_in_metrics_and_the_log_and_costs_its_range_alone() {
    let log = NamedTempFile::new().unwrap();
    let subscriber = tracing_subscriber::fmt().with_writer(log.reopen().unwrap()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (mut feed, mut events) = feed();
    let replica = Replica { address: ADDRESS.into(), zone: None, found_by: ADDRESS.into(), is_spare: false };
    let choice = Arc::new(Choice { replica, rank: 1, of: 1, cause: Cause::Start });
    assert!(feed.on_batch(&choice, stream(begin::Mode::Snapshot, &KEYS, RangeSet::default())).await.is_ok());
    assert_eq!(
        (metric(&feed, "sync_digest_mismatches_total"), metric(&feed, "sync_repairs_total")),
        ("0".into(), "0".into())
    );

    feed.protocol.damage("Tier/b", true);
    let Err(Refused::Protocol(source)) = feed.on_batch(&choice, checkpoint()).await else { panic!("it is not found") };
    assert!(matches!(source, ProtocolError::DigestMismatch { revision: 3, .. }), "{source}");
    let reason = Disconnect::Protocol { address: ADDRESS.into(), source };
    feed.on_disconnect(reason, Duration::ZERO).await.unwrap();
    assert_eq!(metric(&feed, "sync_digest_mismatches_total"), "1");
    assert!(feed.position().unwrap().compare, "it asks typha to compare");

    let damaged = RangeSet::from_iter([range_of("Tier/b")]);
    assert!(feed.on_batch(&choice, stream(begin::Mode::Repair, &["Tier/b"], damaged)).await.is_ok());
    let repaired = [metric(&feed, "sync_repairs_total"), metric(&feed, "sync_repaired_ranges_total")];
    assert_eq!(repaired, ["1", "1"]);
    let text = std::fs::read_to_string(log.path()).unwrap();
    assert!(
        text.lines().any(|line| line.contains("differs from what typha has") && line.contains("ranges=1")),
        "{text}"
    );
    let mut came = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Event::Updates(updates) = event {
            came.push(updates.updates.iter().map(|update| update.key.to_string()).collect::<Vec<_>>());
        }
    }
    assert_eq!(came, [KEYS.map(str::to_owned).to_vec(), vec!["Tier/b".to_owned()]]);
}
