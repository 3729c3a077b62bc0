//! The list-and-watch protocol, message by message.

use bytes::Bytes;
use model::Kind;

use super::*;

const CLUSTER: u64 = 7;
const TIER: &str = "/calico/resources/v3/projectcalico.org/tiers/";

fn put(name: &str, revision: Version) -> Change {
    Change { path: format!("{TIER}{name}").into(), value: Some(Bytes::from("{}")), revision, created: false }
}

fn create(name: &str, revision: Version) -> Change {
    Change { created: true, ..put(name, revision) }
}

fn delete(name: &str, revision: Version) -> Change {
    Change { value: None, ..put(name, revision) }
}

fn foreign(revision: Version) -> Change {
    Change { path: b"/calico/ipam/v2/handle/h".to_vec(), ..create("", revision) }
}

fn events(changes: Vec<Change>) -> WatchMessage {
    let revision = changes.last().map_or(0, |last| last.revision);
    WatchMessage { datastore_id: CLUSTER, revision, changes, ..WatchMessage::default() }
}

/// What an event is about, short.
fn short(events: Vec<SourceEvent>) -> Vec<String> {
    let names = |updates: Vec<Update>| {
        let name = |update: &Update| format!("{}{}", if update.value.is_some() { "+" } else { "-" }, update.key.name());
        updates.iter().map(name).collect::<Vec<_>>().join(" ")
    };
    let one = |event| match event {
        SourceEvent::Apply { revision, updates } => format!("{revision}: {}", names(updates)),
        SourceEvent::Progress { revision } => format!("progress {revision}"),
        other => format!("{other:?}"),
    };
    events.into_iter().map(one).collect()
}

/// A feed that listed tiers a and b at revision 10.
fn listed() -> Feed {
    let mut feed = Feed::default();
    assert_eq!(feed.plan(), Plan::List);
    feed.list_started(CLUSTER);
    feed.listed(vec![put("a", 4), put("b", 9)]);
    feed.list_done(10);
    assert_eq!(feed.plan(), Plan::Watch(11));
    feed
}

#[test]
fn a_list_holds_what_can_be_read_as_a_key() {
    let mut feed = Feed::default();
    assert_eq!(feed.list_started(CLUSTER), SourceEvent::Init { datastore_id: CLUSTER });
    let SourceEvent::InitItems(items) = feed.listed(vec![put("a", 4), foreign(5), put("b", 9)]) else { panic!() };
    assert_eq!(items.iter().map(|item| (item.key.name(), item.revision)).collect::<Vec<_>>(), [("a", 4), ("b", 9)]);
    assert_eq!(feed.list_done(10), SourceEvent::InitDone { revision: 10 });
}

#[test]
fn a_transaction_is_one_event_and_never_comes_twice() {
    let mut feed = listed();
    let message = events(vec![put("a", 11), delete("b", 11), foreign(12), create("c", 13), foreign(13), put("a", 14)]);
    assert_eq!(short(feed.watched(message.clone()).unwrap()), ["11: +a -b", "13: +c", "14: +a"]);
    assert_eq!(short(feed.watched(message).unwrap()), [""; 0]);
    assert_eq!(short(feed.watched(events(vec![put("a", 14), put("a", 15)])).unwrap()), ["15: +a"]);
    assert_eq!(feed.plan(), Plan::Watch(16));
}

#[test]
fn foreign_changes_only_move_the_position() {
    let mut feed = listed();
    assert_eq!(short(feed.watched(events(vec![foreign(11), foreign(12)])).unwrap()), [""; 0]);
    assert_eq!(feed.plan(), Plan::Watch(13));
}

#[test]
fn the_creation_of_a_watch_says_nothing_about_what_was_delivered() {
    let mut feed = listed();
    let created = WatchMessage { created: true, revision: 99, ..events(Vec::new()) };
    assert!(!feed.is_watching());
    assert_eq!(feed.watched(created), Ok(Vec::new()));
    assert!(feed.is_watching());
    assert_eq!(feed.plan(), Plan::Watch(11));
}

#[test]
fn a_periodic_notification_moves_the_position() {
    let mut feed = listed();
    let notification = WatchMessage { revision: 20, ..events(Vec::new()) };
    assert_eq!(short(feed.watched(notification.clone()).unwrap()), ["progress 20"]);
    assert_eq!(short(feed.watched(notification).unwrap()), [""; 0]);
    assert_eq!(feed.plan(), Plan::Watch(21));
}

