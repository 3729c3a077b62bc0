//! What stands in, and how rules are hardened.

use serde_json::json;

use super::*;

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn head(key_text: &str, json: &Value) -> PolicyHead {
    policy_head(&key(key_text), json.to_string().as_bytes()).unwrap()
}

#[test]
fn what_is_readable_narrows_a_broken_policy() {
    let json = json!({"spec": {"tier": "t", "selector": "a == 'b'", "types": ["Egress"], "order": "nonsense"}});
    let readable = head("NetworkPolicy/shop/p", &json);
    assert_eq!(&*readable.tier, "t");
    assert_eq!(readable.selector.canonical(), r#"(a == "b" && projectcalico.org/namespace == "shop")"#);
    assert_eq!((readable.ingress, readable.egress), (false, true));
}

#[test]
fn what_is_unreadable_widens_a_broken_policy() {
    let garbage = policy_head(&key("GlobalNetworkPolicy/p"), b"{").unwrap();
    assert_eq!(&*garbage.tier, "default");
    assert!(garbage.selector.is_all());
    assert!(garbage.ingress && garbage.egress);
    let wrong = head("NetworkPolicy/shop/p", &json!({"spec": {"selector": "((", "types": "Ingress"}}));
    assert_eq!(wrong.selector.canonical(), r#"projectcalico.org/namespace == "shop""#);
    assert!(wrong.ingress && wrong.egress);
    let typo = head("GlobalNetworkPolicy/p", &json!({"spec": {"types": ["ingres"]}}));
    assert!(typo.ingress && typo.egress);
}

#[test]
fn a_broken_kubernetes_policy_closes_its_namespace() {
    let raw = json!({"spec": {"podSelector": {"matchLabels": 1}, "selector": "a == 'b'", "policyTypes": ["Ingress"]}});
    let broken = head("KubernetesNetworkPolicy/shop/p", &raw);
    assert_eq!(broken.selector.canonical(), r#"projectcalico.org/namespace == "shop""#);
    assert!(broken.ingress && broken.egress);
}

#[test]
fn a_broken_policy_for_raw_packets_does_not_touch_workloads() {
    assert_eq!(policy_head(&key("GlobalNetworkPolicy/p"), br#"{"spec": {"doNotTrack": true, "order": []}}"#), None);
}

#[test]
fn labels_are_read_where_they_can_be() {
    assert_eq!(labels(br#"{"metadata": {"labels": {"a": "b"}}, "spec": 1}"#), Some([("a".into(), "b".into())].into()));
    assert_eq!(labels(br#"{"metadata": {}}"#), Some(Labels::new()));
    assert_eq!(labels(br#"{"metadata": {"labels": {"a": 1}}}"#), None);
    assert_eq!(labels(b"nonsense"), None);
}

#[test]
fn a_broken_tier_stays_in_its_place_where_that_can_be_read() {
    let order = |json: &[u8]| tier(json).map(|tier| tier.order);
    assert_eq!(order(br#"{"spec": {"order": 7, "defaultAction": "Perhaps"}}"#), Some(Some(7.0)));
    assert_eq!(order(br#"{"spec": {"defaultAction": "Perhaps"}}"#), Some(None));
    assert_eq!(order(br#"{"spec": {"order": "first"}}"#), None);
    assert_eq!(order(br#"{"spec": []}"#), None);
}

/// A rule over sets by name, `!` for those that must not match; sets named `?…` are incomplete.
fn rule(action: RuleAction, sets: &[&str]) -> RuleIntent {
    let mut rule = RuleIntent::every(action);
    for set in sets {
        match set.strip_prefix('!') {
            Some(set) => rule.source.not_ip_sets.push(set.into()),
            None => rule.source.ip_sets.push((*set).into()),
        }
    }
    rule
}

fn hardened(action: RuleAction, sets: &[&str]) -> Vec<RuleIntent> {
    harden(&[rule(action, sets)], |set| set.0.starts_with('?'))
}

#[test]
fn complete_sets_change_nothing() {
    for action in [RuleAction::Allow, RuleAction::Deny, RuleAction::Pass, RuleAction::Log] {
        assert_eq!(hardened(action, &["a", "!b"]), [rule(action, &["a", "!b"])]);
    }
}

#[test]
fn an_allow_keeps_what_is_sure_and_is_dropped_where_too_much_might_match() {
    assert_eq!(hardened(RuleAction::Allow, &["?a"]), [rule(RuleAction::Allow, &["?a"])]);
    assert_eq!(hardened(RuleAction::Allow, &["a", "!?b"]), []);
}

#[test]
fn a_deny_also_takes_what_might_match() {
    assert_eq!(hardened(RuleAction::Deny, &["?a", "c"]), [rule(RuleAction::Deny, &["c"])]);
    assert_eq!(hardened(RuleAction::Deny, &["!?b"]), [rule(RuleAction::Deny, &["!?b"])]);
}

#[test]
fn a_pass_that_is_not_sure_denies() {
    assert_eq!(
        hardened(RuleAction::Pass, &["?a", "c"]),
        [rule(RuleAction::Pass, &["?a", "c"]), rule(RuleAction::Deny, &["c"])]
    );
    assert_eq!(hardened(RuleAction::Pass, &["c", "!?b"]), [rule(RuleAction::Deny, &["c"])]);
}
