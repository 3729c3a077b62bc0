//! The part of ObjectMeta that projections read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::resource::null_as_default;

/// `metadata` of any Kubernetes object; its name and namespace are in the key.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ObjectMeta {
    #[serde(deserialize_with = "null_as_default")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) annotations: BTreeMap<String, String>,
    /// Set while the object is being deleted.
    pub(super) deletion_timestamp: Option<Value>,
}

/// An object of which nothing but metadata matters.
#[derive(Debug, Default, Deserialize)]
pub(super) struct MetadataOnly {
    #[serde(default)]
    pub(super) metadata: ObjectMeta,
}
