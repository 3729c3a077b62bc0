//! Specs of v3 policies and profiles.

use serde_json::{Map, Value};

use super::{
    findings::Findings,
    rule,
    shape::{Object, Shape, UNBOUNDED, is_present, nothing},
    text,
};

/// Rules of one direction, as Calico's API limits them.
const MAX_RULES: usize = 1024;

const INGRESS: Shape = Shape::List(&Shape::Object(&rule::INGRESS), MAX_RULES);
const EGRESS: Shape = Shape::List(&Shape::Object(&rule::EGRESS), MAX_RULES);
const TYPES: Shape = Shape::List(&Shape::Text(policy_type), 2);

/// NetworkPolicySpec.
pub(super) const NAMESPACED_SPEC: Object = Object {
    fields: &[
        ("tier", Shape::Text(tier_name)),
        ("order", Shape::Number),
        ("selector", Shape::Text(text::selector)),
        ("serviceAccountSelector", Shape::Text(text::selector)),
        ("types", TYPES),
        ("ingress", INGRESS),
        ("egress", EGRESS),
        ("performanceHints", Shape::List(&Shape::Text(text::any), UNBOUNDED)),
    ],
    is_match: false,
    required: &[],
    check: check_namespaced,
};

/// GlobalNetworkPolicySpec.
pub(super) const GLOBAL_SPEC: Object = Object {
    fields: &[
        ("tier", Shape::Text(tier_name)),
        ("order", Shape::Number),
        ("selector", Shape::Text(text::selector)),
        ("serviceAccountSelector", Shape::Text(text::selector)),
        ("namespaceSelector", Shape::Text(text::selector)),
        ("types", TYPES),
        ("ingress", INGRESS),
        ("egress", EGRESS),
        ("doNotTrack", Shape::Flag),
        ("preDNAT", Shape::Flag),
        ("applyOnForward", Shape::Flag),
        ("performanceHints", Shape::List(&Shape::Text(text::any), UNBOUNDED)),
    ],
    is_match: false,
    required: &[],
    check: check_global,
};

/// ProfileSpec.
pub(super) const PROFILE: Object = Object {
    fields: &[
        ("ingress", INGRESS),
        ("egress", EGRESS),
        ("labelsToApply", Shape::Map(text::label_name, text::label_value)),
    ],
    is_match: false,
    required: &[],
    check: nothing,
};

/// The empty name stands for tier `default`.
fn tier_name(name: &str) -> Result<(), String> {
    if name.is_empty() { Ok(()) } else { text::dns_label(name) }
}

fn policy_type(text: &str) -> Result<(), String> {
    text::one_of(text, &["Ingress", "Egress"])
}

fn check_namespaced(spec: &Map<String, Value>, findings: &mut Findings) {
    check_types(spec, findings);
    const GLOBAL_ONLY: [&str; 4] = ["namespaceSelector", "doNotTrack", "preDNAT", "applyOnForward"];
    for field in GLOBAL_ONLY {
        if is_present(spec, field) {
            findings.problem_in(field, "is only for GlobalNetworkPolicy; remove it");
        }
    }
}

fn check_types(spec: &Map<String, Value>, findings: &mut Findings) {
    let types: Vec<&str> =
        spec.get("types").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if types.len() == 2 && types[0] == types[1] {
        findings.problem_in("types", format!("lists {} twice", types[0]));
    }
    for (field, policy_type) in [("ingress", "Ingress"), ("egress", "Egress")] {
        let has_rules = spec.get(field).and_then(Value::as_array).is_some_and(|rules| !rules.is_empty());
        if has_rules && !types.is_empty() && !types.contains(&policy_type) {
            findings.warning_in(field, format!("has no effect, because types does not list {policy_type}"));
        }
    }
}

fn check_global(spec: &Map<String, Value>, findings: &mut Findings) {
    check_types(spec, findings);
    let flag = |name: &str| spec.get(name).and_then(Value::as_bool) == Some(true);
    let (untracked, pre_dnat) = (flag("doNotTrack"), flag("preDNAT"));
    if untracked && pre_dnat {
        findings.problem_in("preDNAT", "cannot be true beside doNotTrack");
    }
    if (untracked || pre_dnat) && !flag("applyOnForward") {
        findings.problem_in("applyOnForward", "must be true beside doNotTrack or preDNAT");
    }
    warn_of_unenforced(untracked, pre_dnat, flag("applyOnForward"), findings);
    if !pre_dnat {
        return;
    }
    if spec.get("egress").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty()) {
        findings.problem_in("egress", "cannot stand beside preDNAT, which is before routing");
    }
    if spec.get("types").and_then(Value::as_array).is_some_and(|types| types.contains(&Value::from("Egress"))) {
        findings.problem_in("types", "cannot list Egress beside preDNAT, which is before routing");
    }
}

/// Whoever asks for protection must not believe that it is there.
fn warn_of_unenforced(untracked: bool, pre_dnat: bool, on_forward: bool, findings: &mut Findings) {
    const LEFT_OUT: &str = "is not enforced yet: agents report the policy and leave it out";
    if untracked {
        findings.warning_in("doNotTrack", LEFT_OUT);
    }
    if pre_dnat {
        findings.warning_in("preDNAT", LEFT_OUT);
    }
    if on_forward && !untracked && !pre_dnat {
        findings.warning_in("applyOnForward", "is not enforced yet on what host endpoints forward; the rest is");
    }
}
