//! The graph as its owner sees it: resources in, intent of nodes out.

#![expect(clippy::needless_pass_by_value, reason = "JSON literals read best where they are made")]

mod broken;
mod configs;
mod properties;

use std::collections::BTreeMap;

use model::intent::{
    Attachment, DefaultAction, NodeIntent, PolicyId, Protocol, RouteIntent, RuleAction, RuleIntent, SetChange, SetId,
    SetMember,
};
use serde_json::{Value, json};

use super::*;

/// A graph with the sum of what it told each node.
struct Told {
    graph: Graph,
    nodes: BTreeMap<Arc<str>, NodeIntent>,
}

impl Told {
    fn new(nodes: Nodes) -> Self {
        Self { graph: Graph::new(nodes), nodes: BTreeMap::new() }
    }

    fn one(name: &str) -> Self {
        Self::new(Nodes::One(name.into()))
    }

    /// Applies a key's JSON; what does not parse is invalid, as it is for agents.
    fn put(&mut self, key: &str, json: Value) -> &mut Self {
        let key: Key = key.parse().unwrap();
        let bytes = json.to_string().into_bytes();
        let input = match Resource::parse(&key, &bytes) {
            Ok(resource) => Input::Present(resource),
            Err(error) => Input::Invalid { reason: error.to_string(), json: bytes.into() },
        };
        self.graph.apply(&key, input);
        self
    }

    fn delete(&mut self, key: &str) -> &mut Self {
        self.graph.apply(&key.parse().unwrap(), Input::Absent);
        self
    }

    fn flush(&mut self) -> BTreeMap<Arc<str>, Delta> {
        let deltas = self.graph.flush();
        for (node, delta) in &deltas {
            properties::take(self.nodes.entry(node.clone()).or_default(), delta);
        }
        self.nodes.values().for_each(properties::check_references);
        deltas
    }

    fn node(&mut self, name: &str) -> &NodeIntent {
        self.flush();
        self.nodes.entry(name.into()).or_default()
    }

    fn rejected(&self) -> Vec<String> {
        self.graph.rejected().map(|(key, _)| key.to_string()).collect()
    }
}

fn pod(node: &str, address: &str, labels: Value) -> Value {
    json!({
        "metadata": {"labels": labels},
        "spec": {"orchestrator": "k8s", "node": node, "interfaceName": format!("cali{}", address.replace(['.', ':'], "")),
                 "ipNetworks": [address], "profiles": ["kns.shop"],
                 "ports": [{"name": "http", "protocol": "TCP", "port": 8080}]}
    })
}

fn namespace(labels: Value) -> Value {
    json!({"spec": {"ingress": [{"action": "Allow"}], "egress": [{"action": "Allow"}], "labelsToApply": labels}})
}

/// Two pods of one namespace, `web` on n1 and `db` on n2.
fn shop(nodes: Nodes) -> Told {
    let mut told = Told::new(nodes);
    told.put("Namespace/shop", namespace(json!({"pcns.team": "a"})))
        .put("Pod/shop/web", pod("n1", "10.0.1.1", json!({"app": "web"})))
        .put("Pod/shop/db", pod("n2", "10.0.2.1", json!({"app": "db"})));
    told
}

fn allow_from(selector: &str) -> Value {
    json!({"spec": {"selector": "app == 'web'", "types": ["Ingress"],
                    "ingress": [{"action": "Allow", "source": {"selector": selector}}]}})
}

fn net(text: &str) -> SetMember {
    SetMember::Net(text.parse().unwrap())
}

fn only_set(node: &NodeIntent) -> (&SetId, Vec<SetMember>) {
    assert_eq!(node.ip_sets.len(), 1, "{:?}", node.ip_sets);
    let (id, set) = node.ip_sets.first_key_value().unwrap();
    (id, set.members.iter().copied().collect())
}

fn policy<'a>(node: &'a NodeIntent, id: &str) -> &'a [RuleIntent] {
    &node.policies[&PolicyId::from(id)].ingress
}

#[test]
fn a_policy_reaches_the_node_of_its_endpoint_with_its_set_complete() {
    let mut told = shop(Nodes::One("n1".into()));
    told.put("NetworkPolicy/shop/p", allow_from("app == 'db'"));
    let node = told.node("n1");
    let (id, members) = only_set(node);
    assert_eq!(members, [net("10.0.2.1/32")]);
    assert_eq!(policy(node, "NetworkPolicy/shop/p")[0].source.ip_sets, std::slice::from_ref(id));
    let endpoint = &node.endpoints[&EndpointId::from("Pod/shop/web")];
    assert_eq!(&*endpoint.ingress[0].name, "default");
    assert_eq!(endpoint.ingress[0].default_action, DefaultAction::Deny);
    assert!(endpoint.egress.is_empty());
    assert_eq!(endpoint.profiles, [ProfileId::from("kns.shop")]);
    assert_eq!(node.profiles.len(), 1);
}

