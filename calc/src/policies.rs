//! What a policy resource says apart from its rules: where it stands, whom it selects, in which directions.

use std::sync::Arc;

use model::{
    Key, Kind,
    resource::{PolicySpec, PolicyType},
};
use selector::{NAMESPACE_LABEL, ParseSelectorError, Selector};

use crate::policy_order::{DEFAULT_TIER, PolicyPlace};

/// A policy without its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyHead {
    pub(crate) tier: Arc<str>,
    pub(crate) place: PolicyPlace,
    /// Endpoints that it applies to, its namespace included.
    pub(crate) selector: Selector,
    pub(crate) ingress: bool,
    pub(crate) egress: bool,
}

impl PolicyHead {
    /// The head of a policy whose spec could be read. The projection of a Kubernetes policy always names its types; what
    /// does not is the policy as its user wrote it, which means something else.
    pub(crate) fn new(key: &Key, spec: &PolicySpec) -> Result<Self, String> {
        if key.kind() == Kind::KubernetesNetworkPolicy && spec.types.is_empty() {
            return Err("spec: this Kubernetes policy was not projected to a v3 policy".to_owned());
        }
        Ok(Self {
            tier: tier_name(&spec.tier),
            place: PolicyPlace::new(key, spec.order),
            selector: subject(
                key,
                Some(&spec.selector),
                spec.namespace_selector.as_ref(),
                spec.service_account_selector.as_ref(),
            )
            .map_err(|error| format!("metadata.namespace: {error}"))?,
            ingress: spec.applies(PolicyType::Ingress),
            egress: spec.applies(PolicyType::Egress),
        })
    }

    /// The head of a policy of which nothing is known but its key.
    pub(crate) fn unknown(key: &Key) -> Self {
        Self {
            tier: DEFAULT_TIER.into(),
            place: PolicyPlace::new(key, None).broken(),
            selector: subject(key, None, None, None).unwrap_or_default(),
            ingress: true,
            egress: true,
        }
    }

    /// The same for a policy whose rules cannot be enforced.
    pub(crate) fn broken(self) -> Self {
        Self { place: self.place.broken(), ..self }
    }
}

/// A tier's name as policies give it; empty means the default one.
pub(crate) fn tier_name(name: &str) -> Arc<str> {
    if name.is_empty() { DEFAULT_TIER.into() } else { name.into() }
}

/// Endpoints that a policy applies to. A policy that lives in a namespace applies there only.
pub(crate) fn subject(
    key: &Key,
    selector: Option<&Selector>,
    namespaces: Option<&Selector>,
    service_accounts: Option<&Selector>,
) -> Result<Selector, ParseSelectorError> {
    let namespace = key.namespace().map(|namespace| Selector::label_equals(NAMESPACE_LABEL, namespace)).transpose()?;
    let terms = [
        selector.cloned(),
        namespaces.map(Selector::for_namespaces),
        service_accounts.map(Selector::for_service_accounts),
        namespace,
    ];
    Ok(Selector::and(terms.iter().flatten()))
}