#[test]
fn compaction_leads_to_a_new_list() {
    let mut feed = listed();
    let canceled = WatchMessage { canceled: Some(Canceled::Compacted), ..events(Vec::new()) };
    assert_eq!(feed.watched(canceled), Err(Broken::Compacted(10)));
    feed.disconnected();
    assert_eq!(feed.plan(), Plan::List);
}

#[test]
fn any_other_end_of_a_watch_is_resumed() {
    let mut feed = listed();
    let canceled = WatchMessage { canceled: Some(Canceled::Other("no leader".into())), ..events(Vec::new()) };
    assert_eq!(feed.watched(canceled), Err(Broken::Canceled("no leader".into())));
    feed.disconnected();
    assert_eq!(feed.plan(), Plan::Watch(11));
}

#[test]
fn a_watch_that_fails_again_and_again_at_one_position_leads_to_a_new_list() {
    let mut feed = listed();
    for _ in 1..WATCH_FAILURES_MAX {
        feed.watch_failed();
        assert_eq!(feed.plan(), Plan::Watch(11));
    }
    feed.watched(events(vec![put("a", 11)])).unwrap();
    for _ in 1..WATCH_FAILURES_MAX {
        feed.watch_failed();
        assert_eq!(feed.plan(), Plan::Watch(12), "progress starts the count again");
    }
    feed.watch_failed();
    assert_eq!(feed.plan(), Plan::List);
}

#[test]
fn an_outage_is_resumed_however_long_it_was() {
    let mut feed = listed();
    for _ in 0..1000 {
        feed.disconnected();
    }
    assert_eq!(feed.plan(), Plan::Watch(11));
}

#[test]
fn another_datastore_leads_to_a_new_list() {
    let other = |message: WatchMessage| WatchMessage { datastore_id: CLUSTER + 1, ..message };
    let mut feed = listed();
    assert_eq!(feed.watched(other(events(vec![put("a", 11)]))), Err(Broken::Replaced));
    assert_eq!(feed.plan(), Plan::List);

    let mut feed = listed();
    assert_eq!(feed.probed(feed.probe(), Instant::now(), CLUSTER + 1, 10), Err(Broken::Replaced));
    assert_eq!(feed.plan(), Plan::List);

    let mut set_back = listed();
    assert_eq!(set_back.probed(set_back.probe(), Instant::now(), CLUSTER, 9), Err(Broken::Replaced));
    assert_eq!(set_back.plan(), Plan::List);
}

/// Probes a datastore that is ahead until an audit is asked for; how long that took.
fn suspect(feed: &mut Feed, start: Instant, revision: Version) -> (Audit, Duration) {
    for tenth in 0..10_000 {
        let waited = Duration::from_millis(tenth * 100);
        if let (_, Some(audit)) = feed.probed(feed.probe(), start + waited, CLUSTER, revision).unwrap() {
            return (audit, waited);
        }
    }
    panic!("no suspicion");
}

#[test]
fn a_probe_claims_only_what_was_delivered() {
    let mut feed = listed();
    let now = Instant::now();
    assert_eq!(feed.probed(feed.probe(), now, CLUSTER, 10), Ok((SourceEvent::Progress { revision: 10 }, None)));
    assert_eq!(feed.probed(feed.probe(), now, CLUSTER, 12), Ok((SourceEvent::Progress { revision: 10 }, None)));
    // What was under way arrives, even a progress notification too early could not have hidden it.
    assert_eq!(short(feed.watched(events(vec![put("a", 12)])).unwrap()), ["12: +a"]);
    let late = now + SUSPECT_AFTER * 2;
    assert_eq!(feed.probed(feed.probe(), late, CLUSTER, 12), Ok((SourceEvent::Progress { revision: 12 }, None)));
}

#[test]
fn a_probe_that_the_watch_overtook_is_no_sign_of_another_datastore() {
    let mut feed = listed();
    let (probe, now) = (feed.probe(), Instant::now());
    feed.watched(events(vec![put("a", 11), put("a", 12)])).unwrap();
    assert_eq!(feed.probed(probe, now, CLUSTER, 10), Ok((SourceEvent::Progress { revision: 12 }, None)));
    let late = now + SUSPECT_AFTER * 2;
    assert_eq!(feed.probed(probe, late, CLUSTER, 11), Ok((SourceEvent::Progress { revision: 12 }, None)));
    assert_eq!(feed.plan(), Plan::Watch(13));
}

