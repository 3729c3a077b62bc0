//! The door: what a key holds goes to the rooms that it concerns, or is refused and replaced.

use std::sync::Arc;

use model::{
    Key, Kind,
    intent::{PolicyId, ProfileId, SetId},
    resource::{Object, PolicySpec, Resource},
};

use super::{Graph, Input};
use crate::{
    active_rules::{GivenRules, SourceId},
    endpoints, fail_closed,
    items::Content,
    policies::PolicyHead,
    profiles::{Profile, profile_name},
};

/// Why a policy for raw packets is refused.
const NOT_ENFORCED: &str = "doNotTrack and preDNAT policies are not enforced yet";

impl Graph {
    /// A key holds this now.
    pub fn apply(&mut self, key: &Key, input: Input) {
        match input {
            Input::Present(resource) => match self.accept(key, resource) {
                Ok(()) => drop(self.rejected.remove(key)),
                Err(reason) => drop(self.rejected.insert(key.clone(), reason)),
            },
            Input::Invalid { reason, json } => {
                self.rejected.insert(key.clone(), reason);
                self.replace(key, &json);
            }
            Input::Absent => {
                self.rejected.remove(key);
                self.forget(key);
            }
        }
    }

    /// Takes a resource in. The reason why not, where it is not enforced as it is.
    fn accept(&mut self, key: &Key, resource: Resource) -> Result<(), String> {
        match resource {
            Resource::Policy(policy) => return self.accept_policy(key, policy),
            Resource::Profile(profile) => return self.accept_profile(key, Profile::new(profile.spec)),
            Resource::WorkloadEndpoint(object) => {
                let labelled = endpoints::workload(&mut self.index.symbols, &self.nodes, key, object)?;
                self.place(key, Some(labelled));
            }
            Resource::HostEndpoint(object) => {
                let labelled = endpoints::host(&mut self.index.symbols, &self.nodes, key, object)?;
                self.place(key, Some(labelled));
            }
            Resource::NetworkSet(object) => {
                self.set_unreadable(key, false);
                self.place(key, Some(endpoints::network_set(key, object)));
            }
            Resource::Tier(tier) => {
                self.broken_tiers.remove(key);
                self.policies.set_tier(&self.index, key.name(), Some(&tier.spec));
            }
            Resource::IpamBlock(block) => self.routes.set_block(key, Some(&block)),
            Resource::Node(node) => self.routes.set_node(key.name(), Some(node.spec.bgp.unwrap_or_default())),
            Resource::IpPool(_) | Resource::FelixConfiguration(_) | Resource::ClusterInformation => {}
        }
        Ok(())
    }

    fn accept_policy(&mut self, key: &Key, policy: Object<PolicySpec>) -> Result<(), String> {
        let mut spec = policy.spec;
        if spec.do_not_track || spec.pre_dnat {
            self.broken_policies.remove(key);
            self.set_policy(key, None);
            return Err(NOT_ENFORCED.to_owned());
        }
        let head = PolicyHead::new(key, &spec)?;
        let rules = |applies, rules: &mut Vec<_>| if applies { std::mem::take(rules).into() } else { Box::default() };
        let given = GivenRules::Rules {
            ingress: rules(head.ingress, &mut spec.ingress),
            egress: rules(head.egress, &mut spec.egress),
            namespace: key.namespace().map(Arc::from),
        };
        if let Err(reason) = check(&given) {
            if !self.has_sound_policy(key) {
                self.broken_policies.insert(key.clone());
                self.set_policy(key, Some((head.broken(), GivenRules::Broken)));
            }
            return Err(reason);
        }
        self.broken_policies.remove(key);
        self.set_policy(key, Some((head, given)));
        Ok(())
    }

    fn accept_profile(&mut self, key: &Key, profile: Profile) -> Result<(), String> {
        let name = profile_name(key);
        let checked = check(&profile.rules);
        match &checked {
            Ok(()) => self.set_profile(key, &name, Some(profile)),
            Err(_) if self.has_sound_profile(key, &name) => {}
            Err(_) => self.set_profile(key, &name, Some(Profile { rules: GivenRules::Broken, ..profile })),
        }
        checked
    }

