//! The rules of policies and profiles that some wanted node enforces.
//!
//! Rules wait as given until a node needs their source; only then are they translated, and their sets made. Which node
//! needs what is decided by the output; this room keeps one translation for all of them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use model::{
    intent::{PolicyId, PolicyIntent, ProfileId, RuleAction, RuleIntent, SetId},
    resource::Rule,
};

use crate::{
    fail_closed,
    ip_sets::{IpSets, SetDefinition},
    items::Items,
    label_index::LabelIndex,
    rules::translate_all,
};

/// The profile that exists without a resource and allows everything.
const DEFAULT_ALLOW_PROFILE: &str = "projectcalico-default-allow";

/// Whose rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SourceId {
    Policy(PolicyId),
    Profile(ProfileId),
}

/// Rules as resources give them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum GivenRules {
    /// These; `namespace` is where the policy lives.
    Rules { ingress: Box<[Rule]>, egress: Box<[Rule]>, namespace: Option<Arc<str>> },
    /// What is said cannot be read or enforced.
    Broken,
}

impl GivenRules {
    /// Translates both directions, `set` naming the sets. Says what cannot be enforced.
    pub(crate) fn translate(&self, set: &mut dyn FnMut(SetDefinition) -> SetId) -> Result<PolicyIntent, String> {
        match self {
            Self::Broken => Ok(every(RuleAction::Deny)),
            Self::Rules { ingress, egress, namespace } => Ok(PolicyIntent {
                ingress: translate_all(ingress, namespace.as_deref(), set)
                    .map_err(|reason| format!("spec.ingress{reason}"))?,
                egress: translate_all(egress, namespace.as_deref(), set)
                    .map_err(|reason| format!("spec.egress{reason}"))?,
            }),
        }
    }
}

/// What a node needs of one source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) intent: Arc<PolicyIntent>,
    /// Sets that the intent refers to.
    pub(crate) sets: BTreeSet<SetId>,
}

struct Active {
    /// Nodes that need it; not empty once settled.
    nodes: BTreeSet<Arc<str>>,
    /// The rules as if all sets were complete.
    translated: PolicyIntent,
    /// Sets in which this source is counted as a user.
    sets: BTreeSet<SetId>,
    rendered: Arc<Rendered>,
}

/// Rules of all sources, translated where needed.
#[derive(Default)]
pub(crate) struct ActiveRules {
    given: HashMap<SourceId, GivenRules>,
    active: HashMap<SourceId, Active>,
    /// Sources whose rules or need changed.
    dirty: BTreeSet<SourceId>,
    /// Sets to give back once no node refers to them any more.
    leaving: Vec<(SetId, SourceId)>,
}

impl ActiveRules {
    /// Takes a source's rules in, or out.
    pub(crate) fn set(&mut self, id: SourceId, rules: Option<GivenRules>) {
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
        if needed {
            let active = self.active.entry(id.clone()).or_insert_with(Active::unsettled);
            if active.nodes.is_empty() {
                self.dirty.insert(id.clone());
            }
            active.nodes.insert(node.clone());
        } else if let Some(active) = self.active.get_mut(id) {
            active.nodes.remove(node);
            if active.nodes.is_empty() {
                self.dirty.insert(id.clone());
            }
        }
    }

    /// Brings every needed source up to date. Returns those that nodes must look at again.
    pub(crate) fn settle(&mut self, index: &mut LabelIndex, items: &Items, sets: &mut IpSets) -> BTreeSet<SourceId> {
        let dirty = std::mem::take(&mut self.dirty);
        for id in &dirty {
            match self.active.get(id).map(|active| active.nodes.is_empty()) {
                None => {}
                Some(true) => self.deactivate(id),
                Some(false) => self.translate(index, items, sets, id),
            }
        }
        let mut changed = sets.take_unsettled();
        changed.extend(dirty);
        changed.retain(|id| self.active.contains_key(id));
        for id in &changed {
            self.render(sets, id);
        }
        changed
    }

    /// Gives back sets that were left by the last [`Self::settle`].
    pub(crate) fn release_sets(&mut self, index: &mut LabelIndex, sets: &mut IpSets) {
        for (set, user) in self.leaving.drain(..) {
            let is_used = self.active.get(&user).is_some_and(|active| active.sets.contains(&set));
            if !is_used {
                sets.release(index, &set, &user);
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

    fn deactivate(&mut self, id: &SourceId) {
        if let Some(active) = self.active.remove(id) {
            self.leaving.extend(active.sets.into_iter().map(|set| (set, id.clone())));
        }
    }

    fn translate(&mut self, index: &mut LabelIndex, items: &Items, sets: &mut IpSets, id: &SourceId) {
        let mut used = BTreeSet::new();
        let mut set = |definition: SetDefinition| {
            let set = sets.acquire(index, items, &definition, id);
            used.insert(set.clone());
            set
        };
        let translated = match (self.given.get(id), id) {
            // What cannot be translated was refused at the door and is not here.
            (Some(given), _) => given.translate(&mut set).unwrap_or_else(|_| every(RuleAction::Deny)),
            (None, SourceId::Profile(name)) if &*name.0 == DEFAULT_ALLOW_PROFILE => every(RuleAction::Allow),
            (None, _) => every(RuleAction::Deny),
        };
        if let Some(active) = self.active.get_mut(id) {
            active.translated = translated;
            let left = std::mem::replace(&mut active.sets, used);
            self.leaving.extend(left.into_iter().map(|set| (set, id.clone())));
        }
    }

    fn render(&mut self, sets: &IpSets, id: &SourceId) {
        let Some(active) = self.active.get_mut(id) else { return };
        let harden = |rules: &[RuleIntent]| fail_closed::harden(rules, |set| sets.is_incomplete(set));
        let intent =
            PolicyIntent { ingress: harden(&active.translated.ingress), egress: harden(&active.translated.egress) };
        active.rendered = Arc::new(Rendered { intent: Arc::new(intent), sets: active.sets.clone() });
    }
}

impl Active {
    fn unsettled() -> Self {
        let rendered = Rendered { intent: Arc::default(), sets: BTreeSet::new() };
        Self {
            nodes: BTreeSet::new(),
            translated: PolicyIntent::default(),
            sets: BTreeSet::new(),
            rendered: Arc::new(rendered),
        }
    }
}

/// One action for every packet, in both directions.
fn every(action: RuleAction) -> PolicyIntent {
    PolicyIntent { ingress: vec![RuleIntent::every(action)], egress: vec![RuleIntent::every(action)] }
}
