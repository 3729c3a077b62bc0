//! What Calico's client and Kubernetes' API server fill in when a resource is written.

use std::time::SystemTime;

use model::{
    Key, Kind,
    validate::{api_kind, api_version, may_lack_spec},
};
use serde_json::{Map, Value, json};

use crate::timestamp;

/// Label by which namespace selectors find a namespace by its name.
const METADATA_NAME_LABEL: &str = "kubernetes.io/metadata.name";
const TIER_LABEL: &str = "projectcalico.org/tier";
const NAMESPACE_LABEL: &str = "projectcalico.org/namespace";
const ORCHESTRATOR_LABEL: &str = "projectcalico.org/orchestrator";

/// Fills in what the document leaves open. The document is known to be valid.
pub(crate) fn fill(key: &Key, document: &mut Value) {
    drop_nulls(document);
    let Some(document) = document.as_object_mut() else { return };
    document.insert("apiVersion".into(), api_version(key.kind()).into());
    document.insert("kind".into(), api_kind(key.kind()).into());
    with_object(document, "metadata", |metadata| {
        metadata.insert("name".into(), key.name().into());
        if let Some(namespace) = key.namespace() {
            metadata.insert("namespace".into(), namespace.into());
        }
    });
    if may_lack_spec(key.kind()) && !matches!(key.kind(), Kind::Namespace | Kind::ServiceAccount) {
        with_object(document, "spec", |_| {});
    }
    match key.kind() {
        Kind::Namespace => label(document, METADATA_NAME_LABEL, key.name()),
        Kind::NetworkPolicy | Kind::GlobalNetworkPolicy => fill_policy(document),
        Kind::KubernetesNetworkPolicy => fill_types(document, "policyTypes", true),
        Kind::IpPool => fill_pool(document),
        Kind::WorkloadEndpoint => fill_workload_endpoint(key, document),
        Kind::FelixConfiguration => fill_felix_configuration(document),
        _ => {}
    }
}

/// Calico takes `true` and `1` for texts where only texts can stand: in labels and annotations. Kubernetes does not.
/// Fractions stay what they are, because nobody can tell 1.1 from 1.10 any more.
pub(crate) fn spell_out_labels(document: &mut Value) {
    if document.get("apiVersion").and_then(Value::as_str) != Some(api_version(Kind::NetworkPolicy)) {
        return;
    }
    for pointer in ["/metadata/labels", "/metadata/annotations", "/spec/labelsToApply"] {
        let Some(Value::Object(texts)) = document.pointer_mut(pointer) else { continue };
        for value in texts.values_mut().filter(|value| value.is_boolean() || value.is_i64()) {
            *value = Value::String(value.to_string());
        }
    }
}

/// What a resource has from its creation on.
pub(crate) fn fill_identity(document: &mut Value, now: SystemTime) {
    let Some(document) = document.as_object_mut() else { return };
    with_object(document, "metadata", |metadata| {
        metadata.insert("uid".into(), random_uid().into());
        metadata.insert("creationTimestamp".into(), timestamp::rfc3339(now).into());
    });
}

