//! Classes of things with the same labels and profiles, and where labels lead to them.

use std::{collections::BTreeSet, hash::BuildHasher, sync::Arc};

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use model::resource::Labels;
use selector::{Labels as LookUp, Restriction};

use super::postings::{Pair, Postings};
use crate::{
    items::ItemId,
    symbols::{Symbol, Symbols},
};

/// A class's number; reused after the class is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClassId(u32);

impl ClassId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A profile's number, for as long as it has labels or a class names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ProfileNumber(u32);

/// What makes things of one class equal.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Identity {
    /// Own labels, sorted by the texts of their names.
    labels: Box<[Pair]>,
    /// Profiles in order: the first that has a label gives it.
    profiles: Box<[ProfileNumber]>,
}

/// Things that no selector can tell apart.
#[derive(Debug)]
pub(crate) struct Class {
    identity: Identity,
    /// Its members; an item knows its place in here.
    pub(crate) items: Vec<ItemId>,
    /// How many of them are endpoints of wanted nodes.
    pub(crate) wanted: u32,
}

impl Class {
    /// Whether policies for its members are of interest.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted > 0
    }
}

#[derive(Debug)]
struct Profile {
    name: Arc<str>,
    labels: Box<[Pair]>,
    /// Classes that inherit from it.
    classes: BTreeSet<ClassId>,
}

/// All classes.
#[derive(Default)]
pub(crate) struct Classes {
    /// Classes by their identities, which are kept in `slots` only: there may be as many as items.
    by_identity: HashTable<ClassId>,
    hasher: DefaultHashBuilder,
    /// Indexed by class; `None` where a number is free.
    slots: Vec<Option<Class>>,
    free: Vec<ClassId>,
    /// Own labels to classes.
    own: Postings<ClassId>,
    profile_numbers: HashMap<Arc<str>, ProfileNumber>,
    /// Indexed by profile; `None` where a number is free.
    profiles: Vec<Option<Profile>>,
    free_profiles: Vec<ProfileNumber>,
    /// Labels of profiles to profiles.
    inherited: Postings<ProfileNumber>,
}

