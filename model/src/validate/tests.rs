//! What users write, and what they are told.

mod properties;
mod rules;
mod specs;

use serde_json::{Value, json};

use super::*;

/// Problems and, marked so, warnings, one a line.
fn told(document: &Value) -> Vec<String> {
    let kind = match identify(document, "default") {
        Ok(key) => key.kind(),
        Err(problems) => return problems.iter().map(Problem::to_string).collect(),
    };
    let report = validate(kind, document);
    let problems = report.problems.iter().map(Problem::to_string);
    problems.chain(report.warnings.iter().map(|warning| format!("warning: {warning}"))).collect()
}

fn calico(kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": {"name": "a"}, "spec": spec})
}

fn kubernetes_policy(spec: &Value) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "a"}, "spec": spec})
}

#[track_caller]
fn assert_told(document: &Value, expected: &[&str]) {
    assert_eq!(told(document), expected, "{document}");
}

#[test]
fn good_documents_pass_without_a_word() {
    let namespaced = |name: &str| json!({"name": name, "namespace": "shop", "labels": {"a.b/c": "D_1", "e": ""}});
    for document in [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": namespaced("cashier"), "secrets": [],
               "automountServiceAccountToken": false}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": namespaced("web"), "status": {"podIP": "10.0.0.1"},
               "spec": {"nodeName": "n1", "hostname": "h", "containers": [
                   {"name": "c", "image": "i", "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}]}]}}),
        kubernetes_policy(&json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{
            "to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}, {"namespaceSelector": {}}],
            "ports": [{"port": 80, "endPort": 90}, {"port": "http"}, {"protocol": "UDP"}]}]})),
        calico(
            "NetworkPolicy",
            &json!({"tier": "default", "order": 1.5, "selector": "all()", "types": ["Ingress"],
            "ingress": [{"action": "Allow", "protocol": 6, "source": {"nets": ["10.0.0.1", "10.0.0.0/8"],
            "serviceAccounts": {"names": ["x"]}}, "destination": {"ports": [80, "8000:8080", "http"]}},
            {"action": "Pass", "protocol": "icmp", "icmp": {"type": 8, "code": 0}}]}),
        ),
        calico(
            "GlobalNetworkPolicy",
            &json!({"namespaceSelector": "team == 'a'", "applyOnForward": false, "ingress": [{"action": "Deny", "source": {"namespaceSelector": "global()"}}]}),
        ),
        calico("Tier", &json!({"order": 10, "defaultAction": "Pass"})),
        calico("NetworkSet", &json!({"nets": ["10.0.0.1", "fd00::/8"]})),
        calico("GlobalNetworkSet", &json!({"nets": null})),
        calico("IPPool", &json!({"cidr": "10.0.0.0/16", "ipipMode": "Never", "vxlanMode": "Always", "blockSize": 26})),
        calico("Node", &json!({"bgp": {"ipv4Address": "10.0.0.1/24", "ipv6Address": "fd00::1/64"}})),
        calico(
            "HostEndpoint",
            &json!({"node": "n1", "interfaceName": "*", "ports": [
            {"name": "ssh", "protocol": "TCP", "port": 22}]}),
        ),
        json!({"apiVersion": "projectcalico.org/v3", "kind": "WorkloadEndpoint", "metadata": {"namespace": "shop"},
               "spec": {"orchestrator": "k8s", "node": "n-1", "pod": "web", "endpoint": "eth0",
               "interfaceName": "cali1", "ipNetworks": ["10.0.0.7/32", "fd00::7"], "mac": "ca:fe:1d:52:bb:e9"}}),
        calico("Profile", &json!({"ingress": [{"action": "Allow"}], "labelsToApply": {"a": "b"}})),
        calico("FelixConfiguration", &json!({})),
    ] {
        assert_told(&document, &[]);
    }
}

#[test]
fn unknown_kinds_and_versions_are_told_apart() {
    for (document, expected) in [
        (json!(["a"]), vec!["document: is a list; want an object with apiVersion, kind and metadata"]),
        (json!({"kind": "Tier"}), vec!["apiVersion: is missing"]),
        (json!({"apiVersion": "v1"}), vec!["kind: is missing"]),
        (
            json!({"apiVersion": "v1", "kind": "NetworkPolcy"}),
            vec!["kind: \"NetworkPolcy\" is not a known kind; did you mean NetworkPolicy?"],
        ),
        (json!({"apiVersion": "projectcalico.org/v3", "kind": "BGPPeer"}), vec!["kind: BGPPeer is not supported yet"]),
        (
            json!({"apiVersion": "v1", "kind": "NetworkPolicy"}),
            vec!["apiVersion: \"v1\" has no NetworkPolicy here; want networking.k8s.io/v1 or projectcalico.org/v3"],
        ),
        (
            json!({"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": {"namespace": "shop"}}),
            vec!["metadata.namespace: Tier lives in no namespace; remove this", "metadata.name: is missing"],
        ),
        (
            json!({"apiVersion": "projectcalico.org/v3", "kind": "NetworkSet",
                   "metadata": {"name": 7, "namespace": "a/b"}}),
            vec![
                "metadata.namespace: \"a/b\" is not a valid name; want at most 63 lower-case letters, digits and \
                 \"-\", with a letter or digit at both ends, such as web-1",
                "metadata.name: is 7; want a text; put it in quotes",
            ],
        ),
    ] {
        assert_told(&document, &expected);
    }
}

