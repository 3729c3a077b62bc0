//! Each field of a rule, and what it becomes.

#![expect(clippy::needless_pass_by_value, reason = "JSON literals read best where they are made")]

use serde_json::{Value, json};

use super::*;

/// Translates one rule. Sets are named by what they hold: `selector` or `selector port/protocol`.
fn translate_in(namespace: Option<&str>, rule: Value) -> Result<Vec<RuleIntent>, String> {
    let rule: Rule = serde_json::from_value(rule).unwrap();
    let Rules { intent, sets } = Rules::translate(&[rule], &[], namespace, &mut Definitions::default())?;
    let mut rules = intent.ingress.clone();
    let name = |id: &mut SetId| {
        let content = &sets.iter().find(|known| known.id == *id).unwrap().content;
        let port = content.port.as_ref().map_or_else(String::new, |(name, protocol)| {
            format!(" {name}/{}", protocol.map_or_else(|| "any".to_owned(), |protocol| protocol.to_string()))
        });
        *id = SetId(format!("{}{port}", content.selector).into());
    };
    for side in rules.iter_mut().flat_map(|rule| [&mut rule.source, &mut rule.destination]) {
        side.ip_sets.iter_mut().for_each(name);
        side.not_ip_sets.iter_mut().for_each(name);
        side.named_port_sets.iter_mut().for_each(name);
        side.not_named_port_sets.iter_mut().for_each(name);
    }
    Ok(rules)
}

fn source_in(namespace: Option<&str>, source: Value) -> PeerMatch {
    let rules = translate_in(namespace, json!({"action": "Allow", "source": source})).unwrap();
    rules.into_iter().next().unwrap().source
}

fn only_set(namespace: Option<&str>, source: Value) -> String {
    let peer = source_in(namespace, source);
    assert_eq!((peer.ip_sets.len(), peer.not_ip_sets.len()), (1, 0));
    peer.ip_sets[0].to_string()
}

const IN_SHOP: &str = r#"projectcalico.org/namespace == "shop""#;

