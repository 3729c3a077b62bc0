//! The account, entry by entry.

use datastore_adapters::Write;
use model::Key;

use super::*;
use crate::{schedule::Schedule, workload::Content};

fn account(content: Content, keys: u32) -> Account {
    let workload = Workload::new(content, keys, 1);
    workload.begin(Schedule::new(Instant::now(), 1000.0, 1));
    let mut account = Account::new(0, Arc::new(workload), Arc::new(Recorders::default()));
    account.take(&LightEvent::Connected { server: "test", mode: Mode::Snapshot });
    account.take(&LightEvent::Checkpoint { revision: 1, upstream_age: Duration::ZERO, in_sync: true });
    account
}

fn receive(account: &mut Account, number: u32) {
    let (key, value): (Key, _) = match account.workload.write(number, Duration::ZERO) {
        Write::Put(key, value) => (key, Some(value)),
        Write::Delete(key) => (key, None),
    };
    account.take(&LightEvent::Entry { key: &key.to_string(), value: value.as_ref(), revision: u64::from(number) });
}

fn totals(account: &Account, writes: u64) -> (u64, u64, u64) {
    let mut totals = Totals::default();
    account.add_to(&mut totals, writes);
    (totals.delivered, totals.conflated, totals.lost)
}

#[test]
fn every_update_is_delivered_conflated_or_lost() {
    let mut account = account(Content::Sets, 2);
    // What was there before the first write counts for nothing.
    for write in account.workload.seed().collect::<Vec<_>>() {
        let Write::Put(key, value) = write else { panic!("{write:?}") };
        account.take(&LightEvent::Entry { key: &key.to_string(), value: Some(&value), revision: 1 });
    }
    // Writes 1, 3, 5 go to slot 0 and 2, 4 to slot 1; 1 and 2 came, 3 was conflated into 5, 4 was lost.
    for number in [1, 2, 5, 5] {
        receive(&mut account, number);
    }
    assert_eq!(totals(&account, 5), (3, 1, 1));
}

#[test]
fn no_later_pod_stands_for_a_deletion() {
    let mut account = account(Content::Churn, 2);
    // Slot 0 is a set (1, 3, 5, 7); slot 1 makes (2), deletes (4), makes (6) and deletes (8) pods.
    for number in [2, 6, 7, 8] {
        receive(&mut account, number);
    }
    // The set's 1, 3, 5 were conflated into 7. The first pod was never deleted.
    assert_eq!(totals(&account, 8), (4, 3, 1));
    receive(&mut account, 4);
    assert_eq!(totals(&account, 8), (5, 3, 0));
}

#[test]
fn a_pod_that_came_and_went_unseen_is_conflated() {
    let mut account = account(Content::Churn, 2);
    receive(&mut account, 1);
    receive(&mut account, 4);
    assert_eq!(totals(&account, 4), (2, 1, 1), "3 is lost, 2 went with 4");
}

#[test]
fn what_a_snapshot_holds_comes_in_any_order() {
    let mut account = account(Content::Sets, 4);
    receive(&mut account, 1);
    account.take(&LightEvent::Connected { server: "test", mode: Mode::Snapshot });
    // Writes 2 to 9 were missed; 6 to 9 are what is left of them, by key and not by number.
    for number in [9, 6, 7, 8, 8] {
        receive(&mut account, number);
    }
    assert_eq!(totals(&account, 9), (5, 4, 0));
}

#[test]
fn what_never_came_after_the_last_that_did_is_lost() {
    let mut account = account(Content::Churn, 2);
    receive(&mut account, 1);
    // The pod made by 2 went with 4; 4 and 8 are deletions, 7 is the set's last.
    assert_eq!(totals(&account, 8), (1, 4, 3));
}

fn leave(account: &mut Account, reason: &Disconnect) {
    account.take(&LightEvent::Disconnected { reason, retry_in: Duration::ZERO });
}

fn connect(account: &mut Account, mode: Mode) {
    account.take(&LightEvent::Connected { server: "test", mode });
}

#[test]
fn who_is_put_off_or_goes_in_peace_is_not_cut() {
    let mut account = account(Content::Sets, 2);
    let address: Arc<str> = "typha:5473".into();
    let reason = String::new();
    let busy = Disconnect::PutOff { address: address.clone(), reason: reason.clone(), retry_after: Duration::ZERO };
    let asked = Disconnect::GoAway { address: address.clone(), reason: reason.clone() };
    let full = Disconnect::Referred { address: address.clone(), reason, servers: Vec::new() };
    let stale = Disconnect::Stale { address: address.clone(), age: Duration::ZERO };
    let closed = Disconnect::Closed { address };
    for reason in [&busy, &asked, &full, &stale, &closed] {
        connect(&mut account, Mode::Resume);
        leave(&mut account, reason);
    }
    // A second time, without a stream in between.
    leave(&mut account, &closed);
    let totals = account.totals;
    assert_eq!((totals.put_off, totals.moved - 1, totals.cut, totals.failed_attempts), (1, 3, 1, 1));
}

#[test]
fn a_stream_that_takes_over_is_a_move_without_a_gap() {
    let mut account = account(Content::Sets, 2);
    connect(&mut account, Mode::Resume);
    account.take(&LightEvent::Checkpoint { revision: 2, upstream_age: Duration::ZERO, in_sync: true });
    assert_eq!((account.totals.moved, account.totals.cut, account.totals.longest_gap), (1, 0, Duration::ZERO));
}

#[test]
fn a_gap_lasts_until_everything_is_there_again() {
    let mut account = account(Content::Sets, 2);
    let reason = Disconnect::Closed { address: "typha:5473".into() };
    leave(&mut account, &reason);
    // As if some time had passed since.
    account.away_since = account.away_since.map(|since| since - Duration::from_secs(3));
    leave(&mut account, &reason);
    connect(&mut account, Mode::Snapshot);
    account.take(&LightEvent::Checkpoint { revision: 2, upstream_age: Duration::ZERO, in_sync: false });
    assert_eq!(account.totals.longest_gap, Duration::ZERO, "not everything is there yet");
    account.take(&LightEvent::Checkpoint { revision: 3, upstream_age: Duration::ZERO, in_sync: true });
    assert!(account.totals.longest_gap >= Duration::from_secs(3), "{:?}", account.totals);
    assert_eq!((account.totals.cut, account.totals.failed_attempts), (1, 1));
    assert_eq!((account.totals.snapshots, account.totals.snapshots_again), (2, 1));
}

#[test]
fn what_a_cut_keeps_from_its_checkpoint_is_late_all_the_same() {
    let mut account = account(Content::Sets, 2);
    receive(&mut account, 1);
    leave(&mut account, &Disconnect::Closed { address: "typha:5473".into() });
    connect(&mut account, Mode::Resume);
    receive(&mut account, 1);
    account.take(&LightEvent::Checkpoint { revision: 2, upstream_age: Duration::ZERO, in_sync: true });
    assert_eq!(account.recorders.latency.histogram().percentiles().count, 1);
    assert_eq!(totals(&account, 1), (1, 0, 0));
}
