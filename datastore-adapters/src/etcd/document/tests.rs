//! Documents as Calico of several versions writes them, and as users see them.

use super::*;

fn policy(name: &str) -> Key {
    Key::global(Kind::GlobalNetworkPolicy, name)
}

fn stored(key: &Key, document: &Value) -> Value {
    let bytes = encode(key, document.to_string().as_bytes()).expect("a document");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn seen(key: &Key, stored: &Value) -> Value {
    serde_json::from_slice(&decode(key, stored.to_string().into_bytes())).expect("JSON")
}

#[test]
fn a_policy_carries_its_name_as_calico_writes_it() {
    let document = json!({
        "kind": "GlobalNetworkPolicy",
        "metadata": {"name": "deny-all", "resourceVersion": "9", "annotations": {"team": "net"}},
        "spec": {"tier": "default", "later": {"field": 1}}
    });
    let expected = json!({
        "kind": "GlobalNetworkPolicy",
        "metadata": {"name": "deny-all", "annotations": {"team": "net", NAME_ANNOTATION: r#"{"name":"deny-all"}"#}},
        "spec": {"tier": "default", "later": {"field": 1}}
    });
    let bytes = encode(&policy("deny-all"), document.to_string().as_bytes()).expect("a document");
    assert_eq!(String::from_utf8(bytes).expect("text"), expected.to_string(), "the order of fields included");

    let shown = json!({"name": "deny-all", "annotations": {"team": "net"}});
    assert_eq!(seen(&policy("deny-all"), &expected)["metadata"], shown);
}

#[test]
fn an_annotation_of_ours_alone_leaves_no_trace() {
    let document = json!({"metadata": {"name": "a"}, "spec": {}});
    let kept = stored(&policy("a"), &document);
    assert_eq!(seen(&policy("a"), &kept), document);
}

#[test]
fn names_are_read_in_old_and_new_form() {
    let plain = |tier: &str| json!({"metadata": {"name": "x"}, "spec": {"tier": tier}});
    let annotated = |name: &str| {
        let annotation = json!({ "name": name }).to_string();
        json!({"metadata": {"name": "x", "annotations": {NAME_ANNOTATION: annotation}}, "spec": {"tier": "default"}})
    };
    let cases = [
        ("default.web", plain("default"), "web"),
        ("default.web", plain(""), "web"),
        ("default.web", json!({"spec": {}}), "web"),
        ("web", plain("default"), "web"),
        ("security.web", plain("security"), "security.web"),
        ("default.web", plain("security"), "default.web"),
        ("default.", plain("default"), "default."),
        ("default.web", annotated("web"), "web"),
        ("default.web", annotated("default.web"), "default.web"),
    ];
    for (path_name, document, expected) in cases {
        let key = user_key(&policy(path_name), document.to_string().as_bytes());
        assert_eq!(key.name(), expected, "{path_name} with {document}");
    }
    let annotation_of_something_else = json!({"metadata": {"annotations": {NAME_ANNOTATION: "certainly not JSON"}}});
    assert_eq!(user_key(&policy("default.web"), annotation_of_something_else.to_string().as_bytes()).name(), "web");
}

#[test]
fn other_kinds_pass_as_they_are() {
    let key = Key::global(Kind::GlobalNetworkSet, "default.partners");
    let document = json!({"metadata": {"name": "default.partners", "annotations": {NAME_ANNOTATION: "{}"}}});
    assert_eq!(stored(&key, &document), document);
    assert_eq!(seen(&key, &document), document);
    assert_eq!(user_key(&key, document.to_string().as_bytes()), key);
    assert_eq!(former_key(&key), None);
}

#[test]
fn what_is_no_document_is_refused_on_write_and_passed_on_when_read() {
    assert!(matches!(encode(&policy("a"), b"{"), Err(DocumentError::Syntax(..))));
    assert!(matches!(encode(&policy("a"), b"[]"), Err(DocumentError::Shape(_))));
    for junk in ["", "{", "[]", "7", r#"{"metadata": 7}"#] {
        assert_eq!(decode(&policy("a"), junk.as_bytes().to_vec()), junk);
        assert_eq!(user_key(&policy("a"), junk.as_bytes()), policy("a"));
    }
}

#[test]
fn large_numbers_and_order_survive() {
    let key = Key::global(Kind::IpamBlock, "10.65.0.0-26");
    let document = r#"{"sequenceNumber":1735689600000000003,"cidr":"10.65.0.0/26","order":1.5,"allocations":[0,null]}"#;
    assert_eq!(encode(&key, document.as_bytes()).expect("a document"), document.as_bytes());
}
