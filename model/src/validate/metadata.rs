//! What every document has: name, labels, annotations.

use serde_json::{Map, Value};

use super::{
    findings::Findings,
    shape::{Object, Shape, UNBOUNDED},
    text,
};
use crate::Kind;

/// All annotations of an object together, as Kubernetes limits them.
const MAX_ANNOTATION_BYTES: usize = 256 * 1024;

/// ObjectMeta.
pub(super) const METADATA: Object = Object {
    fields: &[
        ("name", Shape::Text(text::any)),
        ("namespace", Shape::Text(text::any)),
        ("labels", Shape::Map(text::label_name, text::label_value)),
        ("annotations", Shape::Map(text::label_name, text::any)),
        ("generateName", Shape::Any),
        ("uid", Shape::Text(text::any)),
        ("resourceVersion", Shape::Text(text::any)),
        ("creationTimestamp", Shape::Any),
        ("deletionTimestamp", Shape::Any),
        ("deletionGracePeriodSeconds", Shape::Any),
        ("generation", Shape::Any),
        ("selfLink", Shape::Any),
        ("managedFields", Shape::Any),
        ("ownerReferences", Shape::List(&Shape::Any, UNBOUNDED)),
        ("finalizers", Shape::List(&Shape::Text(text::any), UNBOUNDED)),
    ],
    is_match: false,
    required: &[],
    check: check_annotations,
};

fn check_annotations(metadata: &Map<String, Value>, findings: &mut Findings) {
    let Some(annotations) = metadata.get("annotations").and_then(Value::as_object) else { return };
    let bytes: usize = annotations.iter().map(|(name, text)| name.len() + text.as_str().map_or(0, str::len)).sum();
    if bytes > MAX_ANNOTATION_BYTES {
        findings.problem_in("annotations", format!("hold {bytes} bytes; at most {MAX_ANNOTATION_BYTES} are allowed"));
    }
}

/// The name, by the rules of its kind. That there is one is [`super::identify`]'s business.
pub(super) fn check_name(kind: Kind, document: &Value, findings: &mut Findings) {
    let metadata = document.get("metadata");
    if let Some(name) = metadata.and_then(|metadata| metadata.get("name")).and_then(Value::as_str)
        && let Err(reason) = name_of_kind(kind, name)
    {
        findings.field("metadata", |here| here.problem_in("name", reason));
    }
    let label = metadata.and_then(|metadata| metadata.get("labels")?.get(selector::NAMESPACE_LABEL));
    if kind == Kind::NetworkSet && label.is_some() {
        findings.field("metadata", |here| {
            here.field("labels", |here| {
                here.problem_in(selector::NAMESPACE_LABEL, "is set by Calico itself; remove it");
            });
        });
    }
}

fn name_of_kind(kind: Kind, name: &str) -> Result<(), String> {
    match kind {
        Kind::Namespace | Kind::Tier => text::dns_label(name),
        Kind::GlobalNetworkPolicy | Kind::NetworkPolicy => policy_name(name),
        Kind::ClusterInformation if name != "default" => {
            Err(format!("{name:?} is not \"default\", the only ClusterInformation there is"))
        }
        Kind::Profile if name == super::DEFAULT_ALLOW_PROFILE => {
            Err(format!("{name} is built in: it cannot be written or deleted"))
        }
        _ => text::dns_subdomain(name),
    }
}

/// At most one dot: before it, up to Calico v3.31, stands the tier.
fn policy_name(name: &str) -> Result<(), String> {
    let is_reserved = name.starts_with("knp.default.") || name.starts_with("ossg.default.");
    text::dns_subdomain(name)?;
    if is_reserved || name.matches('.').count() <= 1 {
        return Ok(());
    }
    Err(format!("{name:?} has more than one \".\"; want a name such as allow-web or security.allow-web"))
}
