//! From labels to whatever carries them.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use crate::symbols::Symbol;

/// A label: its name and its value.
pub(super) type Pair = (Symbol, Symbol);

/// Label name, then value, to carriers.
pub(super) struct Postings<T>(HashMap<Symbol, HashMap<Symbol, BTreeSet<T>>>);

impl<T> Default for Postings<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Ord + Copy> Postings<T> {
    /// Something carries a label.
    pub(super) fn insert(&mut self, (name, value): Pair, carrier: T) {
        self.0.entry(name).or_default().entry(value).or_default().insert(carrier);
    }

    /// Something does not carry a label any more.
    pub(super) fn remove(&mut self, (name, value): Pair, carrier: T) {
        let Some(by_value) = self.0.get_mut(&name) else { return };
        if let Some(carriers) = by_value.get_mut(&value) {
            carriers.remove(&carrier);
            if carriers.is_empty() {
                by_value.remove(&value);
            }
        }
        if by_value.is_empty() {
            self.0.remove(&name);
        }
    }

    /// Carriers of a label by name with one of some values, or with any where none is given; value by value.
    pub(super) fn select<'a>(&'a self, name: Symbol, values: &'a [Symbol]) -> impl Iterator<Item = &'a BTreeSet<T>> {
        let by_value = self.0.get(&name);
        let any = by_value.filter(|_| values.is_empty()).into_iter().flat_map(HashMap::values);
        let some = by_value.into_iter().flat_map(move |by_value| values.iter().filter_map(|value| by_value.get(value)));
        any.chain(some)
    }
}
