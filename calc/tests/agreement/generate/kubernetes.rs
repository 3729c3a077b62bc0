//! Made-up Kubernetes clusters: objects as users write them, before any projection.

use model::{Key, Kind};
use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use serde_json::{Value, json};

use super::{NAMESPACES, NODES, Slot, labels, object, one_of, slot};
use crate::history::Written;

/// Pods and their addresses. `f` is finished, and its address belongs to `a` by now.
const PODS: [(&str, &str, &[&str]); 6] = [
    ("n1", "a", &["10.0.0.1", "fd00::1"]),
    ("n1", "b", &["10.0.0.2"]),
    ("n1", "f", &["10.0.0.1"]),
    ("n2", "a", &["10.0.1.4"]),
    ("n2", "b", &["10.0.1.5", "fd00::2"]),
    ("n2", "h", &["10.0.9.9"]),
];
/// The pod that has finished.
const FINISHED: &str = "f";
/// The pod that shares its host's network.
const HOST_NETWORKED: &str = "h";

/// Everywhere an object may exist.
pub(crate) fn slots() -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for namespace in NAMESPACES {
        slots.push(slot(Key::global(Kind::Namespace, namespace), namespace_object(namespace)));
        slots.push(slot(Key::namespaced(Kind::ServiceAccount, namespace, "default"), account(namespace)));
        for name in ["a", "b"] {
            let key = Key::namespaced(Kind::KubernetesNetworkPolicy, namespace, name);
            slots.push((key, maybe_broken(policy(namespace, name))));
        }
    }
    for (namespace, name, addresses) in PODS {
        slots.push(slot(Key::namespaced(Kind::Pod, namespace, name), pod(namespace, name, addresses)));
    }
    // Pod selectors never select it, whatever its labels.
    slots.push(slot(Key::global(Kind::GlobalNetworkSet, "outside"), network_set()));
    slots.push(slot(Key::global(Kind::Tier, "default"), default_tier()));
    slots
}

fn default_tier() -> impl Strategy<Value = Value> {
    Just(json!({ "metadata": { "name": "default" }, "spec": { "order": 1_000_000, "defaultAction": "Deny" } }))
}

fn namespace_object(name: &'static str) -> impl Strategy<Value = Value> {
    labels(&["env"], &["a", "b"]).prop_map(move |labels| json!({ "metadata": { "name": name, "labels": labels } }))
}

fn account(namespace: &'static str) -> impl Strategy<Value = Value> {
    Just(json!({ "metadata": { "namespace": namespace, "name": "default" } }))
}

fn network_set() -> impl Strategy<Value = Value> {
    labels(&["role", "tier"], &["a", "b"]).prop_map(
        |labels| json!({ "metadata": { "name": "outside", "labels": labels }, "spec": { "nets": ["192.0.2.0/24"] } }),
    )
}

fn pod(
    namespace: &'static str,
    name: &'static str,
    addresses: &'static [&'static str],
) -> impl Strategy<Value = Value> {
    let number = || prop::sample::select(vec![80, 8080, 53]);
    let port = (number(), one_of(&["TCP", "UDP", "SCTP"]));
    let ports = (option::of(port.clone()), option::of(port));
    (labels(&["role", "tier"], &["a", "b"]), one_of(&NODES), ports).prop_map(move |(labels, node, (web, dns))| {
        let declared = |name: &str, port: Option<(i32, &str)>| {
            port.map(|(number, protocol)| json!({ "name": name, "containerPort": number, "protocol": protocol }))
        };
        let ports: Vec<_> = [declared("web", web), declared("dns", dns)].into_iter().flatten().collect();
        let phase = if name == FINISHED { "Succeeded" } else { "Running" };
        let ips: Vec<_> = addresses.iter().map(|address| json!({ "ip": address })).collect();
        json!({
            "metadata": { "namespace": namespace, "name": name, "labels": labels },
            "spec": {
                "nodeName": node,
                "serviceAccountName": "default",
                "hostNetwork": name == HOST_NETWORKED,
                "containers": [{ "name": "main", "ports": ports }],
            },
            "status": { "phase": phase, "podIP": addresses[0], "podIPs": ips },
        })
    })
}

