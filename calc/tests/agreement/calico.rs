//! Calico policy decided the slow way: for one packet at one endpoint, every resource is looked at.
//!
//! Written from Calico's specification, not from calc: no index, no set, no intent. Only the vocabulary (`model`) and
//! the selector language are shared with what it checks.

mod broken;
mod item;
mod rule;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use calc::verdict::{Direction, Packet};
use ipnet::IpNet;
use model::{
    Key, Kind,
    resource::{Action, Object, PolicySpec, PolicyType, Resource, Rule},
};

use self::item::Item;
use crate::{
    history::{self, Known},
    packets::Workload,
};

/// Every resource there is, and what of it selectors can select.
pub(crate) struct Cluster {
    resources: BTreeMap<Key, Resource>,
    items: Vec<(Key, Item)>,
}

impl Cluster {
    /// Reads what exists: the last good version, or what stands for a policy that has none.
    pub(crate) fn new(known: &BTreeMap<Key, Known>) -> Self {
        let read = |(key, known): (&Key, &Known)| match (&known.good, &known.broken) {
            (Some(good), _) => Some((key.clone(), history::parse(key, good))),
            (None, Some(broken)) => Some((key.clone(), broken::deny_all(key, broken))),
            (None, None) => None,
        };
        let resources: BTreeMap<Key, Resource> = known.iter().filter_map(read).collect();
        let items = resources.keys().filter_map(|key| Some((key.clone(), Item::of(&resources, key)?))).collect();
        Self { resources, items }
    }

    /// Every workload with its node and addresses.
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        let workload = |(key, resource): (&Key, &Resource)| match resource {
            Resource::WorkloadEndpoint(endpoint) => Some(Workload {
                key: key.clone(),
                node: endpoint.spec.node.clone(),
                addresses: endpoint.spec.ip_networks.iter().map(IpNet::addr).collect(),
            }),
            _ => None,
        };
        self.resources.iter().filter_map(workload).collect()
    }

    fn items_at(&self, address: IpAddr) -> impl Iterator<Item = &Item> {
        self.items.iter().map(|(_, item)| item).filter(move |item| item.has_address(address))
    }
}

/// Whether the packet may reach (`Ingress`) or leave (`Egress`) the endpoint.
pub(crate) fn allows(cluster: &Cluster, endpoint: &Key, direction: Direction, packet: &Packet) -> bool {
    let Some((_, item)) = cluster.items.iter().find(|(key, _)| key == endpoint) else { return false };
    if direction == Direction::Egress && !item.has_address(packet.source) {
        return false;
    }
    for tier in tiers(cluster) {
        let policies = policies(cluster, &tier, item, direction);
        if policies.is_empty() {
            continue;
        }
        match ask_policies(cluster, &policies, direction, packet) {
            Some(Action::Allow) => return true,
            Some(Action::Pass) => {}
            None if tier.passes_by_default => {}
            Some(_) | None => return false,
        }
    }
    ask_profiles(cluster, item, direction, packet)
}

struct Tier {
    name: String,
    /// Whether there is a resource of that name; a tier that policies merely mention comes last.
    exists: bool,
    order: f64,
    passes_by_default: bool,
}

/// Every tier that exists or is mentioned, in order of evaluation.
fn tiers(cluster: &Cluster) -> Vec<Tier> {
    let mentioned = cluster.resources.values().filter_map(|resource| match resource {
        Resource::Policy(policy) => Some(tier_name(&policy.spec).to_owned()),
        _ => None,
    });
    let existing = cluster.resources.keys().filter(|key| key.kind() == Kind::Tier).map(|key| key.name().to_owned());
    let names: BTreeSet<String> = mentioned.chain(existing).collect();
    let mut tiers: Vec<Tier> = names.into_iter().map(|name| read_tier(cluster, name)).collect();
    tiers.sort_by(|a, b| (b.exists.cmp(&a.exists)).then(a.order.total_cmp(&b.order)).then_with(|| a.name.cmp(&b.name)));
    tiers
}

