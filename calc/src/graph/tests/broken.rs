//! Broken resources: what held before holds on; without a before, doors close.

use super::*;

fn broken_policy() -> Value {
    json!({"spec": {"selector": "app == 'web'", "ingress": [{"action": "Alow"}]}})
}

fn deny() -> Vec<RuleIntent> {
    vec![RuleIntent::every(RuleAction::Deny)]
}

#[test]
fn a_broken_policy_keeps_its_last_sound_version() {
    let mut told = shop(Nodes::One("n1".into()));
    told.put("NetworkPolicy/shop/p", allow_from("app == 'db'")).flush();
    told.put("NetworkPolicy/shop/p", broken_policy());
    assert!(told.flush().is_empty());
    assert_eq!(told.rejected(), ["NetworkPolicy/shop/p"]);
    told.put("NetworkPolicy/shop/p", allow_from("has(x)"));
    assert_eq!(told.flush()["n1"].policies.len(), 1);
    assert!(told.rejected().is_empty());
}

#[test]
fn a_broken_policy_without_a_sound_version_denies_before_all_others() {
    let mut told = shop(Nodes::One("n1".into()));
    let first = json!({"spec": {"order": -1000, "selector": "all()", "ingress": [{"action": "Allow"}]}});
    told.put("GlobalNetworkPolicy/first", first).put("NetworkPolicy/shop/p", broken_policy());
    let node = told.node("n1");
    let endpoint = &node.endpoints[&EndpointId::from("Pod/shop/web")];
    assert_eq!(endpoint.ingress[0].policies[0], PolicyId::from("NetworkPolicy/shop/p"));
    assert_eq!(endpoint.egress[0].policies[0], PolicyId::from("NetworkPolicy/shop/p"));
    assert_eq!(policy(node, "NetworkPolicy/shop/p"), deny());
}

#[test]
fn a_deleted_policy_leaves_no_version_to_keep() {
    let mut told = shop(Nodes::One("n1".into()));
    told.put("NetworkPolicy/shop/p", allow_from("app == 'db'")).delete("NetworkPolicy/shop/p");
    assert!(told.node("n1").policies.is_empty());
    told.put("NetworkPolicy/shop/p", broken_policy());
    assert_eq!(policy(told.node("n1"), "NetworkPolicy/shop/p"), deny());
}

#[test]
fn a_policy_that_asks_for_services_is_broken() {
    let mut told = shop(Nodes::One("n1".into()));
    let egress = json!([{"action": "Allow", "destination": {"services": {"name": "db"}}}]);
    told.put("NetworkPolicy/shop/p", json!({"spec": {"types": ["Egress"], "egress": egress}}));
    let node = told.node("n1");
    assert_eq!(node.policies[&PolicyId::from("NetworkPolicy/shop/p")].egress, deny());
    let endpoint = &node.endpoints[&EndpointId::from("Pod/shop/web")];
    assert!(endpoint.ingress.is_empty(), "readable types narrow what is denied");
    let (_, reason) = told.graph.rejected().next().unwrap();
    assert_eq!(reason, "spec.egress[0].destination.services: matching services is not supported yet");
}

#[test]
fn what_a_policy_asks_of_forwarded_traffic_is_reported_and_the_rest_enforced() {
    let mut told = shop(Nodes::One("n1".into()));
    let spec = json!({"selector": "all()", "applyOnForward": true, "ingress": [{"action": "Deny"}]});
    told.put("GlobalNetworkPolicy/p", json!({"spec": spec}));
    assert_eq!(policy(told.node("n1"), "GlobalNetworkPolicy/p"), deny());
    assert_eq!(told.rejected(), ["GlobalNetworkPolicy/p"]);
}

#[test]
fn a_kubernetes_policy_that_was_not_projected_closes_its_namespace() {
    let mut told = shop(Nodes::One("n1".into()));
    told.put("KubernetesNetworkPolicy/shop/p", json!({"spec": {"podSelector": {}, "policyTypes": ["Egress"]}}));
    let node = told.node("n1");
    let endpoint = &node.endpoints[&EndpointId::from("Pod/shop/web")];
    assert!(!endpoint.ingress.is_empty() && !endpoint.egress.is_empty());
    assert_eq!(policy(node, "KubernetesNetworkPolicy/shop/p"), deny());
}

#[test]
fn a_broken_profile_denies_unless_it_was_sound_before() {
    let broken = json!({"spec": {"ingress": [{"action": "Allow", "ipVersion": 5}]}});
    let mut told = shop(Nodes::One("n1".into()));
    told.put("Namespace/shop", broken.clone());
    let action = |told: &mut Told| told.node("n1").profiles[&ProfileId::from("kns.shop")].ingress[0].action;
    assert_eq!(action(&mut told), RuleAction::Allow);
    told.delete("Namespace/shop").put("Namespace/shop", broken);
    assert_eq!(action(&mut told), RuleAction::Deny);
}

