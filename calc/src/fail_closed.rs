//! What takes the place of what cannot be read or enforced, so that a broken Deny never becomes an Allow.
//!
//! - A policy becomes one that denies everything, first in its tier, for every endpoint that it may select.
//! - A network set leaves sets incomplete; rules that use them are hardened here.
//! - A tier becomes one that denies at its end; a profile one that denies everything.
//! - Settings become those of them that can be read; the defaults of the others are the strict ones.
//! - A host endpoint becomes one with no profiles, where its node and interface can be read.
//! - A workload endpoint becomes nothing: its interface is unknown to its node, and unknown interfaces drop, so no
//!   packet from or to it can pass a rule that would have known its address.

#[cfg(test)]
mod tests;

use model::{
    Key, Kind,
    intent::{PeerMatch, RuleAction, RuleIntent, SetId},
    resource::{FelixConfigurationSpec, HostEndpointSpec, Labels, Metadata, Object, TierSpec},
};
use selector::Selector;
use serde_json::Value;

use crate::{
    policies::{PolicyHead, subject, tier_name},
    policy_order::PolicyPlace,
};

/// The head of a policy of which only this JSON is known: what is readable narrows it, what is not does not. None for
/// a policy that says readably that it never applies to workloads.
pub(crate) fn policy_head(key: &Key, json: &[u8]) -> Option<PolicyHead> {
    let value: Value = serde_json::from_slice(json).unwrap_or_default();
    let spec = &value["spec"];
    if spec["doNotTrack"] == true || spec["preDNAT"] == true {
        return None;
    }
    let selector = |field: &str| Selector::parse(spec[field].as_str()?).ok();
    // The spec of a Kubernetes policy that could not be projected has another shape.
    let own = if key.kind() == Kind::KubernetesNetworkPolicy { None } else { selector("selector") };
    let selected =
        subject(key, own.as_ref(), selector("namespaceSelector").as_ref(), selector("serviceAccountSelector").as_ref());
    let types: Option<Vec<&str>> =
        spec["types"].as_array().map(|types| types.iter().filter_map(Value::as_str).collect());
    let applies = |direction: &str| types.as_ref().is_none_or(|types| types.is_empty() || types.contains(&direction));
    let (ingress, egress) = (applies("Ingress"), applies("Egress"));
    let neither = !ingress && !egress;
    Some(PolicyHead {
        tier: tier_name(spec["tier"].as_str().unwrap_or_default()),
        place: PolicyPlace::new(key, None).broken(),
        selector: selected.unwrap_or_default(),
        ingress: ingress || neither,
        egress: egress || neither,
    })
}

/// Settings of which only this JSON is known: each that is readable by itself.
pub(crate) fn felix_configuration(json: &[u8]) -> FelixConfigurationSpec {
    let value: Value = serde_json::from_slice(json).unwrap_or_default();
    let Some(fields) = value["spec"].as_object() else { return FelixConfigurationSpec::default() };
    let is_readable = |(name, value): &(&String, &Value)| {
        let alone = Value::from_iter([((*name).as_str(), (*value).clone())]);
        serde_json::from_value::<FelixConfigurationSpec>(alone).is_ok()
    };
    let readable = fields.iter().filter(is_readable).map(|(name, value)| (name.as_str(), value.clone()));
    serde_json::from_value(readable.collect()).unwrap_or_default()
}

/// A tier of which only this JSON is known: its order where readable, and Deny at its end.
pub(crate) fn tier(json: &[u8]) -> Option<TierSpec> {
    let value: Value = serde_json::from_slice(json).ok()?;
    let order = match value.get("spec")?.as_object()?.get("order") {
        // To have no order is a place too: before all unknown tiers.
        None | Some(Value::Null) => None,
        Some(order) => Some(order.as_f64()?),
    };
    Some(TierSpec { order, default_action: None })
}

/// The labels of a resource of which only this JSON is known; none where they cannot be read.
pub(crate) fn labels(json: &[u8]) -> Option<Labels> {
    let value: Value = serde_json::from_slice(json).ok()?;
    let metadata = value.get("metadata")?.as_object()?;
    match metadata.get("labels") {
        None | Some(Value::Null) => Some(Labels::new()),
        Some(labels) => serde_json::from_value(labels.clone()).ok(),
    }
}

/// A host endpoint of which only this JSON is known: where it attaches and its labels. Policies that select it by
/// these still apply; what they leave undecided no profile allows.
pub(crate) fn host_endpoint(json: &[u8]) -> Option<Object<HostEndpointSpec>> {
    let value: Value = serde_json::from_slice(json).ok()?;
    let text = |field: &str| Some(value["spec"][field].as_str()?.to_owned());
    let spec =
        HostEndpointSpec { node: text("node")?, interface_name: text("interfaceName")?, ..HostEndpointSpec::default() };
    let metadata = Metadata { labels: labels(json).unwrap_or_default(), ..Metadata::default() };
    Some(Object { metadata, spec })
}

/// What a profile of which only this JSON is known gives to inherit: what can be read.
pub(crate) fn inherited_labels(json: &[u8]) -> Labels {
    let value: Value = serde_json::from_slice(json).unwrap_or_default();
    serde_json::from_value(value["spec"]["labelsToApply"].clone()).unwrap_or_default()
}

/// Rules that deny whatever they would have denied, had the incomplete sets all their members.
///
/// A packet of which it is unknown whether a rule matches it meets: the next rule, where it is an Allow; a Deny, where
/// it is a Deny or a Pass (what follows a Pass may allow what the rest of the tier denies, and the other way round).
pub(crate) fn harden(rules: &[RuleIntent], is_incomplete: impl Fn(&SetId) -> bool) -> Vec<RuleIntent> {
    let mut hardened = Vec::with_capacity(rules.len());
    for rule in rules {
        let wanting = |sets: fn(&PeerMatch) -> &Vec<SetId>| {
            [&rule.source, &rule.destination].into_iter().any(|side| sets(side).iter().any(&is_incomplete))
        };
        let (too_few, too_many) = (wanting(|side| &side.ip_sets), wanting(|side| &side.not_ip_sets));
        match rule.action {
            RuleAction::Allow if too_many => {}
            RuleAction::Deny if too_few => hardened.push(without_incomplete(rule, &is_incomplete)),
            RuleAction::Pass if too_many => hardened.push(deny(without_incomplete(rule, &is_incomplete))),
            RuleAction::Pass if too_few => {
                hardened.extend([rule.clone(), deny(without_incomplete(rule, &is_incomplete))]);
            }
            _ => hardened.push(rule.clone()),
        }
    }
    hardened
}

/// A rule that asks for no incomplete set, and so matches at least what it should.
fn without_incomplete(rule: &RuleIntent, is_incomplete: &impl Fn(&SetId) -> bool) -> RuleIntent {
    let mut wider = rule.clone();
    for side in [&mut wider.source, &mut wider.destination] {
        side.ip_sets.retain(|set| !is_incomplete(set));
        side.not_ip_sets.retain(|set| !is_incomplete(set));
    }
    wider
}

fn deny(rule: RuleIntent) -> RuleIntent {
    RuleIntent { action: RuleAction::Deny, ..rule }
}
