//! Rules, and the policies around them.

use serde_json::{Value, json};

use super::{assert_told, calico, kubernetes_policy, told};

/// A rule in a policy's ingress, and what is told about it with the rule's path left out.
#[track_caller]
fn assert_rule(rule: &Value, expected: &[&str]) {
    let document = calico("NetworkPolicy", &json!({"ingress": [rule]}));
    let told: Vec<String> = told(&document).iter().map(|line| line.replace("spec.ingress[0].", "")).collect();
    assert_eq!(told, expected, "{rule}");
}

#[test]
fn a_match_that_would_be_ignored_is_refused() {
    assert_rule(
        &json!({"action": "Allow", "destination": {"domains": ["example.com"]}, "quota": 1}),
        &[
            "destination.domains: is no field known here: the rule would match as if it were not there",
            "quota: is no field known here: the rule would match as if it were not there",
        ],
    );
}

#[test]
fn what_fields_of_a_rule_ask_of_each_other() {
    assert_rule(
        &json!({"action": "Allow", "destination": {"ports": [80]}, "source": {"notPorts": ["http"]}}),
        &["destination.ports: need protocol TCP, UDP or SCTP beside source and destination"],
    );
    assert_rule(
        &json!({"action": "Allow", "protocol": "TCP", "destination": {"ports": [0, 65536, "90:80", "a b", 1.5]}}),
        &[
            "destination.ports[0]: port \"0\": want numbers from 1 to 65535",
            "destination.ports[1]: port \"65536\": \"65536\" is not a number from 0 to 65535",
            "destination.ports[2]: port range \"90:80\": its first port is above its last",
            "destination.ports[3]: port \"a b\": want a number, a range such as 8000:8080, or a port's name",
        ],
    );
    assert_rule(
        &json!({"action": "Deny", "protocol": "TPC", "ipVersion": 5}),
        &[
            "protocol: protocol \"TPC\": want TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a number from 1 to 255",
            "ipVersion: is 5; want 4 or 6",
        ],
    );
    assert_rule(
        &json!({"action": "Deny", "protocol": "TCP", "icmp": {"type": 255, "code": 256}, "notICMP": {"code": 1}}),
        &[
            "icmp.type: is 255; want a whole number from 0 to 254",
            "icmp.code: is 256; want a whole number from 0 to 255",
            "notICMP.code: needs a type beside it",
            "icmp: needs protocol ICMP or ICMPv6 beside it",
            "notICMP: needs protocol ICMP or ICMPv6 beside it",
        ],
    );
    assert_rule(
        &json!({"action": "Deny", "protocol": 58, "ipVersion": 4, "source": {"nets": ["10.0.0.0/8", "fd00::/8"]},
                "destination": {"notNets": ["0.0.0.0/0"]}}),
        &[
            "destination.notNets[0]: \"0.0.0.0/0\" excludes every address, so the rule would never match",
            "source.nets[1]: is an IPv6 prefix in a rule for IPv4; want one address family a rule",
            "protocol: needs ipVersion 6, or none",
        ],
    );
    assert_rule(
        &json!({"action": "Allow", "source": {"namespaceSelector": "global() || all()"}}),
        &["source.namespaceSelector: global() cannot be combined with anything else"],
    );
    assert_rule(
        &json!({"action": "Allow", "source": {"services": {"namespace": "shop"}, "nets": ["10.0.0.0/8"]},
                "destination": {"services": {"name": "db"}}}),
        &[
            "source.services.name: is missing",
            "source.nets: cannot stand beside services",
            "destination.services: belongs in the source of an ingress rule",
            "warning: source.services: is not enforced yet: agents take the policy for broken and deny",
            "warning: destination.services: is not enforced yet: agents take the policy for broken and deny",
        ],
    );
    assert_rule(
        &json!({"action": "Deny", "protocol": "UDP", "http": {"methods": ["GET"]}}),
        &[
            "http: is only for rules with action Allow",
            "protocol: must be TCP, or absent, beside http",
            "warning: http: is not enforced yet: agents treat the whole policy as broken and deny",
        ],
    );
}

