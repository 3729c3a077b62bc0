//! What everybody relies on: agreement, even shares, moves only to a new replica and only from a lost one, own zone first.

use std::{collections::BTreeMap, sync::Arc};

use proptest::{collection::btree_set, prelude::*};

use super::*;

fn replica(address: &str, zone: Option<&str>) -> Replica {
    let address: Arc<str> = address.into();
    Replica { found_by: Arc::clone(&address), address, zone: zone.map(Into::into), is_spare: false }
}

fn replicas(numbers: impl IntoIterator<Item = u8>) -> Vec<Replica> {
    numbers.into_iter().map(|number| replica(&format!("10.0.0.{number}:5473"), None)).collect()
}

fn node(number: usize) -> String {
    format!("node-{number:04}.example")
}

/// Each node's first choice.
fn first_choices(nodes: usize, replicas: &[Replica]) -> Vec<Arc<str>> {
    (0..nodes).map(|number| Arc::clone(&in_order(&node(number), None, replicas)[0].address)).collect()
}

#[test]
fn scores_do_not_change_with_versions() {
    let order = in_order("node-1", None, &replicas(1..=5));
    let order: Vec<_> = order.iter().map(|replica| &replica.address[..8]).collect();
    assert_eq!(
        order,
        ["10.0.0.3", "10.0.0.4", "10.0.0.1", "10.0.0.2", "10.0.0.5"],
        "agents of different versions must agree"
    );
}

#[test]
fn shares_are_even() {
    for count in [2, 3, 5, 10, 25] {
        let mut shares: BTreeMap<_, usize> = BTreeMap::new();
        let nodes = 5000;
        for choice in first_choices(nodes, &replicas(1..=count)) {
            *shares.entry(choice).or_default() += 1;
        }
        let even = nodes as f64 / f64::from(count);
        // Five standard deviations of a fair draw.
        let tolerance = 5.0 * even.sqrt();
        let most = shares.values().map(|&share| (share as f64 - even).abs()).fold(0.0, f64::max);
        assert!(shares.len() == usize::from(count) && most < tolerance, "{count}: {shares:?}");
    }
}

proptest! {
    // A case asks a thousand nodes.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_order_of_the_list_does_not_matter(mut list in btree_set(0..=255_u8, 1..20).prop_map(replicas).prop_shuffle()) {
        let order = in_order("node-1", None, &list);
        list.reverse();
        prop_assert_eq!(order, in_order("node-1", None, &list));
    }

    #[test]
    fn a_new_replica_gets_its_share_and_nobody_moves_elsewhere(numbers in btree_set(0..=255_u8, 2..12)) {
        let nodes = 1000;
        let after = replicas(numbers.iter().copied());
        let (new, before) = after.split_first().unwrap();
        let (was, is) = (first_choices(nodes, before), first_choices(nodes, &after));
        let moved: Vec<_> = was.iter().zip(&is).filter(|(was, is)| was != is).map(|(_, is)| is).collect();
        prop_assert!(moved.iter().all(|to| **to == new.address));
        let share = nodes as f64 / after.len() as f64;
        prop_assert!((moved.len() as f64 - share).abs() < 5.0 * share.sqrt(), "{} moved, not {share}", moved.len());
    }

    #[test]
    fn only_the_clients_of_a_lost_replica_move_and_to_all_others(numbers in btree_set(0..=255_u8, 3..8)) {
        let before = replicas(numbers.iter().copied());
        let (lost, after) = before.split_first().unwrap();
        let mut heirs: BTreeMap<_, usize> = BTreeMap::new();
        for (was, is) in first_choices(1000, &before).into_iter().zip(first_choices(1000, after)) {
            if was == lost.address {
                *heirs.entry(is).or_default() += 1;
            } else {
                prop_assert_eq!(was, is);
            }
        }
        prop_assert_eq!(heirs.len(), after.len(), "its clients are spread over all: {:?}", heirs);
    }

    #[test]
    fn the_own_zone_comes_first_and_nothing_is_left_out(zones in proptest::collection::vec(proptest::option::of("[ab]"), 1..10)) {
        let list: Vec<_> = zones.iter().enumerate().map(|(n, zone)| replica(&format!("r{n}:1"), zone.as_deref())).collect();
        let order = in_order("node-1", Some("a"), &list);
        prop_assert_eq!(order.len(), list.len());
        let is_own: Vec<bool> = order.iter().map(|replica| replica.zone.as_deref() == Some("a")).collect();
        prop_assert!(is_own.is_sorted_by(|before, after| before >= after), "{:?}", order);
    }
}

#[test]
fn spare_addresses_come_last_whatever_their_zone() {
    let spare = Replica { is_spare: true, ..replica("[fd00::1]:1", Some("a")) };
    let order = in_order("node-1", Some("a"), &[spare.clone(), replica("10.0.0.1:1", Some("b"))]);
    assert_eq!(order[1], spare);
}
