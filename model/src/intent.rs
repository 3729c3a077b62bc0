//! What one node must enforce: the words in which calc speaks to the dataplane.
//!
//! Complete objects, no history: applying a [`Delta`] twice, or after a restart, gives the same kernel. Selectors,
//! labels and namespaces are gone by here; addresses, ports, sets and interfaces are left.

mod node_config;
mod rule;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    sync::Arc,
};

use ipnet::IpNet;

pub use self::{
    node_config::{EndpointToHostAction, FailsafePort, NodeConfig},
    rule::{Icmp, PeerMatch, PortRange, Protocol, RuleAction, RuleIntent},
};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Arc<str>);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
    };
}

id!(
    /// A set's identity, a function of what it selects: `s:…` for addresses by selector, `n:…` for named ports.
    SetId
);
id!(
    /// A policy's identity: its key's text.
    PolicyId
);
id!(
    /// A profile's identity: its name.
    ProfileId
);
id!(
    /// An endpoint's identity: its key's text.
    EndpointId
);

/// Which kind of members a set has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetKind {
    /// [`SetMember::Net`] only.
    Net,
    /// [`SetMember::AddressPort`] only.
    AddressPort,
}

/// A member of a set. Both address families may meet in one set; the kernel's sets are split by the dataplane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetMember {
    /// An address or a prefix. Calc never lists a prefix that another member of the same set covers.
    Net(IpNet),
    /// One port of one address.
    AddressPort(IpAddr, Protocol, u16),
}

/// A set of addresses, or of addresses with ports, that rules refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpSet {
    /// The kind of all its members.
    pub kind: SetKind,
    /// Its members.
    pub members: BTreeSet<SetMember>,
}

/// A change to one set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetChange {
    /// The set is this now, whatever it was.
    Replace(IpSet),
    /// These left and these came; the two are disjoint and relative to what was said before.
    Update {
        /// Members that came.
        added: BTreeSet<SetMember>,
        /// Members that left.
        removed: BTreeSet<SetMember>,
    },
    /// Nothing refers to the set any more.
    Remove,
}

/// The rules of one policy, or of one profile.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PolicyIntent {
    /// For traffic to the endpoint, first match decides.
    pub ingress: Vec<RuleIntent>,
    /// For traffic from the endpoint, first match decides.
    pub egress: Vec<RuleIntent>,
}

/// What happens at the end of a tier in which policies apply but no rule decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefaultAction {
    /// The packet is dropped.
    Deny,
    /// The next tier decides.
    Pass,
}

/// One tier as it applies to one endpoint in one direction. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierIntent {
    /// The tier's name.
    pub name: Arc<str>,
    /// Its policies in order of evaluation; at least one.
    pub policies: Vec<PolicyId>,
    /// What happens where none of them decided.
    pub default_action: DefaultAction,
}

/// Where an endpoint attaches to the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// A workload behind its own interface (the host's end of a veth pair).
    Workload {
        /// The interface's name on the host.
        interface: Arc<str>,
        /// The workload's addresses; packets from it with another source address are dropped.
        addresses: BTreeSet<IpAddr>,
    },
    /// The host itself behind one of its interfaces.
    Host {
        /// The interface's name; `None` stands for `*`, every interface that is not a workload's.
        interface: Option<Arc<str>>,
        /// Where no interface is named: the addresses by which the dataplane finds it.
        expected_addresses: BTreeSet<IpAddr>,
    },
}

/// Everything about one local endpoint. Evaluation in one direction: tiers in order, then profiles, then drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointIntent {
    /// Where it attaches.
    pub attachment: Attachment,
    /// Tiers for traffic to the endpoint, in order of evaluation.
    pub ingress: Vec<TierIntent>,
    /// Tiers for traffic from the endpoint, in order of evaluation.
    pub egress: Vec<TierIntent>,
    /// Consulted in order where no tier decided.
    pub profiles: Vec<ProfileId>,
}

