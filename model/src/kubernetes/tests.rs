//! Projections as a reader of the feed sees them.

use serde_json::{Value, json};

use super::*;
use crate::resource::Resource;

/// The projection of `object`, which agents must be able to read.
fn projected(key: &str, object: &Value) -> Option<Value> {
    let key: Key = key.parse().expect("a key");
    let bytes = project(&key, object.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))?;
    Resource::parse(&key, &bytes).unwrap_or_else(|error| panic!("{error}"));
    Some(serde_json::from_slice(&bytes).expect("JSON"))
}

/// Only the rules, each without its empty parts.
fn rules(spec: &Value, direction: &str) -> Vec<Value> {
    let mut rules = spec["spec"][direction].as_array().cloned().unwrap_or_default();
    for rule in &mut rules {
        let rule = rule.as_object_mut().expect("an object");
        assert_eq!(rule.remove("action"), Some(json!("Allow")));
        rule.retain(|_, part| part != &json!({}));
    }
    rules.into_iter().collect()
}

fn policy(spec: &Value) -> Value {
    projected("KubernetesNetworkPolicy/shop/web", &json!({"spec": spec})).expect("a policy")
}

#[test]
fn a_namespace_is_a_profile_that_allows() {
    let namespace = json!({"metadata": {"name": "shop", "labels": {"team": "a", "projectcalico.org/name": "forged"}}});
    assert_eq!(
        projected("Namespace/shop", &namespace),
        Some(json!({
            "metadata": {"name": "kns.shop"},
            "spec": {
                "ingress": [{"action": "Allow", "source": {}, "destination": {}}],
                "egress": [{"action": "Allow", "source": {}, "destination": {}}],
                "labelsToApply": {
                    "pcns.kubernetes.io/metadata.name": "shop",
                    "pcns.projectcalico.org/name": "shop",
                    "pcns.team": "a",
                },
            },
        }))
    );
}

#[test]
fn a_service_account_is_a_profile_of_labels() {
    let account = json!({"metadata": {"name": "cashier", "labels": {"role": "pay"}}, "secrets": []});
    assert_eq!(
        projected("ServiceAccount/shop/cashier", &account),
        Some(json!({
            "metadata": {"name": "ksa.shop.cashier"},
            "spec": {"labelsToApply": {"pcsa.projectcalico.org/name": "cashier", "pcsa.role": "pay"}},
        }))
    );
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web-1",
            "namespace": "shop",
            "labels": {"app": "web", "pcns.team": "forged", "projectcalico.org/namespace": "forged"},
        },
        "spec": {
            "nodeName": "node-1",
            "serviceAccountName": "cashier",
            "containers": [{"name": "c", "image": "i", "ports": [
                {"name": "http", "containerPort": 8080},
                {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                {"containerPort": 9000},
                {"containerPort": 9001, "hostPort": 9001},
            ]}],
            "initContainers": [{"name": "mesh", "ports": [{"name": "admin", "containerPort": 15000}]}],
        },
        "status": {"phase": "Running", "podIP": "10.0.0.7", "podIPs": [{"ip": "10.0.0.7"}, {"ip": "fd00::7"}]},
    })
}

#[test]
fn a_pod_is_a_workload_endpoint() {
    assert_eq!(
        projected("Pod/shop/web-1", &pod()),
        Some(json!({
            "metadata": {
                "name": "node--1-k8s-web--1-eth0",
                "namespace": "shop",
                "labels": {
                    "app": "web",
                    "projectcalico.org/namespace": "shop",
                    "projectcalico.org/orchestrator": "k8s",
                    "projectcalico.org/serviceaccount": "cashier",
                },
            },
            "spec": {
                "orchestrator": "k8s",
                "node": "node-1",
                "pod": "web-1",
                "endpoint": "eth0",
                "interfaceName": interface_name("shop", "web-1"),
                "ipNetworks": ["10.0.0.7/32", "fd00::7/128"],
                "profiles": ["kns.shop", "ksa.shop.cashier"],
                "serviceAccountName": "cashier",
                "ports": [
                    {"name": "http", "protocol": "TCP", "port": 8080},
                    {"name": "dns", "protocol": "UDP", "port": 53},
                    {"name": "", "protocol": "TCP", "port": 9001},
                    {"name": "admin", "protocol": "TCP", "port": 15000},
                ],
            },
        }))
    );
}

