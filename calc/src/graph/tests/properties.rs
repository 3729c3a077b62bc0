//! Output is a function of what keys hold: whatever the order, the repetition and the moments of asking.

use std::collections::BTreeSet;

use model::intent::{PolicyIntent, SetKind};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;

/// What a key may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Soundness {
    Sound,
    Broken,
    Absent,
}

/// Nodes that are asked about; of the last, nothing is known.
const NODES: [&str; 3] = ["n1", "n2", "n3"];

/// A key and everything that it may hold.
type Slot = (&'static str, Vec<(Soundness, Value)>);

fn sound(json: Value) -> (Soundness, Value) {
    (Soundness::Sound, json)
}

fn broken(json: Value) -> (Soundness, Value) {
    (Soundness::Broken, json)
}

/// A small cluster in which everything touches everything.
fn slots() -> Vec<Slot> {
    let mut slots = labelled_slots();
    slots.extend(policy_slots());
    slots.extend(network_slots());
    for (_, contents) in &mut slots {
        contents.push((Soundness::Absent, Value::Null));
    }
    slots
}

fn labelled_slots() -> Vec<Slot> {
    let web = json!({"app": "web"});
    let db = json!({"app": "db", "pcns.team": "forged"});
    let pods = |address: &str, other: &str| {
        vec![
            sound(pod("n1", address, web.clone())),
            sound(pod("n2", address, web.clone())),
            sound(pod("n1", other, db.clone())),
            broken(json!({"spec": {"node": 5}})),
        ]
    };
    let host = |interface: &str| {
        sound(json!({"metadata": {"labels": {"app": "db"}},
            "spec": {"node": "n2", "interfaceName": interface, "expectedIPs": ["10.9.0.2"], "profiles": ["custom"]}}))
    };
    let nets = |labels: Value, nets: Value| sound(json!({"metadata": {"labels": labels}, "spec": {"nets": nets}}));
    vec![
        ("Pod/shop/a", pods("10.0.1.1", "10.0.1.2")),
        ("Pod/shop/b", pods("10.0.1.2", "10.0.2.1")),
        ("Pod/shop/c", pods("10.0.2.1", "10.0.1.1")),
        ("Pod/bank/d", pods("fd00::1", "fd00::2")),
        (
            "HostEndpoint/h",
            vec![
                host("eth0"),
                host("*"),
                host(""),
                broken(
                    json!({"metadata": {"labels": {"app": "web"}}, "spec": {"node": "n1", "interfaceName": "eth1", "ports": 1}}),
                ),
            ],
        ),
        (
            "Namespace/shop",
            vec![
                sound(namespace(json!({"pcns.team": "a"}))),
                sound(namespace(json!({"pcns.team": "b", "app": "web"}))),
                broken(json!({"spec": {"ingress": 1, "labelsToApply": {"pcns.team": "a"}}})),
            ],
        ),
        ("Profile/kns.shop", vec![sound(namespace(json!({"pcns.team": "c"})))]),
        (
            "Profile/custom",
            vec![
                sound(json!({"spec": {"ingress": [{"action": "Allow", "source": {"selector": "app == 'db'"}}]}})),
                broken(json!({"spec": {"ingress": [{"action": "Allow", "source": {"services": {}}}]}})),
            ],
        ),
        (
            "NetworkSet/shop/s",
            vec![
                nets(json!({"app": "db"}), json!(["10.0.0.0/8", "192.168.0.0/16", "10.0.1.1"])),
                nets(json!({"app": "web"}), json!(["10.0.1.0/24", "0.0.0.0/0"])),
                broken(json!({"metadata": {"labels": {"app": "db"}}, "spec": {"nets": ["nonsense"]}})),
            ],
        ),
        (
            "GlobalNetworkSet/g",
            vec![
                nets(json!({"app": "db"}), json!(["10.0.1.0/24", "::/0", "10.0.0.0/16"])),
                broken(json!({"metadata": 1})),
            ],
        ),
    ]
}

fn policy_slots() -> Vec<Slot> {
    let policy = |spec: Value| json!({"spec": spec});
    let rule = |action: &str, selector: &str| json!({"action": action, "source": {"selector": selector}});
    vec![
        (
            "NetworkPolicy/shop/p",
            vec![
                sound(policy(
                    json!({"order": 5, "selector": "app == 'web'", "ingress": [rule("Allow", "app == 'db'")]}),
                )),
                sound(policy(
                    json!({"order": 5, "selector": "app == 'web'", "ingress": [rule("Deny", "app != 'db'")]}),
                )),
                sound(policy(json!({"selector": "all()", "types": ["Ingress", "Egress"],
                "egress": [{"action": "Allow", "protocol": "TCP", "destination": {"ports": ["http", 80]}}]}))),
                broken(policy(json!({"selector": "app == 'db'", "ingress": [{"action": "Allow", "protocol": "XX"}]}))),
                broken(policy(json!({"selector": "((", "tier": "t"}))),
            ],
        ),
        (
            "GlobalNetworkPolicy/g",
            vec![
                sound(policy(json!({"tier": "t", "selector": "app in {'web', 'db'}",
                "ingress": [rule("Deny", "pcns.team == 'a'"), rule("Pass", "app == 'db'")]}))),
                sound(policy(json!({"tier": "t", "order": 1, "namespaceSelector": "team == 'b'", "types": ["Egress"],
                "egress": [{"action": "Pass", "destination": {"notSelector": "app == 'db'", "ports": []}}]}))),
                broken(policy(
                    json!({"selector": "app == 'db'", "ingress": [{"action": "Deny", "source": {"services": {}}}]}),
                )),
            ],
        ),
        (
            "GlobalNetworkPolicy/h",
            vec![
                sound(policy(json!({"tier": "t", "order": 1, "selector": "!has(app) || app == 'db'",
                "ingress": [rule("Deny", "app == 'db'")]}))),
                sound(policy(json!({"selector": "all()", "order": 1, "ingress": [
                {"action": "Allow", "protocol": "TCP", "destination": {"ports": ["http"]}},
                {"action": "Allow", "source": {"notSelector": "app == 'db'"}}]}))),
            ],
        ),
        (
            "Tier/t",
            vec![
                sound(json!({"spec": {"order": 10, "defaultAction": "Pass"}})),
                sound(json!({"spec": {"order": 2_000_000, "defaultAction": "Deny"}})),
                broken(json!({"spec": {"order": 20, "defaultAction": 7}})),
            ],
        ),
    ]
}

fn network_slots() -> Vec<Slot> {
    let node = |address: &str| sound(json!({"spec": {"bgp": {"ipv4Address": address}}}));
    let block = |owner: &str| {
        sound(json!({"cidr": "10.0.1.0/24", "affinity": format!("host:{owner}"), "allocations": [], "attributes": []}))
    };
    let settings = |prefix: &str| sound(json!({"spec": {"logPrefix": prefix}}));
    let broken_settings =
        || broken(json!({"spec": {"logPrefix": 1, "defaultEndpointToHostAction": "Accept", "nftablesMarkMask": "x"}}));
    vec![
        ("Node/n1", vec![node("172.16.0.1/24"), node("172.16.0.9/24"), broken(json!({"spec": 1}))]),
        ("Node/n2", vec![node("172.16.0.2/24"), sound(json!({"spec": {}}))]),
        ("FelixConfiguration/default", vec![settings("a"), settings("calico-packet"), broken_settings()]),
        ("FelixConfiguration/node.n1", vec![settings("b"), sound(json!({"spec": {}})), broken_settings()]),
        ("IPAMBlock/10.0.1.0-24", vec![block("n1"), block("n2"), broken(json!([]))]),
    ]
}

/// Takes a delta in, and holds it to what deltas promise.
pub(super) fn take(node: &mut NodeIntent, delta: &Delta) {
    let before = node.clone();
    for (id, change) in &delta.ip_sets {
        if let SetChange::Update { added, removed } = change {
            let members = &before.ip_sets[id].members;
            assert!(added.is_disjoint(members), "{id} gains what it has");
            assert!(removed.is_subset(members), "{id} loses what it lacks");
        }
    }
    node.apply(delta);
    for (id, policy) in &delta.policies {
        assert_ne!(before.policies.get(id), policy.as_ref(), "{id} is told for nothing");
    }
    for (id, profile) in &delta.profiles {
        assert_ne!(before.profiles.get(id), profile.as_ref(), "{id} is told for nothing");
    }
    for (id, endpoint) in &delta.endpoints {
        assert_ne!(before.endpoints.get(id), endpoint.as_ref(), "{id} is told for nothing");
    }
    for (prefix, route) in &delta.routes {
        assert_ne!(before.routes.get(prefix), route.as_ref(), "{prefix} is told for nothing");
    }
    assert_ne!(Some(&before.config), delta.config.as_ref(), "settings are told for nothing");
    for id in delta.ip_sets.keys() {
        assert_ne!(before.ip_sets.get(id), node.ip_sets.get(id), "{id} is told for nothing");
    }
}

/// What a node knows refers only to what it knows, and it knows only what something refers to.
pub(super) fn check_references(node: &NodeIntent) {
    let mut policies = BTreeSet::new();
    let mut profiles = BTreeSet::new();
    for endpoint in node.endpoints.values() {
        let tiers = endpoint.ingress.iter().chain(&endpoint.egress);
        policies.extend(tiers.flat_map(|tier| tier.policies.iter().cloned()));
        profiles.extend(endpoint.profiles.iter().cloned());
    }
    assert_eq!(policies, node.policies.keys().cloned().collect());
    assert_eq!(profiles, node.profiles.keys().cloned().collect());
    let rules = node.policies.values().chain(node.profiles.values());
    for set in rules.flat_map(|policy| sets_of(policy)) {
        assert!(node.ip_sets.contains_key(&set), "{set} is missing");
    }
    for (id, set) in &node.ip_sets {
        let net = |member: &SetMember| match member {
            SetMember::Net(net) => Some(*net),
            SetMember::AddressPort(..) => None,
        };
        let nets: Vec<_> = set.members.iter().filter_map(net).collect();
        let expected = if set.kind == SetKind::Net { set.members.len() } else { 0 };
        assert_eq!(nets.len(), expected, "{id} mixes kinds");
        for outer in &nets {
            assert!(!nets.iter().any(|net| net != outer && outer.contains(net)), "{id}: {outer} covers another");
        }
    }
}

fn sets_of(policy: &PolicyIntent) -> Vec<SetId> {
    let sides = policy.ingress.iter().chain(&policy.egress).flat_map(|rule| [&rule.source, &rule.destination]);
    let sets = sides.flat_map(|side| {
        [&side.ip_sets, &side.not_ip_sets, &side.named_port_sets, &side.not_named_port_sets].into_iter().flatten()
    });
    sets.cloned().collect()
}

/// One step of a history.
#[derive(Clone, Debug)]
struct Step {
    slot: Index,
    content: Index,
    flush: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (any::<Index>(), any::<Index>(), proptest::bool::weighted(0.3));
    vec(step.prop_map(|(slot, content, flush)| Step { slot, content, flush }), 1..60)
}

/// Runs a history. Returns what matters of it for each key: its last sound content, and what it holds now.
fn run(told: &mut Told, steps: &[Step]) -> BTreeMap<&'static str, Vec<(Soundness, Value)>> {
    let slots = slots();
    let mut held: BTreeMap<&str, Vec<(Soundness, Value)>> = BTreeMap::new();
    for step in steps {
        let (key, contents) = step.slot.get(&slots);
        let (soundness, json) = step.content.get(contents).clone();
        put(told, key, soundness, &json);
        let held = held.entry(*key).or_default();
        match soundness {
            Soundness::Broken => held.retain(|(soundness, _)| *soundness == Soundness::Sound),
            Soundness::Sound | Soundness::Absent => held.clear(),
        }
        if soundness != Soundness::Absent {
            held.push((soundness, json));
        }
        if step.flush {
            told.flush();
        }
    }
    told.flush();
    held
}