#[test]
fn a_deny_does_not_wait_for_a_network_set_that_cannot_be_read() {
    let mut told = shop(Nodes::One("n1".into()));
    let ingress = json!([
        {"action": "Deny", "source": {"selector": "kind == 'bad'"}},
        {"action": "Allow", "source": {"selector": "kind == 'good'"}},
        {"action": "Allow", "source": {"notSelector": "kind == 'bad'"}}]);
    told.put("GlobalNetworkPolicy/g", json!({"spec": {"ingress": ingress}})).flush();
    told.put(
        "GlobalNetworkSet/s",
        json!({"metadata": {"labels": {"kind": "bad"}}, "spec": {"nets": ["192.0.2.0/33"]}}),
    );
    let rules = policy(told.node("n1"), "GlobalNetworkPolicy/g").to_vec();
    assert_eq!(rules[0], RuleIntent::every(RuleAction::Deny));
    assert_eq!(rules[1].source.ip_sets.len(), 1, "sets that cannot hold it stay as they are");
    assert_eq!(rules.len(), 2);
    told.put(
        "GlobalNetworkSet/s",
        json!({"metadata": {"labels": {"kind": "bad"}}, "spec": {"nets": ["192.0.2.0/24"]}}),
    );
    let rules = policy(told.node("n1"), "GlobalNetworkPolicy/g");
    assert_eq!(rules.len(), 3);
    assert_eq!(rules[0].source.ip_sets.len(), 1);
}

#[test]
fn a_network_set_of_which_nothing_can_be_read_may_be_in_any_set() {
    let mut told = shop(Nodes::One("n1".into()));
    let ingress = json!([{"action": "Deny", "source": {"selector": "app == 'db'"}}]);
    told.put("GlobalNetworkPolicy/g", json!({"spec": {"ingress": ingress}})).flush();
    told.put("GlobalNetworkSet/s", json!("nonsense"));
    assert_eq!(policy(told.node("n1"), "GlobalNetworkPolicy/g"), deny());
    told.delete("GlobalNetworkSet/s");
    assert_eq!(policy(told.node("n1"), "GlobalNetworkPolicy/g")[0].source.ip_sets.len(), 1);
}

#[test]
fn a_network_set_keeps_its_last_sound_version() {
    let mut told = shop(Nodes::One("n1".into()));
    told.put("GlobalNetworkSet/s", json!({"metadata": {"labels": {"app": "db"}}, "spec": {"nets": ["192.0.2.0/24"]}}));
    told.put("GlobalNetworkPolicy/g", allow_from("app == 'db'")).flush();
    told.put("GlobalNetworkSet/s", json!("nonsense"));
    assert!(told.flush().is_empty());
    assert_eq!(told.rejected(), ["GlobalNetworkSet/s"]);
}

#[test]
fn a_broken_tier_ends_in_deny_at_its_order_where_that_can_be_read() {
    let mut told = shop(Nodes::One("n1".into()));
    told.put("GlobalNetworkPolicy/a", json!({"spec": {"tier": "t"}}))
        .put("GlobalNetworkPolicy/b", json!({"spec": {"tier": "default"}}))
        .put("Tier/t", json!({"spec": {"order": 1, "defaultAction": []}}));
    let endpoint = told.node("n1").endpoints[&EndpointId::from("Pod/shop/web")].clone();
    assert_eq!((&*endpoint.ingress[0].name, endpoint.ingress[0].default_action), ("t", DefaultAction::Deny));
}

#[test]
fn a_broken_endpoint_keeps_its_last_sound_version_or_stays_away() {
    let mut told = shop(Nodes::One("n1".into()));
    let mut wide = pod("n1", "10.0.0.0/24", json!({}));
    told.flush();
    told.put("Pod/shop/web", wide.clone());
    assert!(told.flush().is_empty());
    wide["spec"]["interfaceName"] = json!("");
    told.put("Pod/shop/new", wide);
    assert!(told.flush().is_empty());
    assert_eq!(told.rejected(), ["Pod/shop/new", "Pod/shop/web"]);
}

#[test]
fn a_broken_host_endpoint_is_closed_where_its_place_can_be_read() {
    let mut told = Told::new(Nodes::One("n1".into()));
    told.put(
        "HostEndpoint/h",
        json!({"spec": {"node": "n1", "interfaceName": "eth0", "ports": "none",
        "profiles": ["projectcalico-default-allow"]}}),
    );
    let endpoint = &told.node("n1").endpoints[&EndpointId::from("HostEndpoint/h")];
    assert!(endpoint.profiles.is_empty());
}
