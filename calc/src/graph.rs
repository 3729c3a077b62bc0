//! The graph's wiring: resources go in by key, what each node must do differently comes out.
//!
//! One owner drives it; nothing here waits, sends or looks at a clock. What comes out is a function of what each key
//! holds when it is asked for (for a key that cannot be read: of the last version that could), never of the order or
//! number of changes before.

mod intake;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use hashbrown::HashMap;
use model::{
    Key,
    intent::{Delta, EndpointId, ProfileId},
    resource::Resource,
};

use crate::{
    active_policies::ActivePolicies,
    active_rules::ActiveRules,
    endpoints::{Labelled, release_symbols},
    ip_sets::{Definitions, IpSets},
    items::{Item, ItemId, Items},
    label_index::{ClassId, LabelIndex},
    node_configs::NodeConfigs,
    output::{Output, OutputEndpoint},
    profiles::Profiles,
    routes::Routes,
};

/// Whose intent is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// This node's.
    One(Arc<str>),
    /// Every node's.
    All,
}

impl Nodes {
    /// Whether a node's intent is wanted. What names no node lives nowhere.
    pub fn want(&self, name: &str) -> bool {
        match self {
            Self::One(wanted) => **wanted == *name,
            Self::All => !name.is_empty(),
        }
    }
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "handed over once and never kept")]
pub enum Input {
    /// This resource, of the key's kind.
    Present(Resource),
    /// Something that cannot be read.
    Invalid {
        /// Why, for people.
        reason: String,
        /// What it holds; whatever can be read of it narrows what is done in its stead.
        json: Bytes,
    },
    /// Nothing.
    Absent,
}

/// From resources to intent.
pub struct Graph {
    nodes: Nodes,
    /// Keys whose present content is not enforced, and why.
    rejected: BTreeMap<Key, String>,
    index: LabelIndex,
    items: Items,
    policies: ActivePolicies,
    profiles: Profiles,
    definitions: Definitions,
    rules: ActiveRules,
    sets: IpSets,
    routes: Routes,
    configs: NodeConfigs,
    output: Output,
    /// Network sets of which nothing could be read.
    unreadable_sets: BTreeSet<Key>,
    /// Keys whose place something else holds, for want of a sound version.
    stand_ins: BTreeSet<Key>,
    /// Endpoints of wanted nodes to look at with the next flush.
    dirty: HashMap<EndpointId, Key>,
}

impl Graph {
    /// A graph that knows no resources yet.
    pub fn new(nodes: Nodes) -> Self {
        Self {
            rejected: BTreeMap::new(),
            index: LabelIndex::new(),
            items: Items::default(),
            policies: ActivePolicies::new(),
            profiles: Profiles::default(),
            definitions: Definitions::default(),
            rules: ActiveRules::default(),
            sets: IpSets::default(),
            routes: Routes::new(nodes.clone()),
            configs: NodeConfigs::new(nodes.clone()),
            output: Output::default(),
            unreadable_sets: BTreeSet::new(),
            stand_ins: BTreeSet::new(),
            dirty: HashMap::new(),
            nodes,
        }
    }

    /// Keys whose present content is not enforced, with the reason. Where an earlier version could be enforced, it
    /// still is.
    pub fn rejected(&self) -> impl Iterator<Item = (&Key, &str)> {
        self.rejected.iter().map(|(key, reason)| (key, reason.as_str()))
    }

    /// What each node must do differently since the last call. Nodes without a change are left out.
    pub fn flush(&mut self) -> BTreeMap<Arc<str>, Delta> {
        self.flush_endpoints();
        self.flush_rules();
        self.flush_sets();
        let nodes_changed = self.routes.publish(&self.items, &self.index.symbols, &mut self.output);
        self.configs.publish(self.routes.nodes(), nodes_changed, &mut self.output);
        self.output.take()
    }

    fn flush_endpoints(&mut self) {
        for class in self.policies.resolve(&self.index) {
            self.mark_endpoints(class);
        }
        for (id, key) in std::mem::take(&mut self.dirty) {
            let desired = self.desired_endpoint(&key);
            self.output.put_endpoint(&id, desired);
        }
    }

    fn flush_rules(&mut self) {
        let touched = self.output.take_touched_sources();
        for (node, id, needed) in &touched {
            self.rules.set_needed(id, node, *needed);
        }
        let changed = self.rules.settle(&mut self.index, &self.items, &mut self.sets);
        for (node, id, needed) in &touched {
            let rendered = self.rules.rendered(id).filter(|_| *needed);
            self.output.put_source(node, id, rendered);
        }
        for id in &changed {
            for node in self.rules.nodes(id) {
                self.output.put_source(node, id, self.rules.rendered(id));
            }
        }
    }

    fn flush_sets(&mut self) {
        for (id, added, removed) in self.sets.take_changes() {
            self.output.change_set(&id, &added, &removed);
        }
        self.output.settle_sets(|id| self.sets.complete(id));
        self.rules.release_sets(&mut self.index, &mut self.sets);
    }

