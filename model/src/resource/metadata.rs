//! What every resource has: metadata around a spec.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Label names and values.
pub type Labels = BTreeMap<String, String>;

/// The part of Kubernetes' ObjectMeta that agents compute with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// The name.
    pub name: String,
    /// The namespace; empty where the kind has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Labels that selectors see.
    #[serde(skip_serializing_if = "Labels::is_empty", deserialize_with = "super::policy::null_as_default")]
    pub labels: Labels,
}

/// A resource of the usual shape.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Object<S> {
    /// Name and labels.
    #[serde(default)]
    pub metadata: Metadata,
    /// What is asked for.
    pub spec: S,
}
