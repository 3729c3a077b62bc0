//! Specs of host and workload endpoints.

use serde_json::{Map, Value};

use super::{
    findings::Findings,
    shape::{Object, Shape, UNBOUNDED, is_present, nothing},
    text,
};

/// HostEndpointSpec.
pub(super) const HOST: Object = Object {
    fields: &[
        ("node", Shape::Text(text::dns_subdomain)),
        ("interfaceName", Shape::Text(text::interface_or_all)),
        ("expectedIPs", Shape::List(&Shape::Text(text::address), UNBOUNDED)),
        ("profiles", PROFILES),
        ("ports", PORTS),
        ("qosControls", Shape::Any),
    ],
    is_match: false,
    required: &["node"],
    check: |spec, findings| {
        let expects_addresses = spec.get("expectedIPs").and_then(Value::as_array).is_some_and(|ips| !ips.is_empty());
        if !is_present(spec, "interfaceName") && !expects_addresses {
            findings.problem_in("interfaceName", "is missing; want an interface's name, \"*\", or expectedIPs");
        }
    },
};

/// WorkloadEndpointSpec.
pub(super) const WORKLOAD: Object = Object {
    fields: &[
        ("orchestrator", Shape::Text(text::any)),
        ("workload", Shape::Text(text::any)),
        ("node", Shape::Text(text::dns_subdomain)),
        ("containerID", Shape::Text(text::any)),
        ("pod", Shape::Text(text::dns_subdomain)),
        ("endpoint", Shape::Text(text::any)),
        ("serviceAccountName", Shape::Text(text::dns_subdomain)),
        ("ipNetworks", Shape::List(&Shape::Text(text::host_net), UNBOUNDED)),
        ("ipNATs", Shape::List(&Shape::Any, UNBOUNDED)),
        ("ipv4Gateway", Shape::Text(text::address)),
        ("ipv6Gateway", Shape::Text(text::address)),
        ("profiles", PROFILES),
        ("interfaceName", Shape::Text(text::interface)),
        ("mac", Shape::Text(mac)),
        ("ports", PORTS),
        ("allowSpoofedSourcePrefixes", Shape::List(&Shape::Text(text::cidr), UNBOUNDED)),
        ("qosControls", Shape::Any),
    ],
    is_match: false,
    required: &["orchestrator", "node", "endpoint", "interfaceName"],
    check: nothing,
};

const PROFILES: Shape = Shape::List(&Shape::Text(text::dns_subdomain), UNBOUNDED);
const PORTS: Shape = Shape::List(&Shape::Object(&PORT), UNBOUNDED);

const PORT: Object = Object {
    fields: &[
        ("name", Shape::Text(text::port_name)),
        ("protocol", Shape::Scalar(text::protocol)),
        ("port", Shape::Integer(1, 65535)),
        ("hostPort", Shape::Integer(0, 65535)),
        ("hostIP", Shape::Text(text::any)),
    ],
    is_match: false,
    required: &["name", "protocol", "port"],
    check: nothing,
};

fn mac(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    let is_octet = |part: &&str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    if parts.len() == 6 && parts.iter().all(is_octet) {
        return Ok(());
    }
    Err(format!("{text:?} is not a MAC address; want one such as ca:fe:1d:52:bb:e9"))
}

/// The name that Calico gives a workload endpoint: its node, orchestrator, workload and endpoint, dashes doubled.
/// None where the spec does not say enough.
pub(super) fn workload_name(document: &Value) -> Option<String> {
    let spec = document.get("spec")?.as_object()?;
    let text = |field: &str| spec.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    let orchestrator = text("orchestrator")?;
    let workload = match orchestrator {
        "k8s" => text("pod")?,
        "cni" => text("containerID")?,
        "libnetwork" => "libnetwork",
        _ => text("workload")?,
    };
    let parts = [text("node")?, orchestrator, workload, text("endpoint")?];
    Some(parts.map(|part| part.replace('-', "--")).join("-"))
}

/// Calico insists on the name that it computes.
pub(super) fn check_workload_name(document: &Value, findings: &mut Findings) {
    let Some(spec) = document.get("spec").and_then(Value::as_object) else { return };
    let Some(expected) = workload_name(document) else {
        if let Some(field) = workload_field(spec) {
            findings.field("spec", |here| here.problem_in(field, "is missing: the endpoint's name is made of it"));
        }
        return;
    };
    let name = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if !name.is_empty() && name != expected {
        let reason = format!("{name:?} is not the name that its spec makes; want {expected}, or no name at all");
        findings.field("metadata", |here| here.problem_in("name", reason));
    }
}

/// The field that names the workload, where it is the one that is missing.
fn workload_field(spec: &Map<String, Value>) -> Option<&'static str> {
    let field = match spec.get("orchestrator").and_then(Value::as_str)? {
        "k8s" => "pod",
        "cni" => "containerID",
        "libnetwork" | "" => return None,
        _ => "workload",
    };
    (!is_present(spec, field)).then_some(field)
}