    fn desired_endpoint(&self, key: &Key) -> Option<OutputEndpoint> {
        let item = self.items.get(self.items.find(key)?)?;
        Some(OutputEndpoint {
            local: item.endpoint()?.local.clone()?,
            profiles: self.index.classes.profile_names(item.class).cloned().map(ProfileId).collect(),
            tiers: self.policies.tiers_of(item.class)?.clone(),
        })
    }

    fn mark_endpoints(&mut self, class: ClassId) {
        let members = self.index.classes.get(class).map_or(&[][..], |class| &class.items);
        for item in members.iter().filter_map(|id| self.items.get(*id)) {
            mark(&mut self.dirty, item);
        }
    }

    /// Puts an endpoint or network set in its place among the labelled; `None` takes it out.
    fn place(&mut self, key: &Key, labelled: Option<Labelled>) {
        let old = self.items.find(key);
        let Some(Labelled { labels, profiles, content }) = labelled else {
            if let Some(id) = old {
                self.remove_item(id);
            }
            return;
        };
        let (class, is_new) = self.index.classes.intern(&mut self.index.symbols, &labels, &profiles);
        let is_same =
            old.and_then(|id| self.items.get(id)).is_some_and(|item| item.class == class && item.content == content);
        if is_same {
            release_symbols(&mut self.index.symbols, &content);
            return;
        }
        // In before out: a class that stays is not made anew.
        let replaced = old.and_then(|id| self.items.detach(id).map(|item| (id, item)));
        let key = self.share_namespace(key.clone());
        self.add_item(Item { key, class, place: 0, content }, is_new);
        if let Some((id, item)) = replaced {
            self.withdraw(id, &item);
        }
    }

    fn add_item(&mut self, item: Item, class_is_new: bool) {
        let (class, wanted) = (item.class, item.is_wanted());
        let id = self.items.insert(item);
        let mut became_wanted = false;
        if let (Some(item), Some(members)) = (self.items.get_mut(id), self.index.classes.get_mut(class)) {
            item.place = members.items.len() as u32;
            members.items.push(id);
            members.wanted += u32::from(wanted);
            became_wanted = wanted && members.wanted == 1;
        }
        if class_is_new {
            self.index.refresh_sets(class);
        }
        if became_wanted {
            self.index.refresh_policies(class);
            self.policies.class_changed(class);
        }
        let Some(item) = self.items.get(id) else { return };
        mark(&mut self.dirty, item);
        self.sets.item_joined(self.index.sets.matches(class), item);
        if let Some(endpoint) = item.endpoint() {
            self.routes.endpoint_added(id, endpoint);
        }
    }

    fn share_namespace(&mut self, key: Key) -> Key {
        let Some(namespace) = key.namespace() else { return key };
        let symbol = self.index.symbols.acquire(namespace);
        let shared = self.index.symbols.text(symbol).clone();
        self.index.symbols.release(symbol);
        key.sharing_namespace(shared)
    }

    fn remove_item(&mut self, id: ItemId) {
        if let Some(item) = self.items.detach(id) {
            self.withdraw(id, &item);
        }
    }

    /// Undoes [`Self::add_item`] for an item that is no longer among the items.
    fn withdraw(&mut self, id: ItemId, item: &Item) {
        mark(&mut self.dirty, item);
        self.sets.item_left(self.index.sets.matches(item.class), item);
        if let Some(endpoint) = item.endpoint() {
            self.routes.endpoint_removed(id, endpoint);
        }
        self.leave_class(id, item);
        release_symbols(&mut self.index.symbols, &item.content);
        self.items.free(id);
    }

    fn leave_class(&mut self, id: ItemId, item: &Item) {
        let Some(members) = self.index.classes.get_mut(item.class) else { return };
        debug_assert_eq!(members.items.get(item.place as usize), Some(&id));
        members.items.swap_remove(item.place as usize);
        let moved = members.items.get(item.place as usize).copied();
        members.wanted -= u32::from(item.is_wanted());
        let is_empty = members.items.is_empty();
        let ceased_to_be_wanted = item.is_wanted() && members.wanted == 0;
        if let Some(moved) = moved.and_then(|id| self.items.get_mut(id)) {
            moved.place = item.place;
        }
        if is_empty {
            self.index.classes.remove(&mut self.index.symbols, item.class);
            self.index.refresh_sets(item.class);
        }
        if ceased_to_be_wanted {
            self.index.refresh_policies(item.class);
            self.policies.class_changed(item.class);
        }
    }

    /// What a profile gives to inherit changed.
    fn inherit(&mut self, profile: &str) {
        for class in self.index.set_profile_labels(profile, self.profiles.labels(profile)) {
            let changes = self.index.refresh_sets(class);
            self.sets.class_changed(&self.index, &self.items, class, &changes);
            self.index.refresh_policies(class);
            self.policies.class_changed(class);
        }
    }
}

/// Notes an endpoint of a wanted node for the next flush.
fn mark(dirty: &mut HashMap<EndpointId, Key>, item: &Item) {
    if let Some(local) = item.endpoint().and_then(|endpoint| endpoint.local.as_ref()) {
        dirty.insert(local.id.clone(), item.key.clone());
    }
}
