//! Batches are complete messages, shared where they can be, bounded everywhere.

use bytes::Buf as _;
use model::{Key, Kind, Update};
use prost::Message as _;
use proto::sync::v1 as wire;

use super::{
    cache::{BATCH_OVERHEAD_BYTES, size},
    frame::COMPRESSED,
    *,
};
use crate::store::Store;

const SMALL: usize = 100;

fn store(keys: u64, value: &[u8]) -> Store {
    let mut store = Store::new(1, 0);
    for revision in 1..=keys {
        store.apply(revision, &[put(revision, revision, value)]);
    }
    store
}

fn put(number: u64, revision: Version, value: &[u8]) -> Update {
    let key = Key::global(Kind::GlobalNetworkSet, format!("set-{number}"));
    Update { key, value: Some(Bytes::copy_from_slice(value)), revision }
}

fn wanted(since: Version) -> Wanted {
    Wanted {
        cursor: Cursor::after(since),
        tombstones_after: since,
        ranges: None,
        checkpoint_age_ms: Some(0),
        encoding: Encoding::Identity,
    }
}

fn decode(batch: &Batch) -> wire::Batch {
    let mut bytes = batch.bytes.clone();
    assert_eq!(bytes.get_u8(), NOT_COMPRESSED);
    assert_eq!(bytes.get_u32() as usize, bytes.len());
    wire::Batch::decode(bytes).expect("a batch")
}

#[test]
fn a_range_becomes_messages_of_bounded_length_with_one_checkpoint_at_the_end() {
    let view = store(50, b"value").view();
    let batches = Batches::bounded(SMALL, CACHE_BYTES);
    let (mut wanted, mut revisions, mut messages) = (wanted(0), Vec::new(), 0);
    let checkpoint = loop {
        let batch = batches.next(&view, &wanted);
        let message = decode(&batch);
        assert!(message.entries.iter().map(wire::Entry::encoded_len).sum::<usize>() <= SMALL);
        revisions.extend(message.entries.iter().map(|entry| entry.revision));
        messages += 1;
        wanted.cursor = batch.next;
        if let Some(checkpoint) = message.checkpoint {
            break checkpoint;
        }
    };
    assert_eq!(revisions, (1..=50).collect::<Vec<_>>());
    assert!(messages > 10, "{messages}");
    assert_eq!((checkpoint.revision, checkpoint.in_sync), (50, true));
    assert_eq!(*checkpoint.digest, view.digest().to_bytes());
    assert!(wanted.cursor.covers(50));
}

#[test]
fn an_entry_that_is_longer_than_a_message_travels_alone() {
    let view = store(3, &[7; 2 * SMALL]).view();
    let batch = Batches::bounded(SMALL, CACHE_BYTES).next(&view, &wanted(0));
    assert_eq!(decode(&batch).entries.len(), 1);
}

#[test]
fn sessions_at_the_same_place_share_the_bytes() {
    let view = store(10, b"value").view();
    let batches = Batches::default();
    let (one, other) = (batches.next(&view, &wanted(4)), batches.next(&view, &wanted(4)));
    assert_eq!(one.bytes.as_ptr(), other.bytes.as_ptr());
    assert_ne!(one.bytes.as_ptr(), batches.next(&view, &wanted(5)).bytes.as_ptr());
}

#[test]
fn only_the_message_with_the_checkpoint_depends_on_age() {
    let view = store(10, b"value").view();
    let batches = Batches::bounded(SMALL, CACHE_BYTES);
    let later = Wanted { checkpoint_age_ms: Some(4000), ..wanted(0) };
    assert_eq!(batches.next(&view, &wanted(0)).bytes.as_ptr(), batches.next(&view, &later).bytes.as_ptr());
    let (early, late) = (
        batches.next(&view, &wanted(10)),
        batches.next(&view, &Wanted { checkpoint_age_ms: Some(4000), ..wanted(10) }),
    );
    assert_eq!(decode(&early).checkpoint.map(|checkpoint| checkpoint.upstream_age_ms), Some(0));
    assert_eq!(decode(&late).checkpoint.map(|checkpoint| checkpoint.upstream_age_ms), Some(4000));
}

#[test]
fn a_message_without_checkpoint_is_not_mistaken_for_one_that_has_it() {
    let view = store(10, b"value").view();
    let batches = Batches::default();
    let without = Wanted { checkpoint_age_ms: None, ..wanted(0) };
    assert_eq!(decode(&batches.next(&view, &without)).checkpoint, None);
    assert!(decode(&batches.next(&view, &wanted(0))).checkpoint.is_some());
}

#[test]
fn what_is_kept_is_bounded() {
    let view = store(200, b"value").view();
    let limit_bytes = 10 * (SMALL + BATCH_OVERHEAD_BYTES);
    let batches = Batches::bounded(SMALL, limit_bytes);
    for since in 0..200 {
        batches.next(&view, &wanted(since));
        let cache = locked(&batches.identity);
        assert!(cache.bytes <= limit_bytes);
        assert_eq!(cache.bytes, cache.made.values().map(size).sum::<usize>());
        assert_eq!(cache.order.len(), cache.made.len());
    }
}

