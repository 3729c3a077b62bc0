//! A feed says no more than its source said: not before a list is complete, not after the datastore fell silent.

use std::time::Duration;

use bytes::Bytes;
use model::{Key, Kind, Update, Version, digest::RangeSet};

use super::*;
use crate::store::{Entry, damage::flip};

fn put(name: &str, revision: Version) -> Update {
    valued(name, revision, b"{}")
}

fn valued(name: &str, revision: Version, value: &'static [u8]) -> Update {
    Update { key: Key::global(Kind::Tier, name), value: Some(Bytes::from_static(value)), revision }
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
    assert_eq!(list(&mut feed, 4, vec![put("b", 4)], later), News::Freshness);
    let is_refused = |feed: &Feed| {
        let state = feed.state(0);
        assert_eq!((state.view.revision(), state.view.keys(), state.lists), (9, 1, 2));
        assert_eq!(state.upstream_age(later), Some(Duration::from_mins(1)));
        assert!(state.complaint.is_some_and(|complaint| complaint.contains("revision 4")));
    };
    is_refused(&feed);
    // The source goes on from there.
    for event in [
        SourceEvent::Progress { revision: 4 },
        SourceEvent::Apply { revision: 5, updates: vec![put("c", 5)] },
        SourceEvent::Reread { revision: 5, items: vec![put("c", 5)] },
        unavailable(),
        SourceEvent::Apply { revision: 10, updates: vec![put("d", 10)] },
        SourceEvent::Progress { revision: 11 },
    ] {
        assert_eq!(feed.on(event.clone(), later), News::Freshness, "{event:?}");
        is_refused(&feed);
    }
}

#[test]
fn a_datastore_that_went_back_is_followed_again_from_a_list_that_is_not_older() {
    let (mut feed, now) = (Feed::new(), Instant::now());
    list(&mut feed, 9, vec![put("a", 8), put("b", 5)], now);
    let epoch = feed.state(0).view.epoch();
    list(&mut feed, 4, vec![put("a", 3)], now);
    assert_eq!(list(&mut feed, 12, vec![put("a", 3), valued("b", 5, b"[]")], now), News::Entries);
    let state = feed.state(0);
    assert_eq!((state.in_sync, state.complaint, state.view.revision()), (true, None, 12));
    assert_eq!(state.view.get("Tier/a").expect("it is listed").revision(), 3, "what was known never happened");
    let restored = Entry::new("Tier/b".into(), Some(b"[]"), 5);
    assert_eq!(state.view.get("Tier/b").expect("it is listed").encoded(), restored.encoded());
    assert_ne!(state.view.epoch(), epoch, "clients get a snapshot");
    assert_eq!(feed.on(SourceEvent::Apply { revision: 13, updates: vec![put("c", 13)] }, now), News::Entries);

    list(&mut feed, 4, vec![], now);
    feed.on(SourceEvent::Init { datastore_id: 2 }, now);
    feed.on(SourceEvent::InitDone { revision: 1 }, now);
    let state = feed.state(0);
    assert_eq!((state.complaint, state.view.datastore_id(), state.view.revision()), (None, 2, 1));
}

