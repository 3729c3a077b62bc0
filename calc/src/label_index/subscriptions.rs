//! Selectors that someone watches, and the classes that each of them matches.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use selector::{Restriction, Selector};

use super::{
    MatchChanges,
    classes::{Class, ClassId, Classes, acquire_values},
};
use crate::symbols::{Symbol, Symbols};

/// A watched selector's number; reused after its last subscriber left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SubscriptionId(u32);

/// The one demand on a label by which a selector and its classes find each other.
#[derive(Debug)]
enum Anchor {
    /// It demands nothing of any single label.
    Anything,
    /// It cannot match.
    Nothing,
    /// The label is there.
    Has(Symbol),
    /// The label has one of these values; not empty.
    OneOf(Symbol, Vec<Symbol>),
}

#[derive(Debug)]
struct Subscription {
    selector: Selector,
    anchor: Anchor,
    subscribers: u32,
    /// Classes that it matches.
    classes: BTreeSet<ClassId>,
}

/// The watched selectors.
pub(crate) struct Subscriptions {
    /// Which classes are of interest; a class is refreshed when this changes for it.
    eligible: fn(&Class) -> bool,
    by_selector: HashMap<Selector, SubscriptionId>,
    /// Indexed by subscription; `None` where a number is free.
    slots: Vec<Option<Subscription>>,
    free: Vec<SubscriptionId>,
    /// Subscriptions by anchor.
    anywhere: BTreeSet<SubscriptionId>,
    by_label: HashMap<Symbol, BTreeSet<SubscriptionId>>,
    by_pair: HashMap<(Symbol, Symbol), BTreeSet<SubscriptionId>>,
    /// Indexed by class: what matches it, sorted.
    matches: Vec<Box<[SubscriptionId]>>,
}

impl Subscriptions {
    pub(super) fn new(eligible: fn(&Class) -> bool) -> Self {
        Self {
            eligible,
            by_selector: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            anywhere: BTreeSet::new(),
            by_label: HashMap::new(),
            by_pair: HashMap::new(),
            matches: Vec::new(),
        }
    }