    /// Something stands in for what cannot be read, unless a sound version stands already.
    fn replace(&mut self, key: &Key, json: &[u8]) {
        match key.kind() {
            Kind::NetworkPolicy | Kind::GlobalNetworkPolicy | Kind::KubernetesNetworkPolicy => {
                if !self.has_sound_policy(key) {
                    let head = fail_closed::policy_head(key, json);
                    self.broken_policies.insert(key.clone());
                    self.set_policy(key, head.map(|head| (head, GivenRules::Broken)));
                }
            }
            Kind::Tier => {
                if !self.policies.has_tier(key.name()) || self.broken_tiers.contains(key) {
                    self.broken_tiers.insert(key.clone());
                    self.policies.set_tier(&self.index, key.name(), fail_closed::tier(json).as_ref());
                }
            }
            Kind::Profile | Kind::Namespace | Kind::ServiceAccount => {
                let name = profile_name(key);
                if !self.has_sound_profile(key, &name) {
                    let labels = fail_closed::inherited_labels(json);
                    self.set_profile(key, &name, Some(Profile { rules: GivenRules::Broken, labels }));
                }
            }
            Kind::NetworkSet | Kind::GlobalNetworkSet => self.replace_network_set(key, json),
            // Their last sound version stays; without one there is nothing: see `fail_closed`.
            Kind::WorkloadEndpoint | Kind::Pod | Kind::HostEndpoint | Kind::IpamBlock | Kind::Node => {}
            Kind::IpPool | Kind::FelixConfiguration | Kind::ClusterInformation => {}
        }
    }

    fn replace_network_set(&mut self, key: &Key, json: &[u8]) {
        let standing = self.items.find(key).and_then(|id| self.items.get(id));
        if standing.is_some_and(|item| item.content != Content::UnknownNets) {
            return;
        }
        let labels = fail_closed::labels(json);
        self.set_unreadable(key, labels.is_none());
        self.place(key, labels.map(|labels| endpoints::unknown_network_set(key, labels)));
    }

    fn forget(&mut self, key: &Key) {
        match key.kind() {
            Kind::NetworkPolicy | Kind::GlobalNetworkPolicy | Kind::KubernetesNetworkPolicy => {
                self.broken_policies.remove(key);
                self.set_policy(key, None);
            }
            Kind::Tier => {
                self.broken_tiers.remove(key);
                self.policies.set_tier(&self.index, key.name(), None);
            }
            Kind::Profile | Kind::Namespace | Kind::ServiceAccount => {
                self.set_profile(key, &profile_name(key), None);
            }
            Kind::WorkloadEndpoint | Kind::Pod | Kind::HostEndpoint => self.place(key, None),
            Kind::NetworkSet | Kind::GlobalNetworkSet => {
                self.set_unreadable(key, false);
                self.place(key, None);
            }
            Kind::IpamBlock => self.routes.set_block(key, None),
            Kind::Node => self.routes.set_node(key.name(), None),
            Kind::IpPool | Kind::FelixConfiguration | Kind::ClusterInformation => {}
        }
    }

    fn set_policy(&mut self, key: &Key, policy: Option<(PolicyHead, GivenRules)>) {
        let id = PolicyId(key.to_string().into());
        let (head, rules) = policy.unzip();
        self.policies.set_policy(&mut self.index, &id, head);
        self.rules.set(SourceId::Policy(id), rules);
    }

    fn set_profile(&mut self, key: &Key, name: &str, profile: Option<Profile>) {
        self.profiles.set(name, key, profile);
        let rules = self.profiles.get(name).map(|profile| profile.rules.clone());
        self.rules.set(SourceId::Profile(ProfileId(name.into())), rules);
        self.inherit(name);
    }

    fn set_unreadable(&mut self, key: &Key, is_unreadable: bool) {
        let changed =
            if is_unreadable { self.unreadable_sets.insert(key.clone()) } else { self.unreadable_sets.remove(key) };
        if changed {
            self.sets.set_unreadable(self.unreadable_sets.len());
        }
    }

    fn has_sound_policy(&self, key: &Key) -> bool {
        let id = PolicyId(key.to_string().into());
        self.policies.has_policy(&id) && !self.broken_policies.contains(key)
    }

    fn has_sound_profile(&self, key: &Key, name: &str) -> bool {
        self.profiles.given_by(name, key).is_some_and(|profile| profile.rules != GivenRules::Broken)
    }
}

/// Whether rules can be enforced: a translation that leaves nothing behind.
fn check(rules: &GivenRules) -> Result<(), String> {
    rules.translate(&mut |_| SetId("".into())).map(drop)
}
