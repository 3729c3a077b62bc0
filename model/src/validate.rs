//! Strict validation of what users write, before it is stored.
//!
//! Names everything that is wrong at once, each with its field path and what would be right. Reading what is stored
//! already is [`crate::resource`]'s business and much more lenient. Unknown fields are no problem (a newer peer may
//! know them), but one that looks like a slip of the pen is worth a warning.

mod endpoint;
mod felix_configuration;
mod findings;
mod identity;
mod kubernetes_policy;
mod metadata;
mod network;
mod path;
mod pod;
mod policy;
mod rule;
mod shape;
mod spelling;
#[cfg(test)]
mod tests;
mod text;
mod tier;

use std::fmt;

use serde_json::{Map, Value};

use self::{findings::Findings, shape::Object};
pub use self::{
    identity::{api_kind, api_version, identify},
    path::{FieldPath, Segment},
    tier::{PROTECTED_TIERS, ProtectedTier},
};
use crate::{Kind, kubernetes, resource::Resource};

/// The profile that exists without being written, and that nobody can change or delete: allows everything.
pub const DEFAULT_ALLOW_PROFILE: &str = "projectcalico-default-allow";

/// One thing that is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub path: FieldPath,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

/// Everything there is to say about one document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Reasons to reject it.
    pub problems: Vec<Problem>,
    /// Things to tell its author.
    pub warnings: Vec<Problem>,
}

/// Looks at a whole document of this kind.
pub fn validate(kind: Kind, document: &Value) -> Report {
    let mut findings = Findings::default();
    shape::check_document(kind, document, spec_of(kind), &mut findings);
    metadata::check_name(kind, document, &mut findings);
    match kind {
        Kind::Tier => tier::check(document, &mut findings),
        Kind::WorkloadEndpoint => endpoint::check_workload_name(document, &mut findings),
        Kind::FelixConfiguration => felix_configuration::check(document, &mut findings),
        _ => {}
    }
    let mut report = findings.into_report();
    if report.problems.is_empty() {
        report.problems.extend(unreadable(kind, document));
    }
    report
}

/// The last line of defence: what agents could not read is not stored, whatever the rules above overlooked.
fn unreadable(kind: Kind, document: &Value) -> Option<Problem> {
    let key = identify(document, "default").ok().filter(|key| key.kind() == kind)?;
    let mut document = document.clone();
    if may_lack_spec(kind) && document.get("spec").is_none_or(Value::is_null) {
        document["spec"] = Value::Object(Map::new());
    }
    let reason = match kubernetes::project(&key, document.to_string().as_bytes()) {
        Ok(Some(projection)) => Resource::parse(&key, &projection).err()?.reason,
        Ok(None) => return None,
        Err(error) => error.reason,
    };
    Some(Problem { path: FieldPath::default(), reason: format!("cannot be read: {reason}") })
}

/// Looks at what a document would change in the stored one: some fields never may.
pub fn validate_change(kind: Kind, stored: &Value, document: &Value) -> Report {
    let mut findings = Findings::default();
    if kind == Kind::IpPool {
        network::check_pool_change(stored, document, &mut findings);
    }
    findings.into_report()
}

/// Whether a document without a spec says all that it needs to. A policy without one would select everything: surely
/// not what its author meant.
pub fn may_lack_spec(kind: Kind) -> bool {
    match kind {
        Kind::GlobalNetworkPolicy | Kind::NetworkPolicy | Kind::KubernetesNetworkPolicy | Kind::Pod => false,
        _ => spec_of(kind).is_none_or(|spec| spec.required.is_empty()),
    }
}

/// What `spec` may hold; `None` where the kind has no spec.
fn spec_of(kind: Kind) -> Option<&'static Object> {
    match kind {
        Kind::ClusterInformation => Some(&network::CLUSTER_INFORMATION),
        Kind::FelixConfiguration => Some(&felix_configuration::SPEC),
        Kind::GlobalNetworkPolicy => Some(&policy::GLOBAL_SPEC),
        Kind::NetworkPolicy => Some(&policy::NAMESPACED_SPEC),
        Kind::GlobalNetworkSet | Kind::NetworkSet => Some(&network::NETWORK_SET),
        Kind::HostEndpoint => Some(&endpoint::HOST),
        Kind::WorkloadEndpoint => Some(&endpoint::WORKLOAD),
        Kind::IpPool => Some(&network::POOL),
        Kind::Node => Some(&network::NODE),
        Kind::Profile => Some(&policy::PROFILE),
        Kind::Tier => Some(&tier::SPEC),
        Kind::Pod => Some(&pod::SPEC),
        Kind::Namespace => Some(&pod::NAMESPACE_SPEC),
        Kind::KubernetesNetworkPolicy => Some(&kubernetes_policy::SPEC),
        Kind::ServiceAccount | Kind::IpamBlock => None,
    }
}
