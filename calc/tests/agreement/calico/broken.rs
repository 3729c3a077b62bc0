//! What stands for a policy that nobody could ever read: a deny-all, first in its tier, for every endpoint that the
//! policy could select. What of it can be read narrows it.

use model::{
    Key,
    resource::{Action, Object, PolicySpec, PolicyType, Resource, Rule},
};
use selector::Selector;
use serde_json::Value;

/// The deny-all in the place of a broken policy.
pub(super) fn deny_all(key: &Key, broken: &Value) -> Resource {
    assert!(matches!(key.kind(), model::Kind::NetworkPolicy | model::Kind::GlobalNetworkPolicy), "{key}");
    let spec = &broken["spec"];
    let readable = |field: &str| Selector::parse(spec[field].as_str()?).ok();
    Resource::Policy(Object {
        spec: PolicySpec {
            tier: spec["tier"].as_str().unwrap_or_default().to_owned(),
            order: Some(f64::NEG_INFINITY),
            selector: readable("selector").unwrap_or_default(),
            service_account_selector: readable("serviceAccountSelector"),
            namespace_selector: readable("namespaceSelector"),
            types: types(spec),
            do_not_track: spec["doNotTrack"] == true,
            ingress: vec![Rule::new(Action::Deny)],
            egress: vec![Rule::new(Action::Deny)],
            ..PolicySpec::default()
        },
        ..Object::default()
    })
}

/// The directions that it names, or both where it names none.
fn types(spec: &Value) -> Vec<PolicyType> {
    let named: Vec<PolicyType> = serde_json::from_value(spec["types"].clone()).unwrap_or_default();
    if named.is_empty() { vec![PolicyType::Ingress, PolicyType::Egress] } else { named }
}
