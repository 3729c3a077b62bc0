//! Specs of network sets, pools, nodes and cluster information.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::{
    findings::Findings,
    shape::{Object, Shape, UNBOUNDED, describe, nothing},
    text,
};

/// NetworkSetSpec and GlobalNetworkSetSpec.
pub(super) const NETWORK_SET: Object = Object {
    fields: &[("nets", Shape::List(&Shape::Text(text::net), UNBOUNDED))],
    is_match: false,
    required: &[],
    check: nothing,
};

/// ClusterInformationSpec.
pub(super) const CLUSTER_INFORMATION: Object = Object {
    fields: &[
        ("clusterGUID", Shape::Text(text::any)),
        ("clusterType", Shape::Text(text::any)),
        ("calicoVersion", Shape::Text(text::any)),
        ("datastoreReady", Shape::Flag),
        ("variant", Shape::Text(text::any)),
    ],
    is_match: false,
    required: &[],
    check: nothing,
};

/// NodeSpec.
pub(super) const NODE: Object = Object {
    fields: &[
        ("bgp", Shape::Object(&NODE_BGP)),
        ("ipv4VXLANTunnelAddr", Shape::Text(text::address)),
        ("vxlanTunnelMACAddr", Shape::Text(text::any)),
        ("ipv6VXLANTunnelAddr", Shape::Text(text::address)),
        ("vxlanTunnelMACAddrV6", Shape::Text(text::any)),
        ("orchRefs", Shape::List(&Shape::Any, UNBOUNDED)),
        ("wireguard", Shape::Any),
        ("addresses", Shape::List(&Shape::Any, UNBOUNDED)),
        ("interfaces", Shape::List(&Shape::Any, UNBOUNDED)),
    ],
    is_match: false,
    required: &[],
    check: nothing,
};

const NODE_BGP: Object = Object {
    fields: &[
        ("asNumber", Shape::Any),
        ("ipv4Address", Shape::Text(text::net)),
        ("ipv6Address", Shape::Text(text::net)),
        ("ipv4IPIPTunnelAddr", Shape::Text(text::address)),
        ("routeReflectorClusterID", Shape::Text(text::any)),
    ],
    is_match: false,
    required: &[],
    check: |bgp, findings| {
        for (field, wants_v4) in [("ipv4Address", true), ("ipv6Address", false)] {
            let net = bgp.get(field).and_then(Value::as_str).and_then(|text| crate::resource::parse_net(text).ok());
            if net.is_some_and(|net| net.addr().is_ipv4() != wants_v4) {
                findings.problem_in(field, "is of the other address family");
            }
        }
    },
};

/// IPPoolSpec.
pub(super) const POOL: Object = Object {
    fields: &[
        ("cidr", Shape::Text(text::cidr)),
        ("vxlanMode", Shape::Text(mode)),
        ("ipipMode", Shape::Text(mode)),
        ("natOutgoing", Shape::Flag),
        ("disabled", Shape::Flag),
        ("disableBGPExport", Shape::Flag),
        ("blockSize", Shape::Integer(0, 128)),
        ("nodeSelector", Shape::Text(text::selector)),
        ("namespaceSelector", Shape::Text(text::selector)),
        ("allowedUses", Shape::List(&Shape::Text(allowed_use), 3)),
        ("assignmentMode", Shape::Text(assignment_mode)),
    ],
    is_match: false,
    required: &["cidr"],
    check: check_pool,
};

fn mode(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { text::one_of(text, &["Never", "Always", "CrossSubnet"]) }
}

fn allowed_use(text: &str) -> Result<(), String> {
    text::one_of(text, &["Workload", "Tunnel", "LoadBalancer"])
}

fn assignment_mode(text: &str) -> Result<(), String> {
    text::one_of(text, &["Automatic", "Manual"])
}