#[test]
fn a_policy_without_an_endpoint_here_stays_away() {
    let mut told = shop(Nodes::One("n2".into()));
    told.put("NetworkPolicy/shop/p", allow_from("app == 'db'"));
    let node = told.node("n2");
    assert!(node.policies.is_empty() && node.ip_sets.is_empty());
    assert_eq!(node.endpoints.len(), 1);
}

#[test]
fn a_set_changes_by_what_came_and_left() {
    let mut told = shop(Nodes::One("n1".into()));
    told.put("NetworkPolicy/shop/p", allow_from("app == 'db'")).flush();
    told.put("Pod/shop/db", pod("n2", "10.0.2.2", json!({"app": "db"})));
    let deltas = told.flush();
    let changes: Vec<_> = deltas["n1"].ip_sets.values().collect();
    let (added, removed) = ([net("10.0.2.2/32")].into(), [net("10.0.2.1/32")].into());
    assert_eq!(changes, [&SetChange::Update { added, removed }]);
    assert!(deltas["n1"].policies.is_empty() && deltas["n1"].endpoints.is_empty());
}

#[test]
fn what_changes_and_changes_back_is_not_told() {
    let mut told = shop(Nodes::All);
    told.put("NetworkPolicy/shop/p", allow_from("app == 'db'")).flush();
    told.put("Pod/shop/db", pod("n1", "10.0.2.9", json!({"app": "other"})))
        .put("NetworkPolicy/shop/p", allow_from("has(nothing)"))
        .delete("Namespace/shop")
        .put("Namespace/shop", namespace(json!({"pcns.team": "a"})))
        .put("NetworkPolicy/shop/p", allow_from("app == 'db'"))
        .put("Pod/shop/db", pod("n2", "10.0.2.1", json!({"app": "db"})));
    assert_eq!(told.flush(), BTreeMap::new());
}

#[test]
fn what_left_takes_along_what_only_it_needed() {
    let mut told = shop(Nodes::One("n1".into()));
    told.put("NetworkPolicy/shop/p", allow_from("app == 'db'")).flush();
    told.delete("Pod/shop/web");
    assert_eq!(*told.node("n1"), NodeIntent::default());
}

#[test]
fn an_endpoint_that_moves_leaves_its_old_node() {
    let mut told = shop(Nodes::All);
    told.flush();
    told.put("Pod/shop/web", pod("n3", "10.0.1.1", json!({"app": "web"}))).flush();
    assert!(told.node("n1").endpoints.is_empty());
    assert_eq!(told.node("n3").endpoints.len(), 1);
}

#[test]
fn namespace_labels_select_and_are_inherited() {
    let mut told = shop(Nodes::One("n1".into()));
    let rules = json!([{"action": "Allow", "source": {"namespaceSelector": "team == 'a'"}}]);
    told.put("GlobalNetworkPolicy/g", json!({"spec": {"namespaceSelector": "team == 'a'", "ingress": rules}}));
    let (_, members) = only_set(told.node("n1"));
    assert_eq!(members, [net("10.0.1.1/32"), net("10.0.2.1/32")]);
    told.put("Namespace/shop", namespace(json!({"pcns.team": "b"})));
    assert!(told.node("n1").policies.is_empty());
}

#[test]
fn labels_of_namespaces_cannot_be_forged() {
    let mut told = shop(Nodes::One("n1".into()));
    let forged = json!({"pcns.team": "admin", "projectcalico.org/namespace": "bank"});
    told.put("Pod/shop/web", pod("n1", "10.0.1.1", forged))
        .put("GlobalNetworkPolicy/g", json!({"spec": {"namespaceSelector": "team == 'admin'"}}))
        .put("NetworkPolicy/bank/p", json!({"spec": {"selector": "all()"}}));
    assert!(told.node("n1").policies.is_empty());
}

#[test]
fn a_network_set_lives_in_its_namespace() {
    let mut told = shop(Nodes::One("n1".into()));
    let nets = json!({"metadata": {"labels": {"kind": "outside"}}, "spec": {"nets": ["192.0.2.1/24"]}});
    told.put("NetworkSet/shop/s", nets.clone())
        .put("NetworkSet/bank/s", nets.clone())
        .put("GlobalNetworkSet/s", nets)
        .put("NetworkPolicy/shop/p", allow_from("kind == 'outside'"));
    assert_eq!(only_set(told.node("n1")).1, [net("192.0.2.0/24")]);
}

