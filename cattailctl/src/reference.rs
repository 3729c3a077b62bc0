//! What a resource asks of other resources: that its tier exists, that pools do not overlap.

use datastore_adapters::{Store, StoreError};
use ipnet::IpNet;
use model::{
    Key, Kind,
    validate::{FieldPath, PROTECTED_TIERS, Problem},
};
use serde_json::Value;

use crate::write::WriteError;

/// Checks a document before it is written.
pub(crate) async fn check<S: Store>(store: &S, key: &Key, document: &Value) -> Result<(), WriteError> {
    let problem = match key.kind() {
        Kind::NetworkPolicy | Kind::GlobalNetworkPolicy => missing_tier(store, document).await?,
        Kind::IpPool => overlapping_pool(store, key, document).await?,
        _ => None,
    };
    problem.map_or(Ok(()), |problem| Err(WriteError::Unfit(vec![problem])))
}

async fn missing_tier<S: Store>(store: &S, document: &Value) -> Result<Option<Problem>, StoreError> {
    let tier = text(document, "tier");
    let exists = PROTECTED_TIERS.iter().any(|protected| protected.name == tier)
        || store.get(&Key::global(Kind::Tier, tier)).await?.is_some();
    Ok((!exists).then(|| problem("tier", format!("tier {tier:?} does not exist; apply it first"))))
}

async fn overlapping_pool<S: Store>(store: &S, key: &Key, document: &Value) -> Result<Option<Problem>, StoreError> {
    let Ok(cidr) = text(document, "cidr").parse::<IpNet>() else { return Ok(None) };
    let pools = store.list(Kind::IpPool, None).await?;
    for pool in pools.items.iter().filter(|pool| pool.key != *key) {
        let other: Value = serde_json::from_slice(&pool.value).unwrap_or_default();
        let Ok(other) = text(&other, "cidr").parse::<IpNet>() else { continue };
        if other.contains(&cidr) || cidr.contains(&other) {
            let reason = format!("{cidr} overlaps {other} of {}", pool.key);
            return Ok(Some(problem("cidr", reason)));
        }
    }
    Ok(None)
}

/// The policies of a tier, which has to stay as long as there are any.
pub(crate) async fn policies_of_tier<S: Store>(store: &S, tier: &str) -> Result<Vec<Key>, StoreError> {
    let mut policies = Vec::new();
    for kind in [Kind::GlobalNetworkPolicy, Kind::NetworkPolicy] {
        let listing = store.list(kind, None).await?;
        let in_tier = listing.items.into_iter().filter(|policy| {
            serde_json::from_slice(&policy.value).is_ok_and(|document: Value| text(&document, "tier") == tier)
        });
        policies.extend(in_tier.map(|policy| policy.key));
    }
    Ok(policies)
}

fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document.get("spec").and_then(|spec| spec.get(field)).and_then(Value::as_str).unwrap_or_default()
}

fn problem(field: &str, reason: String) -> Problem {
    Problem { path: FieldPath::fields(&["spec", field]), reason }
}