fn put(told: &mut Told, key: &str, soundness: Soundness, json: &Value) {
    match soundness {
        Soundness::Absent => told.delete(key),
        Soundness::Sound | Soundness::Broken => told.put(key, json.clone()),
    };
    let is_rejected = told.rejected().contains(&key.to_owned());
    assert_eq!(is_rejected, soundness == Soundness::Broken, "{key}: {json}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn history_does_not_matter(steps in steps(), order in vec(any::<u32>(), 30), again in any::<bool>()) {
        let mut lived = Told::new(Nodes::All);
        let mut held: Vec<_> = run(&mut lived, &steps).into_iter().zip(order.iter().cycle()).collect();
        held.sort_by_key(|(_, rank)| **rank);
        let mut fresh = Told::new(Nodes::All);
        for ((key, contents), _) in &held {
            for (soundness, json) in contents {
                put(&mut fresh, key, *soundness, json);
            }
            if again && let Some((soundness, json)) = contents.last() {
                put(&mut fresh, key, *soundness, json);
            }
        }
        fresh.flush();
        lived.nodes.retain(|_, node| *node != NodeIntent::default());
        prop_assert_eq!(&lived.nodes, &fresh.nodes);
        prop_assert!(fresh.flush().is_empty());
    }

    #[test]
    fn one_node_is_told_what_all_would_be(steps in steps()) {
        // Who is asked about alone has settings even where nothing else is known of it.
        let exist = |told: &mut Told| {
            for name in NODES {
                told.put(&format!("Node/{name}"), json!({"spec": {}})).flush();
            }
        };
        let mut all = Told::new(Nodes::All);
        run(&mut all, &steps);
        exist(&mut all);
        for name in NODES {
            let mut one = Told::one(name);
            run(&mut one, &steps);
            exist(&mut one);
            prop_assert_eq!(one.node(name), all.node(name));
            prop_assert!(one.nodes.keys().all(|node| &**node == name));
        }
    }
}
