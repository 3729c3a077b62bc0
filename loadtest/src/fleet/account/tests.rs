//! The account, entry by entry.

use datastore_adapters::Write;
use model::Key;

use super::*;
use crate::{schedule::Schedule, workload::Content};

fn account(content: Content, keys: u32) -> Account {
    let workload = Workload::new(content, keys, 1, Instant::now());
    workload.begin(Schedule::new(workload.epoch(), 1000.0, 1));
    let mut account = Account::new(0, Arc::new(workload), Arc::new(Recorders::new().unwrap()));
    account.take(&LightEvent::Connected { server: "test", mode: Mode::Snapshot });
    account.take(&LightEvent::Checkpoint { revision: 1, upstream_age: Duration::ZERO, in_sync: true });
    account
}

fn receive(account: &mut Account, number: u32) {
    let (key, value): (Key, _) = match account.workload.write(number, Duration::ZERO).1 {
        Write::Put(key, value) => (key, Some(value)),
        Write::Delete(key) => (key, None),
    };
    account.take(&LightEvent::Entry { key: &key.to_string(), value: value.as_ref(), revision: u64::from(number) });
}

fn totals(account: &Account, writes: u64, last_writes: &[u32]) -> (u64, u64, u64) {
    let mut totals = Totals::default();
    account.add_to(&mut totals, writes, last_writes);
    (totals.delivered, totals.conflated, totals.lost)
}

#[test]
fn every_update_is_delivered_conflated_or_lost() {
    let mut account = account(Content::Sets, 2);
    // Writes 1, 3, 5 go to slot 0 and 2, 4 to slot 1; 1 and 2 came, 3 was conflated into 5, 4 was lost.
    for number in [1, 2, 5, 5] {
        receive(&mut account, number);
    }
    assert_eq!(totals(&account, 5, &[5, 4]), (3, 1, 1));
}

#[test]
fn no_later_pod_stands_for_a_deletion() {
    let mut account = account(Content::Churn, 2);
    // Slot 0 is a set (1, 3, 5, 7); slot 1 makes (2), deletes (4), makes (6) and deletes (8) pods.
    for number in [2, 6, 7, 8] {
        receive(&mut account, number);
    }
    // The set's 1, 3, 5 were conflated into 7. The first pod was never deleted.
    assert_eq!(totals(&account, 8, &[7, 8]), (4, 3, 1));
    receive(&mut account, 4);
    assert_eq!(totals(&account, 8, &[7, 8]), (5, 3, 0));
}

#[test]
fn a_pod_that_came_and_went_unseen_is_conflated() {
    let mut account = account(Content::Churn, 2);
    receive(&mut account, 1);
    receive(&mut account, 4);
    assert_eq!(totals(&account, 4, &[3, 4]), (2, 1, 1), "3 is lost, 2 went with 4");
}
