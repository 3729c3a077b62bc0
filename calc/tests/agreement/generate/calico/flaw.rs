//! Resources with a flaw: what a user may write, and what nobody can enforce.

use model::{Key, Kind};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::history::{Change, Written};

/// The history with one of its resources, if there is one of these kinds, such that it cannot be read; if `deeply`,
/// not even in part. Of a policy the tier stays readable: whoever cannot tell the tier cannot keep it first there.
pub(crate) fn spoil(history: &[Change], which: prop::sample::Index, deeply: bool) -> Vec<Change> {
    let candidates: Vec<(usize, Value)> = history
        .iter()
        .enumerate()
        .filter_map(|(index, change)| match &change.value {
            Written::Good(value) => Some((index, spoilt(&change.key, value.clone(), deeply)?)),
            _ => None,
        })
        .collect();
    if candidates.is_empty() {
        return history.to_vec();
    }
    let (index, value) = which.get(&candidates).clone();
    let spoilt = Change { value: Written::Broken(value), ..history[index].clone() };
    // Nothing else may be known of its key.
    history.iter().filter(|change| change.key != spoilt.key).cloned().chain([spoilt.clone()]).collect()
}

fn spoilt(key: &Key, mut value: Value, deeply: bool) -> Option<Value> {
    let spec = &mut value["spec"];
    match key.kind() {
        Kind::NetworkPolicy | Kind::GlobalNetworkPolicy if spec["doNotTrack"] != true => {
            let flaw = if deeply { Flaw::Selector } else { Flaw::Port };
            return Some(with(flaw, value));
        }
        Kind::NetworkSet | Kind::GlobalNetworkSet if deeply => return Some(json!("a network set")),
        Kind::NetworkSet | Kind::GlobalNetworkSet => spec["nets"] = json!(["10.0.0.0/99"]),
        Kind::Tier => spec["defaultAction"] = "Perhaps".into(),
        Kind::Profile | Kind::Namespace => spec["ingress"] = json!([{ "action": "Permit" }]),
        _ => return None,
    }
    Some(value)
}

/// What is wrong with a policy.
#[derive(Clone, Copy, Debug)]
enum Flaw {
    Selector,
    Tier,
    Types,
    Port,
    Cidr,
    /// Well formed, but no packet of any protocol has a port.
    PortWithoutProtocol,
    NotAnObject,
}

const FLAWS: [Flaw; 7] =
    [Flaw::Selector, Flaw::Tier, Flaw::Types, Flaw::Port, Flaw::Cidr, Flaw::PortWithoutProtocol, Flaw::NotAnObject];

/// The policy as it is, or, one time in ten, with a flaw.
pub(super) fn maybe_flawed(policy: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Written> {
    (policy, prop::bool::weighted(0.1), prop::sample::select(&FLAWS[..]))
        .prop_map(
            |(policy, flawed, flaw)| {
                if flawed { Written::Broken(with(flaw, policy)) } else { Written::Good(policy) }
            },
        )
        .boxed()
}

fn with(flaw: Flaw, mut policy: Value) -> Value {
    let spec = &mut policy["spec"];
    // Defaults that follow from rules that nobody can read would be anyone's guess.
    if spec["types"] == json!([]) {
        spec["types"] = json!(["Ingress", "Egress"]);
    }
    let rule = |fields: Value| json!([{ "action": "Allow", "protocol": "TCP", "destination": fields }]);
    match flaw {
        Flaw::Selector => spec["selector"] = "role ==".into(),
        Flaw::Tier => spec["tier"] = json!({}),
        Flaw::Types => spec["types"] = json!("Ingress"),
        Flaw::Port => spec["ingress"] = rule(json!({ "ports": [70_000] })),
        Flaw::Cidr => spec["egress"] = rule(json!({ "nets": ["10.0.0.0/33"] })),
        Flaw::PortWithoutProtocol => {
            // Rules of a direction that the policy does not speak about are nobody's concern.
            spec["types"] = json!(["Ingress", "Egress"]);
            spec["ingress"] = rule(json!({ "ports": [80] }));
            spec["ingress"][0]["protocol"] = Value::Null;
        }
        Flaw::NotAnObject => return json!("a policy"),
    }
    policy
}
