//! What becomes of a stored resource when a document is written over it.

use serde_json::{Map, Value};

use crate::write::Mode;

/// Metadata that belongs to the resource and not to any version of its manifest.
const KEPT_METADATA: [&str; 7] =
    ["uid", "creationTimestamp", "generation", "deletionTimestamp", "finalizers", "ownerReferences", "managedFields"];

/// The document, with what it does not speak of kept from the stored resource: its identity, and whole parts beside
/// `metadata` and `spec` (such as `status`) that others write. Annotations that others made (such as a pod's
/// addresses) are kept where the document is applied, and dropped where it replaces.
pub(crate) fn merge(mode: Mode, stored: &Value, document: &Value) -> Value {
    let (Some(before), Some(after)) = (stored.as_object(), document.as_object()) else {
        return document.clone();
    };
    let mut merged = after.clone();
    for (part, value) in before.iter().filter(|(part, _)| *part != "spec") {
        merged.entry(part).or_insert_with(|| value.clone());
    }
    let metadata = |fields: &Map<String, Value>| fields.get("metadata").and_then(Value::as_object).cloned();
    let before = metadata(before).unwrap_or_default();
    let mut after = metadata(after).unwrap_or_default();
    after.shift_remove("resourceVersion");
    for field in KEPT_METADATA {
        if let Some(value) = before.get(field) {
            after.insert(field.to_owned(), value.clone());
        }
    }
    if mode == Mode::Apply {
        merge_annotations(&before, &mut after);
    }
    merged.insert("metadata".to_owned(), Value::Object(after));
    Value::Object(merged)
}

fn merge_annotations(before: &Map<String, Value>, after: &mut Map<String, Value>) {
    let Some(Value::Object(kept)) = before.get("annotations") else { return };
    let annotations = after.entry("annotations").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(annotations) = annotations {
        for (name, value) in kept {
            annotations.entry(name).or_insert_with(|| value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_document_does_not_speak_of_is_kept() {
        let stored = json!({
            "metadata": {"name": "a", "uid": "u", "creationTimestamp": "t", "labels": {"old": "1"},
                         "annotations": {"cni": "10.0.0.1", "note": "old"}},
            "spec": {"old": 1},
            "status": {"phase": "Running"},
        });
        let document = json!({
            "metadata": {"name": "a", "uid": "other", "resourceVersion": "7", "annotations": {"note": "new"}},
            "spec": {"new": 2},
        });
        assert_eq!(
            merge(Mode::Apply, &stored, &document),
            json!({
                "metadata": {"name": "a", "uid": "u", "creationTimestamp": "t",
                             "annotations": {"cni": "10.0.0.1", "note": "new"}},
                "spec": {"new": 2},
                "status": {"phase": "Running"},
            })
        );
        let replaced = merge(Mode::Replace, &stored, &document);
        assert_eq!(replaced["metadata"]["annotations"], json!({"note": "new"}));
        assert_eq!(replaced["status"], stored["status"]);
    }
}