/// The policy as it is or, one time in ten, with pods that nobody can tell.
fn maybe_broken(policy: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Written> {
    (policy, prop::bool::weighted(0.1))
        .prop_map(|(mut policy, broken)| {
            if broken {
                let term = json!({ "key": "role", "operator": "Like", "values": ["a"] });
                policy["spec"]["podSelector"] = json!({ "matchExpressions": [term] });
                return Written::Broken(policy);
            }
            Written::Good(policy)
        })
        .boxed()
}

fn policy(namespace: &'static str, name: &'static str) -> impl Strategy<Value = Value> {
    let rules = |peers| option::weighted(0.7, vec(rule(peers), 0..3));
    let types = option::of(subsequence(vec!["Ingress", "Egress"], 1..=2));
    (label_selector(&["role", "tier"]), types, rules("from"), rules("to")).prop_map(
        move |(pod_selector, types, ingress, egress)| {
            let spec = object([
                ("podSelector", Some(pod_selector)),
                ("policyTypes", types.map(Value::from)),
                ("ingress", ingress.map(Value::from)),
                ("egress", egress.map(Value::from)),
            ]);
            json!({ "metadata": { "namespace": namespace, "name": name }, "spec": spec })
        },
    )
}

fn rule(peers: &'static str) -> impl Strategy<Value = Value> {
    (option::weighted(0.8, vec(peer(), 0..3)), option::weighted(0.5, vec(port(), 0..3)))
        .prop_map(move |(peer, ports)| object([(peers, peer.map(Value::from)), ("ports", ports.map(Value::from))]))
}

fn peer() -> impl Strategy<Value = Value> {
    let pods = || label_selector(&["role", "tier"]).prop_map(Some);
    let namespaces = || label_selector(&["env", "kubernetes.io/metadata.name"]).prop_map(Some);
    let selected = prop_oneof![(pods(), Just(None)), (Just(None), namespaces()), (pods(), namespaces()),]
        .prop_map(|(pods, namespaces)| object([("podSelector", pods), ("namespaceSelector", namespaces)]));
    prop_oneof![3 => selected, 1 => ip_block()]
}

fn ip_block() -> impl Strategy<Value = Value> {
    let v4 = (
        one_of(&["10.0.0.0/16", "10.0.0.0/24", "0.0.0.0/0", "192.0.2.0/24"]),
        option::of(vec(one_of(&["10.0.0.1/32", "10.0.1.0/24", "192.0.2.128/25", "10.0.1.0/33"]), 1..3)),
    );
    let v6 = (one_of(&["fd00::/64", "::/0"]), option::of(Just(vec!["fd00::1/128"])));
    prop_oneof![3 => v4, 1 => v6].prop_map(|(cidr, except)| {
        json!({ "ipBlock": object([("cidr", Some(cidr.into())), ("except", except.map(Value::from))]) })
    })
}

fn port() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        1 => Just((None, None)),
        3 => prop::sample::select(vec![80, 8080, 53]).prop_map(|port| (Some(json!(port)), None)),
        1 => Just((Some(json!(80)), Some(json!(81)))),
        1 => prop_oneof![Just((Some(json!(70_000)), None)), Just((Some(json!(81)), Some(json!(80))))],
        2 => one_of(&["web", "dns"]).prop_map(|name| (Some(json!(name)), None)),
    ];
    (option::of(one_of(&["TCP", "UDP", "SCTP"])), number).prop_map(|(protocol, (port, end))| {
        object([("protocol", protocol.map(Value::from)), ("port", port), ("endPort", end)])
    })
}

/// A label selector over these names. Values are those of labels and, for a namespace's name, of namespaces.
fn label_selector(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let values = || one_of(&["a", "b", "n1"]);
    let expression = prop_oneof![
        (one_of(names), one_of(&["In", "NotIn"]), vec(values(), 1..3))
            .prop_map(|(key, operator, values)| json!({ "key": key, "operator": operator, "values": values })),
        (one_of(names), one_of(&["Exists", "DoesNotExist"]))
            .prop_map(|(key, operator)| json!({ "key": key, "operator": operator })),
    ];
    let labels = (one_of(names), values()).prop_map(|(name, value)| json!({ name: value }));
    prop_oneof![
        2 => Just(json!({})),
        3 => labels.clone().prop_map(|labels| json!({ "matchLabels": labels })),
        2 => vec(expression.clone(), 1..3).prop_map(|terms| json!({ "matchExpressions": terms })),
        1 => (labels, expression)
            .prop_map(|(labels, term)| json!({ "matchLabels": labels, "matchExpressions": [term] })),
    ]
}
