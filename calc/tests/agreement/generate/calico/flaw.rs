//! Policies with a flaw: what a user may write, and what nobody can enforce.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::history::Written;

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
            spec["ingress"] = rule(json!({ "ports": [80] }));
            spec["ingress"][0]["protocol"] = Value::Null;
        }
        Flaw::NotAnObject => return json!("a policy"),
    }
    policy
}
