//! The graph as its owner sees it: resources in, intent of nodes out.

mod properties;

use std::collections::BTreeMap;

use model::{
    Kind,
    intent::{
        Attachment, DefaultAction, NodeIntent, PolicyId, RouteIntent, RuleAction, RuleIntent, SetChange, SetId,
        SetMember,
    },
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
    assert_eq!(policy(node, "NetworkPolicy/shop/p")[0].source.ip_sets, [id.clone()]);
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
