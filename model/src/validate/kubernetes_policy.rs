//! Spec of Kubernetes' NetworkPolicy.

use serde_json::{Map, Value};

use super::{
    findings::Findings,
    pod::protocol,
    shape::{Object, Shape, UNBOUNDED, is_present, nothing},
    text,
};
use crate::resource::parse_net;

/// NetworkPolicySpec.
pub(super) const SPEC: Object = Object {
    fields: &[
        ("podSelector", Shape::Object(&LABEL_SELECTOR)),
        ("policyTypes", Shape::List(&Shape::Text(policy_type), 2)),
        ("ingress", Shape::List(&Shape::Object(&INGRESS), UNBOUNDED)),
        ("egress", Shape::List(&Shape::Object(&EGRESS), UNBOUNDED)),
    ],
    is_match: false,
    required: &[],
    check: nothing,
};

const PEERS: Shape = Shape::List(&Shape::Object(&PEER), UNBOUNDED);
const PORTS: Shape = Shape::List(&Shape::Object(&PORT), UNBOUNDED);

const INGRESS: Object = Object {
    fields: &[("from", PEERS), ("to", Shape::Any), ("ports", PORTS)],
    is_match: true,
    required: &[],
    check: |rule, findings| reject_other_side(rule, "to", "from", findings),
};

const EGRESS: Object = Object {
    fields: &[("to", PEERS), ("from", Shape::Any), ("ports", PORTS)],
    is_match: true,
    required: &[],
    check: |rule, findings| reject_other_side(rule, "from", "to", findings),
};

/// Kubernetes would ignore the field, and so allow everyone.
fn reject_other_side(rule: &Map<String, Value>, wrong: &str, right: &str, findings: &mut Findings) {
    if is_present(rule, wrong) {
        findings.problem_in(wrong, format!("has no meaning in this direction; want {right}"));
    }
}

const PEER: Object = Object {
    fields: &[
        ("podSelector", Shape::Object(&LABEL_SELECTOR)),
        ("namespaceSelector", Shape::Object(&LABEL_SELECTOR)),
        ("ipBlock", Shape::Object(&IP_BLOCK)),
    ],
    is_match: true,
    required: &[],
    check: |peer, findings| {
        let selects = is_present(peer, "podSelector") || is_present(peer, "namespaceSelector");
        match (selects, is_present(peer, "ipBlock")) {
            (false, false) => findings.problem("is empty; want podSelector, namespaceSelector or ipBlock"),
            (true, true) => findings.problem_in("ipBlock", "cannot stand beside podSelector or namespaceSelector"),
            _ => {}
        }
    },
};

const IP_BLOCK: Object = Object {
    fields: &[("cidr", Shape::Text(text::cidr)), ("except", Shape::List(&Shape::Text(text::cidr), UNBOUNDED))],
    is_match: true,
    required: &["cidr"],
    check: check_exceptions,
};

fn check_exceptions(block: &Map<String, Value>, findings: &mut Findings) {
    let net = |value: &Value| value.as_str().and_then(|text| parse_net(text).ok());
    let Some(cidr) = block.get("cidr").and_then(net) else { return };
    let exceptions = block.get("except").and_then(Value::as_array);
    for (index, except) in exceptions.into_iter().flatten().enumerate() {
        let Some(except) = net(except) else { continue };
        if except.prefix_len() <= cidr.prefix_len() || !cidr.contains(&except) {
            let reason = format!("{except} is not a part of {cidr}");
            findings.field("except", |here| here.index(index, |here| here.problem(reason)));
        }
    }
}

const LABEL_SELECTOR: Object = Object {
    fields: &[
        ("matchLabels", Shape::Map(text::label_name, text::label_value)),
        ("matchExpressions", Shape::List(&Shape::Object(&REQUIREMENT), UNBOUNDED)),
    ],
    is_match: true,
    required: &[],
    check: nothing,
};

const REQUIREMENT: Object = Object {
    fields: &[
        ("key", Shape::Text(text::label_name)),
        ("operator", Shape::Text(operator)),
        ("values", Shape::List(&Shape::Text(text::label_value), UNBOUNDED)),
    ],
    is_match: true,
    required: &["key", "operator"],
    check: |requirement, findings| {
        let values = requirement.get("values").and_then(Value::as_array).map_or(0, Vec::len);
        match requirement.get("operator").and_then(Value::as_str) {
            Some(operator @ ("In" | "NotIn")) if values == 0 => {
                findings.problem_in("values", format!("is missing; operator {operator} needs at least one"));
            }
            Some(operator @ ("Exists" | "DoesNotExist")) if values > 0 => {
                findings.problem_in("values", format!("cannot stand beside operator {operator}"));
            }
            _ => {}
        }
    },
};

const PORT: Object = Object {
    fields: &[
        ("protocol", Shape::Text(protocol)),
        ("port", Shape::Scalar(port)),
        ("endPort", Shape::Integer(1, 65535)),
    ],
    is_match: true,
    required: &[],
    check: |fields, findings| {
        let Some(last) = fields.get("endPort").and_then(Value::as_i64) else { return };
        match fields.get("port").and_then(Value::as_i64) {
            Some(first) if last < first => findings.problem_in("endPort", format!("{last} is below port {first}")),
            Some(_) => {}
            None => findings.problem_in("endPort", "needs a port beside it that is a number"),
        }
    },
};

fn port(text: &str) -> Result<(), String> {
    match text.parse::<i64>() {
        Ok(number) if (1..=65535).contains(&number) => Ok(()),
        Ok(number) => Err(format!("{number} is not a port; want a number from 1 to 65535, or a port's name")),
        Err(_) => text::port_name(text),
    }
}

fn operator(text: &str) -> Result<(), String> {
    text::one_of(text, &["In", "NotIn", "Exists", "DoesNotExist"])
}

fn policy_type(text: &str) -> Result<(), String> {
    text::one_of(text, &["Ingress", "Egress"])
}