#[test]
fn pods_without_a_network_of_their_own_are_not_seen() {
    let changed = |pointer: &str, value: Value| {
        let mut pod = pod();
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        pod.pointer_mut(parent).expect("a parent")[field] = value;
        projected("Pod/shop/web-1", &pod)
    };
    assert_eq!(changed("/spec/hostNetwork", json!(true)), None);
    assert_eq!(changed("/spec/nodeName", json!("")), None);
    assert_eq!(changed("/status/phase", json!("Succeeded")), None);
    assert_eq!(changed("/status/phase", json!("Failed")), None);
    assert_eq!(changed("/status", Value::Null), None);
    assert!(changed("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z")).is_some());
}

#[test]
fn a_deleted_pod_is_gone_once_its_addresses_are_released() {
    let mut pod = pod();
    pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    pod["metadata"]["annotations"] = json!({"cni.projectcalico.org/podIP": ""});
    assert_eq!(projected("Pod/shop/web-1", &pod), None);
}

#[test]
fn addresses_come_from_the_annotation_before_the_status_has_them() {
    let mut pod = pod();
    pod["status"] = json!({});
    pod["metadata"]["annotations"] = json!({"cni.projectcalico.org/podIPs": "10.0.0.9/32,fd00::9/128"});
    let endpoint = projected("Pod/shop/web-1", &pod).expect("an endpoint");
    assert_eq!(endpoint["spec"]["ipNetworks"], json!(["10.0.0.9/32", "fd00::9/128"]));
}

#[test]
fn a_policy_keeps_its_name_and_gets_tier_order_and_types() {
    let projected = policy(&json!({
        "podSelector": {
            "matchLabels": {"tier": "web", "app": "shop"},
            "matchExpressions": [
                {"key": "zone", "operator": "NotIn", "values": ["b", "a"]},
                {"key": "canary", "operator": "DoesNotExist"},
            ],
        },
    }));
    assert_eq!(
        projected,
        json!({
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "tier": "default",
                "order": 1000.0,
                "selector": "(projectcalico.org/orchestrator == \"k8s\" && app == \"shop\" && tier == \"web\" \
                             && zone not in {\"a\", \"b\"} && !has(canary))",
                "types": ["Ingress"],
            },
        })
    );
}

#[test]
fn types_are_defaulted_as_the_api_server_does() {
    let types = |spec: Value| policy(&spec)["spec"]["types"].clone();
    assert_eq!(types(json!({"podSelector": {}})), json!(["Ingress"]));
    assert_eq!(types(json!({"podSelector": {}, "egress": [{}]})), json!(["Ingress", "Egress"]));
    assert_eq!(types(json!({"podSelector": {}, "policyTypes": ["Egress"]})), json!(["Egress"]));
}

#[test]
fn rules_are_the_product_of_protocols_and_peers() {
    let projected = policy(&json!({
        "podSelector": {},
        "ingress": [{
            "from": [{"podSelector": {"matchLabels": {"app": "db"}}}, {"namespaceSelector": {}}],
            "ports": [{"port": "http"}, {"port": 80}, {"protocol": "UDP", "port": 5000, "endPort": 5010}],
        }],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}, {}],
    }));
    let own = json!({"selector": "(projectcalico.org/orchestrator == \"k8s\" && app == \"db\")"});
    let every = json!({"selector": "projectcalico.org/orchestrator == \"k8s\"", "namespaceSelector": "all()"});
    assert_eq!(
        rules(&projected, "ingress"),
        [
            json!({"protocol": "TCP", "source": own, "destination": {"ports": ["http", 80]}}),
            json!({"protocol": "TCP", "source": every, "destination": {"ports": ["http", 80]}}),
            json!({"protocol": "UDP", "source": own, "destination": {"ports": ["5000:5010"]}}),
            json!({"protocol": "UDP", "source": every, "destination": {"ports": ["5000:5010"]}}),
        ]
    );
    assert_eq!(
        rules(&projected, "egress"),
        [json!({"destination": {"nets": ["10.0.0.0/8"], "notNets": ["10.1.0.0/16"]}}), json!({})]
    );
}