fn read_tier(cluster: &Cluster, name: String) -> Tier {
    if name == "default" {
        // Is always there, and no resource changes it.
        return Tier { name, exists: true, order: 1_000_000.0, passes_by_default: false };
    }
    match cluster.resources.get(&Key::global(Kind::Tier, name.as_str())) {
        Some(Resource::Tier(tier)) => Tier {
            name,
            exists: true,
            order: tier.spec.order.unwrap_or(f64::INFINITY),
            passes_by_default: tier.spec.default_action == Some(Action::Pass),
        },
        _ => Tier { name, exists: false, order: f64::INFINITY, passes_by_default: false },
    }
}

fn tier_name(spec: &PolicySpec) -> &str {
    if spec.tier.is_empty() { "default" } else { &spec.tier }
}

type Policy<'a> = (&'a Key, &'a Object<PolicySpec>);

/// The tier's policies that apply to the item in this direction, in order of evaluation.
fn policies<'a>(cluster: &'a Cluster, tier: &Tier, item: &Item, direction: Direction) -> Vec<Policy<'a>> {
    let mut policies: Vec<Policy<'a>> = cluster
        .resources
        .iter()
        .filter_map(|(key, resource)| match resource {
            Resource::Policy(policy) => Some((key, policy)),
            _ => None,
        })
        .filter(|(_, policy)| tier_name(&policy.spec) == tier.name)
        .filter(|(key, policy)| speaks_about(&policy.spec, direction) && selects(key, &policy.spec, item))
        .collect();
    let order = |policy: &Policy<'_>| policy.1.spec.order.unwrap_or(f64::INFINITY);
    policies.sort_by(|a, b| order(a).total_cmp(&order(b)).then_with(|| tie_break(a.0).cmp(&tie_break(b.0))));
    policies
}

fn tie_break(key: &Key) -> String {
    format!("{}/{}/{}", key.name(), key.namespace().unwrap_or_default(), key.kind())
}

/// The API's default for `types`: ingress, unless there are only egress rules; egress where there are egress rules.
fn speaks_about(spec: &PolicySpec, direction: Direction) -> bool {
    let listed = |wanted| spec.types.contains(&wanted);
    match (spec.types.is_empty(), direction) {
        (true, Direction::Ingress) => spec.egress.is_empty() || !spec.ingress.is_empty(),
        (true, Direction::Egress) => !spec.egress.is_empty(),
        (false, Direction::Ingress) => listed(PolicyType::Ingress),
        (false, Direction::Egress) => listed(PolicyType::Egress),
    }
}

fn selects(key: &Key, spec: &PolicySpec, item: &Item) -> bool {
    // Untracked and pre-DNAT policies exist for host endpoints only.
    let for_workloads = !spec.do_not_track && !spec.pre_dnat;
    for_workloads
        && key.namespace().is_none_or(|namespace| item.namespace.as_deref() == Some(namespace))
        && spec.selector.matches(&item.labels)
        && spec.namespace_selector.as_ref().is_none_or(|selector| item.is_in_namespaces(selector))
        && spec.service_account_selector.as_ref().is_none_or(|selector| item.has_service_account(selector))
}

/// What a tier's policies say: `Allow`, `Deny`, `Pass`, or nothing.
fn ask_policies(cluster: &Cluster, policies: &[Policy<'_>], direction: Direction, packet: &Packet) -> Option<Action> {
    policies.iter().find_map(|(key, policy)| {
        let rules = match direction {
            Direction::Ingress => &policy.spec.ingress,
            Direction::Egress => &policy.spec.egress,
        };
        ask_rules(cluster, key.namespace(), rules, packet)
    })
}

fn ask_rules(cluster: &Cluster, namespace: Option<&str>, rules: &[Rule], packet: &Packet) -> Option<Action> {
    rules
        .iter()
        .filter(|rule| rule.action != Action::Log)
        .find(|rule| rule::matches(cluster, namespace, rule, packet))
        .map(|rule| rule.action)
}

/// The first profile that says allow or deny decides; where none does, or one is missing, the packet is denied.
fn ask_profiles(cluster: &Cluster, item: &Item, direction: Direction, packet: &Packet) -> bool {
    for name in &item.profiles {
        let Some(profile) = item::find_profile(&cluster.resources, name) else { return false };
        let rules = match direction {
            Direction::Ingress => &profile.ingress,
            Direction::Egress => &profile.egress,
        };
        match ask_rules(cluster, None, rules, packet) {
            Some(Action::Allow) => return true,
            Some(Action::Deny) => return false,
            _ => {}
        }
    }
    false
}
