//! Whether labels match. A missing label is unequal to everything and in no set.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use crate::ast::{Comparison, Expression};

/// Labels of one endpoint, network set or namespace, looked up by name.
pub trait Labels {
    /// The label's value, where there is such a label.
    fn get(&self, name: &str) -> Option<&str>;
}

impl<K: std::borrow::Borrow<str> + Ord, V: AsRef<str>> Labels for BTreeMap<K, V> {
    fn get(&self, name: &str) -> Option<&str> {
        BTreeMap::get(self, name).map(AsRef::as_ref)
    }
}

impl<K: std::borrow::Borrow<str> + Eq + std::hash::Hash, V: AsRef<str>, S: BuildHasher> Labels for HashMap<K, V, S> {
    fn get(&self, name: &str) -> Option<&str> {
        HashMap::get(self, name).map(AsRef::as_ref)
    }
}

impl<L: Labels + ?Sized> Labels for &L {
    fn get(&self, name: &str) -> Option<&str> {
        (**self).get(name)
    }
}

impl Expression {
    pub(crate) fn matches(&self, labels: &(impl Labels + ?Sized)) -> bool {
        match self {
            Self::All | Self::Global => true,
            Self::Has(label) => labels.get(label).is_some(),
            Self::Compare(label, comparison, text) => comparison.holds(labels.get(label), text),
            Self::Member { label, negated, values } => {
                labels.get(label).is_some_and(|value| values.contains(value)) != *negated
            }
            Self::Not(inner) => !inner.matches(labels),
            Self::And(terms) => terms.iter().all(|term| term.matches(labels)),
            Self::Or(terms) => terms.iter().any(|term| term.matches(labels)),
        }
    }
}

impl Comparison {
    fn holds(self, value: Option<&str>, text: &str) -> bool {
        let Some(value) = value else {
            return self == Self::NotEqual;
        };
        match self {
            Self::Equal => value == text,
            Self::NotEqual => value != text,
            Self::Contains => value.contains(text),
            Self::StartsWith => value.starts_with(text),
            Self::EndsWith => value.ends_with(text),
        }
    }
}