#[test]
fn named_ports_are_those_of_the_endpoints_that_have_them() {
    let mut told = shop(Nodes::One("n1".into()));
    let egress =
        json!([{"action": "Allow", "protocol": "TCP", "destination": {"selector": "app == 'db'", "ports": ["http"]}}]);
    told.put("NetworkPolicy/shop/p", json!({"spec": {"selector": "app == 'web'", "egress": egress}}));
    let node = told.node("n1");
    let rule = &node.policies[&PolicyId::from("NetworkPolicy/shop/p")].egress[0];
    let named = &node.ip_sets[&rule.destination.named_port_sets[0]];
    let expected = SetMember::AddressPort("10.0.2.1".parse().unwrap(), Protocol::TCP, 8080);
    assert_eq!(named.members, [expected].into());
    assert_eq!(rule.destination.ip_sets.len(), 1);
}

#[test]
fn tiers_and_policies_come_in_order() {
    let mut told = shop(Nodes::One("n1".into()));
    let policy = |tier: &str, order: i32| json!({"spec": {"tier": tier, "order": order, "selector": "app == 'web'"}});
    told.put("Tier/early", json!({"spec": {"order": 5, "defaultAction": "Pass"}}))
        .put("NetworkPolicy/shop/late", policy("", 20))
        .put("NetworkPolicy/shop/first", policy("default", 10))
        .put("GlobalNetworkPolicy/lost", policy("unknown", 1))
        .put("GlobalNetworkPolicy/x", policy("early", 1));
    let endpoint = told.node("n1").endpoints[&EndpointId::from("Pod/shop/web")].clone();
    let tiers: Vec<_> = endpoint
        .ingress
        .iter()
        .map(|tier| (&*tier.name, tier.default_action, tier.policies.iter().map(|id| &*id.0).collect::<Vec<_>>()))
        .collect();
    assert_eq!(
        tiers,
        [
            ("early", DefaultAction::Pass, vec!["GlobalNetworkPolicy/x"]),
            ("default", DefaultAction::Deny, vec!["NetworkPolicy/shop/first", "NetworkPolicy/shop/late"]),
            ("unknown", DefaultAction::Deny, vec!["GlobalNetworkPolicy/lost"]),
        ]
    );
}

#[test]
fn a_missing_profile_denies_and_the_built_in_one_allows() {
    let mut told = Told::new(Nodes::One("n1".into()));
    let mut web = pod("n1", "10.0.1.1", json!({}));
    web["spec"]["profiles"] = json!(["missing", "projectcalico-default-allow"]);
    told.put("Pod/shop/web", web);
    let node = told.node("n1");
    let action = |name: &str| node.profiles[&ProfileId::from(name)].egress[0].action;
    assert_eq!(action("missing"), RuleAction::Deny);
    assert_eq!(action("projectcalico-default-allow"), RuleAction::Allow);
}

#[test]
fn a_host_endpoint_attaches_by_name_by_address_or_everywhere() {
    let attachment = |interface: &str| {
        let mut told = Told::new(Nodes::One("n1".into()));
        let spec = json!({"node": "n1", "interfaceName": interface, "expectedIPs": ["192.0.2.1"]});
        told.put("HostEndpoint/h", json!({"spec": spec}));
        told.node("n1").endpoints[&EndpointId::from("HostEndpoint/h")].attachment.clone()
    };
    let host = |interface: Option<&str>, expected: &[&str]| Attachment::Host {
        interface: interface.map(Arc::from),
        expected_addresses: expected.iter().map(|address| address.parse().unwrap()).collect(),
    };
    assert_eq!(attachment("eth0"), host(Some("eth0"), &[]));
    assert_eq!(attachment("*"), host(None, &[]));
    assert_eq!(attachment(""), host(None, &["192.0.2.1"]));
}

#[test]
fn policies_for_raw_packets_are_refused_and_touch_nobody() {
    let mut told = shop(Nodes::One("n1".into()));
    told.put("GlobalNetworkPolicy/raw", json!({"spec": {"doNotTrack": true, "applyOnForward": true}}));
    assert!(told.node("n1").policies.is_empty());
    assert_eq!(told.rejected(), ["GlobalNetworkPolicy/raw"]);
}

#[test]
fn routes_reach_the_nodes() {
    let mut told = shop(Nodes::All);
    told.put("Node/n1", json!({"spec": {"bgp": {"ipv4Address": "172.16.0.1/24"}}}))
        .put("Node/n2", json!({"spec": {"bgp": {"ipv4Address": "172.16.0.2/24"}}}));
    let routes = &told.node("n1").routes;
    let remote = RouteIntent::RemoteNode { node: "n2".into(), next_hop: "172.16.0.2".parse().unwrap() };
    assert_eq!(routes[&"10.0.2.1/32".parse().unwrap()], remote);
    assert_eq!(routes[&"10.0.1.1/32".parse().unwrap()], RouteIntent::LocalWorkload { interface: "cali10011".into() });
}
