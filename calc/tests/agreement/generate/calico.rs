//! Made-up Calico clusters, in the v3 projection that calc reads.

mod flaw;
mod rule;

use model::{Key, Kind};
use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use serde_json::{Map, Value, json};

use self::flaw::maybe_flawed;
pub(crate) use self::flaw::spoil;
use super::{NAMESPACES, NODES, Slot, labels, object, one_of, slot};

const ADDRESSES: &[&str] = &["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.4", "10.0.1.5"];
const ADDRESSES_V6: &[&str] = &["fd00::1", "fd00::2"];
const NETS: &[&str] = &[
    "192.0.2.0/24",
    "192.0.2.0/25",
    "192.0.2.128/25",
    "10.0.1.0/24",
    "10.0.0.2/32",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/32",
];

/// Selectors of endpoints and network sets.
const SELECTORS: &[&str] = &[
    "all()",
    "role == 'a'",
    "role != 'a'",
    "role in {'a', 'b'}",
    "role not in {'b', 'c'}",
    "has(role)",
    "!has(role)",
    "role == 'a' && env == 'b'",
    "role == 'a' || env == 'a'",
    "role starts with 'a' || !(env contains 'b')",
    "pcns.env == 'a'",
    "has(extra)",
    "projectcalico.org/namespace == 'n1'",
];
const NAMESPACE_SELECTORS: &[&str] =
    &["all()", "env == 'a'", "env != 'a'", "has(env)", "!has(env)", "projectcalico.org/name == 'n2'"];
const SERVICE_ACCOUNT_SELECTORS: &[&str] = &["all()", "team == 'a'", "team != 'a'", "!has(team)"];

/// Everywhere a resource may exist.
pub(crate) fn slots() -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for name in ["default", "t1", "t2"] {
        slots.push(slot(Key::global(Kind::Tier, name), tier(name)));
    }
    for namespace in NAMESPACES {
        slots.push(slot(Key::global(Kind::Namespace, namespace), namespace_profile(namespace)));
        slots.push(slot(Key::namespaced(Kind::ServiceAccount, namespace, "sa1"), account_profile(namespace)));
        for name in ["a", "a-b"] {
            let key = Key::namespaced(Kind::NetworkPolicy, namespace, name);
            slots.push((key, maybe_flawed(policy(namespace, name))));
        }
        slots.push(slot(Key::namespaced(Kind::NetworkSet, namespace, "s1"), network_set(namespace, "s1")));
    }
    slots.push(slot(Key::global(Kind::Profile, "p1"), profile()));
    for name in ["a", "b"] {
        slots.push((Key::global(Kind::GlobalNetworkPolicy, name), maybe_flawed(policy("", name))));
        slots.push(slot(Key::global(Kind::GlobalNetworkSet, name), network_set("", name)));
    }
    slots.push(slot(Key::global(Kind::GlobalNetworkPolicy, "untracked"), untracked(policy("", "untracked"))));
    for (namespace, name) in [("n1", "w1"), ("n1", "w2"), ("n2", "w1"), ("n2", "w2")] {
        slots.push(slot(Key::namespaced(Kind::WorkloadEndpoint, namespace, name), workload(namespace, name)));
    }
    slots.push(slot(Key::namespaced(Kind::Pod, "n1", "w3"), workload("n1", "w3")));
    slots.push(slot(Key::global(Kind::HostEndpoint, "h1"), host_endpoint()));
    slots
}

fn metadata(namespace: &str, name: &str, labels: &Map<String, Value>) -> Value {
    json!({ "namespace": namespace, "name": name, "labels": labels })
}

fn tier(name: &'static str) -> impl Strategy<Value = Value> {
    let order = prop::sample::select(vec![None, Some(10), Some(20), Some(1_000_000)]);
    (order, option::of(one_of(&["Pass", "Deny"]))).prop_map(move |(order, default_action)| {
        let spec = object([("order", order.map(Value::from)), ("defaultAction", default_action.map(Value::from))]);
        json!({ "metadata": metadata("", name, &Map::new()), "spec": spec })
    })
}

fn namespace_profile(namespace: &'static str) -> impl Strategy<Value = Value> {
    labels(&["pcns.env"], &["a", "b"]).prop_map(move |mut labels| {
        labels.insert("pcns.projectcalico.org/name".to_owned(), namespace.into());
        let every = json!([{ "action": "Allow" }]);
        let spec = json!({ "ingress": every, "egress": every, "labelsToApply": labels });
        json!({ "metadata": metadata("", &format!("kns.{namespace}"), &Map::new()), "spec": spec })
    })
}

fn account_profile(namespace: &'static str) -> impl Strategy<Value = Value> {
    labels(&["pcsa.team"], &["a", "b"]).prop_map(move |mut labels| {
        labels.insert("pcsa.projectcalico.org/name".to_owned(), "sa1".into());
        json!({
            "metadata": metadata("", &format!("ksa.{namespace}.sa1"), &Map::new()),
            "spec": { "labelsToApply": labels },
        })
    })
}

