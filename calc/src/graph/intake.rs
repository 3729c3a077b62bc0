//! The door: what a key holds goes to the rooms that it concerns, or is refused and replaced.

use model::{
    Key, Kind,
    intent::{PolicyId, ProfileId, RuleAction},
    resource::{Object, PolicySpec, ProfileSpec, Resource},
};

use super::{Graph, Input};
use crate::{
    active_rules::SourceId,
    endpoints, fail_closed,
    node_configs::NodeConfigs,
    policies::PolicyHead,
    profiles::{Profile, profile_name},
    rules::Rules,
};

/// Why a policy for raw packets is refused.
const NOT_ENFORCED: &str = "spec: doNotTrack and preDNAT policies are not enforced yet";
/// What is missing of a policy that is otherwise enforced.
const NOT_ON_FORWARD: &str = "spec.applyOnForward: not enforced yet on what host endpoints forward; the rest is";

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
                if !self.has_sound(key) {
                    self.stand_ins.insert(key.clone());
                    self.stand_in(key, &json);
                }
            }
            Input::Absent => {
                self.rejected.remove(key);
                self.stand_ins.remove(key);
                self.forget(key);
            }
        }
    }

    /// Takes a resource in. The reason why not, where it is not enforced as it is.
    fn accept(&mut self, key: &Key, resource: Resource) -> Result<(), String> {
        match resource {
            Resource::Policy(policy) => return self.accept_policy(key, policy),
            Resource::Profile(profile) => return self.accept_profile(key, profile.spec),
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
            Resource::Tier(tier) => self.policies.set_tier(&self.index, key.name(), Some(&tier.spec)),
            Resource::IpamBlock(block) => self.routes.set_block(key, Some(&block)),
            Resource::Node(node) => self.routes.set_node(key.name(), Some(&node.spec.bgp.unwrap_or_default())),
            Resource::FelixConfiguration(object) => {
                NodeConfigs::check(key.name(), &object.spec)?;
                self.configs.set(key.name(), Some(object.spec));
            }
            Resource::IpPool(_) | Resource::ClusterInformation => {}
        }
        self.stand_ins.remove(key);
        Ok(())
    }

    fn accept_policy(&mut self, key: &Key, policy: Object<PolicySpec>) -> Result<(), String> {
        let spec = policy.spec;
        if spec.do_not_track || spec.pre_dnat {
            self.stand_ins.remove(key);
            self.set_policy(key, None);
            return Err(NOT_ENFORCED.to_owned());
        }
        let head = match PolicyHead::new(key, &spec) {
            Ok(head) => head,
            Err(reason) => return self.refuse_policy(key, PolicyHead::unknown(key), reason),
        };
        let ingress = if head.ingress { &spec.ingress[..] } else { &[] };
        let egress = if head.egress { &spec.egress[..] } else { &[] };
        match Rules::translate(ingress, egress, key.namespace(), &mut self.definitions) {
            Ok(rules) => {
                self.stand_ins.remove(key);
                self.set_policy(key, Some((head, rules)));
                if spec.apply_on_forward { Err(NOT_ON_FORWARD.to_owned()) } else { Ok(()) }
            }
            Err(reason) => self.refuse_policy(key, head.broken(), reason),
        }
    }

    fn refuse_policy(&mut self, key: &Key, stand_in: PolicyHead, reason: String) -> Result<(), String> {
        if !self.has_sound(key) {
            self.stand_ins.insert(key.clone());
            self.set_policy(key, Some((stand_in, Rules::every(RuleAction::Deny))));
        }
        Err(reason)
    }

    fn accept_profile(&mut self, key: &Key, spec: ProfileSpec) -> Result<(), String> {
        let labels = spec.labels_to_apply;
        match Rules::translate(&spec.ingress, &spec.egress, None, &mut self.definitions) {
            Ok(rules) => {
                self.stand_ins.remove(key);
                self.set_profile(key, Some(Profile { rules, labels }));
                Ok(())
            }
            Err(reason) => {
                if !self.has_sound(key) {
                    self.stand_ins.insert(key.clone());
                    self.set_profile(key, Some(Profile { rules: Rules::every(RuleAction::Deny), labels }));
                }
                Err(reason)
            }
        }
    }

    /// Whether an earlier version of what a key holds is enforced.
    fn has_sound(&self, key: &Key) -> bool {
        let is_there = match key.kind() {
            Kind::NetworkPolicy | Kind::GlobalNetworkPolicy | Kind::KubernetesNetworkPolicy => {
                self.policies.has_policy(&policy_id(key))
            }
            Kind::Tier => self.policies.has_tier(key.name()),
            Kind::Profile | Kind::Namespace | Kind::ServiceAccount => self.profiles.has(&profile_name(key), key),
            Kind::WorkloadEndpoint | Kind::Pod | Kind::HostEndpoint | Kind::NetworkSet | Kind::GlobalNetworkSet => {
                self.items.find(key).is_some()
            }
            Kind::FelixConfiguration => self.configs.has(key.name()),
            // Nothing ever stands in for these.
            Kind::IpamBlock | Kind::Node | Kind::IpPool | Kind::ClusterInformation => true,
        };
        is_there && !self.stand_ins.contains(key)
    }

    /// Puts something in the place of what cannot be read; see [`fail_closed`] for why it is this.
    fn stand_in(&mut self, key: &Key, json: &[u8]) {
        match key.kind() {
            Kind::NetworkPolicy | Kind::GlobalNetworkPolicy | Kind::KubernetesNetworkPolicy => {
                let head = fail_closed::policy_head(key, json);
                self.set_policy(key, head.map(|head| (head, Rules::every(RuleAction::Deny))));
            }
            Kind::Tier => {
                self.policies.set_tier(&self.index, key.name(), fail_closed::tier(json).as_ref());
            }
            Kind::Profile | Kind::Namespace | Kind::ServiceAccount => {
                let labels = fail_closed::inherited_labels(json);
                self.set_profile(key, Some(Profile { rules: Rules::every(RuleAction::Deny), labels }));
            }
            Kind::NetworkSet | Kind::GlobalNetworkSet => {
                let labels = fail_closed::labels(json);
                self.set_unreadable(key, labels.is_none());
                self.place(key, labels.map(|labels| endpoints::unknown_network_set(key, labels)));
            }
            Kind::HostEndpoint => {
                let host = fail_closed::host_endpoint(json)
                    .and_then(|object| endpoints::host(&mut self.index.symbols, &self.nodes, key, object).ok());
                self.place(key, host);
            }
            Kind::FelixConfiguration => self.configs.set(key.name(), Some(fail_closed::felix_configuration(json))),
            Kind::WorkloadEndpoint
            | Kind::Pod
            | Kind::IpamBlock
            | Kind::Node
            | Kind::IpPool
            | Kind::ClusterInformation => {}
        }
    }

    fn forget(&mut self, key: &Key) {
        match key.kind() {
            Kind::NetworkPolicy | Kind::GlobalNetworkPolicy | Kind::KubernetesNetworkPolicy => {
                self.set_policy(key, None);
            }
            Kind::Tier => self.policies.set_tier(&self.index, key.name(), None),
            Kind::Profile | Kind::Namespace | Kind::ServiceAccount => self.set_profile(key, None),
            Kind::WorkloadEndpoint | Kind::Pod | Kind::HostEndpoint => self.place(key, None),
            Kind::NetworkSet | Kind::GlobalNetworkSet => {
                self.set_unreadable(key, false);
                self.place(key, None);
            }
            Kind::IpamBlock => self.routes.set_block(key, None),
            Kind::Node => self.routes.set_node(key.name(), None),
            Kind::FelixConfiguration => self.configs.set(key.name(), None),
            Kind::IpPool | Kind::ClusterInformation => {}
        }
    }

    fn set_policy(&mut self, key: &Key, policy: Option<(PolicyHead, Rules)>) {
        let id = policy_id(key);
        let (head, rules) = policy.unzip();
        self.policies.set_policy(&mut self.index, &id, head);
        self.rules.set(SourceId::Policy(id), rules);
    }

    fn set_profile(&mut self, key: &Key, profile: Option<Profile>) {
        let name = profile_name(key);
        self.profiles.set(&name, key, profile);
        let rules = self.profiles.get(&name).map(|profile| profile.rules.clone());
        self.rules.set(SourceId::Profile(ProfileId(name.as_str().into())), rules);
        self.inherit(&name);
    }

    fn set_unreadable(&mut self, key: &Key, is_unreadable: bool) {
        let changed =
            if is_unreadable { self.unreadable_sets.insert(key.clone()) } else { self.unreadable_sets.remove(key) };
        if changed {
            self.sets.set_unreadable(self.unreadable_sets.len());
        }
    }
}

fn policy_id(key: &Key) -> PolicyId {
    PolicyId(key.to_string().into())
}
