//! Showing resources.

use anyhow::bail;
use datastore_adapters::Store;
use model::{
    Key, Kind, Version,
    validate::{DEFAULT_ALLOW_PROFILE, PROTECTED_TIERS},
};
use serde_json::{Value, json};

use crate::{arguments::Get, console::Console, kind_name, output, remove};

/// A resource on its way to the screen.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) key: Key,
    pub(crate) document: Value,
    /// None for what exists without being stored.
    pub(crate) revision: Option<Version>,
}

/// Shows everything that was asked for. `false` where something that was named does not exist.
pub(crate) async fn run<S: Store>(what: &Get, store: &S, console: &mut Console<'_>) -> anyhow::Result<bool> {
    let is_single = what.kind.contains('/') || what.names.len() == 1;
    let mut all_found = true;
    let mut found: Vec<(Kind, Vec<Shown>)> = Vec::new();
    if what.kind.contains('/') || !what.names.is_empty() {
        for key in remove::named(&what.kind, &what.names, &what.namespace)? {
            if let Some(shown) = get(store, &key).await? {
                add(&mut found, key.kind(), vec![shown]);
            } else {
                all_found = false;
                console.tell(&format!("error: {key} does not exist"))?;
            }
        }
    } else {
        for kind in what.kind.split(',') {
            let kind = kind_name::parse(kind)?;
            let namespace = (!what.all_namespaces && kind.is_namespaced()).then_some(what.namespace.as_str());
            add(&mut found, kind, list(store, kind, namespace).await?);
        }
    }
    if found.iter().all(|(_, shown)| shown.is_empty()) && all_found {
        console.tell(&nothing_found(what, &found))?;
    }
    let text = output::render(&found, what.output, what.all_namespaces, is_single)?;
    if !text.is_empty() {
        console.say(&text)?;
    }
    Ok(all_found)
}

fn add(found: &mut Vec<(Kind, Vec<Shown>)>, kind: Kind, mut shown: Vec<Shown>) {
    match found.iter_mut().find(|(known, _)| *known == kind) {
        Some((_, together)) => together.append(&mut shown),
        None => found.push((kind, shown)),
    }
}

fn nothing_found(what: &Get, found: &[(Kind, Vec<Shown>)]) -> String {
    let is_namespaced = found.iter().any(|(kind, _)| kind.is_namespaced());
    if is_namespaced && !what.all_namespaces {
        format!("no {} in namespace {}; -A looks in all", what.kind, what.namespace)
    } else {
        format!("no {}", what.kind)
    }
}

async fn get<S: Store>(store: &S, key: &Key) -> anyhow::Result<Option<Shown>> {
    match store.get(key).await? {
        Some(stored) => Ok(Some(decode(stored.key, &stored.value, stored.revision)?)),
        None => Ok(built_in(key.kind()).into_iter().find(|shown| shown.key == *key)),
    }
}

async fn list<S: Store>(store: &S, kind: Kind, namespace: Option<&str>) -> anyhow::Result<Vec<Shown>> {
    let listing = store.list(kind, namespace).await?;
    let mut shown = Vec::with_capacity(listing.items.len());
    for stored in listing.items {
        shown.push(decode(stored.key, &stored.value, stored.revision)?);
    }
    for built_in in built_in(kind) {
        if !shown.iter().any(|stored| stored.key == built_in.key) {
            shown.push(built_in);
        }
    }
    shown.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(shown)
}

fn decode(key: Key, value: &[u8], revision: Version) -> anyhow::Result<Shown> {
    let mut document: Value = match serde_json::from_slice(value) {
        Ok(document @ Value::Object(_)) => document,
        Ok(_) => bail!("{key}: what is stored is not an object; replace it or delete it"),
        Err(error) => bail!("{key}: what is stored is not JSON: {error}; replace it or delete it"),
    };
    if let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("resourceVersion".to_owned(), revision.to_string().into());
    }
    Ok(Shown { key, document, revision: Some(revision) })
}

/// What exists without being stored.
fn built_in(kind: Kind) -> Vec<Shown> {
    match kind {
        Kind::Tier => PROTECTED_TIERS
            .iter()
            .map(|tier| Shown { key: Key::global(kind, tier.name), document: tier.document(), revision: None })
            .collect(),
        Kind::Profile => {
            let document = json!({
                "apiVersion": "projectcalico.org/v3",
                "kind": "Profile",
                "metadata": {"name": DEFAULT_ALLOW_PROFILE},
                "spec": {"ingress": [{"action": "Allow"}], "egress": [{"action": "Allow"}]},
            });
            vec![Shown { key: Key::global(kind, DEFAULT_ALLOW_PROFILE), document, revision: None }]
        }
        _ => Vec::new(),
    }
}
