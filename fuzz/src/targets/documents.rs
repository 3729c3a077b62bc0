//! Targets of JSON: the first byte says of which kind it is.

use model::{Key, Kind, kubernetes, resource::Resource};

/// What can be read can be compared with itself and shown.
pub(super) fn resource(bytes: &[u8]) {
    let Some((kind, json)) = bytes.split_first() else { return };
    let key = key(Kind::ALL[usize::from(*kind) % Kind::ALL.len()]);
    if let Ok(resource) = Resource::parse(&key, json) {
        assert!(!format!("{resource:?}").is_empty());
    }
}

/// Every projection can be read by agents.
pub(super) fn kubernetes(bytes: &[u8]) {
    const KINDS: [Kind; 4] = [Kind::Namespace, Kind::ServiceAccount, Kind::Pod, Kind::KubernetesNetworkPolicy];
    let Some((kind, json)) = bytes.split_first() else { return };
    let key = key(KINDS[usize::from(*kind) % KINDS.len()]);
    if let Ok(Some(projection)) = kubernetes::project(&key, json) {
        let read = Resource::parse(&key, &projection);
        assert!(read.is_ok(), "agents cannot read {}: {read:?}", String::from_utf8_lossy(&projection));
    }
}

fn key(kind: Kind) -> Key {
    if kind.is_namespaced() { Key::namespaced(kind, "shop", "web") } else { Key::global(kind, "web") }
}
