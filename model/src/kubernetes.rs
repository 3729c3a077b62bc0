//! Kubernetes objects as users wrote them, projected to the v3 resources that agents compute with.
//!
//! Namespaces and service accounts become profiles, pods become workload endpoints, network policies become v3 ones.
//! The key stays, only the value changes. What Kubernetes' API server would default or refuse on the way in is
//! defaulted here and, where it cannot be read, narrowed: a projection never allows more than was written.

mod label_selector;
mod metadata;
mod network_policy;
mod pod;
mod policy_port;
mod profile;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

pub use self::pod::interface_name;
use crate::{Key, Kind};

/// Label that every workload endpoint carries: who runs it.
const ORCHESTRATOR_LABEL: &str = "projectcalico.org/orchestrator";
/// The value of [`ORCHESTRATOR_LABEL`] for pods.
const ORCHESTRATOR: &str = "k8s";

/// Why an object has no projection.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{key}: {reason}")]
pub struct ProjectError {
    /// The key's text.
    pub key: String,
    /// What is wrong, with line and column of the JSON or the field.
    pub reason: String,
}

/// Whether values of this kind are projected; all others travel as they are stored.
pub const fn is_projected(kind: Kind) -> bool {
    matches!(kind, Kind::KubernetesNetworkPolicy | Kind::Namespace | Kind::Pod | Kind::ServiceAccount)
}

/// The value that agents see in place of a stored one. `None` where there is nothing to see: a pod that shares its
/// node's network, is not scheduled, has no address yet, or has finished.
pub fn project(key: &Key, json: &[u8]) -> Result<Option<Bytes>, ProjectError> {
    match key.kind() {
        Kind::Namespace => encode(key, &profile::from_namespace(key, &read(key, json)?)).map(Some),
        Kind::ServiceAccount => encode(key, &profile::from_service_account(key, &read(key, json)?)).map(Some),
        Kind::Pod => match pod::to_endpoint(key, read(key, json)?) {
            Ok(Some(endpoint)) => encode(key, &endpoint).map(Some),
            Ok(None) => Ok(None),
            Err(reason) => Err(error(key, &reason)),
        },
        Kind::KubernetesNetworkPolicy => {
            let policy = network_policy::to_policy(key, &read(key, json)?).map_err(|reason| error(key, &reason))?;
            encode(key, &policy).map(Some)
        }
        _ => Ok(Some(Bytes::copy_from_slice(json))),
    }
}

fn read<T: DeserializeOwned>(key: &Key, json: &[u8]) -> Result<T, ProjectError> {
    serde_json::from_slice(json).map_err(|reason| error(key, &reason))
}

fn encode(key: &Key, resource: &impl Serialize) -> Result<Bytes, ProjectError> {
    serde_json::to_vec(resource).map(Bytes::from).map_err(|reason| error(key, &reason))
}

fn error(key: &Key, reason: &impl ToString) -> ProjectError {
    ProjectError { key: key.to_string(), reason: reason.to_string() }
}