fn zstd(since: Version) -> Wanted {
    Wanted { encoding: Encoding::Zstd, ..wanted(since) }
}

#[test]
fn what_was_made_long_ago_is_let_go() {
    let (store, batches) = (store(100, b"value"), Batches::bounded(100, 1 << 20));
    batches.next(&store.view(), &wanted(0));
    batches.next(&store.view(), &wanted(10));
    let made = locked(&batches.identity).made.len();
    assert_eq!(made, 2);
    for _ in 0..12 {
        batches.beat();
        assert_eq!(locked(&batches.identity).made.len(), made, "others may want it still");
    }
    batches.next(&store.view(), &wanted(20));
    batches.beat();
    let cache = locked(&batches.identity);
    assert_eq!((cache.made.len(), cache.order.len()), (1, 1));
    assert_eq!(cache.bytes, cache.made.values().map(size).sum::<usize>());
}

#[test]
fn a_beat_waits_for_nobody_who_makes_a_batch() {
    let (view, batches) = (store(10, b"value").view(), Batches::default());
    batches.next(&view, &wanted(0));
    let (identity, zstd) = (locked(&batches.identity), locked(&batches.zstd));
    batches.beat();
    drop((identity, zstd));
    batches.beat();
}

#[test]
fn nobody_waits_while_a_repair_is_made() {
    let (view, batches) = (store(50, b"value").view(), Batches::default());
    for encoding in [Encoding::Identity, Encoding::Zstd] {
        let wanted = Wanted { ranges: Some((0..100).collect()), encoding, ..wanted(0) };
        let is_free = || free(&batches.identity).is_some() && free(&batches.zstd).is_some();
        let make = || {
            assert!(is_free());
            make(&view, &wanted, MESSAGE_BYTES)
        };
        let batch = batches.shared(&view, &wanted, make);
        let again = batches.shared(&view, &wanted, || unreachable!("it is kept"));
        assert_eq!(again.bytes.as_ptr(), batch.bytes.as_ptr());
    }
}

#[test]
fn a_compressed_message_is_made_once_and_holds_the_same() {
    let (view, batches) = (store(200, b"a value that looks like all the others").view(), Batches::default());
    let (plain, packed) = (batches.next(&view, &wanted(0)), batches.next(&view, &zstd(0)));
    assert_eq!(packed.bytes.as_ptr(), batches.next(&view, &zstd(0)).bytes.as_ptr());
    assert_eq!(packed.next, plain.next);
    assert!(packed.bytes.len() < plain.bytes.len() / 3, "{} of {}", packed.bytes.len(), plain.bytes.len());
    let mut bytes = packed.bytes;
    assert_eq!(bytes.get_u8(), COMPRESSED);
    assert_eq!(bytes.get_u32() as usize, bytes.len());
    let declared =
        ::zstd::zstd_safe::get_frame_content_size(&bytes).expect("a zstd frame").expect("it says its length");
    assert_eq!(declared as usize, plain.bytes.len() - HEADER_BYTES);
    let content = ::zstd::bulk::decompress(&bytes, declared as usize).expect("a zstd frame");
    assert_eq!(content, plain.bytes[HEADER_BYTES..]);
}

#[test]
fn what_nobody_asked_for_is_not_made() {
    let (view, batches) = (store(200, b"value").view(), Batches::default());
    batches.next(&view, &zstd(0));
    assert!(locked(&batches.identity).made.is_empty());
    let plain = Batches::default();
    plain.next(&view, &wanted(0));
    assert!(locked(&plain.zstd).cache.made.is_empty());
}

#[test]
fn what_is_short_or_does_not_shrink_goes_as_it_is() {
    let batches = Batches::default();
    assert_eq!(batches.next(&store(1, b"short").view(), &zstd(0)).bytes[0], NOT_COMPRESSED);
    let noise: Vec<u8> =
        (0..2000u32).map(|n| (n.wrapping_mul(2_654_435_761).rotate_left(n % 31) >> 13) as u8).collect();
    let noise = ::zstd::bulk::compress(&noise, 19).expect("it compresses");
    let mut dense = store(0, b"");
    dense.apply(1, &[put(1, 1, &noise)]);
    let batch = batches.next(&dense.view(), &zstd(0));
    assert_eq!(decode(&batch).entries.len(), 1);
}

#[test]
fn clients_share_a_snapshot_until_too_much_has_changed() {
    let mut store = store(100, b"value");
    let batches = Batches::default();
    let first = batches.snapshot(&Arc::new(store.view()));
    store.apply(101, &[put(1, 101, b"value")]);
    assert_eq!(batches.snapshot(&Arc::new(store.view())).revision(), first.revision());
    for revision in 102..=120 {
        store.apply(revision, &[put(1, revision, b"value")]);
    }
    batches.retire(&store.view());
    assert!(locked(&batches.snapshot).is_none(), "it would keep old entries in memory");
    assert_eq!(batches.snapshot(&Arc::new(store.view())).revision(), 120);
}
