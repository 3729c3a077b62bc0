//! One rule of a v3 policy or profile: its fields, and what they ask of each other.

use serde_json::{Map, Value};

use super::{
    findings::Findings,
    shape::{Object, Shape, UNBOUNDED, is_present, nothing},
    text,
};
use crate::{
    intent::Protocol,
    resource::{Port, ProtocolName, parse_net},
};

/// Limits of Calico's API.
const MAX_NETS: usize = 256;
const MAX_PORTS: usize = 50;
const MAX_HTTP_MATCHES: usize = 20;

/// A rule for traffic to the endpoint.
pub(super) const INGRESS: Object =
    Object { fields: FIELDS, is_match: true, required: &["action"], check: check_ingress };
/// A rule for traffic from the endpoint.
pub(super) const EGRESS: Object = Object { fields: FIELDS, is_match: true, required: &["action"], check: check_egress };

const FIELDS: &[(&str, Shape)] = &[
    ("action", Shape::Text(action)),
    ("ipVersion", Shape::Integer(4, 6)),
    ("protocol", Shape::Scalar(text::protocol)),
    ("notProtocol", Shape::Scalar(text::protocol)),
    ("icmp", Shape::Object(&ICMP)),
    ("notICMP", Shape::Object(&ICMP)),
    ("source", Shape::Object(&ENTITY)),
    ("destination", Shape::Object(&ENTITY)),
    ("http", Shape::Object(&HTTP)),
    ("metadata", Shape::Object(&RULE_METADATA)),
];

const ICMP: Object = Object {
    fields: &[("type", Shape::Integer(0, 254)), ("code", Shape::Integer(0, 255))],
    is_match: true,
    required: &[],
    check: |fields, findings| {
        if is_present(fields, "code") && !is_present(fields, "type") {
            findings.problem_in("code", "needs a type beside it");
        }
    },
};

const ENTITY: Object = Object {
    fields: &[
        ("nets", Shape::List(&Shape::Text(text::net), MAX_NETS)),
        ("notNets", Shape::List(&Shape::Text(text::excluded_net), MAX_NETS)),
        ("selector", Shape::Text(text::selector)),
        ("notSelector", Shape::Text(text::selector)),
        ("namespaceSelector", Shape::Text(text::entity_namespace_selector)),
        ("serviceAccounts", Shape::Object(&SERVICE_ACCOUNTS)),
        ("services", Shape::Object(&SERVICES)),
        ("ports", Shape::List(&Shape::Scalar(text::port), MAX_PORTS)),
        ("notPorts", Shape::List(&Shape::Scalar(text::port), MAX_PORTS)),
    ],
    is_match: true,
    required: &[],
    check: check_services_alone,
};

const SERVICE_ACCOUNTS: Object = Object {
    fields: &[
        ("names", Shape::List(&Shape::Text(text::dns_subdomain), UNBOUNDED)),
        ("selector", Shape::Text(text::selector)),
    ],
    is_match: true,
    required: &[],
    check: nothing,
};

const SERVICES: Object = Object {
    fields: &[("name", Shape::Text(text::dns_subdomain)), ("namespace", Shape::Text(text::dns_label))],
    is_match: true,
    required: &["name"],
    check: nothing,
};

const HTTP: Object = Object {
    fields: &[
        ("methods", Shape::List(&Shape::Text(text::any), MAX_HTTP_MATCHES)),
        ("paths", Shape::List(&Shape::Any, MAX_HTTP_MATCHES)),
    ],
    is_match: true,
    required: &[],
    check: nothing,
};

const RULE_METADATA: Object = Object {
    fields: &[("annotations", Shape::Map(text::any, text::any))],
    is_match: false,
    required: &[],
    check: nothing,
};

fn action(text: &str) -> Result<(), String> {
    text::one_of(text, &["Allow", "Deny", "Log", "Pass"])
}

fn check_ingress(rule: &Map<String, Value>, findings: &mut Findings) {
    check_together(rule, findings);
    check_services_side(rule, "destination", "source", "ingress", findings);
}

fn check_egress(rule: &Map<String, Value>, findings: &mut Findings) {
    check_together(rule, findings);
    check_services_side(rule, "source", "destination", "egress", findings);
    if is_present(rule, "http") {
        findings.problem_in("http", "is only for ingress rules");
    }
}

fn check_together(rule: &Map<String, Value>, findings: &mut Findings) {
    check_ip_version(rule, findings);
    check_icmp(rule, findings);
    check_ports_have_protocol(rule, findings);
    check_http(rule, findings);
}

