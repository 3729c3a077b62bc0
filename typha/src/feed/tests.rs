//! A feed says no more than its source said: not before a list is complete, not after the datastore fell silent.

use std::time::Duration;

use bytes::Bytes;
use model::{Key, Kind, Update, Version};

use super::*;

fn put(name: &str, revision: Version) -> Update {
    let key = Key::global(Kind::Tier, name);
    Update { key, value: Some(Bytes::from_static(b"{}")), revision }
}

fn list(feed: &mut Feed, revision: Version, items: Vec<Update>, now: Instant) -> News {
    feed.on(SourceEvent::Init { datastore_id: 1 }, now);
    feed.on(SourceEvent::InitItems(items), now);
    feed.on(SourceEvent::InitDone { revision }, now)
}

fn unavailable() -> SourceEvent {
    SourceEvent::Unavailable { reason: "connection refused".to_owned() }
}

#[test]
fn nothing_shows_before_the_list_is_complete() {
    let (mut feed, now) = (Feed::new(), Instant::now());
    assert_eq!(feed.state(0).upstream_age(now), None);
    feed.on(SourceEvent::Init { datastore_id: 1 }, now);
    feed.on(SourceEvent::InitItems(vec![put("a", 1)]), now);
    assert_eq!((feed.state(0).in_sync, feed.state(0).view.keys()), (false, 0));
    assert_eq!(feed.on(SourceEvent::InitDone { revision: 3 }, now), News::Entries);
    assert_eq!((feed.state(0).in_sync, feed.state(0).view.keys(), feed.state(0).view.revision()), (true, 1, 3));
}

#[test]
fn a_relist_that_breaks_off_leaves_everything_in_force() {
    let (mut feed, now) = (Feed::new(), Instant::now());
    list(&mut feed, 3, vec![put("a", 1), put("b", 2)], now);
    feed.on(SourceEvent::Init { datastore_id: 1 }, now);
    feed.on(SourceEvent::InitItems(vec![put("c", 4)]), now);
    feed.on(unavailable(), now);
    assert_eq!((feed.state(0).in_sync, feed.state(0).view.keys()), (true, 2));
    list(&mut feed, 5, vec![put("a", 1)], now);
    assert_eq!(feed.state(0).view.keys(), 1);
}

#[test]
fn age_counts_from_the_last_proof_of_life() {
    let (mut feed, start) = (Feed::new(), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    list(&mut feed, 3, vec![], start);
    feed.on(unavailable(), at(10));
    assert_eq!(feed.state(0).upstream_age(at(10)), Some(Duration::from_secs(10)));
    assert_eq!(feed.state(0).complaint.as_deref(), Some("connection refused"));
    assert_eq!(feed.on(SourceEvent::Progress { revision: 4 }, at(12)), News::Freshness);
    assert_eq!(feed.state(0).upstream_age(at(12)), Some(Duration::ZERO));
    assert_eq!((feed.state(0).complaint, feed.state(0).view.revision()), (None, 4));
}

#[test]
fn a_datastore_that_went_back_is_not_followed_and_not_called_alive() {
    let (mut feed, start) = (Feed::new(), Instant::now());
    list(&mut feed, 9, vec![put("a", 8)], start);
    let later = start + Duration::from_mins(1);
    feed.on(SourceEvent::Init { datastore_id: 1 }, start);
    assert_eq!(feed.on(SourceEvent::InitDone { revision: 4 }, later), News::Freshness);
    let state = feed.state(0);
    assert_eq!((state.view.revision(), state.view.keys()), (9, 1));
    assert_eq!(state.upstream_age(later), Some(Duration::from_mins(1)));
    assert!(state.complaint.is_some_and(|complaint| complaint.contains("revision 4")));
}

#[test]
fn events_out_of_order_do_no_harm() {
    let (mut feed, now) = (Feed::new(), Instant::now());
    feed.on(SourceEvent::InitDone { revision: 4 }, now);
    feed.on(SourceEvent::InitItems(vec![put("a", 1)]), now);
    assert_eq!((feed.state(0).in_sync, feed.state(0).view.keys()), (false, 0));
}
