//! Settings of nodes: those of all, those of one laid over them, and broken ones.

use model::intent::{EndpointToHostAction, NodeConfig};

use super::*;

fn settings(spec: Value) -> Value {
    json!({"spec": spec})
}

fn prefix(told: &mut Told, node: &str) -> String {
    told.node(node).config.log_prefix.clone()
}

#[test]
fn each_node_has_the_settings_of_all_and_its_own_over_them() {
    let mut told = shop(Nodes::All);
    told.flush();
    let accept = settings(json!({"defaultEndpointToHostAction": "Accept", "logPrefix": "all"}));
    told.put("FelixConfiguration/default", accept);
    told.put("FelixConfiguration/node.n1", settings(json!({"logPrefix": "n1"})));
    let deltas = told.flush();
    assert_eq!(deltas.keys().map(|node| &**node).collect::<Vec<_>>(), ["n1", "n2"]);
    assert_eq!((prefix(&mut told, "n1"), prefix(&mut told, "n2")), ("n1".to_owned(), "all".to_owned()));
    for node in ["n1", "n2"] {
        assert_eq!(told.node(node).config.endpoint_to_host_action, EndpointToHostAction::Accept);
    }
    told.delete("FelixConfiguration/default");
    let n1 = NodeConfig { log_prefix: "n1".to_owned(), ..NodeConfig::default() };
    assert_eq!(told.node("n1").config, n1);
    told.delete("FelixConfiguration/node.n1");
    assert_eq!(told.node("n1").config, NodeConfig::default());
    assert_eq!(told.node("n2").config, NodeConfig::default());
}

#[test]
fn a_node_that_comes_has_the_settings_of_all_and_what_changes_nothing_is_not_told() {
    let mut told = Told::new(Nodes::All);
    told.put("FelixConfiguration/default", settings(json!({"logPrefix": "all"})));
    assert!(told.flush().is_empty());
    told.put("Node/n1", json!({"spec": {}}));
    assert_eq!(prefix(&mut told, "n1"), "all");
    told.put("FelixConfiguration/default", settings(json!({"logPrefix": "all", "bpfEnabled": false})));
    told.put("FelixConfiguration/node.n1", settings(json!({"logPrefix": "all"})));
    assert!(told.flush().is_empty());
}

#[test]
fn one_node_does_not_hear_of_others() {
    let mut told = Told::one("n1");
    told.put("FelixConfiguration/node.n2", settings(json!({"logPrefix": "n2"})));
    assert!(told.flush().is_empty());
    told.put("FelixConfiguration/default", settings(json!({"logPrefix": "all"})));
    assert_eq!(told.flush().len(), 1, "though the node has no resource");
    assert_eq!(prefix(&mut told, "n1"), "all");
}

#[test]
fn broken_settings_leave_the_last_sound_ones_in_force() {
    let mut told = Told::one("n1");
    told.put("FelixConfiguration/default", settings(json!({"logPrefix": "sound"}))).flush();
    told.put("FelixConfiguration/default", settings(json!({"defaultEndpointToHostAction": "Allow"})));
    assert!(told.flush().is_empty());
    assert_eq!(told.rejected(), ["FelixConfiguration/default"]);
    let (_, reason) = told.graph.rejected().next().unwrap();
    assert!(reason.contains("\"Allow\" cannot be honoured; want Drop, Return or Accept"), "{reason}");
}

#[test]
fn without_sound_settings_those_that_can_be_read_are_in_force() {
    let mut told = Told::one("n1");
    let broken = json!({"defaultEndpointToHostAction": "Allow", "interfacePrefix": "tap", "nftablesMarkMask": 1});
    told.put("FelixConfiguration/default", settings(broken));
    let expected = NodeConfig { interface_prefixes: vec!["tap".to_owned()], ..NodeConfig::default() };
    assert_eq!(told.node("n1").config, expected);
    assert_eq!(told.rejected(), ["FelixConfiguration/default"]);
}

#[test]
fn settings_for_selected_nodes_are_refused_and_foreign_names_passed_over() {
    let mut told = Told::one("n1");
    told.put("FelixConfiguration/edge", settings(json!({"nodeSelector": "has(edge)", "logPrefix": "edge"})));
    told.put("FelixConfiguration/old", settings(json!({"logPrefix": "old"})));
    assert!(told.flush().is_empty());
    assert_eq!(told.rejected(), ["FelixConfiguration/edge"]);
}