    /// Watches a selector once more.
    pub(crate) fn subscribe(
        &mut self,
        classes: &Classes,
        symbols: &mut Symbols,
        selector: &Selector,
    ) -> SubscriptionId {
        if let Some(&known) = self.by_selector.get(selector) {
            if let Some(subscription) = &mut self.slots[known.0 as usize] {
                subscription.subscribers += 1;
            }
            return known;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            SubscriptionId(self.slots.len() as u32 - 1)
        });
        let anchor = choose_anchor(classes, symbols, selector);
        self.index_anchor(id, &anchor);
        let found = self.find_classes(classes, symbols, selector, &anchor);
        for class in &found {
            change(matches_mut(&mut self.matches, *class), |matches| {
                let place = matches.partition_point(|other| *other < id);
                matches.insert(place, id);
            });
        }
        self.by_selector.insert(selector.clone(), id);
        let selector = selector.clone();
        self.slots[id.0 as usize] = Some(Subscription { selector, anchor, subscribers: 1, classes: found });
        id
    }

    /// Takes one subscriber away; the last one ends the watch.
    pub(crate) fn unsubscribe(&mut self, symbols: &mut Symbols, id: SubscriptionId) {
        let slot = &mut self.slots[id.0 as usize];
        if let Some(subscription) = slot {
            subscription.subscribers -= 1;
        }
        let Some(ended) = slot.take_if(|subscription| subscription.subscribers == 0) else { return };
        self.by_selector.remove(&ended.selector);
        self.forget_anchor(symbols, id, &ended.anchor);
        for class in ended.classes {
            change(matches_mut(&mut self.matches, class), |matches| matches.retain(|other| *other != id));
        }
        self.free.push(id);
    }

    /// The selector of a subscription, the one object of it that is kept.
    pub(crate) fn selector(&self, id: SubscriptionId) -> Option<&Selector> {
        Some(&self.slots[id.0 as usize].as_ref()?.selector)
    }

    /// Classes that a subscription matches.
    pub(crate) fn classes(&self, id: SubscriptionId) -> impl Iterator<Item = ClassId> + '_ {
        self.slots[id.0 as usize].iter().flat_map(|subscription| subscription.classes.iter().copied())
    }

    /// Subscriptions that match a class, sorted.
    pub(crate) fn matches(&self, class: ClassId) -> &[SubscriptionId] {
        self.matches.get(class.index()).map_or(&[], |matches| matches)
    }

    /// Brings the matches of one class up to date.
    pub(super) fn refresh(&mut self, classes: &Classes, symbols: &Symbols, id: ClassId) -> MatchChanges {
        let current = match classes.get(id).filter(|class| (self.eligible)(class)) {
            Some(class) => self.find_subscriptions(classes, symbols, class),
            None => Vec::new(),
        };
        let old = std::mem::take(matches_mut(&mut self.matches, id));
        let started: Vec<_> = current.iter().copied().filter(|now| old.binary_search(now).is_err()).collect();
        let stopped: Vec<_> = old.into_iter().filter(|then| current.binary_search(then).is_err()).collect();
        for subscription in &started {
            self.classes_mut(*subscription, |classes| classes.insert(id));
        }
        for subscription in &stopped {
            self.classes_mut(*subscription, |classes| classes.remove(&id));
        }
        *matches_mut(&mut self.matches, id) = current.into();
        MatchChanges { started, stopped }
    }

    fn classes_mut(&mut self, id: SubscriptionId, change: impl FnOnce(&mut BTreeSet<ClassId>) -> bool) {
        if let Some(subscription) = &mut self.slots[id.0 as usize] {
            change(&mut subscription.classes);
        }
    }

    fn find_subscriptions(&self, classes: &Classes, symbols: &Symbols, class: &Class) -> Vec<SubscriptionId> {
        let mut candidates: Vec<SubscriptionId> = self.anywhere.iter().copied().collect();
        if !self.by_label.is_empty() || !self.by_pair.is_empty() {
            for (name, value) in classes.pairs(class) {
                candidates.extend(self.by_label.get(&name).into_iter().flatten());
                candidates.extend(self.by_pair.get(&(name, value)).into_iter().flatten());
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        let labels = classes.labels(symbols, class);
        candidates.retain(|id| {
            self.slots[id.0 as usize].as_ref().is_some_and(|subscription| subscription.selector.matches(&labels))
        });
        candidates
    }

    fn find_classes(
        &self,
        classes: &Classes,
        symbols: &Symbols,
        selector: &Selector,
        anchor: &Anchor,
    ) -> BTreeSet<ClassId> {
        let matches = |class: &Class| (self.eligible)(class) && selector.matches(&classes.labels(symbols, class));
        let (name, values) = match anchor {
            Anchor::Nothing => return BTreeSet::new(),
            Anchor::Anything => {
                return classes.all().filter(|(_, class)| matches(class)).map(|(id, _)| id).collect();
            }
            Anchor::Has(name) => (*name, &[][..]),
            Anchor::OneOf(name, values) => (*name, values.as_slice()),
        };
        let mut found = classes.candidates(name, values);
        found.retain(|id| classes.get(*id).is_some_and(matches));
        found
    }

    fn index_anchor(&mut self, id: SubscriptionId, anchor: &Anchor) {
        match anchor {
            Anchor::Nothing => {}
            Anchor::Anything => {
                self.anywhere.insert(id);
            }
            Anchor::Has(name) => {
                self.by_label.entry(*name).or_default().insert(id);
            }
            Anchor::OneOf(name, values) => {
                for value in values {
                    self.by_pair.entry((*name, *value)).or_default().insert(id);
                }
            }
        }
    }

    fn forget_anchor(&mut self, symbols: &mut Symbols, id: SubscriptionId, anchor: &Anchor) {
        match anchor {
            Anchor::Nothing => {}
            Anchor::Anything => {
                self.anywhere.remove(&id);
            }
            Anchor::Has(name) => {
                remove_from(&mut self.by_label, name, id);
                symbols.release(*name);
            }
            Anchor::OneOf(name, values) => {
                for value in values {
                    remove_from(&mut self.by_pair, &(*name, *value), id);
                    symbols.release(*value);
                }
                symbols.release(*name);
            }
        }
    }
}

/// The demand with the fewest candidates today; a known value before mere presence, since values divide better
/// whatever comes tomorrow.
fn choose_anchor(classes: &Classes, symbols: &mut Symbols, selector: &Selector) -> Anchor {
    let mut best: Option<((bool, usize), Anchor)> = None;
    for (label, restriction) in &selector.restrictions() {
        if *restriction == Restriction::OneOf(BTreeSet::new()) {
            release_anchor(symbols, best.map(|(_, anchor)| anchor));
            return Anchor::Nothing;
        }
        let name = symbols.acquire(label);
        let values = acquire_values(symbols, restriction);
        let cost = (values.is_empty(), classes.estimate(name, &values));
        let anchor = if values.is_empty() { Anchor::Has(name) } else { Anchor::OneOf(name, values) };
        let loser = match &best {
            Some((known, _)) if *known <= cost => Some(anchor),
            _ => best.replace((cost, anchor)).map(|(_, anchor)| anchor),
        };
        release_anchor(symbols, loser);
    }
    best.map_or(Anchor::Anything, |(_, anchor)| anchor)
}

fn release_anchor(symbols: &mut Symbols, anchor: Option<Anchor>) {
    match anchor {
        Some(Anchor::Has(name)) => symbols.release(name),
        Some(Anchor::OneOf(name, values)) => {
            symbols.release(name);
            for value in values {
                symbols.release(value);
            }
        }
        Some(Anchor::Anything | Anchor::Nothing) | None => {}
    }
}

fn matches_mut(matches: &mut Vec<Box<[SubscriptionId]>>, class: ClassId) -> &mut Box<[SubscriptionId]> {
    if matches.len() <= class.index() {
        matches.resize_with(class.index() + 1, Box::default);
    }
    &mut matches[class.index()]
}

/// Changes a list that is otherwise kept without room to grow: there is one for every class.
fn change(matches: &mut Box<[SubscriptionId]>, change: impl FnOnce(&mut Vec<SubscriptionId>)) {
    let mut list = std::mem::take(matches).into_vec();
    change(&mut list);
    *matches = list.into();
}

fn remove_from<K: std::hash::Hash + Eq>(map: &mut HashMap<K, BTreeSet<SubscriptionId>>, key: &K, id: SubscriptionId) {
    if let Some(ids) = map.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}