#[test]
fn a_document_without_a_namespace_is_in_the_default_one() {
    let set = calico("NetworkSet", &json!({}));
    assert_eq!(identify(&set, "shop").map(|key| key.to_string()), Ok("NetworkSet/shop/a".to_owned()));
}

#[test]
fn names_follow_the_rules_of_their_kind() {
    for (kind, name, is_good) in [
        ("Tier", "security", true),
        ("Tier", "se.curity", false),
        ("Tier", "Security", false),
        ("GlobalNetworkPolicy", "security.allow-web", true),
        ("GlobalNetworkPolicy", "a.b.c", false),
        ("GlobalNetworkPolicy", "knp.default.a.b", true),
        ("GlobalNetworkSet", "a.b.c", true),
        ("GlobalNetworkSet", "-a", false),
        ("Profile", "projectcalico-default-allow", false),
        ("Profile", "kns.shop", true),
        ("ClusterInformation", "other", false),
    ] {
        let mut document = calico(kind, &json!({}));
        document["metadata"]["name"] = json!(name);
        assert_eq!(told(&document).is_empty(), is_good, "{kind} {name}: {:?}", told(&document));
    }
}

#[test]
fn metadata_is_checked() {
    let mut set = calico("NetworkSet", &json!({"nets": []}));
    set["metadata"]["labels"] = json!({"version": 1, "role": "d b", "a b": "c", "projectcalico.org/namespace": "x"});
    set["metadata"]["lables"] = json!({});
    assert_told(
        &set,
        &[
            "metadata.labels.version: is 1; want a text; put it in quotes",
            "metadata.labels.role: \"d b\" is not a valid label value; want at most 63 letters, digits, \"-\", \"_\" \
             and \".\", with a letter or digit at both ends",
            "metadata.labels[\"a b\"]: \"a b\" is not a valid label name; want at most 63 letters, digits, \"-\", \
             \"_\" and \".\", optionally after a domain and \"/\", such as example.com/role",
            "metadata.labels[\"projectcalico.org/namespace\"]: is set by Calico itself; remove it",
            "warning: metadata.lables: is no field known here and is not used; did you mean labels?",
        ],
    );
}

#[test]
fn slips_of_the_pen_are_noticed() {
    let mut policy = calico(
        "NetworkPolicy",
        &json!({"selectr": "a == 'b'", "ingress": [
        {"action": "Allow", "soruce": {}, "destination": {"port": [80]}}]}),
    );
    policy["sepc"] = json!({});
    assert_told(
        &policy,
        &[
            "spec.ingress[0].destination.port: is no field known here; did you mean ports?",
            "spec.ingress[0].soruce: is no field known here; did you mean source?",
            "warning: sepc: is no field known here and is not used; did you mean spec?",
            "warning: spec.selectr: is no field known here and is not used; did you mean selector?",
        ],
    );
}

#[test]
fn a_spec_may_be_missing_where_nothing_in_it_is_needed() {
    let without_spec = |kind: &str| {
        let mut document = calico(kind, &json!(null));
        document.as_object_mut().expect("an object").remove("spec");
        told(&document)
    };
    for kind in ["Tier", "Node", "NetworkSet", "GlobalNetworkSet", "Profile", "FelixConfiguration"] {
        assert!(without_spec(kind).is_empty(), "{kind}: {:?}", without_spec(kind));
    }
    for kind in ["NetworkPolicy", "GlobalNetworkPolicy", "IPPool", "HostEndpoint"] {
        assert_eq!(without_spec(kind), ["spec: is missing"], "{kind}");
    }
}

#[test]
fn all_problems_are_told_at_once_with_their_paths() {
    let policy = calico(
        "GlobalNetworkPolicy",
        &json!({
            "tier": "Security",
            "order": "first",
            "selector": "role = 'db'",
            "namespaceSelector": "global()",
            "types": ["ingress", "Egress"],
            "ingress": [{"action": "allow"}, "deny", {"source": {"nets": ["10.0.0.0/8", "10.0.0.0/33"]}}],
            "preDNAT": "yes",
        }),
    );
    assert_told(
        &policy,
        &[
            "spec.tier: \"Security\" is not a valid name; want at most 63 lower-case letters, digits and \"-\", with \
             a letter or digit at both ends, such as web-1",
            "spec.order: is \"first\"; want a finite number",
            "spec.selector: \"role = 'db'\" is not a selector: at character 6: a single \"=\" compares nothing; \
             write \"==\"; want one such as app == 'web' && has(role)",
            "spec.namespaceSelector: global() is only for the namespaceSelector of a rule's source or destination",
            "spec.types[0]: \"ingress\" is not one of Ingress, Egress; did you mean Ingress?",
            "spec.ingress[0].action: \"allow\" is not one of Allow, Deny, Log, Pass; did you mean Allow?",
            "spec.ingress[1]: is \"deny\"; want an object",
            "spec.ingress[2].action: is missing",
            "spec.ingress[2].source.nets[1]: \"10.0.0.0/33\" is neither an address nor a CIDR such as 10.0.0.0/24",
            "spec.preDNAT: is \"yes\"; want true or false",
            "warning: spec.ingress: has no effect, because types does not list Ingress",
        ],
    );
}

#[test]
fn what_agents_could_not_read_is_never_accepted() {
    // Overlooked by the rules on purpose: addresses of a pod stand in its status, which users rarely write.
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"nodeName": "n1"},
                     "status": {"podIP": "ten"}});
    assert_told(&pod, &["document: cannot be read: \"ten\" is neither an address nor a CIDR such as 10.0.0.0/24"]);
}
