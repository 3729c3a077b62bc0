//! Tiers, and the three that always exist.

use serde_json::{Value, json};

use super::{
    findings::Findings,
    shape::{Object, Shape, nothing},
    text,
};

/// A tier that exists without being written, and that nobody can change or delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtectedTier {
    /// Its name.
    pub name: &'static str,
    /// Its place among tiers.
    pub order: u32,
    /// `Deny` or `Pass`.
    pub default_action: &'static str,
}

/// The tiers that always exist, in order.
pub const PROTECTED_TIERS: [ProtectedTier; 3] = [
    ProtectedTier { name: "kube-admin", order: 1_000, default_action: "Pass" },
    ProtectedTier { name: "default", order: 1_000_000, default_action: "Deny" },
    ProtectedTier { name: "kube-baseline", order: 10_000_000, default_action: "Pass" },
];

impl ProtectedTier {
    /// The tier as a document.
    pub fn document(&self) -> Value {
        json!({
            "apiVersion": "projectcalico.org/v3",
            "kind": "Tier",
            "metadata": {"name": self.name},
            "spec": {"order": self.order, "defaultAction": self.default_action},
        })
    }
}

/// TierSpec.
pub(super) const SPEC: Object = Object {
    fields: &[("order", Shape::Number), ("defaultAction", Shape::Text(default_action))],
    is_match: false,
    required: &[],
    check: nothing,
};

fn default_action(action: &str) -> Result<(), String> {
    text::one_of(action, &["Deny", "Pass"])
}

/// A protected tier may be written only as it is.
pub(super) fn check(document: &Value, findings: &mut Findings) {
    let name = document.pointer("/metadata/name").and_then(Value::as_str);
    let Some(tier) = PROTECTED_TIERS.iter().find(|tier| Some(tier.name) == name) else { return };
    let Some(spec) = document.get("spec").and_then(Value::as_object) else { return };
    findings.field("spec", |here| {
        if spec.get("order").and_then(Value::as_f64) != Some(f64::from(tier.order)) {
            here.problem_in("order", format!("tier {} is built in: its order is {}", tier.name, tier.order));
        }
        if spec.get("defaultAction").and_then(Value::as_str) != Some(tier.default_action) {
            let reason = format!("tier {} is built in: its defaultAction is {}", tier.name, tier.default_action);
            here.problem_in("defaultAction", reason);
        }
    });
}
