//! Sets of addresses, and of addresses with ports, that active rules refer to.
//!
//! A set exists while a rule source uses it, filled when it begins and kept up to date by what the label index and the
//! items report. Which node needs it is the output's business.

mod definition;
mod members;

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use model::intent::{IpSet, SetId, SetMember};

pub(crate) use self::definition::{Definitions, SetContent, SetDefinition};
use self::members::Members;
use crate::{
    items::{Content, Item, ItemId, Items, PortFilter},
    label_index::{ClassId, LabelIndex, MatchChanges, SubscriptionId},
};

/// One set in use.
struct Set {
    subscription: SubscriptionId,
    port: Option<PortFilter>,
    members: Members,
    /// How many of the items it selects hide prefixes that could not be read.
    unknown: u32,
    /// How many active sources refer to it.
    users: u32,
}

/// All sets in use.
#[derive(Default)]
pub(crate) struct IpSets {
    sets: BTreeMap<SetId, Set>,
    by_subscription: HashMap<SubscriptionId, BTreeSet<SetId>>,
    /// Sets whose members may have changed.
    changed: BTreeSet<SetId>,
    /// Sets that became complete or incomplete.
    unsettled: BTreeSet<SetId>,
    /// Network sets that could not be read at all: every set may lack their prefixes.
    unreadable: usize,
}

impl IpSets {
    /// Counts a user in; the first one makes the set and fills it.
    pub(crate) fn acquire(&mut self, index: &mut LabelIndex, items: &Items, definition: &SetDefinition) {
        let SetDefinition { id, content } = definition;
        if let Some(set) = self.sets.get_mut(id) {
            set.users += 1;
            return;
        }
        let subscription = index.sets.subscribe(&index.classes, &mut index.symbols, &content.selector);
        let port = content
            .port
            .as_ref()
            .map(|(name, protocol)| PortFilter { name: index.symbols.acquire(name), protocol: *protocol });
        let selected = || selected_items(index, items, subscription);
        let members = match port {
            None => Members::of_nets(selected().flat_map(Item::nets).collect()),
            Some(filter) => Members::of_ports(selected().flat_map(|item| item.ports(filter))),
        };
        let unknown = selected().filter(|item| is_unknown(item, port)).count() as u32;
        self.by_subscription.entry(subscription).or_default().insert(id.clone());
        self.sets.insert(id.clone(), Set { subscription, port, members, unknown, users: 1 });
    }

    /// Counts a user out; the last one ends the set.
    pub(crate) fn release(&mut self, index: &mut LabelIndex, id: &SetId) {
        let Some(set) = self.sets.get_mut(id) else { return };
        set.users -= 1;
        if set.users > 0 {
            return;
        }
        let (subscription, port) = (set.subscription, set.port);
        self.sets.remove(id);
        self.changed.remove(id);
        if let Some(ids) = self.by_subscription.get_mut(&subscription) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_subscription.remove(&subscription);
            }
        }
        index.sets.unsubscribe(&mut index.symbols, subscription);
        if let Some(filter) = port {
            index.symbols.release(filter.name);
        }
    }

    /// An item came into a class, which these subscriptions match.
    pub(crate) fn item_joined(&mut self, subscriptions: &[SubscriptionId], item: &Item) {
        for subscription in subscriptions {
            self.contribute(*subscription, item, true);
        }
    }

    /// An item left a class, which these subscriptions match.
    pub(crate) fn item_left(&mut self, subscriptions: &[SubscriptionId], item: &Item) {
        for subscription in subscriptions {
            self.contribute(*subscription, item, false);
        }
    }

    /// Selectors match, or do not match any more, a class with items in it.
    pub(crate) fn class_changed(&mut self, index: &LabelIndex, items: &Items, class: ClassId, changes: &MatchChanges) {
        let members: &[ItemId] = index.classes.get(class).map_or(&[], |class| &class.items);
        for item in members.iter().filter_map(|id| items.get(*id)) {
            self.item_joined(&changes.started, item);
            self.item_left(&changes.stopped, item);
        }
    }

    /// How many network sets cannot be read at all.
    pub(crate) fn set_unreadable(&mut self, count: usize) {
        if (count == 0) != (self.unreadable == 0) {
            self.unsettled.extend(self.sets.keys().cloned());
        }
        self.unreadable = count;
    }

    /// Whether a set may lack prefixes that it should have.
    pub(crate) fn is_incomplete(&self, id: &SetId) -> bool {
        self.sets.get(id).is_some_and(|set| set.unknown > 0 || (self.unreadable > 0 && set.port.is_none()))
    }

    /// Sets that became complete or incomplete since the last call.
    pub(crate) fn take_unsettled(&mut self) -> BTreeSet<SetId> {
        std::mem::take(&mut self.unsettled)
    }

    /// Sets whose members changed since the last call: what came and what left.
    pub(crate) fn take_changes(&mut self) -> Vec<(SetId, BTreeSet<SetMember>, BTreeSet<SetMember>)> {
        let changed = std::mem::take(&mut self.changed);
        let taken = changed.into_iter().filter_map(|id| {
            let (added, removed) = self.sets.get_mut(&id)?.members.take_changes();
            Some((id, added, removed))
        });
        taken.filter(|(_, added, removed)| !added.is_empty() || !removed.is_empty()).collect()
    }

    /// A set as it is now.
    pub(crate) fn complete(&self, id: &SetId) -> Option<IpSet> {
        Some(self.sets.get(id)?.members.complete())
    }

    fn contribute(&mut self, subscription: SubscriptionId, item: &Item, joined: bool) {
        let Some(ids) = self.by_subscription.get(&subscription) else { return };
        for id in ids {
            let Some(set) = self.sets.get_mut(id) else { continue };
            if set.contribute(item, joined) {
                self.unsettled.insert(id.clone());
            }
            self.changed.insert(id.clone());
        }
    }
}

impl Set {
    /// Returns whether the set became complete or incomplete by it.
    fn contribute(&mut self, item: &Item, joined: bool) -> bool {
        match (self.port, joined) {
            (None, true) => item.nets().for_each(|net| self.members.add_net(net)),
            (None, false) => item.nets().for_each(|net| self.members.remove_net(net)),
            (Some(filter), true) => item.ports(filter).for_each(|port| self.members.add_port(port)),
            (Some(filter), false) => item.ports(filter).for_each(|port| self.members.remove_port(port)),
        }
        if !is_unknown(item, self.port) {
            return false;
        }
        if joined {
            self.unknown += 1;
            self.unknown == 1
        } else {
            self.unknown -= 1;
            self.unknown == 0
        }
    }
}

fn selected_items<'a>(
    index: &'a LabelIndex,
    items: &'a Items,
    subscription: SubscriptionId,
) -> impl Iterator<Item = &'a Item> {
    let classes = index.sets.classes(subscription).filter_map(|class| index.classes.get(class));
    classes.flat_map(|class| class.items.iter().filter_map(|id| items.get(*id)))
}

/// Network sets have no ports, so a set of named ports lacks nothing of one that cannot be read.
fn is_unknown(item: &Item, port: Option<PortFilter>) -> bool {
    port.is_none() && matches!(item.content, Content::UnknownNets)
}
