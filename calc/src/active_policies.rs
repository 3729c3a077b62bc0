//! Which policies apply to the endpoints of a class, tier by tier.
//!
//! The rules inside policies are of no concern here, and neither are nodes: classes without an endpoint of a wanted
//! node never get here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use hashbrown::HashMap;
use model::{
    intent::{PolicyId, TierIntent},
    resource::TierSpec,
};

use crate::{
    label_index::{Class, ClassId, LabelIndex, SubscriptionId},
    policies::PolicyHead,
    policy_order::{PolicyPlace, TierPlace, Tiers},
};

/// The policies of an endpoint; shared by all endpoints that the same selectors match.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct AppliedTiers {
    pub(crate) ingress: Vec<TierIntent>,
    pub(crate) egress: Vec<TierIntent>,
    /// Each policy of both directions, once.
    pub(crate) policies: BTreeSet<PolicyId>,
}

struct Policy {
    head: PolicyHead,
    subscription: SubscriptionId,
}

/// Policies and tiers, and what they come to for each class.
pub(crate) struct ActivePolicies {
    tiers: Tiers,
    policies: HashMap<PolicyId, Policy>,
    by_subscription: HashMap<SubscriptionId, BTreeSet<PolicyId>>,
    by_class: HashMap<ClassId, Arc<AppliedTiers>>,
    /// Classes whose tiers may have changed.
    dirty: BTreeSet<ClassId>,
}

impl ActivePolicies {
    pub(crate) fn new() -> Self {
        Self {
            tiers: Tiers::new(),
            policies: HashMap::new(),
            by_subscription: HashMap::new(),
            by_class: HashMap::new(),
            dirty: BTreeSet::new(),
        }
    }

    /// Takes a policy in, or out.
    pub(crate) fn set_policy(&mut self, index: &mut LabelIndex, id: &PolicyId, head: Option<PolicyHead>) {
        if self.policies.get(id).map(|policy| &policy.head) == head.as_ref() {
            return;
        }
        let old = self.policies.remove(id);
        // In before out: a selector that stays is not matched anew.
        if let Some(head) = head {
            let subscription = index.policies.subscribe(&index.classes, &mut index.symbols, &head.selector);
            self.by_subscription.entry(subscription).or_default().insert(id.clone());
            self.dirty.extend(index.policies.classes(subscription));
            if let Some(old) = old {
                self.forget(index, id, old.subscription, old.subscription != subscription);
            }
            let selector = index.policies.selector(subscription).unwrap_or(&head.selector).clone();
            self.policies.insert(id.clone(), Policy { head: PolicyHead { selector, ..head }, subscription });
        } else if let Some(old) = old {
            self.forget(index, id, old.subscription, true);
        }
    }

    fn forget(&mut self, index: &mut LabelIndex, id: &PolicyId, subscription: SubscriptionId, left: bool) {
        if left {
            self.dirty.extend(index.policies.classes(subscription));
            if let Some(ids) = self.by_subscription.get_mut(&subscription) {
                ids.remove(id);
                if ids.is_empty() {
                    self.by_subscription.remove(&subscription);
                }
            }
        }
        index.policies.unsubscribe(&mut index.symbols, subscription);
    }

    /// Takes a tier in, or out.
    pub(crate) fn set_tier(&mut self, index: &LabelIndex, name: &str, spec: Option<&TierSpec>) {
        if self.tiers.set(name, spec) {
            let affected = self.policies.values().filter(|policy| &*policy.head.tier == name);
            let subscriptions: BTreeSet<_> = affected.map(|policy| policy.subscription).collect();
            self.dirty.extend(subscriptions.into_iter().flat_map(|id| index.policies.classes(id)));
        }
    }

    /// Whether a tier is known.
    pub(crate) fn has_tier(&self, name: &str) -> bool {
        self.tiers.contains(name)
    }

    /// Whether a policy is in.
    pub(crate) fn has_policy(&self, id: &PolicyId) -> bool {
        self.policies.contains_key(id)
    }

    /// The matches of a class changed, or it is new, or gone.
    pub(crate) fn class_changed(&mut self, class: ClassId) {
        self.dirty.insert(class);
    }

    /// What applies to the endpoints of a class, as of the last [`Self::resolve`].
    pub(crate) fn tiers_of(&self, class: ClassId) -> Option<&Arc<AppliedTiers>> {
        self.by_class.get(&class)
    }

    /// Brings all classes up to date. Returns those whose endpoints are affected.
    pub(crate) fn resolve(&mut self, index: &LabelIndex) -> Vec<ClassId> {
        let mut resolved: HashMap<&[SubscriptionId], Arc<AppliedTiers>> = HashMap::new();
        let mut affected = Vec::new();
        for class in std::mem::take(&mut self.dirty) {
            if !index.classes.get(class).is_some_and(Class::is_wanted) {
                self.by_class.remove(&class);
                continue;
            }
            let matches = index.policies.matches(class);
            let tiers = resolved.entry(matches).or_insert_with(|| Arc::new(self.apply(matches)));
            let old = self.by_class.insert(class, tiers.clone());
            match old {
                // Keeps what is shared shared.
                Some(old) if old == *tiers => drop(self.by_class.insert(class, old)),
                _ => affected.push(class),
            }
        }
        affected
    }

    fn apply(&self, matches: &[SubscriptionId]) -> AppliedTiers {
        let ids = matches.iter().filter_map(|subscription| self.by_subscription.get(subscription)).flatten();
        let mut by_tier: BTreeMap<TierPlace, Vec<(&PolicyPlace, &PolicyId, &PolicyHead)>> = BTreeMap::new();
        let mut places: HashMap<&Arc<str>, TierPlace> = HashMap::new();
        for id in ids {
            let Some(Policy { head, .. }) = self.policies.get(id) else { continue };
            let place = places.entry(&head.tier).or_insert_with(|| self.tiers.place(&head.tier));
            by_tier.entry(place.clone()).or_default().push((&head.place, id, head));
        }
        let mut applied = AppliedTiers::default();
        for policies in by_tier.values_mut() {
            policies.sort_unstable_by_key(|(place, ..)| *place);
            applied.ingress.extend(self.tier(policies, |head| head.ingress));
            applied.egress.extend(self.tier(policies, |head| head.egress));
            applied.policies.extend(policies.iter().map(|(_, id, _)| (*id).clone()));
        }
        applied
    }

    /// One tier in one direction; none where no policy applies.
    fn tier(
        &self,
        policies: &[(&PolicyPlace, &PolicyId, &PolicyHead)],
        applies: impl Fn(&PolicyHead) -> bool,
    ) -> Option<TierIntent> {
        let (_, _, first) = policies.first()?;
        let ids: Vec<_> = policies.iter().filter(|(.., head)| applies(head)).map(|(_, id, _)| (*id).clone()).collect();
        let default_action = self.tiers.default_action(&first.tier);
        (!ids.is_empty()).then(|| TierIntent { name: first.tier.clone(), policies: ids, default_action })
    }
}