#[test]
fn lists_that_begin_and_never_end_prove_nothing() {
    let (mut feed, start) = (Feed::new(), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    feed.on(SourceEvent::Init { datastore_id: 1 }, start);
    feed.on(SourceEvent::InitItems(vec![put("a", 1)]), at(20));
    assert_eq!(feed.state(0).upstream_age(at(20)), None, "there is nothing yet whose age could be told");
    feed.on(SourceEvent::InitDone { revision: 3 }, at(21));
    assert_eq!(feed.state(0).upstream_age(at(21)), Some(Duration::ZERO));
    for seconds in 22..60 {
        feed.on(unavailable(), at(seconds));
        feed.on(SourceEvent::Init { datastore_id: 1 }, at(seconds));
        feed.on(SourceEvent::InitItems(vec![put("a", 1)]), at(seconds));
        assert_eq!(feed.state(0).upstream_age(at(seconds)), Some(Duration::from_secs(seconds - 21)));
        assert_eq!(feed.state(0).complaint.as_deref(), Some("connection refused"));
    }
    feed.on(SourceEvent::InitDone { revision: 4 }, at(60));
    assert_eq!((feed.state(0).upstream_age(at(60)), feed.state(0).complaint), (Some(Duration::ZERO), None));
}

#[test]
fn events_out_of_order_do_no_harm() {
    let (mut feed, now) = (Feed::new(), Instant::now());
    feed.on(SourceEvent::InitDone { revision: 4 }, now);
    feed.on(SourceEvent::InitItems(vec![put("a", 1)]), now);
    assert_eq!((feed.state(0).in_sync, feed.state(0).view.keys()), (false, 0));
}

/// A feed that listed a thousand tiers at revision 1000.
fn listed(now: Instant) -> Feed {
    let mut feed = Feed::new();
    list(&mut feed, 1000, (1..=1000).map(|number| put(&format!("tier-{number}"), number)).collect(), now);
    feed
}

/// Lets time pass until a round has ended; how many slices it took, and whether anything was to be published.
fn round(feed: &mut Feed) -> (usize, bool, Instant) {
    let (audits, mut slices, mut is_news) = (feed.state(0).integrity.audits, 0, false);
    loop {
        let now = feed.audit_due().expect("an audit is due");
        slices += 1;
        is_news |= feed.audit(now) == News::Entries;
        if feed.state(0).integrity.audits > audits {
            return (slices, is_news, now);
        }
    }
}

#[test]
fn all_of_the_state_is_looked_at_within_a_minute() {
    let now = Instant::now();
    assert_eq!(Feed::new().audit_due(), None, "there is nothing to look at");
    let mut feed = listed(now);
    let first = feed.audit_due().expect("an audit is due");
    assert!(first >= now + Duration::from_secs(30), "not right after a list");
    let (slices, is_news, end) = round(&mut feed);
    assert_eq!((slices, is_news), (2, false));
    assert!(end - first < Duration::from_secs(1));
    assert_eq!(feed.audit_due(), Some(end + (first - now)));
    // A state of 500,000 keys is looked at in 500 slices instead of 2.
    let (slice, rounds_apart) = ((end - first) / 2, feed.audit_due().expect("the next one") - first);
    assert!(rounds_apart + slice * 500 < Duration::from_mins(1), "damage is found within a minute");
}

#[test]
fn damage_withdraws_the_state_until_the_datastore_has_told_the_keys_again() {
    let now = Instant::now();
    let mut feed = listed(now);
    let view = feed.state(0).view;
    for name in ["Tier/tier-7", "Tier/tier-8"] {
        flip(view.get(name).expect("it is there").encoded().last().expect("bytes"));
    }
    let (_, is_news, now) = round(&mut feed);
    assert!(is_news);
    let state = feed.state(0);
    assert_eq!((state.in_sync, state.integrity.damaged_entries, state.integrity.lost_entries), (false, 2, 2));
    assert!(state.complaint.is_some_and(|complaint| complaint.contains("2 entries")));
    assert_ne!(state.view.edition(), view.edition(), "nothing that was made of it counts");

    let question = feed.question(now).expect("the source is asked");
    assert_eq!(question.iter().map(Key::name).collect::<Vec<_>>(), ["tier-7", "tier-8"]);
    assert_eq!(feed.question(now), None, "not twice at once");
    assert!(feed.question(feed.question_due(now).expect("there may be no answer")).is_some());
    feed.on(SourceEvent::Reread { revision: 1000, items: vec![put("tier-7", 7)] }, now);
    assert!(!feed.state(0).in_sync);
    feed.on(SourceEvent::Reread { revision: 1000, items: vec![put("tier-8", 8)] }, now);
    let state = feed.state(0);
    assert_eq!((state.in_sync, state.integrity.reread_entries, state.complaint), (true, 2, None));
    assert_eq!((state.view.digest(), state.view.epoch()), (view.digest(), view.epoch()), "clients go on");
    assert!(feed.audit_due().expect("again soon") < now + Duration::from_secs(30));
}

#[test]
fn a_complaint_is_looked_into_at_once_and_many_are_one() {
    let now = Instant::now();
    let mut feed = listed(now);
    let view = feed.state(0).view;
    let entry = view.get("Tier/tier-7").expect("it is there");
    flip(entry.encoded().last().expect("bytes"));
    feed.complain([entry.range().wrapping_add(1)].into_iter().collect(), 1, now);
    feed.complain([entry.range()].into_iter().collect(), 2, now);
    assert_eq!(feed.audit_due(), Some(now));
    let (slices, is_news, end) = round(&mut feed);
    assert_eq!((slices, is_news), (1, true));
    assert_eq!((feed.state(0).integrity.settled, feed.state(0).integrity.damaged_entries), (2, 1));

    // The next one has to wait: clients' own damage makes them complain too.
    feed.complain(RangeSet::all(), 3, end);
    assert!(feed.audit_due().is_some_and(|due| due >= now + Duration::from_secs(1)));
}

#[test]
fn a_complaint_from_before_the_list_is_looked_into_when_it_is_complete() {
    let (mut feed, now) = (Feed::new(), Instant::now());
    feed.complain(RangeSet::all(), 1, now);
    assert_eq!(feed.audit_due(), None, "there is nothing to look at");
    list(&mut feed, 1, vec![put("a", 1)], now);
    assert_eq!(feed.audit_due(), Some(now), "its client waits");
    round(&mut feed);
    assert_eq!(feed.state(0).integrity.settled, 1);
}

#[test]
fn complaints_do_not_put_off_the_look_at_everything() {
    let now = Instant::now();
    let mut feed = listed(now);
    let due = feed.audit_due().expect("an audit is due");
    let entry = feed.state(0).view.get("Tier/tier-7").cloned().expect("it is there");
    flip(entry.encoded().last().expect("bytes"));
    let elsewhere: RangeSet = [entry.range().wrapping_add(1)].into_iter().collect();
    for number in 1.. {
        let at = now + Duration::from_secs(10 * number);
        if at > due {
            break;
        }
        feed.complain(elsewhere, number, at);
        round(&mut feed);
        assert_eq!((feed.state(0).integrity.damaged_entries, feed.audit_due()), (0, Some(due)));
    }
    round(&mut feed);
    assert_eq!(feed.state(0).integrity.damaged_entries, 1);
}

#[test]
fn a_complaint_without_damage_makes_everything_anew_that_was_made_for_clients() {
    let now = Instant::now();
    let mut feed = listed(now);
    let before = feed.state(0).view;
    feed.complain(RangeSet::all(), 1, now);
    assert!(round(&mut feed).1);
    let state = feed.state(0);
    assert_eq!((state.in_sync, state.integrity.settled), (true, 1));
    assert_ne!(state.view.edition(), before.edition());
    list(&mut feed, 1001, vec![put("a", 1)], now);
    assert!(feed.state(0).view.edition() > before.edition(), "a list does not bring the old edition back");
}

#[test]
fn damage_during_a_list_is_damage_of_what_the_list_leads_to() {
    let now = Instant::now();
    let mut feed = listed(now);
    let items: Vec<_> = (1..=1000).map(|number| put(&format!("tier-{number}"), number)).collect();
    feed.on(SourceEvent::Init { datastore_id: 1 }, now);
    feed.on(SourceEvent::InitItems(items[..500].to_vec()), now);
    for name in ["Tier/tier-7", "Tier/tier-700"] {
        flip(feed.state(0).view.get(name).expect("it is there").encoded().last().expect("bytes"));
    }
    let (_, _, now) = round(&mut feed);
    feed.on(SourceEvent::InitItems(items[500..].to_vec()), now);
    feed.on(SourceEvent::InitDone { revision: 1001 }, now);
    assert_eq!(feed.state(0).integrity.lost_entries, 1, "the list had told one of them before");
    assert_eq!(feed.question(now).expect("the source is asked").len(), 1);
    feed.on(SourceEvent::Reread { revision: 1001, items: vec![put("tier-7", 7)] }, now);
    let state = feed.state(0);
    assert_eq!((state.in_sync, state.view.keys()), (true, 1000));
}
