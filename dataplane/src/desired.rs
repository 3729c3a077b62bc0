//! What our table is to hold, object by object, and which of it has changed since the last commit.
//!
//! Interned sets belong to nobody: they are there while a chain uses them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    Object,
    render::Fragment,
    ruleset::{Chain, Name, Set},
};

/// Who put something here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// What is there whatever the intent.
    Base,
    /// Maps from interfaces to endpoints.
    Dispatch,
    /// One object of the intent.
    Of(Object),
}

/// The desired content of our table.
#[derive(Debug, Default)]
pub(crate) struct Desired {
    chains: BTreeMap<Name, Arc<Chain>>,
    /// Sets of the intent, maps and interned sets.
    sets: BTreeMap<Name, Arc<Set>>,
    /// How many parts use an interned set.
    literal_uses: BTreeMap<Name, usize>,
    /// What each part put here.
    parts: BTreeMap<Part, Names>,
    /// Parts that could not be rendered as asked.
    failures: BTreeMap<Part, Vec<String>>,
    /// Names that changed since they were last taken.
    touched: Names,
}

/// Names of chains and sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) chains: BTreeSet<Name>,
    pub(crate) sets: BTreeSet<Name>,
    literals: BTreeSet<Name>,
}

impl Desired {
    /// Replaces what a part put here before.
    pub(crate) fn put(&mut self, part: Part, fragment: Fragment) {
        let old = self.parts.remove(&part).unwrap_or_default();
        let new = Names {
            chains: fragment.chains.keys().cloned().collect(),
            sets: fragment.sets.keys().cloned().collect(),
            literals: fragment.literals.keys().cloned().collect(),
        };
        self.drop_missing(&old, &new);
        for (name, chain) in fragment.chains {
            if self.chains.get(&name).is_none_or(|known| **known != chain) {
                self.touched.chains.insert(name.clone());
                self.chains.insert(name, Arc::new(chain));
            }
        }
        for (name, set) in fragment.sets {
            self.put_set(name, set);
        }
        for (name, set) in fragment.literals {
            if !old.literals.contains(&name) {
                *self.literal_uses.entry(name.clone()).or_default() += 1;
                self.put_set(name, set);
            }
        }
        if fragment.failures.is_empty() {
            self.failures.remove(&part);
        } else {
            self.failures.insert(part.clone(), fragment.failures);
        }
        self.parts.insert(part, new);
    }

    /// Removes what a part put here.
    pub(crate) fn remove(&mut self, part: &Part) {
        let old = self.parts.remove(part).unwrap_or_default();
        self.drop_missing(&old, &Names::default());
        self.failures.remove(part);
    }

    pub(crate) fn chain(&self, name: &str) -> Option<&Arc<Chain>> {
        self.chains.get(name)
    }

    pub(crate) fn set(&self, name: &str) -> Option<&Arc<Set>> {
        self.sets.get(name)
    }

    pub(crate) fn chains(&self) -> impl Iterator<Item = (&Name, &Arc<Chain>)> {
        self.chains.iter()
    }

    pub(crate) fn sets(&self) -> impl Iterator<Item = (&Name, &Arc<Set>)> {
        self.sets.iter()
    }

    pub(crate) fn failures(&self) -> impl Iterator<Item = (&Part, &String)> {
        self.failures.iter().flat_map(|(part, reasons)| reasons.iter().map(move |reason| (part, reason)))
    }

    /// What changed since the last call.
    pub(crate) fn take_touched(&mut self) -> Names {
        std::mem::take(&mut self.touched)
    }

    fn put_set(&mut self, name: Name, set: Set) {
        if self.sets.get(&name).is_none_or(|known| **known != set) {
            self.touched.sets.insert(name.clone());
            self.sets.insert(name, Arc::new(set));
        }
    }

    fn drop_missing(&mut self, old: &Names, new: &Names) {
        for name in old.chains.difference(&new.chains) {
            self.chains.remove(name);
            self.touched.chains.insert(name.clone());
        }
        for name in old.sets.difference(&new.sets) {
            self.sets.remove(name);
            self.touched.sets.insert(name.clone());
        }
        for name in old.literals.difference(&new.literals) {
            let uses = self.literal_uses.entry(name.clone()).or_default();
            *uses = uses.saturating_sub(1);
            if *uses == 0 {
                self.literal_uses.remove(name);
                self.sets.remove(name);
                self.touched.sets.insert(name.clone());
            }
        }
    }
}