impl Classes {
    /// The class of these labels and profiles, made where it is new. The caller must put an item in. A profile that is
    /// named twice is as good as named once.
    pub(crate) fn intern(&mut self, symbols: &mut Symbols, labels: &Labels, profiles: &[String]) -> (ClassId, bool) {
        let identity = Identity {
            labels: acquire_pairs(symbols, labels),
            profiles: profiles.iter().map(|name| self.profile_number(name)).collect(),
        };
        let hash = self.hasher.hash_one(Some(&identity));
        let is_same = |id: &ClassId| identity_of(&self.slots, *id) == Some(&identity);
        if let Some(&known) = self.by_identity.find(hash, is_same) {
            release_pairs(symbols, &identity.labels);
            return (known, false);
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            ClassId(self.slots.len() as u32 - 1)
        });
        for &pair in &identity.labels {
            self.own.insert(pair, id);
        }
        for &number in &identity.profiles {
            if let Some(profile) = self.profile_mut(number) {
                profile.classes.insert(id);
            }
        }
        self.slots[id.index()] = Some(Class { identity, items: Vec::with_capacity(1), wanted: 0 });
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.by_identity.insert_unique(hash, id, |id| hasher.hash_one(identity_of(slots, *id)));
        (id, true)
    }

    /// Forgets a class that has no items left.
    pub(crate) fn remove(&mut self, symbols: &mut Symbols, id: ClassId) {
        let hash = self.hasher.hash_one(identity_of(&self.slots, id));
        let Some(class) = self.slots[id.index()].take() else { return };
        debug_assert!(class.items.is_empty());
        if let Ok(entry) = self.by_identity.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        for &pair in &class.identity.labels {
            self.own.remove(pair, id);
        }
        release_pairs(symbols, &class.identity.labels);
        for &number in &class.identity.profiles {
            if let Some(profile) = self.profile_mut(number) {
                profile.classes.remove(&id);
            }
            self.forget_profile_if_unused(number);
        }
        self.free.push(id);
    }

    /// A class that exists, or none.
    pub(crate) fn get(&self, id: ClassId) -> Option<&Class> {
        self.slots.get(id.index())?.as_ref()
    }

    /// A class that exists, or none.
    pub(crate) fn get_mut(&mut self, id: ClassId) -> Option<&mut Class> {
        self.slots.get_mut(id.index())?.as_mut()
    }

    /// The names of a class's profiles, in order.
    pub(crate) fn profile_names(&self, id: ClassId) -> impl Iterator<Item = &Arc<str>> {
        let profiles = self.get(id).map_or(&[][..], |class| &class.identity.profiles);
        profiles.iter().filter_map(|&number| Some(&self.profile(number)?.name))
    }

    /// See [`super::LabelIndex::set_profile_labels`].
    pub(super) fn set_profile_labels(&mut self, symbols: &mut Symbols, name: &str, labels: &Labels) -> Vec<ClassId> {
        let number = self.profile_number(name);
        let Some(profile) = self.profile_mut(number) else { return Vec::new() };
        let labels = acquire_pairs(symbols, labels);
        let old = std::mem::replace(&mut profile.labels, labels.clone());
        let affected = if old == labels { Vec::new() } else { profile.classes.iter().copied().collect() };
        for &pair in &old {
            self.inherited.remove(pair, number);
        }
        for &pair in &labels {
            self.inherited.insert(pair, number);
        }
        release_pairs(symbols, &old);
        self.forget_profile_if_unused(number);
        affected
    }

    /// The labels of a class as selectors see them.
    pub(super) fn labels<'a>(&'a self, symbols: &'a Symbols, class: &'a Class) -> ClassLabels<'a> {
        ClassLabels { classes: self, symbols, class }
    }

    /// Every label of a class, own and inherited; those that another one shadows too.
    pub(super) fn pairs<'a>(&'a self, class: &'a Class) -> impl Iterator<Item = Pair> + 'a {
        let inherited = class.identity.profiles.iter().filter_map(|&number| self.profile(number));
        class.identity.labels.iter().copied().chain(inherited.flat_map(|profile| profile.labels.iter().copied()))
    }

    /// Every class.
    pub(super) fn all(&self) -> impl Iterator<Item = (ClassId, &Class)> {
        let numbered = self.slots.iter().enumerate();
        numbered.filter_map(|(index, class)| Some((ClassId(index as u32), class.as_ref()?)))
    }

    /// Classes that may meet a demand on one label; `values` empty stands for any value.
    pub(super) fn candidates(&self, name: Symbol, values: &[Symbol]) -> BTreeSet<ClassId> {
        let mut found = BTreeSet::new();
        for classes in self.own.select(name, values) {
            found.extend(classes);
        }
        for &number in self.inherited.select(name, values).flatten() {
            found.extend(self.profile(number).map(|profile| &profile.classes).into_iter().flatten());
        }
        found
    }

    /// About how many classes [`Self::candidates`] would look at.
    pub(super) fn estimate(&self, name: Symbol, values: &[Symbol]) -> usize {
        let own: usize = self.own.select(name, values).map(BTreeSet::len).sum();
        let profiles = self.inherited.select(name, values).flatten();
        own + profiles.filter_map(|&number| Some(self.profile(number)?.classes.len())).sum::<usize>()
    }

    fn profile(&self, number: ProfileNumber) -> Option<&Profile> {
        self.profiles.get(number.0 as usize)?.as_ref()
    }

    fn profile_mut(&mut self, number: ProfileNumber) -> Option<&mut Profile> {
        self.profiles.get_mut(number.0 as usize)?.as_mut()
    }

    fn profile_number(&mut self, name: &str) -> ProfileNumber {
        if let Some(&number) = self.profile_numbers.get(name) {
            return number;
        }
        let number = self.free_profiles.pop().unwrap_or_else(|| {
            self.profiles.push(None);
            ProfileNumber(self.profiles.len() as u32 - 1)
        });
        let name: Arc<str> = name.into();
        self.profile_numbers.insert(name.clone(), number);
        self.profiles[number.0 as usize] = Some(Profile { name, labels: Box::default(), classes: BTreeSet::new() });
        number
    }

    fn forget_profile_if_unused(&mut self, number: ProfileNumber) {
        let slot = &mut self.profiles[number.0 as usize];
        if let Some(profile) = slot.take_if(|profile| profile.labels.is_empty() && profile.classes.is_empty()) {
            self.profile_numbers.remove(&profile.name);
            self.free_profiles.push(number);
        }
    }
}

/// The labels of a class, own before inherited, looked up by name.
pub(super) struct ClassLabels<'a> {
    classes: &'a Classes,
    symbols: &'a Symbols,
    class: &'a Class,
}

impl LookUp for ClassLabels<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let value_in = |labels: &[Pair]| {
            let found = labels.binary_search_by(|(label, _)| (**self.symbols.text(*label)).cmp(name)).ok()?;
            Some(labels[found].1)
        };
        let identity = &self.class.identity;
        let value = value_in(&identity.labels)
            .or_else(|| identity.profiles.iter().find_map(|&number| value_in(&self.classes.profile(number)?.labels)))?;
        Some(self.symbols.text(value))
    }
}

fn identity_of(slots: &[Option<Class>], id: ClassId) -> Option<&Identity> {
    slots[id.index()].as_ref().map(|class| &class.identity)
}

/// Labels come sorted by name, and stay so.
fn acquire_pairs(symbols: &mut Symbols, labels: &Labels) -> Box<[Pair]> {
    labels.iter().map(|(name, value)| (symbols.acquire(name), symbols.acquire(value))).collect()
}

fn release_pairs(symbols: &mut Symbols, pairs: &[Pair]) {
    for &(name, value) in pairs {
        symbols.release(name);
        symbols.release(value);
    }
}

/// The values that a restriction allows, each acquired; none of them where it asks for presence only.
pub(super) fn acquire_values(symbols: &mut Symbols, restriction: &Restriction) -> Vec<Symbol> {
    match restriction {
        Restriction::Present => Vec::new(),
        Restriction::OneOf(values) => values.iter().map(|value| symbols.acquire(value)).collect(),
    }
}
