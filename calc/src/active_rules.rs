//! The rules of policies and profiles that some wanted node enforces.
//!
//! Rules wait until a node needs their source; only then their sets are made. Which node needs what is decided by the
//! output; this room keeps one version for all of them.

use std::{collections::BTreeSet, sync::Arc};

use hashbrown::HashMap;
use model::intent::{PolicyId, PolicyIntent, ProfileId, RuleIntent, SetId};

use crate::{
    fail_closed,
    ip_sets::{IpSets, SetDefinition},
    items::Items,
    label_index::LabelIndex,
    rules::Rules,
};

/// Whose rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SourceId {
    Policy(PolicyId),
    Profile(ProfileId),
}

/// What a node needs of one source.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) intent: Arc<PolicyIntent>,
    /// Sets that the intent refers to.
    pub(crate) sets: Arc<[Arc<SetDefinition>]>,
}

#[derive(Default)]
struct Active {
    /// Nodes that need it, sorted; not empty once settled.
    nodes: Vec<Arc<str>>,
    /// The rules as if all sets were complete.
    intent: Arc<PolicyIntent>,
    /// Sets in which this source is counted as a user.
    sets: Arc<[Arc<SetDefinition>]>,
    rendered: Arc<Rendered>,
}

/// Rules of all sources, and their sets where needed.
#[derive(Default)]
pub(crate) struct ActiveRules {
    given: HashMap<SourceId, Rules>,
    active: HashMap<SourceId, Active>,
    /// Sources whose rules or need changed.
    dirty: BTreeSet<SourceId>,
    /// Sets to give back once no node refers to them any more.
    leaving: Vec<Arc<[Arc<SetDefinition>]>>,
}

impl ActiveRules {
    /// Takes a source's rules in, or out.
    pub(crate) fn set(&mut self, id: SourceId, rules: Option<Rules>) {
        let is_same = self.given.get(&id) == rules.as_ref();
        if is_same {
            return;
        }
        match rules {
            Some(rules) => self.given.insert(id.clone(), rules),
            None => self.given.remove(&id),
        };
        self.dirty.insert(id);
    }

    /// A node began or ceased to need a source.
    pub(crate) fn set_needed(&mut self, id: &SourceId, node: &Arc<str>, needed: bool) {
        let active = self.active.entry(id.clone()).or_default();
        let was_needed = !active.nodes.is_empty();
        match (active.nodes.binary_search(node), needed) {
            (Err(place), true) => active.nodes.insert(place, node.clone()),
            (Ok(place), false) => drop(active.nodes.remove(place)),
            (Ok(_), true) | (Err(_), false) => {}
        }
        if !was_needed || active.nodes.is_empty() {
            self.dirty.insert(id.clone());
        }
    }

    /// Brings every needed source up to date. Returns those that nodes must look at again.
    pub(crate) fn settle(&mut self, index: &mut LabelIndex, items: &Items, sets: &mut IpSets) -> BTreeSet<SourceId> {
        let dirty = std::mem::take(&mut self.dirty);
        for id in &dirty {
            match self.active.get(id).map(|active| active.nodes.is_empty()) {
                None => {}
                Some(true) => self.deactivate(id),
                Some(false) => self.activate(index, items, sets, id),
            }
        }
        let mut changed = self.users(&sets.take_unsettled());
        changed.extend(dirty);
        changed.retain(|id| self.active.contains_key(id));
        for id in &changed {
            self.render(sets, id);
        }
        changed
    }

    /// Gives back sets that were left by the last [`Self::settle`].
    pub(crate) fn release_sets(&mut self, index: &mut LabelIndex, sets: &mut IpSets) {
        for left in self.leaving.drain(..) {
            for definition in left.iter() {
                sets.release(index, &definition.id);
            }
        }
    }

    /// A source as nodes need it.
    pub(crate) fn rendered(&self, id: &SourceId) -> Option<&Arc<Rendered>> {
        Some(&self.active.get(id)?.rendered)
    }

    /// Nodes that need a source.
    pub(crate) fn nodes(&self, id: &SourceId) -> impl Iterator<Item = &Arc<str>> {
        self.active.get(id).into_iter().flat_map(|active| &active.nodes)
    }

    /// Active sources that refer to one of some sets. Rarely asked of any, so it looks at all of them.
    fn users(&self, sets: &BTreeSet<SetId>) -> BTreeSet<SourceId> {
        if sets.is_empty() {
            return BTreeSet::new();
        }
        let users = self.active.iter().filter(|(_, active)| active.sets.iter().any(|set| sets.contains(&set.id)));
        users.map(|(id, _)| id.clone()).collect()
    }

    fn deactivate(&mut self, id: &SourceId) {
        self.leaving.extend(self.active.remove(id).map(|active| active.sets));
    }

    fn activate(&mut self, index: &mut LabelIndex, items: &Items, sets: &mut IpSets, id: &SourceId) {
        let Some(active) = self.active.get_mut(id) else { return };
        let rules = self.given.get(id).cloned().unwrap_or_else(|| Rules::of_missing(id));
        for definition in rules.sets.iter() {
            sets.acquire(index, items, definition);
        }
        active.intent = rules.intent;
        self.leaving.push(std::mem::replace(&mut active.sets, rules.sets));
    }

    fn render(&mut self, sets: &IpSets, id: &SourceId) {
        let Some(active) = self.active.get_mut(id) else { return };
        let is_complete = !active.sets.iter().any(|set| sets.is_incomplete(&set.id));
        let intent = if is_complete {
            active.intent.clone()
        } else {
            let harden = |rules: &[RuleIntent]| fail_closed::harden(rules, |set| sets.is_incomplete(set));
            let (ingress, egress) = (harden(&active.intent.ingress), harden(&active.intent.egress));
            Arc::new(PolicyIntent { ingress, egress })
        };
        active.rendered = Arc::new(Rendered { intent, sets: active.sets.clone() });
    }
}