/// How packets to a prefix leave this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteIntent {
    /// To a local workload.
    LocalWorkload {
        /// The interface's name on the host.
        interface: Arc<str>,
    },
    /// To another node, unencapsulated.
    RemoteNode {
        /// That node's name.
        node: Arc<str>,
        /// That node's address, the next hop.
        next_hop: IpAddr,
    },
    /// To nobody: an address of a local block that no local workload holds.
    Blackhole,
}

/// A change to what one node must enforce. Objects are complete; `None` removes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Delta {
    /// Sets that came, changed or went.
    pub ip_sets: BTreeMap<SetId, SetChange>,
    /// Policies that came, changed or went.
    pub policies: BTreeMap<PolicyId, Option<Arc<PolicyIntent>>>,
    /// Profiles that came, changed or went.
    pub profiles: BTreeMap<ProfileId, Option<Arc<PolicyIntent>>>,
    /// Endpoints that came, changed or went.
    pub endpoints: BTreeMap<EndpointId, Option<Arc<EndpointIntent>>>,
    /// Routes that came, changed or went.
    pub routes: BTreeMap<IpNet, Option<RouteIntent>>,
    /// The node's settings, where they changed.
    pub config: Option<NodeConfig>,
}

impl Delta {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.ip_sets.is_empty()
            && self.policies.is_empty()
            && self.profiles.is_empty()
            && self.endpoints.is_empty()
            && self.routes.is_empty()
            && self.config.is_none()
    }
}

/// Everything one node must enforce: the sum of all deltas so far.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NodeIntent {
    /// Sets that policies and profiles here refer to.
    pub ip_sets: BTreeMap<SetId, IpSet>,
    /// Policies that endpoints here refer to.
    pub policies: BTreeMap<PolicyId, Arc<PolicyIntent>>,
    /// Profiles that endpoints here refer to.
    pub profiles: BTreeMap<ProfileId, Arc<PolicyIntent>>,
    /// Local endpoints.
    pub endpoints: BTreeMap<EndpointId, Arc<EndpointIntent>>,
    /// Routes.
    pub routes: BTreeMap<IpNet, RouteIntent>,
    /// The node's settings.
    pub config: NodeConfig,
}

impl NodeIntent {
    /// Takes a change in. A [`SetChange::Update`] of a set that is not here is taken as a new set of what was added;
    /// its kind is that of the members.
    pub fn apply(&mut self, delta: &Delta) {
        for (id, change) in &delta.ip_sets {
            self.apply_set_change(id, change);
        }
        apply_options(&mut self.policies, &delta.policies);
        apply_options(&mut self.profiles, &delta.profiles);
        apply_options(&mut self.endpoints, &delta.endpoints);
        apply_options(&mut self.routes, &delta.routes);
        if let Some(config) = &delta.config {
            self.config.clone_from(config);
        }
    }

    fn apply_set_change(&mut self, id: &SetId, change: &SetChange) {
        match change {
            SetChange::Replace(set) => {
                self.ip_sets.insert(id.clone(), set.clone());
            }
            SetChange::Update { added, removed } => {
                let kind = match added.first() {
                    Some(SetMember::AddressPort(..)) => SetKind::AddressPort,
                    _ => SetKind::Net,
                };
                let set = self.ip_sets.entry(id.clone()).or_insert_with(|| IpSet { kind, members: BTreeSet::new() });
                for member in removed {
                    set.members.remove(member);
                }
                set.members.extend(added.iter().copied());
            }
            SetChange::Remove => {
                self.ip_sets.remove(id);
            }
        }
    }
}

fn apply_options<K: Ord + Clone, V: Clone>(into: &mut BTreeMap<K, V>, changes: &BTreeMap<K, Option<V>>) {
    for (key, value) in changes {
        match value {
            Some(value) => into.insert(key.clone(), value.clone()),
            None => into.remove(key),
        };
    }
}