/// A random UUID (RFC 9562, version 4).
fn random_uid() -> String {
    const VERSION_4: u128 = 0x4000 << 64;
    const VARIANT: u128 = 0x8 << 60;
    let bits = fastrand::u128(..) & !(0xf000 << 64) & !(0xc << 60) | VERSION_4 | VARIANT;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Null is how Go and YAML write "absent".
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Looks at an object within another; makes it where it is missing.
fn with_object<T>(parent: &mut Map<String, Value>, name: &str, look: impl FnOnce(&mut Map<String, Value>) -> T) -> T {
    let mut fields = match parent.get_mut(name).map(Value::take) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let result = look(&mut fields);
    // In its old place, where it had one.
    parent.insert(name.to_owned(), Value::Object(fields));
    result
}

fn label(document: &mut Map<String, Value>, name: &str, value: &str) {
    with_object(document, "metadata", |metadata| {
        with_object(metadata, "labels", |labels| labels.insert(name.into(), value.into()));
    });
}

fn spec_text(document: &Map<String, Value>, field: &str) -> String {
    let value = document.get("spec").and_then(|spec| spec.get(field));
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Sets fields that are missing or empty.
fn default_spec(document: &mut Map<String, Value>, defaults: &[(&str, Value)]) {
    with_object(document, "spec", |spec| {
        for (field, value) in defaults {
            let is_open = spec.get(*field).is_none_or(|present| present == "" || *present == json!(0));
            if is_open {
                spec.insert((*field).to_owned(), value.clone());
            }
        }
    });
}

fn fill_policy(document: &mut Map<String, Value>) {
    default_spec(document, &[("tier", json!("default"))]);
    fill_types(document, "types", false);
    let tier = spec_text(document, "tier");
    label(document, TIER_LABEL, &tier);
}

/// Ingress unless there are only egress rules (Kubernetes: always), egress where there are egress rules.
fn fill_types(document: &mut Map<String, Value>, field: &str, always_ingress: bool) {
    with_object(document, "spec", |spec| {
        let has = |field: &str| spec.get(field).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        if has(field) {
            return;
        }
        let mut types = Vec::new();
        if always_ingress || has("ingress") || !has("egress") {
            types.push("Ingress");
        }
        if has("egress") {
            types.push("Egress");
        }
        spec.insert(field.to_owned(), types.into());
    });
}

fn fill_pool(document: &mut Map<String, Value>) {
    let is_v6 = spec_text(document, "cidr").contains(':');
    let block_size = if is_v6 { 122 } else { 26 };
    default_spec(
        document,
        &[
            ("blockSize", json!(block_size)),
            ("ipipMode", json!("Never")),
            ("vxlanMode", json!("Never")),
            ("nodeSelector", json!("all()")),
            ("allowedUses", json!(["Workload", "Tunnel"])),
            ("assignmentMode", json!("Automatic")),
        ],
    );
}

fn fill_workload_endpoint(key: &Key, document: &mut Map<String, Value>) {
    let orchestrator = spec_text(document, "orchestrator");
    label(document, NAMESPACE_LABEL, key.namespace().unwrap_or_default());
    label(document, ORCHESTRATOR_LABEL, &orchestrator);
}

fn fill_felix_configuration(document: &mut Map<String, Value>) {
    default_spec(
        document,
        &[
            ("floatingIPs", json!("Disabled")),
            ("bpfConnectTimeLoadBalancing", json!("TCP")),
            ("bpfHostNetworkedNATWithoutCTLB", json!("Enabled")),
        ],
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_filled(key: &str, mut document: Value, pointer: &str, expected: &Value) {
        fill(&key.parse().expect("a key"), &mut document);
        assert_eq!(document.pointer(pointer), Some(expected), "{document}");
    }

    #[test]
    fn policies_get_tier_label_and_types() {
        let rule = json!([{"action": "Allow"}]);
        let key = "NetworkPolicy/shop/web";
        assert_filled(key, json!({}), "/spec", &json!({"tier": "default", "types": ["Ingress"]}));
        assert_filled(key, json!({"spec": {"tier": "sec"}}), "/metadata/labels/projectcalico.org~1tier", &json!("sec"));
        assert_filled(key, json!({"spec": {"egress": rule}}), "/spec/types", &json!(["Egress"]));
        assert_filled(
            key,
            json!({"spec": {"egress": rule, "ingress": rule}}),
            "/spec/types",
            &json!(["Ingress", "Egress"]),
        );
        assert_filled(key, json!({"spec": {"types": ["Egress"], "ingress": rule}}), "/spec/types", &json!(["Egress"]));
        let kubernetes = "KubernetesNetworkPolicy/shop/web";
        assert_filled(
            kubernetes,
            json!({"spec": {"egress": [{}]}}),
            "/spec/policyTypes",
            &json!(["Ingress", "Egress"]),
        );
    }

    #[test]
    fn documents_say_what_they_are() {
        let document = json!({"metadata": {"labels": null}, "spec": {"a": [null], "b": null}});
        let mut filled = document;
        fill(&"NetworkSet/shop/a".parse().expect("a key"), &mut filled);
        assert_eq!(
            filled,
            json!({"apiVersion": "projectcalico.org/v3", "kind": "NetworkSet",
                   "metadata": {"name": "a", "namespace": "shop"}, "spec": {"a": [null]}})
        );
    }

    #[test]
    fn labels_are_texts() {
        let labels = json!({"a": true, "b": 1, "c": 1.1, "d": "x"});
        let mut calico = json!({"apiVersion": "projectcalico.org/v3", "metadata": {"labels": labels}});
        spell_out_labels(&mut calico);
        assert_eq!(calico["metadata"]["labels"], json!({"a": "true", "b": "1", "c": 1.1, "d": "x"}));
        let mut kubernetes = json!({"apiVersion": "v1", "metadata": {"labels": labels}});
        spell_out_labels(&mut kubernetes);
        assert_eq!(kubernetes["metadata"]["labels"], labels);
    }

    #[test]
    fn pools_and_namespaces() {
        assert_filled("IPPool/a", json!({"spec": {"cidr": "10.0.0.0/16"}}), "/spec/blockSize", &json!(26));
        assert_filled("IPPool/a", json!({"spec": {"cidr": "fd00::/48"}}), "/spec/blockSize", &json!(122));
        assert_filled("Namespace/shop", json!({}), "/metadata/labels/kubernetes.io~1metadata.name", &json!("shop"));
    }

    #[test]
    fn uids_are_version_4() {
        let uid = random_uid();
        assert_eq!(uid.len(), 36);
        assert_eq!(&uid[14..15], "4", "{uid}");
        assert!(["8", "9", "a", "b"].contains(&&uid[19..20]), "{uid}");
        assert_ne!(uid, random_uid());
    }
}