#[test]
fn rules_are_limited() {
    let rules = vec![json!({"action": "Allow"}); 1025];
    assert_told(
        &calico("NetworkPolicy", &json!({"egress": rules})),
        &["spec.egress: has 1025 entries; at most 1024 are allowed"],
    );
}

#[test]
fn policies_ask_of_their_own_kind() {
    assert_told(
        &calico("NetworkPolicy", &json!({"namespaceSelector": "all()", "types": ["Egress", "Egress"]})),
        &["spec.types: lists Egress twice", "spec.namespaceSelector: is only for GlobalNetworkPolicy; remove it"],
    );
    assert_told(
        &calico(
            "GlobalNetworkPolicy",
            &json!({"doNotTrack": true, "preDNAT": true, "types": ["Egress"],
            "egress": [{"action": "Deny"}]}),
        ),
        &[
            "spec.preDNAT: cannot be true beside doNotTrack",
            "spec.applyOnForward: must be true beside doNotTrack or preDNAT",
            "spec.egress: cannot stand beside preDNAT, which is before routing",
            "spec.types: cannot list Egress beside preDNAT, which is before routing",
            "warning: spec.doNotTrack: is not enforced yet: agents report the policy and leave it out",
            "warning: spec.preDNAT: is not enforced yet: agents report the policy and leave it out",
        ],
    );
    assert_told(
        &calico("GlobalNetworkPolicy", &json!({"applyOnForward": true, "ingress": [{"action": "Deny"}]})),
        &["warning: spec.applyOnForward: is not enforced yet on what host endpoints forward; the rest is"],
    );
}

#[test]
fn kubernetes_policies_are_checked() {
    assert_told(
        &kubernetes_policy(&json!({
            "podSelector": {"matchLabels": {"app": "w b"}, "matchExpressions": [
                {"key": "zone", "operator": "in", "values": ["a"]}, {"key": "zone", "operator": "NotIn"}]},
            "policyTypes": ["Both"],
            "ingress": [
                {"to": [{"podSelector": {}}]},
                {"from": [{}, {"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0"}}]},
                {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16", "10.0.0.0/99"]}}]},
                {"ports": [{"port": 0}, {"port": "http", "endPort": 90}, {"port": 80, "endPort": 79},
                           {"protocol": "tcp"}]},
            ],
        })),
        &[
            "spec.podSelector.matchLabels.app: \"w b\" is not a valid label value; want at most 63 letters, digits, \
             \"-\", \"_\" and \".\", with a letter or digit at both ends",
            "spec.podSelector.matchExpressions[0].operator: \"in\" is not one of In, NotIn, Exists, DoesNotExist; did \
             you mean In?",
            "spec.podSelector.matchExpressions[1].values: is missing; operator NotIn needs at least one",
            "spec.policyTypes[0]: \"Both\" is not one of Ingress, Egress",
            "spec.ingress[0].to: has no meaning in this direction; want from",
            "spec.ingress[1].from[0]: is empty; want podSelector, namespaceSelector or ipBlock",
            "spec.ingress[1].from[1].ipBlock.cidr: \"10.0.0.0\" is not a CIDR; want an address with a prefix length, \
             such as 10.0.0.0/24 or fd00::/64",
            "spec.ingress[1].from[1].ipBlock: cannot stand beside podSelector or namespaceSelector",
            "spec.ingress[2].from[0].ipBlock.except[1]: \"10.0.0.0/99\" is not a CIDR; want an address with a prefix \
             length, such as 10.0.0.0/24 or fd00::/64",
            "spec.ingress[2].from[0].ipBlock.except[0]: 11.0.0.0/16 is not a part of 10.0.0.0/8",
            "spec.ingress[3].ports[0].port: 0 is not a port; want a number from 1 to 65535, or a port's name",
            "spec.ingress[3].ports[1].endPort: needs a port beside it that is a number",
            "spec.ingress[3].ports[2].endPort: 79 is below port 80",
            "spec.ingress[3].ports[3].protocol: \"tcp\" is not one of TCP, UDP, SCTP; did you mean TCP?",
        ],
    );
}