#[test]
fn a_selector_of_a_namespaced_policy_stays_in_its_namespace() {
    assert_eq!(only_set(Some("shop"), json!({"selector": "a == 'b'"})), format!(r#"({IN_SHOP} && a == "b")"#));
    assert_eq!(only_set(Some("shop"), json!({"selector": "all()"})), IN_SHOP);
    assert_eq!(only_set(None, json!({"selector": "a == 'b'"})), r#"a == "b""#);
    assert_eq!(only_set(None, json!({"selector": "all()"})), "all()");
}

#[test]
fn a_namespace_selector_looks_at_labels_of_namespaces() {
    let source = |namespaces: &str| json!({"namespaceSelector": namespaces, "selector": "a == 'b'"});
    assert_eq!(only_set(Some("shop"), source("x == 'y'")), r#"(pcns.x == "y" && a == "b")"#);
    assert_eq!(only_set(Some("shop"), source("all()")), r#"(has(projectcalico.org/namespace) && a == "b")"#);
    assert_eq!(only_set(Some("shop"), source("global()")), r#"(!has(projectcalico.org/namespace) && a == "b")"#);
    assert_eq!(only_set(Some("shop"), json!({"namespaceSelector": "x == 'y'"})), r#"pcns.x == "y""#);
}

#[test]
fn service_accounts_go_by_name_and_by_label() {
    let source = json!({"serviceAccounts": {"names": ["b", "a"], "selector": "x == 'y'"}});
    let accounts = r#"projectcalico.org/serviceaccount in {"a", "b"} && pcsa.x == "y""#;
    assert_eq!(only_set(None, source.clone()), format!("({accounts})"));
    assert_eq!(only_set(Some("shop"), source), format!("({IN_SHOP} && {accounts})"));
}

#[test]
fn selector_and_not_selector_are_one_set() {
    let both = json!({"selector": "a == 'b'", "notSelector": "c == 'd'"});
    assert_eq!(only_set(None, both), r#"(a == "b" && !c == "d")"#);
    let only_not = json!({"notSelector": "c == 'd'"});
    assert_eq!(only_set(Some("shop"), only_not.clone()), format!(r#"({IN_SHOP} && !c == "d")"#));
    let peer = source_in(None, only_not);
    assert!(peer.ip_sets.is_empty());
    assert_eq!(peer.not_ip_sets, [SetId::from(r#"c == "d""#)]);
}

#[test]
fn what_asks_nothing_of_labels_is_not_scoped() {
    let peer = source_in(Some("shop"), json!({"nets": ["10.1.2.3/8"], "notNets": ["10.9.0.0/16"]}));
    assert!(peer.ip_sets.is_empty() && peer.not_ip_sets.is_empty());
    assert_eq!(peer.nets, ["10.0.0.0/8".parse().unwrap()], "host bits are gone");
    assert_eq!(peer.not_nets, ["10.9.0.0/16".parse().unwrap()]);
}

#[test]
fn ports_by_number_stay_and_ports_by_name_become_sets() {
    let rule = |protocol: Option<&str>, ports: Value| json!({"action": "Allow", "protocol": protocol, "destination": {"selector": "a == 'b'", "ports": ports}});
    let translated = translate_in(None, rule(Some("TCP"), json!([80, "90:99", "http"]))).unwrap();
    let peer = &translated[0].destination;
    assert_eq!(peer.ports, [PortRange { first: 80, last: 80 }, PortRange { first: 90, last: 99 }]);
    assert_eq!(peer.named_port_sets, [SetId::from(r#"a == "b" http/TCP"#)]);
    let translated = translate_in(None, rule(None, json!(["http"]))).unwrap();
    assert_eq!(translated[0].destination.named_port_sets, [SetId::from(r#"a == "b" http/any"#)]);
    assert_eq!(translated[0].protocol, None);
}

#[test]
fn named_ports_of_nobody_in_particular_are_everybodys() {
    let rule = json!({"action": "Deny", "protocol": "UDP", "destination": {"notPorts": ["dns", 53]}});
    let translated = translate_in(Some("shop"), rule).unwrap();
    let peer = &translated[0].destination;
    assert_eq!(peer.not_named_port_sets, [SetId::from("all() dns/UDP")]);
    assert_eq!(peer.not_ports, [PortRange { first: 53, last: 53 }]);
    assert!(peer.ip_sets.is_empty());
}

#[test]
fn what_cannot_be_enforced_is_refused_with_its_place() {
    let cases = [
        (
            json!({"action": "Allow", "destination": {"ports": [80]}}),
            "spec.ingress[0].destination.ports: port 80 needs a protocol",
        ),
        (
            json!({"action": "Allow", "protocol": "ICMP", "source": {"notPorts": ["x"]}}),
            "spec.ingress[0].source.notPorts: port x",
        ),
        (json!({"action": "Allow", "source": {"services": {"name": "x"}}}), "spec.ingress[0].source.services: "),
        (json!({"action": "Allow", "http": {"methods": ["GET"]}}), "spec.ingress[0].http: "),
        (json!({"action": "Allow", "icmp": {"type": 8}}), "spec.ingress[0].icmp: needs protocol ICMP"),
        (
            json!({"action": "Allow", "protocol": "ICMP", "icmp": {"code": 0}}),
            "spec.ingress[0].icmp.code: a code needs a type",
        ),
        (
            json!({"action": "Allow", "protocol": "TCP", "notICMP": {"type": 8}}),
            "spec.ingress[0].notICMP: needs protocol ICMP",
        ),
        (json!({"action": "Allow", "ipVersion": 5}), "spec.ingress[0].ipVersion: 5 is neither 4 nor 6"),
    ];
    for (rule, expected) in cases {
        let error = translate_in(None, rule.clone()).unwrap_err();
        assert!(error.starts_with(expected), "{rule}: {error}");
    }
}

#[test]
fn icmp_implies_its_ip_version() {
    let icmp =
        json!({"action": "Allow", "protocol": "ICMPv6", "icmp": {"type": 128}, "notICMP": {"type": 1, "code": 2}});
    let rule = &translate_in(None, icmp).unwrap()[0];
    assert_eq!(rule.ip_version, Some(6));
    assert_eq!(rule.icmp, Some(Icmp { icmp_type: 128, code: None }));
    assert_eq!(rule.not_icmp, Some(Icmp { icmp_type: 1, code: Some(2) }));
}

#[test]
fn to_be_outside_a_prefix_is_a_matter_of_its_ip_version() {
    let version = |rule: Value| translate_in(None, rule).unwrap().first().map(|rule| rule.ip_version);
    let outside = |nets: Value| json!({"action": "Deny", "source": {"notNets": nets}});
    assert_eq!(version(outside(json!(["10.0.0.0/8"]))), Some(Some(4)));
    assert_eq!(version(outside(json!(["fd00::/8"]))), Some(Some(6)));
    assert_eq!(version(outside(json!(["10.0.0.0/8", "fd00::/8"]))), Some(None));
    assert_eq!(version(json!({"action": "Deny", "source": {"nets": ["10.0.0.0/8"]}})), Some(None));
}

#[test]
fn a_rule_for_two_ip_versions_at_once_matches_nothing() {
    let rule = json!({"action": "Allow", "ipVersion": 6, "protocol": "ICMP"});
    assert_eq!(translate_in(None, rule), Ok(vec![]));
}