/// Nets of one rule are of one address family, the one that the rule asks for.
fn check_ip_version(rule: &Map<String, Value>, findings: &mut Findings) {
    let version = rule.get("ipVersion").and_then(Value::as_i64);
    if version == Some(5) {
        findings.problem_in("ipVersion", "is 5; want 4 or 6");
    }
    let mut wanted = version;
    for_each_net(rule, findings, |version, findings| match wanted {
        Some(wanted) if wanted != version => {
            let reason = format!("is an IPv{version} prefix in a rule for IPv{wanted}; want one address family a rule");
            findings.problem(reason);
        }
        _ => wanted = Some(version),
    });
    for field in ["protocol", "notProtocol"] {
        let expected = match protocol(rule, field) {
            Some(Protocol::ICMP) => 4,
            Some(Protocol::ICMPV6) => 6,
            _ => continue,
        };
        if version.is_some_and(|version| version != expected) {
            findings.problem_in(field, format!("needs ipVersion {expected}, or none"));
        }
    }
}

fn for_each_net(rule: &Map<String, Value>, findings: &mut Findings, mut look: impl FnMut(i64, &mut Findings)) {
    for (side, field) in
        [("source", "nets"), ("source", "notNets"), ("destination", "nets"), ("destination", "notNets")]
    {
        let nets = rule.get(side).and_then(|entity| entity.get(field)).and_then(Value::as_array);
        for (index, net) in nets.into_iter().flatten().enumerate() {
            let Some(net) = net.as_str().and_then(|text| parse_net(text).ok()) else { continue };
            let version = if net.addr().is_ipv4() { 4 } else { 6 };
            findings.field(side, |here| here.field(field, |here| here.index(index, |here| look(version, here))));
        }
    }
}

fn check_icmp(rule: &Map<String, Value>, findings: &mut Findings) {
    let is_icmp = matches!(protocol(rule, "protocol"), Some(Protocol::ICMP | Protocol::ICMPV6));
    for field in ["icmp", "notICMP"] {
        if is_present(rule, field) && !is_icmp {
            findings.problem_in(field, "needs protocol ICMP or ICMPv6 beside it");
        }
    }
}

/// Numbers mean nothing without a protocol that has ports; a name stands for a protocol too.
fn check_ports_have_protocol(rule: &Map<String, Value>, findings: &mut Findings) {
    let has_ports = matches!(protocol(rule, "protocol"), Some(Protocol::TCP | Protocol::UDP | Protocol::SCTP));
    if has_ports {
        return;
    }
    for (side, field) in
        [("source", "ports"), ("source", "notPorts"), ("destination", "ports"), ("destination", "notPorts")]
    {
        let ports = rule.get(side).and_then(|entity| entity.get(field)).and_then(Value::as_array);
        if ports.into_iter().flatten().any(is_number_or_range) {
            let reason = "need protocol TCP, UDP or SCTP beside source and destination";
            findings.field(side, |here| here.problem_in(field, reason));
        }
    }
}

fn is_number_or_range(port: &Value) -> bool {
    let text = port.as_str().map_or_else(|| port.to_string(), str::to_owned);
    matches!(Port::parse(&text), Ok(Port::Range(_)))
}

fn check_http(rule: &Map<String, Value>, findings: &mut Findings) {
    if !is_present(rule, "http") {
        return;
    }
    if rule.get("action").and_then(Value::as_str) != Some("Allow") {
        findings.problem_in("http", "is only for rules with action Allow");
    }
    if is_present(rule, "protocol") && protocol(rule, "protocol") != Some(Protocol::TCP) {
        findings.problem_in("protocol", "must be TCP, or absent, beside http");
    }
    findings.warning_in("http", "is not enforced yet: agents treat the whole policy as broken and deny");
}

fn check_services_alone(entity: &Map<String, Value>, findings: &mut Findings) {
    if !is_present(entity, "services") {
        return;
    }
    for other in ["selector", "notSelector", "namespaceSelector", "nets", "notNets", "serviceAccounts"] {
        if is_present(entity, other) {
            findings.problem_in(other, "cannot stand beside services");
        }
    }
    findings.warning_in("services", "is not enforced yet: agents take the policy for broken and deny");
}

fn check_services_side(
    rule: &Map<String, Value>,
    wrong_side: &str,
    right_side: &str,
    direction: &str,
    findings: &mut Findings,
) {
    let services_of = |side: &str| rule.get(side).and_then(Value::as_object).filter(|e| is_present(e, "services"));
    if services_of(wrong_side).is_some() {
        let reason = format!("belongs in the {right_side} of an {direction} rule");
        findings.field(wrong_side, |here| here.problem_in("services", reason));
    }
    let Some(destination) = services_of("destination") else { return };
    for field in ["ports", "notPorts"] {
        if is_present(destination, field) {
            findings.field("destination", |here| here.problem_in(field, "cannot stand beside services"));
        }
    }
}

fn protocol(rule: &Map<String, Value>, field: &str) -> Option<Protocol> {
    let value = rule.get(field)?;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    ProtocolName::parse(&text).ok().map(|name| name.0)
}