fn profile() -> impl Strategy<Value = Value> {
    (labels(&["role", "extra"], &["a", "b"]), vec(rule::rule(), 0..3), vec(rule::rule(), 0..3)).prop_map(
        |(labels, ingress, egress)| {
            json!({
                "metadata": metadata("", "p1", &Map::new()),
                "spec": { "ingress": ingress, "egress": egress, "labelsToApply": labels },
            })
        },
    )
}

fn network_set(namespace: &'static str, name: &'static str) -> impl Strategy<Value = Value> {
    (labels(&["role", "env"], &["a", "b", "c"]), subsequence(NETS, 0..4)).prop_map(
        move |(labels, nets)| json!({ "metadata": metadata(namespace, name, &labels), "spec": { "nets": nets } }),
    )
}

fn addresses() -> impl Strategy<Value = Vec<&'static str>> {
    (subsequence(ADDRESSES, 1..3), option::weighted(0.3, one_of(ADDRESSES_V6)))
        .prop_map(|(v4, v6)| v4.into_iter().chain(v6).collect())
}

fn ports() -> impl Strategy<Value = Vec<Value>> {
    let port = (one_of(&["web", "dns"]), one_of(&["TCP", "UDP", "SCTP"]), prop::sample::select(vec![80, 8080, 53]))
        .prop_map(|(name, protocol, port)| json!({ "name": name, "protocol": protocol, "port": port }));
    vec(port, 0..3)
}

fn workload(namespace: &'static str, name: &'static str) -> impl Strategy<Value = Value> {
    let labels = labels(&["role", "env"], &["a", "b", "c"]);
    let profiles = prop_oneof![
        4 => Just(vec![format!("kns.{namespace}"), format!("ksa.{namespace}.sa1")]),
        2 => Just(vec!["p1".to_owned(), format!("kns.{namespace}")]),
        1 => Just(vec![]),
    ];
    (labels, one_of(&NODES), addresses(), ports(), profiles).prop_map(
        move |(mut labels, node, addresses, ports, profiles)| {
            labels.insert("projectcalico.org/namespace".to_owned(), namespace.into());
            labels.insert("projectcalico.org/orchestrator".to_owned(), "k8s".into());
            if profiles.len() > 1 {
                labels.insert("projectcalico.org/serviceaccount".to_owned(), "sa1".into());
            }
            json!({
                "metadata": metadata(namespace, name, &labels),
                "spec": {
                    "orchestrator": "k8s",
                    "node": node,
                    "interfaceName": format!("cali{namespace}{name}"),
                    "ipNetworks": addresses,
                    "profiles": profiles,
                    "ports": ports,
                },
            })
        },
    )
}

fn host_endpoint() -> impl Strategy<Value = Value> {
    (labels(&["role", "env"], &["a", "b"]), one_of(&NODES), ports()).prop_map(|(labels, node, ports)| {
        json!({
            "metadata": metadata("", "h1", &labels),
            "spec": {
                "node": node,
                "interfaceName": "eth0",
                "expectedIPs": ["10.0.9.9"],
                "profiles": ["p1"],
                "ports": ports,
            },
        })
    })
}

/// A policy for host endpoints only.
fn untracked(policy: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    policy.prop_map(|mut policy| {
        policy["spec"]["doNotTrack"] = true.into();
        policy
    })
}

/// A policy of the namespace, or a global one where that is empty.
fn policy(namespace: &'static str, name: &'static str) -> impl Strategy<Value = Value> {
    let order = prop::sample::select(vec![None, Some(1.5), Some(10.0), Some(10.0)]);
    let types = subsequence(vec!["Ingress", "Egress"], 0..=2);
    let narrowed =
        (option::weighted(0.2, one_of(NAMESPACE_SELECTORS)), option::weighted(0.2, one_of(SERVICE_ACCOUNT_SELECTORS)));
    let rules = || vec(rule::rule(), 0..4);
    (option::of(one_of(&["default", "t1", "t2"])), order, one_of(SELECTORS), types, narrowed, rules(), rules())
        .prop_map(move |(tier, order, selector, types, (namespaces, accounts), ingress, egress)| {
            let is_global = namespace.is_empty();
            let spec = object([
                ("tier", tier.map(Value::from)),
                ("order", order.map(Value::from)),
                ("selector", Some(selector.into())),
                ("serviceAccountSelector", accounts.map(Value::from)),
                ("namespaceSelector", namespaces.filter(|_| is_global).map(Value::from)),
                ("types", Some(types.into())),
                ("ingress", Some(ingress.into())),
                ("egress", Some(egress.into())),
            ]);
            json!({ "metadata": metadata(namespace, name, &Map::new()), "spec": spec })
        })
}
