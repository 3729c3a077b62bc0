//! Namespaces and service accounts as profiles: how their labels reach the endpoints in them.

use std::collections::BTreeMap;

use selector::{NAMESPACE_PREFIX, SERVICE_ACCOUNT_PREFIX};

use super::metadata::MetadataOnly;
use crate::{
    Key,
    resource::{Action, Metadata, Object, ProfileSpec, Rule},
};

/// Label, under each prefix, that holds the name of the namespace or service account itself.
const NAME_LABEL: &str = "projectcalico.org/name";

/// Label of every namespace that Kubernetes' control plane sets to its name and lets nobody change.
const KUBERNETES_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The profile that endpoints of a namespace inherit from.
pub(super) fn namespace_profile(namespace: &str) -> String {
    format!("kns.{namespace}")
}

/// The profile that endpoints of a service account inherit from.
pub(super) fn service_account_profile(namespace: &str, name: &str) -> String {
    format!("ksa.{namespace}.{name}")
}

/// Where no policy selects a pod, its namespace's profile lets everything through.
pub(super) fn from_namespace(key: &Key, namespace: &MetadataOnly) -> Object<ProfileSpec> {
    let allow = || vec![Rule::new(Action::Allow)];
    let mut labels = inherited_labels(NAMESPACE_PREFIX, key.name(), namespace);
    labels.insert(format!("{NAMESPACE_PREFIX}{KUBERNETES_NAME_LABEL}"), key.name().to_owned());
    Object {
        metadata: Metadata { name: namespace_profile(key.name()), ..Metadata::default() },
        spec: ProfileSpec { ingress: allow(), egress: allow(), labels_to_apply: labels },
    }
}

/// Labels only: a service account decides nothing by itself.
pub(super) fn from_service_account(key: &Key, account: &MetadataOnly) -> Object<ProfileSpec> {
    let namespace = key.namespace().unwrap_or_default();
    Object {
        metadata: Metadata { name: service_account_profile(namespace, key.name()), ..Metadata::default() },
        spec: ProfileSpec {
            labels_to_apply: inherited_labels(SERVICE_ACCOUNT_PREFIX, key.name(), account),
            ..ProfileSpec::default()
        },
    }
}

fn inherited_labels(prefix: &str, name: &str, object: &MetadataOnly) -> BTreeMap<String, String> {
    let own = object.metadata.labels.iter().map(|(label, value)| (format!("{prefix}{label}"), value.clone()));
    // Last, so that no label of the object can pose as another's name.
    own.chain([(format!("{prefix}{NAME_LABEL}"), name.to_owned())]).collect()
}
