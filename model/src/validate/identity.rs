//! Which resource a document speaks of: apiVersion, kind, namespace and name.

use serde_json::Value;

use super::{FieldPath, Problem, endpoint, shape::describe, spelling, text};
use crate::{Key, Kind};

const CALICO: &str = "projectcalico.org/v3";
const CORE: &str = "v1";
const NETWORKING: &str = "networking.k8s.io/v1";

/// Kinds of Calico that users may well write and that have no place here yet.
const NOT_YET: [&str; 12] = [
    "BGPConfiguration",
    "BGPFilter",
    "BGPPeer",
    "BlockAffinity",
    "CalicoNodeStatus",
    "IPAMBlock",
    "IPAMConfiguration",
    "IPReservation",
    "KubeControllersConfiguration",
    "StagedGlobalNetworkPolicy",
    "StagedKubernetesNetworkPolicy",
    "StagedNetworkPolicy",
];

/// The apiVersion that documents of this kind carry.
pub const fn api_version(kind: Kind) -> &'static str {
    match kind {
        Kind::Namespace | Kind::Pod | Kind::ServiceAccount => CORE,
        Kind::KubernetesNetworkPolicy => NETWORKING,
        _ => CALICO,
    }
}

/// The kind that documents of this kind carry.
pub const fn api_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::KubernetesNetworkPolicy => "NetworkPolicy",
        other => other.as_str(),
    }
}

/// The key of a document. One that names no namespace, of a kind that needs one, is in `default_namespace`.
pub fn identify(document: &Value, default_namespace: &str) -> Result<Key, Vec<Problem>> {
    if !document.is_object() {
        let reason = format!("is {}; want an object with apiVersion, kind and metadata", describe(document));
        return Err(vec![problem(&[], reason)]);
    }
    let kind = kind_of(document).map_err(|problem| vec![problem])?;
    let namespace = namespace_of(kind, document, default_namespace);
    let name = name_of(kind, document);
    match (namespace, name) {
        (Ok(Some(namespace)), Ok(name)) => Ok(Key::namespaced(kind, namespace, name)),
        (Ok(None), Ok(name)) => Ok(Key::global(kind, name)),
        (namespace, name) => Err([namespace.err(), name.err()].into_iter().flatten().collect()),
    }
}

fn kind_of(document: &Value) -> Result<Kind, Problem> {
    let version = required_text(document, &["apiVersion"])?;
    let name = required_text(document, &["kind"])?;
    let named: Vec<Kind> = user_kinds().filter(|kind| api_kind(*kind) == name).collect();
    if let Some(kind) = named.iter().find(|kind| api_version(**kind) == version) {
        return Ok(*kind);
    }
    if named.is_empty() {
        return Err(problem(&["kind"], unknown_kind(name)));
    }
    let versions: Vec<&str> = named.iter().map(|kind| api_version(*kind)).collect();
    Err(problem(&["apiVersion"], format!("{version:?} has no {name} here; want {}", versions.join(" or "))))
}

/// Kinds that users write: an IPAM block is Calico's own bookkeeping.
fn user_kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| *kind != Kind::IpamBlock)
}

fn unknown_kind(name: &str) -> String {
    if NOT_YET.contains(&name) {
        return format!("{name} is not supported yet");
    }
    if let Some(meant) = spelling::suggestion(name, user_kinds().map(api_kind)) {
        return format!("{name:?} is not a known kind; did you mean {meant}?");
    }
    let mut known: Vec<&str> = user_kinds().map(api_kind).collect();
    known.sort_unstable();
    known.dedup();
    format!("{name:?} is not a known kind; want one of {}", known.join(", "))
}

fn namespace_of(kind: Kind, document: &Value, default_namespace: &str) -> Result<Option<String>, Problem> {
    const PATH: [&str; 2] = ["metadata", "namespace"];
    let namespace = optional_text(document, &PATH)?;
    match (kind.is_namespaced(), namespace) {
        (true, None) => Ok(Some(default_namespace.to_owned())),
        (true, Some(namespace)) => {
            text::dns_label(namespace).map_err(|reason| problem(&PATH, reason))?;
            Ok(Some(namespace.to_owned()))
        }
        (false, None) => Ok(None),
        (false, Some(_)) => Err(problem(&PATH, format!("{} lives in no namespace; remove this", api_kind(kind)))),
    }
}

fn name_of(kind: Kind, document: &Value) -> Result<String, Problem> {
    const PATH: [&str; 2] = ["metadata", "name"];
    if let Some(name) = optional_text(document, &PATH)? {
        // A slash would make another key of it.
        let is_segment = !name.contains('/');
        return if is_segment { Ok(name.to_owned()) } else { Err(problem(&PATH, format!("{name:?} holds a \"/\""))) };
    }
    let computed = (kind == Kind::WorkloadEndpoint).then(|| endpoint::workload_name(document)).flatten();
    computed.ok_or_else(|| problem(&PATH, "is missing"))
}

fn required_text<'a>(document: &'a Value, path: &[&str]) -> Result<&'a str, Problem> {
    optional_text(document, path)?.ok_or_else(|| problem(path, "is missing"))
}

/// A text that may be absent, null or empty, which are one.
fn optional_text<'a>(document: &'a Value, path: &[&str]) -> Result<Option<&'a str>, Problem> {
    match path.iter().try_fold(document, |value, field| value.get(field)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(problem(path, format!("is {}; want a text; put it in quotes", describe(other)))),
    }
}

fn problem(path: &[&str], reason: impl Into<String>) -> Problem {
    Problem { path: FieldPath::fields(path), reason: reason.into() }
}
