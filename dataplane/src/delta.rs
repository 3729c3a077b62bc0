//! Desired minus actual: what must be written so that our table becomes what it is to be.
//!
//! Pure. The same function serves start, change and drift; they differ in how much is compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    desired::{Desired, Names},
    nft::{Batch, Image, Touched},
    ruleset::{Chain, Element, Name, Set},
};

/// What our table holds.
#[derive(Debug, Default)]
pub(crate) struct Actual {
    pub(crate) chains: BTreeMap<Name, Image>,
    pub(crate) sets: BTreeMap<Name, Arc<Vec<Element>>>,
}

/// What is desired, less what the kernel refused: a refused chain is closed, and so is each that uses a refused set.
pub(crate) struct View<'a> {
    pub(crate) desired: &'a Desired,
    pub(crate) refused: &'a BTreeMap<Touched, String>,
}

/// The changes to write, in the order in which they are safe.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Base chains whose hook differs, to be removed and made again.
    moved_chains: Vec<Name>,
    new_sets: Vec<(Name, Arc<Set>)>,
    new_chains: Vec<(Name, Chain)>,
    /// Changes of sets whose elements name no chains.
    elements: Vec<ElementChange>,
    /// Chains to flush and fill.
    rules: Vec<(Name, Chain)>,
    /// Changes of maps, whose elements name chains.
    map_elements: Vec<ElementChange>,
    old_chains: Vec<Name>,
    old_sets: Vec<Name>,
}

#[derive(Debug)]
struct ElementChange {
    set: Name,
    removed: Vec<Element>,
    added: Vec<Element>,
}

impl View<'_> {
    fn chain(&self, name: &Name) -> Option<Chain> {
        let chain = self.desired.chain(name)?;
        let uses_refused = chain.sets().any(|set| self.refused.contains_key(&Touched::Set(set.clone())));
        let closed = uses_refused || self.refused.contains_key(&Touched::Chain(name.clone()));
        Some(if closed { chain.closed() } else { (**chain).clone() })
    }

    fn set(&self, name: &Name) -> Option<&Arc<Set>> {
        self.desired.set(name).filter(|_| !self.refused.contains_key(&Touched::Set(name.clone())))
    }
}

impl Plan {
    /// Compares what is named in `scope`.
    pub(crate) fn between(view: &View<'_>, actual: &Actual, scope: &Names) -> Self {
        let mut plan = Self::default();
        for name in &scope.sets {
            plan.compare_set(view, actual, name);
        }
        for name in &scope.chains {
            plan.compare_chain(view, actual, name);
        }
        plan
    }

    /// Every name that is desired or there.
    pub(crate) fn everything(desired: &Desired, actual: &Actual) -> Names {
        let mut names = Names::default();
        names.chains = desired.chains().map(|(name, _)| name).chain(actual.chains.keys()).cloned().collect();
        names.sets = desired.sets().map(|(name, _)| name).chain(actual.sets.keys()).cloned().collect();
        names
    }

    /// Writes the changes. Sets come before the rules that use them and chains before whatever leads to them;
    /// removals go the other way round.
    pub(crate) fn write(&self, batch: &mut Batch) {
        for name in &self.moved_chains {
            batch.flush_chain(name);
            batch.delete_chain(name);
        }
        for (name, set) in &self.new_sets {
            batch.add_set(name, set);
        }
        for (name, chain) in &self.new_chains {
            batch.add_chain(name, chain);
        }
        write_elements(batch, &self.elements);
        for (name, chain) in &self.rules {
            batch.flush_chain(name);
            for rule in &chain.rules {
                batch.add_rule(name, rule);
            }
        }
        write_elements(batch, &self.map_elements);
        for name in &self.old_chains {
            batch.flush_chain(name);
        }
        for name in &self.old_chains {
            batch.delete_chain(name);
        }
        for name in &self.old_sets {
            batch.delete_set(name);
        }
    }

    /// Takes note that the kernel did it all.
    pub(crate) fn done(self, actual: &mut Actual) {
        for (name, set) in self.new_sets {
            actual.sets.insert(name, Arc::new(Vec::with_capacity(set.elements.len())));
        }
        for change in self.elements.into_iter().chain(self.map_elements) {
            let elements = actual.sets.entry(change.set).or_default();
            change_elements(Arc::make_mut(elements), &change.removed, change.added);
        }
        for (name, chain) in self.new_chains.into_iter().chain(self.rules) {
            actual.chains.insert(name, Image::of(&chain));
        }
        for name in self.old_chains {
            actual.chains.remove(&name);
        }
        for name in self.old_sets {
            actual.sets.remove(&name);
        }
    }

    fn compare_set(&mut self, view: &View<'_>, actual: &Actual, name: &Name) {
        let known = actual.sets.get(name);
        let Some(set) = view.set(name) else {
            if known.is_some() && !view.refused.contains_key(&Touched::Set(name.clone())) {
                self.old_sets.push(name.clone());
            }
            return;
        };
        if known.is_none() {
            self.new_sets.push((name.clone(), set.clone()));
        }
        let (removed, added) = difference(&set.elements, known.map_or(&[], |elements| elements.as_slice()));
        if !(removed.is_empty() && added.is_empty()) {
            let changes = if set.schema.is_map() { &mut self.map_elements } else { &mut self.elements };
            changes.push(ElementChange { set: name.clone(), removed, added });
        }
    }

    fn compare_chain(&mut self, view: &View<'_>, actual: &Actual, name: &Name) {
        let known = actual.chains.get(name);
        let Some(chain) = view.chain(name) else {
            if known.is_some() && !view.refused.contains_key(&Touched::Chain(name.clone())) {
                self.old_chains.push(name.clone());
            }
            return;
        };
        match known {
            Some(image) if image.hook != chain.hook => {
                self.moved_chains.push(name.clone());
                self.create_chain(name, chain);
            }
            None => self.create_chain(name, chain),
            Some(image) if *image != Image::of(&chain) => self.rules.push((name.clone(), chain)),
            Some(_) => {}
        }
    }
}

impl Plan {
    fn create_chain(&mut self, name: &Name, chain: Chain) {
        self.new_chains.push((name.clone(), chain.clone()));
        self.rules.push((name.clone(), chain));
    }
}

fn write_elements(batch: &mut Batch, changes: &[ElementChange]) {
    for change in changes {
        batch.delete_elements(&change.set, &change.removed);
        batch.add_elements(&change.set, &change.added);
    }
}

/// What to remove and what to add. Both lists are sorted.
fn difference(desired: &[Element], actual: &[Element]) -> (Vec<Element>, Vec<Element>) {
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    let (mut wanted, mut there) = (desired.iter().peekable(), actual.iter().peekable());
    loop {
        match (wanted.peek(), there.peek()) {
            (Some(want), Some(have)) if want == have => {
                wanted.next();
                there.next();
            }
            (Some(want), Some(have)) if want < have => added.extend(wanted.next().cloned()),
            (Some(_), None) => added.extend(wanted.next().cloned()),
            (_, Some(_)) => removed.extend(there.next().cloned()),
            (None, None) => return (removed, added),
        }
    }
}

fn change_elements(elements: &mut Vec<Element>, removed: &[Element], added: Vec<Element>) {
    if !removed.is_empty() {
        let removed: BTreeSet<_> = removed.iter().collect();
        elements.retain(|element| !removed.contains(element));
    }
    if !added.is_empty() {
        elements.extend(added);
        elements.sort_unstable();
    }
}

#[cfg(test)]
mod tests;
