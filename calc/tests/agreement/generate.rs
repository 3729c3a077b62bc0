//! Clusters and their histories, made up: few names, labels, addresses and ports, so that everything meets often.

pub(crate) mod calico;
pub(crate) mod kubernetes;

use model::Key;
use proptest::{collection::vec, option, prelude::*, strategy::Union};
use serde_json::Value;

use crate::history::{Change, Written};

/// Nodes that workloads are spread over.
pub(crate) const NODES: [&str; 2] = ["node-1", "node-2"];
/// Namespaces that resources live in.
pub(crate) const NAMESPACES: [&str; 2] = ["n1", "n2"];

/// A place where one resource may exist, and what may exist there.
pub(crate) type Slot = (Key, BoxedStrategy<Written>);

/// A place where only good resources may exist.
pub(crate) fn slot(key: Key, value: impl Strategy<Value = Value> + 'static) -> Slot {
    (key, value.prop_map(Written::Good).boxed())
}

/// Most of the slots filled in any order, then some of them changed or emptied again.
pub(crate) fn history(slots: &[Slot]) -> impl Strategy<Value = Vec<Change>> + use<> {
    let first: Vec<_> = slots.iter().map(|slot| option::weighted(0.85, put(slot))).collect();
    let then = Union::new(slots.iter().map(|slot| prop_oneof![3 => put(slot), 1 => delete(&slot.0)].boxed()));
    (first.prop_map(|changes| changes.into_iter().flatten().collect::<Vec<_>>()).prop_shuffle(), vec(then, 0..12))
        .prop_map(|(first, then)| [first, then].concat())
}

fn put((key, value): &Slot) -> BoxedStrategy<Change> {
    let key = key.clone();
    (value.clone(), flushes()).prop_map(move |(value, flushes)| Change { key: key.clone(), value, flushes }).boxed()
}

fn delete(key: &Key) -> BoxedStrategy<Change> {
    let key = key.clone();
    flushes().prop_map(move |flushes| Change { key: key.clone(), value: Written::Nothing, flushes }).boxed()
}

fn flushes() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.2)
}

/// One of some texts.
pub(crate) fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(texts)
}

/// Each of the labels with one of its values, or not at all.
pub(crate) fn labels(
    names: &'static [&'static str],
    values: &'static [&'static str],
) -> impl Strategy<Value = serde_json::Map<String, Value>> {
    vec(option::weighted(0.7, one_of(values)), names.len()).prop_map(move |values| {
        names.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?.into()))).collect()
    })
}

/// A JSON object of the fields that are there.
pub(crate) fn object(fields: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
