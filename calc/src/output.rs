//! What each node was told, and what it must be told now: differences only, each object once.
//!
//! Nothing is decided here. Endpoints are put in as they should be; what they refer to is counted per node, and a
//! source or a set reaches a node with its first reference and leaves with the last.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use hashbrown::HashMap;
use model::intent::{Delta, EndpointId, EndpointIntent, IpSet, ProfileId, SetChange, SetId, SetMember};

use crate::{
    active_policies::AppliedTiers,
    active_rules::{Rendered, SourceId},
    items::LocalEndpoint,
};

/// An endpoint as it should be, or as a node was told. Its intent is made when it is told and not kept: tiers may be
/// long, and what they are made of is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutputEndpoint {
    pub(crate) local: Arc<LocalEndpoint>,
    pub(crate) profiles: Vec<ProfileId>,
    pub(crate) tiers: Arc<AppliedTiers>,
}

impl OutputEndpoint {
    fn node(&self) -> &Arc<str> {
        &self.local.node
    }

    fn intent(&self) -> EndpointIntent {
        EndpointIntent {
            attachment: self.local.attachment.clone(),
            ingress: self.tiers.ingress.clone(),
            egress: self.tiers.egress.clone(),
            profiles: self.profiles.clone(),
        }
    }
}

/// What one node refers to, and what it was told of it.
#[derive(Default)]
struct NodeOutput {
    /// Tiers by their address, which the endpoints that have them keep valid, with the number of those.
    tiers: HashMap<usize, usize>,
    sources: HashMap<SourceId, Source>,
    /// How many of the told sources refer to a set.
    sets: HashMap<SetId, usize>,
}

#[derive(Default)]
struct Source {
    references: usize,
    told: Option<Arc<Rendered>>,
}

/// All nodes.
#[derive(Default)]
pub(crate) struct Output {
    nodes: HashMap<Arc<str>, NodeOutput>,
    /// As nodes were told of them.
    endpoints: HashMap<EndpointId, OutputEndpoint>,
    /// Nodes that were told of a set.
    set_nodes: HashMap<SetId, BTreeSet<Arc<str>>>,
    /// Sources that a node began or ceased to refer to.
    touched_sources: BTreeSet<(Arc<str>, SourceId)>,
    /// Sets that a node began or ceased to refer to.
    touched_sets: BTreeSet<(SetId, Arc<str>)>,
    /// What is to be told with the next [`Self::take`].
    deltas: BTreeMap<Arc<str>, Delta>,
}

impl Output {
    /// An endpoint as it should be now; `None` where it should not.
    pub(crate) fn put_endpoint(&mut self, id: &EndpointId, desired: Option<OutputEndpoint>) {
        let old = self.endpoints.remove(id);
        if let Some(desired) = &desired {
            self.refer(desired);
        }
        if let Some(old) = &old {
            self.unrefer(old);
        }
        if old != desired {
            if let Some(old) = old {
                self.delta(old.node()).endpoints.insert(id.clone(), None);
            }
            if let Some(desired) = &desired {
                self.delta(desired.node()).endpoints.insert(id.clone(), Some(Arc::new(desired.intent())));
            }
        }
        if let Some(desired) = desired {
            self.endpoints.insert(id.clone(), desired);
        }
    }

    /// Sources that nodes began or ceased to need since the last call.
    pub(crate) fn take_touched_sources(&mut self) -> Vec<(Arc<str>, SourceId, bool)> {
        let touched = std::mem::take(&mut self.touched_sources).into_iter();
        touched
            .map(|(node, id)| {
                let source = self.nodes.get(&node).and_then(|output| output.sources.get(&id));
                let needed = source.is_some_and(|source| source.references > 0);
                (node, id, needed)
            })
            .collect()
    }

