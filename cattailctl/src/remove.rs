//! Removing resources.

use std::io::Read;

use anyhow::bail;
use datastore_adapters::{Store, StoreError};
use model::{
    Key, Kind,
    validate::{DEFAULT_ALLOW_PROFILE, PROTECTED_TIERS},
};

use crate::{
    admission::{self, Strictness},
    arguments::Delete,
    console::Console,
    kind_name, reference,
};

/// Removes everything that was named. `false` where something could not be.
pub(crate) async fn run<S: Store>(
    what: &Delete,
    store: &S,
    stdin: &mut dyn Read,
    console: &mut Console<'_>,
) -> anyhow::Result<bool> {
    let (keys, mut failed) = if let Some(kind) = &what.kind {
        (named(kind, &what.names, &what.namespace)?, 0)
    } else {
        let admitted = admission::admit(&what.filename, &what.namespace, Strictness::Named, stdin, console)?;
        // Against the order of writing: what refers to others goes first.
        (admitted.candidates.into_iter().rev().map(|candidate| candidate.key).collect(), admitted.rejected)
    };
    for key in &keys {
        match remove(store, key).await {
            Ok(()) => console.say(&format!("{key} deleted"))?,
            Err(StoreError::NotFound(_)) if what.ignore_not_found => {}
            Err(error @ StoreError::Unavailable(_)) => return Err(error.into()),
            Err(error) => {
                failed += 1;
                console.tell(&format!("error: {error}"))?;
            }
        }
    }
    Ok(failed == 0)
}

/// The keys that `KIND NAME…` or `KIND/NAME` mean.
pub(crate) fn named(kind: &str, names: &[String], namespace: &str) -> anyhow::Result<Vec<Key>> {
    let (kind, names) = match kind.split_once('/') {
        Some((kind, name)) if names.is_empty() => (kind, vec![name.to_owned()]),
        Some(_) => bail!("{kind:?} names a resource already; give either KIND/NAME or KIND NAME"),
        None => (kind, names.to_vec()),
    };
    let kind = kind_name::parse(kind)?;
    if let Some(name) = names.iter().find(|name| name.is_empty() || name.contains('/')) {
        bail!("{name:?} is not a name");
    }
    if names.is_empty() {
        bail!("which {}? Give at least one name", kind_name::singular(kind));
    }
    Ok(names.iter().map(|name| key(kind, namespace, name)).collect())
}

/// The key of a name; the namespace counts where the kind has one.
pub(crate) fn key(kind: Kind, namespace: &str, name: &str) -> Key {
    if kind.is_namespaced() { Key::namespaced(kind, namespace, name) } else { Key::global(kind, name) }
}

async fn remove<S: Store>(store: &S, key: &Key) -> Result<(), StoreError> {
    let is_built_in = match key.kind() {
        Kind::Tier => PROTECTED_TIERS.iter().any(|tier| tier.name == key.name()),
        Kind::Profile => key.name() == DEFAULT_ALLOW_PROFILE,
        _ => false,
    };
    if is_built_in {
        return Err(StoreError::Invalid(format!("{key} is built in: it cannot be deleted")));
    }
    if key.kind() == Kind::Tier
        && let policies = reference::policies_of_tier(store, key.name()).await?
        && let Some(first) = policies.first()
    {
        let others = match policies.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        return Err(StoreError::Invalid(format!("{key} is still used by {first}{others}; delete policies first")));
    }
    store.delete(key, None).await.map(drop)
}
