//! Matches found by way of the index against matches found by asking everything.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*, sample::select};
use selector::Selector;

use super::*;
use crate::items::ItemId;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn add(index: &mut LabelIndex, own: &Labels, profiles: &[String]) -> ClassId {
    let (class, is_new) = index.classes.intern(&mut index.symbols, own, profiles);
    if is_new {
        index.refresh_sets(class);
    }
    class
}

fn subscribe(index: &mut LabelIndex, selector: &str) -> SubscriptionId {
    index.sets.subscribe(&index.classes, &mut index.symbols, &Selector::parse(selector).unwrap())
}

#[test]
fn own_labels_shadow_inherited_ones_and_earlier_profiles_later_ones() {
    let mut index = LabelIndex::new();
    index.set_profile_labels("first", &labels(&[("a", "1"), ("b", "1")]));
    index.set_profile_labels("second", &labels(&[("a", "2"), ("b", "2"), ("c", "2")]));
    let class = add(&mut index, &labels(&[("a", "own")]), &["first".to_owned(), "second".to_owned()]);
    let matching = subscribe(&mut index, "a == 'own' && b == '1' && c == '2'");
    let shadowed = subscribe(&mut index, "a == '1'");
    assert_eq!(index.sets.matches(class), [matching]);
    assert_eq!(index.sets.classes(shadowed).count(), 0);
}

#[test]
fn a_profile_that_changes_changes_its_classes() {
    let mut index = LabelIndex::new();
    let class = add(&mut index, &Labels::new(), &["p".to_owned()]);
    let watched = subscribe(&mut index, "team == 'a'");
    assert_eq!(index.set_profile_labels("p", &labels(&[("team", "a")])), [class]);
    assert_eq!(index.refresh_sets(class).started, [watched]);
    assert_eq!(index.set_profile_labels("p", &labels(&[("team", "a")])), [], "nothing changed");
    assert_eq!(index.set_profile_labels("p", &Labels::new()), [class]);
    assert_eq!(index.refresh_sets(class).stopped, [watched]);
}

#[test]
fn equal_selectors_are_watched_once_until_the_last_leaves() {
    let mut index = LabelIndex::new();
    let class = add(&mut index, &labels(&[("a", "b")]), &[]);
    let first = subscribe(&mut index, "a == 'b'");
    assert_eq!(subscribe(&mut index, r#"a == "b""#), first);
    index.sets.unsubscribe(&mut index.symbols, first);
    assert_eq!(index.sets.matches(class), [first]);
    index.sets.unsubscribe(&mut index.symbols, first);
    assert_eq!(index.sets.matches(class), []);
}

#[test]
fn matchers_of_policies_see_wanted_classes_only() {
    let mut index = LabelIndex::new();
    let class = add(&mut index, &labels(&[("a", "b")]), &[]);
    let selector = Selector::parse("has(a)").unwrap();
    let policy = index.policies.subscribe(&index.classes, &mut index.symbols, &selector);
    assert_eq!(index.policies.matches(class), []);
    index.classes.get_mut(class).unwrap().wanted = 1;
    assert_eq!(index.refresh_policies(class).started, [policy]);
}

#[test]
fn a_profile_may_be_named_twice() {
    let mut index = LabelIndex::new();
    let class = add(&mut index, &Labels::new(), &["p".to_owned(), "p".to_owned()]);
    index.classes.remove(&mut index.symbols, class);
    assert_eq!(index.set_profile_labels("p", &labels(&[("a", "b")])), []);
}

const SELECTORS: [&str; 12] = [
    "all()",
    "has(a)",
    "!has(a)",
    "a == '1'",
    "a != '1'",
    "a in {'1', '2'}",
    "a in {}",
    "a not in {'1'}",
    "a == '1' && b == '2'",
    "a == '1' || b == '2'",
    "has(a) && b contains '1'",
    "!(a == '1') && has(b)",
];

fn some_labels() -> impl Strategy<Value = Labels> {
    let pair = (select(vec!["a", "b", "c"]), select(vec!["1", "2", "11"]));
    vec(pair, 0..4).prop_map(|pairs| labels(&pairs))
}

proptest! {
    /// Things and selectors come and go in any order; the index always agrees with asking every selector.
    #[test]
    fn the_index_agrees_with_asking_everything(
        steps in vec((0_u8..5, some_labels(), 0_usize..12, vec(select(vec!["p", "q"]), 0..3)), 1..40),
    ) {
        let mut index = LabelIndex::new();
        let mut inherited = std::collections::BTreeMap::from([("p", Labels::new()), ("q", Labels::new())]);
        let mut things: Vec<(ClassId, Labels, Vec<&str>)> = Vec::new();
        let mut watched: Vec<(SubscriptionId, &str)> = Vec::new();
        for (what, own, number, profiles) in steps {
            match what {
                0 | 1 => {
                    let names: Vec<String> = profiles.iter().map(|name| (*name).to_owned()).collect();
                    let class = add(&mut index, &own, &names);
                    index.classes.get_mut(class).unwrap().items.push(ItemId::default());
                    things.push((class, own, profiles));
                }
                2 => watched.push((subscribe(&mut index, SELECTORS[number]), SELECTORS[number])),
                3 if !watched.is_empty() => {
                    let (id, _) = watched.swap_remove(number % watched.len());
                    index.sets.unsubscribe(&mut index.symbols, id);
                }
                4 if !things.is_empty() && number < 6 => {
                    let (class, ..) = things.swap_remove(number % things.len());
                    let members = &mut index.classes.get_mut(class).unwrap().items;
                    members.pop();
                    if members.is_empty() {
                        index.classes.remove(&mut index.symbols, class);
                        index.refresh_sets(class);
                    }
                }
                _ => {
                    let name = if number % 2 == 0 { "p" } else { "q" };
                    for class in index.set_profile_labels(name, &own) {
                        index.refresh_sets(class);
                    }
                    inherited.insert(name, own);
                }
            }
            for (class, own, profiles) in &things {
                let mut effective = own.clone();
                for (name, value) in profiles.iter().flat_map(|profile| &inherited[profile]) {
                    effective.entry(name.clone()).or_insert_with(|| value.clone());
                }
                let expected: BTreeSet<_> = watched
                    .iter()
                    .filter(|(_, text)| Selector::parse(text).unwrap().matches(&effective))
                    .map(|(id, _)| *id)
                    .collect();
                let matches: BTreeSet<_> = index.sets.matches(*class).iter().copied().collect();
                prop_assert_eq!(&matches, &expected);
                for id in &expected {
                    prop_assert!(index.sets.classes(*id).any(|other| other == *class));
                }
            }
        }
    }
}