    /// A source as a node should know it now; `None` where it should not.
    pub(crate) fn put_source(&mut self, node: &Arc<str>, id: &SourceId, rendered: Option<&Arc<Rendered>>) {
        let Some(output) = self.nodes.get_mut(node) else { return };
        let Some(source) = output.sources.get_mut(id) else { return };
        let old = std::mem::replace(&mut source.told, rendered.cloned());
        if rendered.is_none() {
            output.sources.remove(id);
        }
        for set in rendered.iter().flat_map(|rendered| rendered.sets.iter()) {
            *output.sets.entry(set.id.clone()).or_default() += 1;
            self.touched_sets.insert((set.id.clone(), node.clone()));
        }
        for set in old.iter().flat_map(|old| old.sets.iter()) {
            if let Some(references) = output.sets.get_mut(&set.id) {
                *references -= 1;
                self.touched_sets.insert((set.id.clone(), node.clone()));
            }
        }
        if old.as_ref().map(|old| &old.intent) != rendered.map(|rendered| &rendered.intent) {
            let intent = rendered.map(|rendered| rendered.intent.clone());
            let delta = self.delta(node);
            match id {
                SourceId::Policy(id) => delta.policies.insert(id.clone(), intent),
                SourceId::Profile(id) => delta.profiles.insert(id.clone(), intent),
            };
        }
    }

    /// Members came to and left a set; for the nodes that know it already.
    pub(crate) fn change_set(&mut self, id: &SetId, added: &BTreeSet<SetMember>, removed: &BTreeSet<SetMember>) {
        for node in self.set_nodes.get(id).into_iter().flatten() {
            let change = SetChange::Update { added: added.clone(), removed: removed.clone() };
            self.deltas.entry(node.clone()).or_default().ip_sets.insert(id.clone(), change);
        }
    }

    /// Sets reach nodes and leave nodes. `complete` gives a set as it is now.
    pub(crate) fn settle_sets(&mut self, complete: impl Fn(&SetId) -> Option<IpSet>) {
        for (id, node) in std::mem::take(&mut self.touched_sets) {
            let is_needed = match self.nodes.get_mut(&node) {
                Some(output) if output.sets.get(&id) == Some(&0) => {
                    output.sets.remove(&id);
                    false
                }
                Some(output) => output.sets.contains_key(&id),
                None => false,
            };
            let nodes = self.set_nodes.entry(id.clone()).or_default();
            let change = match is_needed {
                true if nodes.insert(node.clone()) => complete(&id).map(SetChange::Replace),
                false if nodes.remove(&node) => Some(SetChange::Remove),
                _ => None,
            };
            if nodes.is_empty() {
                self.set_nodes.remove(&id);
            }
            if let Some(change) = change {
                self.delta(&node).ip_sets.insert(id, change);
            }
        }
    }

    /// What is to be told to a node, for routes to be added.
    pub(crate) fn delta(&mut self, node: &Arc<str>) -> &mut Delta {
        self.deltas.entry(node.clone()).or_default()
    }

    /// What is to be told now.
    pub(crate) fn take(&mut self) -> BTreeMap<Arc<str>, Delta> {
        self.nodes.retain(|_, output| !output.tiers.is_empty() || !output.sources.is_empty());
        let mut deltas = std::mem::take(&mut self.deltas);
        deltas.retain(|_, delta| !delta.is_empty());
        deltas
    }

    fn refer(&mut self, endpoint: &OutputEndpoint) {
        let OutputEndpoint { local, profiles, tiers } = endpoint;
        let node = &local.node;
        let output = self.nodes.entry(node.clone()).or_default();
        let endpoints = output.tiers.entry(Arc::as_ptr(tiers) as usize).or_default();
        *endpoints += 1;
        let policies = tiers.policies.iter().filter(|_| *endpoints == 1).cloned().map(SourceId::Policy);
        for id in policies.chain(profiles.iter().cloned().map(SourceId::Profile)) {
            let source = output.sources.entry(id.clone()).or_default();
            source.references += 1;
            if source.references == 1 {
                self.touched_sources.insert((node.clone(), id));
            }
        }
    }

    fn unrefer(&mut self, endpoint: &OutputEndpoint) {
        let OutputEndpoint { local, profiles, tiers } = endpoint;
        let node = &local.node;
        let Some(output) = self.nodes.get_mut(node) else { return };
        let address = Arc::as_ptr(tiers) as usize;
        let Some(endpoints) = output.tiers.get_mut(&address) else { return };
        *endpoints -= 1;
        let was_last = *endpoints == 0;
        if was_last {
            output.tiers.remove(&address);
        }
        let policies = tiers.policies.iter().filter(|_| was_last).cloned().map(SourceId::Policy);
        for id in policies.chain(profiles.iter().cloned().map(SourceId::Profile)) {
            let Some(source) = output.sources.get_mut(&id) else { continue };
            source.references -= 1;
            if source.references == 0 {
                self.touched_sources.insert((node.clone(), id));
            }
        }
    }
}