fn check_pool(spec: &Map<String, Value>, findings: &mut Findings) {
    let is_on = |field: &str| !matches!(spec.get(field).and_then(Value::as_str), None | Some("" | "Never"));
    if is_on("ipipMode") && is_on("vxlanMode") {
        findings.problem_in("vxlanMode", "cannot be on beside ipipMode; set one of them to Never");
    }
    check_uses(spec, is_on("ipipMode") || is_on("vxlanMode"), findings);
    let Some(cidr) = spec.get("cidr").and_then(Value::as_str).and_then(|text| text.parse::<IpNet>().ok()) else {
        return;
    };
    if cidr != cidr.trunc() {
        findings.problem_in("cidr", format!("{cidr} has bits beyond its length; want {}", cidr.trunc()));
    }
    if is_link_local(&cidr) {
        findings.problem_in("cidr", format!("{cidr} overlaps link-local addresses, which are not routed"));
    }
    if cidr.addr().is_ipv6() && is_on("ipipMode") {
        findings.problem_in("ipipMode", "cannot be on in a pool of IPv6; use vxlanMode");
    }
    check_block_size(spec, &cidr, findings);
}

fn check_uses(spec: &Map<String, Value>, encapsulates: bool, findings: &mut Findings) {
    let uses: Vec<&str> =
        spec.get("allowedUses").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let text = |field: &str| spec.get(field).and_then(Value::as_str).unwrap_or_default();
    if uses.contains(&"Tunnel") && !text("namespaceSelector").is_empty() {
        findings.problem_in("namespaceSelector", "cannot stand beside allowed use Tunnel");
    }
    if !uses.contains(&"LoadBalancer") {
        return;
    }
    if uses.len() > 1 {
        findings.problem_in("allowedUses", "cannot combine LoadBalancer with other uses");
    }
    if encapsulates {
        findings.problem_in("allowedUses", "cannot be LoadBalancer in a pool with ipipMode or vxlanMode on");
    }
    if spec.get("disableBGPExport").and_then(Value::as_bool) == Some(true) {
        findings.problem_in("disableBGPExport", "cannot be true in a pool for LoadBalancer");
    }
    if !matches!(text("nodeSelector").trim(), "" | "all()") {
        findings.problem_in("nodeSelector", "must be all() in a pool for LoadBalancer");
    }
}

fn is_link_local(cidr: &IpNet) -> bool {
    let overlaps = |other: IpNet| other.contains(&cidr.addr()) || cidr.contains(&other.addr());
    let range = match cidr.addr() {
        IpAddr::V4(_) => "169.254.0.0/16",
        IpAddr::V6(_) => "fe80::/10",
    };
    range.parse().is_ok_and(overlaps)
}

fn check_block_size(spec: &Map<String, Value>, cidr: &IpNet, findings: &mut Findings) {
    let (least, most, default) = if cidr.addr().is_ipv4() { (20, 32, 26) } else { (116, 128, 122) };
    let size = match spec.get("blockSize").and_then(Value::as_i64) {
        None | Some(0) => default,
        Some(size) if (least..=most).contains(&size) => size,
        Some(size) => {
            return findings.problem_in("blockSize", format!("is {size}; want {least} to {most} in this pool"));
        }
    };
    let is_disabled = spec.get("disabled").and_then(Value::as_bool) == Some(true);
    if !is_disabled && i64::from(cidr.prefix_len()) > size {
        findings.problem_in("cidr", format!("{cidr} is smaller than one block of /{size}"));
    }
}

/// Blocks and addresses were given out under the pool's prefix and block size.
pub(super) fn check_pool_change(stored: &Value, document: &Value, findings: &mut Findings) {
    let spec = |value: &Value, field: &str| value.get("spec").and_then(|spec| spec.get(field)).cloned();
    findings.field("spec", |here| {
        for field in ["cidr", "blockSize"] {
            if let (Some(before), Some(after)) = (spec(stored, field), spec(document, field))
                && before != after
            {
                let before = describe(&before);
                here.problem_in(field, format!("cannot be changed from {before}; make a new pool and move to it"));
            }
        }
    });
}
