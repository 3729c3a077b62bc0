//! What etcd holds under a path and what users see of it: the JSON document, both ways.
//!
//! Documents are kept as parsed JSON, in order, so that fields unknown to us survive a read and a write.

use bytes::Bytes;
use model::{Key, Kind};
use serde_json::{Map, Value, json};

/// The annotation in which Calico (v3.32 and newer) keeps the name that the user gave a policy.
const NAME_ANNOTATION: &str = "projectcalico.org/metadata";
/// What Calico up to v3.31 put before the names of policies in the default tier.
const DEFAULT_TIER_PREFIX: &str = "default.";

/// Why a document cannot be stored.
#[derive(Debug, thiserror::Error)]
pub(super) enum DocumentError {
    /// Not JSON.
    #[error("{0}: its document is not JSON: {1}")]
    Syntax(Key, serde_json::Error),
    /// JSON, but not an object.
    #[error("{0}: its document is not a JSON object")]
    Shape(Key),
}

/// The bytes to store: without the fields that only a running datastore can know, and with Calico's name annotation
/// on policies.
pub(super) fn encode(key: &Key, document: &[u8]) -> Result<Vec<u8>, DocumentError> {
    let syntax = |error| DocumentError::Syntax(key.clone(), error);
    let mut value: Value = serde_json::from_slice(document).map_err(syntax)?;
    let object = value.as_object_mut().ok_or_else(|| DocumentError::Shape(key.clone()))?;
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        // shift_remove keeps the order of what stays, so that documents remain readable in etcdctl.
        metadata.shift_remove("resourceVersion");
        metadata.shift_remove("selfLink");
        if is_tiered(key.kind()) {
            annotate_name(metadata, key.name());
        }
    }
    serde_json::to_vec(&value).map_err(syntax)
}

/// The document as its user knows it. What cannot be read is passed on as it is.
pub(super) fn decode(key: &Key, stored: Vec<u8>) -> Bytes {
    if !is_tiered(key.kind()) {
        return stored.into();
    }
    let Ok(mut value) = serde_json::from_slice::<Value>(&stored) else { return stored.into() };
    let name = user_name(key, &value);
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return stored.into() };
    metadata.insert("name".into(), name.into());
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.shift_remove(NAME_ANNOTATION);
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
    }
    serde_json::to_vec(&value).map_or_else(|_| stored.into(), Bytes::from)
}

/// The key under which users know what is stored under `key`: another one for policies that Calico up to v3.31 wrote.
pub(super) fn user_key(key: &Key, stored: &[u8]) -> Key {
    if !is_tiered(key.kind()) {
        return key.clone();
    }
    let Ok(value) = serde_json::from_slice::<Value>(stored) else { return key.clone() };
    renamed(key, &user_name(key, &value))
}

/// The key under which Calico up to v3.31 stored a policy of this name in the default tier.
pub(super) fn former_key(key: &Key) -> Option<Key> {
    is_tiered(key.kind()).then(|| renamed(key, &format!("{DEFAULT_TIER_PREFIX}{}", key.name())))
}

const fn is_tiered(kind: Kind) -> bool {
    matches!(kind, Kind::GlobalNetworkPolicy | Kind::NetworkPolicy)
}

fn renamed(key: &Key, name: &str) -> Key {
    match key.namespace() {
        Some(namespace) => Key::namespaced(key.kind(), namespace, name),
        None => Key::global(key.kind(), name),
    }
}

/// Calico's rule: the annotated name wins; without one, the default tier's prefix is not part of the name.
fn user_name(key: &Key, document: &Value) -> String {
    let annotated = document.pointer("/metadata/annotations").and_then(|all| all.get(NAME_ANNOTATION));
    if let Some(name) = annotated.and_then(Value::as_str).and_then(name_in_annotation) {
        return name;
    }
    let tier = document.pointer("/spec/tier").and_then(Value::as_str).unwrap_or_default();
    match key.name().strip_prefix(DEFAULT_TIER_PREFIX) {
        Some(name) if matches!(tier, "" | "default") && !name.is_empty() => name.into(),
        _ => key.name().into(),
    }
}

fn name_in_annotation(annotation: &str) -> Option<String> {
    let value: Value = serde_json::from_str(annotation).ok()?;
    Some(value.get("name")?.as_str()?.to_owned())
}

fn annotate_name(metadata: &mut Map<String, Value>, name: &str) {
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if annotations.is_null() {
        *annotations = json!({});
    }
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.insert(NAME_ANNOTATION.into(), json!({ "name": name }).to_string().into());
    }
}

#[cfg(test)]
mod tests;