#[test]
fn what_cannot_be_read_allows_nothing() {
    for ingress in [
        json!({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/99"]}}]}),
        json!({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["fd00::/8"]}}]}),
        json!({"from": [{"ipBlock": {"cidr": "10.0.0.0"}}]}),
        json!({"from": [{}]}),
        json!({"from": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}),
        json!({"from": [{"podSelector": {"matchExpressions": [{"key": "a", "operator": "NotIn"}]}}]}),
        json!({"from": [{"podSelector": {"matchExpressions": [{"key": "a", "operator": "Near", "values": ["b"]}]}}]}),
        json!({"from": [{"podSelector": {"matchLabels": {"a": 1}}}]}),
        json!({"from": "anyone"}),
        json!({"ports": [{"port": "http", "endPort": 90}]}),
        json!({"ports": [{"port": 70000}]}),
        json!(7),
    ] {
        let projected = policy(&json!({"podSelector": {}, "ingress": [ingress.clone(), {"ports": [{"port": 1}]}]}));
        let left = rules(&projected, "ingress");
        assert_eq!(left, [json!({"protocol": "TCP", "destination": {"ports": [1]}})], "{ingress}");
    }
}

#[test]
fn a_policy_of_which_it_is_unclear_whom_it_isolates_is_an_error() {
    let key: Key = "KubernetesNetworkPolicy/shop/web".parse().expect("a key");
    for (spec, message) in [
        (
            json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "in", "values": ["b"]}]}}),
            "KubernetesNetworkPolicy/shop/web: spec.podSelector.matchExpressions: operator \"in\" is not one of \
             In, NotIn, Exists, DoesNotExist",
        ),
        (
            json!({"podSelector": {"matchLabels": {"a b": "c"}}}),
            "KubernetesNetworkPolicy/shop/web: spec.podSelector.matchLabels: \"a b\" cannot be a label's name",
        ),
    ] {
        let error = project(&key, json!({"spec": spec}).to_string().as_bytes()).expect_err("an error");
        assert_eq!(error.to_string(), message);
    }
    for json in [r#"{"spec": {"policyTypes": ["ingress"]}}"#, "{}", "not json"] {
        assert!(project(&key, json.as_bytes()).is_err(), "{json}");
    }
}

#[test]
fn other_kinds_travel_as_they_are() {
    let key: Key = "Tier/security".parse().expect("a key");
    assert_eq!(project(&key, b"anything"), Ok(Some(Bytes::from_static(b"anything"))));
    assert!(!is_projected(Kind::Tier) && is_projected(Kind::Pod));
}

#[test]
fn an_object_that_could_not_be_projected_is_not_taken_for_its_projection() {
    for (key, object) in [
        ("KubernetesNetworkPolicy/shop/web", json!({"spec": {"podSelector": {}, "policyTypes": ["Egress"]}})),
        ("Namespace/shop", json!({"metadata": {"name": "shop"}, "spec": {}})),
        ("Pod/shop/web", json!({"metadata": {"name": "web"}, "spec": {"nodeName": "node-1"}})),
    ] {
        let key: Key = key.parse().expect("a key");
        let error = Resource::parse(&key, object.to_string().as_bytes()).expect_err("it says nothing to agents");
        assert!(error.to_string().contains("v3 projection"), "{error}");
    }
}