#[test]
fn a_watch_that_withholds_changes_is_started_again_and_then_replaced_by_a_list() {
    let mut feed = listed();
    let (audit, waited) = suspect(&mut feed, Instant::now(), 12);
    assert_eq!((audit, waited), (Audit { since: 10 }, SUSPECT_AFTER));
    let found = Audited { revision: 12, modified: 1, keys: 2 };
    assert_eq!(feed.audited(audit, found), Err(Broken::Silent(10)));
    feed.disconnected();
    assert_eq!(feed.plan(), Plan::Watch(11));

    let (audit, _) = suspect(&mut feed, Instant::now(), 12);
    assert_eq!(feed.audited(audit, found), Err(Broken::Silent(10)));
    feed.disconnected();
    assert_eq!(feed.plan(), Plan::List);
}

#[test]
fn a_withheld_deletion_shows_in_the_number_of_keys() {
    let mut feed = listed();
    feed.watched(events(vec![create("c", 11), foreign(11), delete("a", 12)])).unwrap();
    let (audit, _) = suspect(&mut feed, Instant::now(), 14);
    assert_eq!(feed.audited(audit, Audited { revision: 14, modified: 0, keys: 1 }), Err(Broken::Silent(12)));

    let mut feed = listed();
    feed.watched(events(vec![create("c", 11), foreign(11), delete("a", 12)])).unwrap();
    let (audit, _) = suspect(&mut feed, Instant::now(), 14);
    let clean = Audited { revision: 14, modified: 0, keys: 2 };
    assert_eq!(feed.audited(audit, clean), Ok(Some(SourceEvent::Progress { revision: 14 })));
    assert_eq!(feed.plan(), Plan::Watch(15));
}

#[test]
fn an_audit_that_the_watch_overtook_says_nothing() {
    let mut feed = listed();
    let (audit, _) = suspect(&mut feed, Instant::now(), 11);
    feed.watched(events(vec![create("c", 11)])).unwrap();
    assert_eq!(feed.audited(audit, Audited { revision: 11, modified: 1, keys: 3 }), Ok(None));
    assert_eq!(feed.plan(), Plan::Watch(12));
}

#[test]
fn audits_become_rare_where_others_write() {
    let mut feed = listed();
    let mut pauses = Vec::new();
    for revision in 11..20 {
        let (audit, waited) = suspect(&mut feed, Instant::now(), revision);
        pauses.push(waited);
        feed.audited(audit, Audited { revision, modified: 0, keys: 2 }).unwrap();
    }
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert_eq!((pauses[0], pauses[8]), (SUSPECT_AFTER, AUDIT_PAUSE_MAX));
}

#[test]
fn what_the_state_already_reflects_is_dropped_when_it_arrives_late() {
    // Created and deleted while the watch lagged: the audit finds nothing missing, and the two events come later.
    let mut feed = listed();
    let (audit, _) = suspect(&mut feed, Instant::now(), 13);
    feed.audited(audit, Audited { revision: 13, modified: 0, keys: 2 }).unwrap();
    assert_eq!(short(feed.watched(events(vec![create("c", 11), delete("c", 12), put("a", 14)])).unwrap()), ["14: +a"]);
    let (audit, _) = suspect(&mut feed, Instant::now(), 15);
    assert!(feed.audited(audit, Audited { revision: 15, modified: 0, keys: 2 }).is_ok(), "nor are they counted");
}

#[test]
fn lost_keys_are_read_where_the_watch_stands() {
    let mut feed = listed();
    let keys = vec![Key::global(Kind::Tier, "b"), Key::global(Kind::Tier, "gone")];
    let reread = feed.reread(keys.clone()).unwrap();
    assert_eq!(reread, Reread { at: 10, keys: keys.clone() });
    feed.watched(events(vec![put("b", 11)])).unwrap();
    let SourceEvent::Reread { revision, items } =
        feed.reread_done(reread.clone(), CLUSTER, vec![Some(put("b", 9)), None]).unwrap()
    else {
        panic!()
    };
    let found: Vec<_> = items.iter().map(|item| (&item.key, item.value.is_some(), item.revision)).collect();
    assert_eq!((revision, found), (10, vec![(&keys[0], true, 9), (&keys[1], false, 10)]));
    assert_eq!(feed.reread_done(reread, CLUSTER + 1, vec![None, None]), Err(Broken::Replaced));
    assert_eq!(feed.plan(), Plan::List);
}

#[test]
fn a_reader_that_does_not_know_what_it_lost_gets_a_list() {
    let mut feed = listed();
    assert_eq!(feed.reread(Vec::new()), Err(Broken::Lost));
    assert_eq!(feed.plan(), Plan::List);
}
