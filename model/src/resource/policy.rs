//! Policies, profiles and tiers as users write them in `projectcalico.org/v3`.

use ipnet::IpNet;
use selector::Selector;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Labels, Port, ProtocolName};

/// Go writes empty slices and maps as `null`; read it as absent.
pub(crate) fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A rule's action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Accept the packet.
    Allow,
    /// Drop the packet.
    Deny,
    /// Log the packet and go on.
    Log,
    /// Leave the tier.
    Pass,
}

/// A direction that a policy applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyType {
    /// To the endpoint.
    Ingress,
    /// From the endpoint.
    Egress,
}

/// NetworkPolicySpec and GlobalNetworkPolicySpec in one; the fields that only the global kind has stay at their
/// defaults for the namespaced ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PolicySpec {
    /// The tier's name; empty means `default`.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub tier: String,
    /// Place in the tier, lowest first; none sorts last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<f64>,
    /// Endpoints that it applies to.
    #[serde(deserialize_with = "null_as_default")]
    pub selector: Selector,
    /// Restricts it to endpoints of these service accounts.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "empty_as_none")]
    pub service_account_selector: Option<Selector>,
    /// Restricts a global policy to endpoints of these namespaces.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "empty_as_none")]
    pub namespace_selector: Option<Selector>,
    /// Directions; empty means: ingress unless there are only egress rules, egress where there are egress rules.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub types: Vec<PolicyType>,
    /// Rules for traffic to the endpoint.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub ingress: Vec<Rule>,
    /// Rules for traffic from the endpoint.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub egress: Vec<Rule>,
    /// Host endpoints only: before connection tracking.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub do_not_track: bool,
    /// Host endpoints only: before destination NAT.
    #[serde(rename = "preDNAT", skip_serializing_if = "std::ops::Not::not")]
    pub pre_dnat: bool,
    /// Host endpoints only: also to forwarded traffic.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub apply_on_forward: bool,
}

impl PolicySpec {
    /// Whether the policy applies in a direction, with the API's defaulting of `types`.
    pub fn applies(&self, direction: PolicyType) -> bool {
        if !self.types.is_empty() {
            return self.types.contains(&direction);
        }
        match direction {
            PolicyType::Ingress => !self.ingress.is_empty() || self.egress.is_empty(),
            PolicyType::Egress => !self.egress.is_empty(),
        }
    }
}

/// An absent or empty selector restricts nothing, which is not the same as one that selects all.
fn empty_as_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Selector>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    match text.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => Selector::parse(text).map(Some).map_err(serde::de::Error::custom),
    }
}

/// One rule of a policy or profile.
///
/// Unknown fields are refused here and below, unlike elsewhere: a match that were ignored would make the rule wider than
/// its author meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// What a matching packet meets.
    pub action: Action,
    /// 4 or 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_version: Option<u8>,
    /// Only this protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<ProtocolName>,
    /// Any but this protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_protocol: Option<ProtocolName>,
    /// Only this ICMP message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp: Option<IcmpFields>,
    /// Any but this ICMP message.
    #[serde(default, rename = "notICMP", skip_serializing_if = "Option::is_none")]
    pub not_icmp: Option<IcmpFields>,
    /// What it asks of the source.
    #[serde(default, deserialize_with = "null_as_default")]
    pub source: EntityRule,
    /// What it asks of the destination.
    #[serde(default, deserialize_with = "null_as_default")]
    pub destination: EntityRule,
    /// HTTP requests; not enforced yet, so a policy that uses it is treated as broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<serde_json::Value>,
    /// Annotations for people; they match nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Value>,
}

impl Rule {
    /// A rule that every packet matches.
    pub fn new(action: Action) -> Self {
        Self {
            action,
            ip_version: None,
            protocol: None,
            not_protocol: None,
            icmp: None,
            not_icmp: None,
            source: EntityRule::default(),
            destination: EntityRule::default(),
            http: None,
            metadata: None,
        }
    }
}

/// An ICMP message by type and code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IcmpFields {
    /// The type, 0 to 254.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u8>,
    /// The code, 0 to 255; needs a type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
}

/// What a rule asks of one side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct EntityRule {
    /// In one of these prefixes or addresses.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "super::endpoint::nets_or_addresses")]
    pub nets: Vec<IpNet>,
    /// In none of these prefixes or addresses.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "super::endpoint::nets_or_addresses")]
    pub not_nets: Vec<IpNet>,
    /// An endpoint or network set that this selects.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "empty_as_none")]
    pub selector: Option<Selector>,
    /// Not an endpoint or network set that this selects.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "empty_as_none")]
    pub not_selector: Option<Selector>,
    /// In a namespace that this selects; `global()` means in none.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "empty_as_none")]
    pub namespace_selector: Option<Selector>,
    /// Of these service accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_accounts: Option<ServiceAccountMatch>,
    /// One of these ports.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub ports: Vec<Port>,
    /// None of these ports.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub not_ports: Vec<Port>,
    /// A Kubernetes Service; not enforced yet, so a policy that uses it is treated as broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<serde_json::Value>,
}

/// Service accounts by name, by label, or both (AND-ed).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceAccountMatch {
    /// One of these names.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub names: Vec<String>,
    /// Labels of the service account.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "empty_as_none")]
    pub selector: Option<Selector>,
}

/// ProfileSpec: what endpoints inherit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProfileSpec {
    /// Rules for traffic to the endpoint.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub ingress: Vec<Rule>,
    /// Rules for traffic from the endpoint.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub egress: Vec<Rule>,
    /// Labels that endpoints inherit where they do not have their own.
    #[serde(skip_serializing_if = "Labels::is_empty", deserialize_with = "null_as_default")]
    pub labels_to_apply: Labels,
}

/// TierSpec.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TierSpec {
    /// Place among tiers, lowest first; none sorts last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<f64>,
    /// `Deny` (the default) or `Pass`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_action: Option<Action>,
}
