//! What every [`Store`] does.

use bytes::Bytes;
use datastore_adapters::{EtcdConfig, EtcdStore, Store, StoreError, Write};
use model::{Key, Kind};
use serde_json::{Value, json};

use super::peer::Peer;

fn tier(name: &str) -> Key {
    Key::global(Kind::Tier, name)
}

fn document(name: &str, order: u32) -> Bytes {
    let tier = json!({"kind": "Tier", "apiVersion": "projectcalico.org/v3", "metadata": {"name": name}, "spec": {"order": order}});
    tier.to_string().into()
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

pub(super) async fn creates_reads_updates_and_deletes(peer: Peer) {
    let (store, key) = (peer.store().await, tier("ops"));
    assert_eq!(store.get(&key).await.unwrap(), None);

    let created = store.create(&key, document("ops", 1)).await.unwrap();
    let found = store.get(&key).await.unwrap().expect("it was created");
    assert_eq!((found.key, found.revision), (key.clone(), created));
    assert_eq!(parsed(&found.value), parsed(&document("ops", 1)));

    let updated = store.update(&key, document("ops", 2), created).await.unwrap();
    assert!(updated > created);
    let found = store.get(&key).await.unwrap().expect("it is still there");
    assert_eq!((parsed(&found.value)["spec"]["order"].clone(), found.revision), (json!(2), updated));

    let deleted = store.delete(&key, Some(updated)).await.unwrap();
    assert!(deleted > updated);
    assert_eq!(store.get(&key).await.unwrap(), None);
    assert!(matches!(store.delete(&key, None).await, Err(StoreError::NotFound(of)) if of == key));
    assert!(matches!(store.update(&key, document("ops", 3), updated).await, Err(StoreError::NotFound(_))));
}

pub(super) async fn refuses_to_create_what_exists(peer: Peer) {
    let (store, key) = (peer.store().await, tier("ops"));
    store.create(&key, document("ops", 1)).await.unwrap();
    let again = store.create(&key, document("ops", 2)).await;
    assert!(matches!(again, Err(StoreError::AlreadyExists(ref of)) if *of == key), "{again:?}");
    assert_eq!(parsed(&store.get(&key).await.unwrap().unwrap().value)["spec"]["order"], json!(1));
}

pub(super) async fn refuses_to_write_over_a_change_it_has_not_seen(peer: Peer) {
    let (store, key) = (peer.store().await, tier("ops"));
    let seen = store.create(&key, document("ops", 1)).await.unwrap();
    let unseen = store.update(&key, document("ops", 2), seen).await.unwrap();
    for refused in [store.update(&key, document("ops", 3), seen).await, store.delete(&key, Some(seen)).await] {
        match refused {
            Err(StoreError::Conflict { expected, actual, .. }) => assert_eq!((expected, actual), (seen, unseen)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(parsed(&store.get(&key).await.unwrap().unwrap().value)["spec"]["order"], json!(2));
}

pub(super) async fn lists_in_order_of_keys_and_at_one_revision(peer: Peer) {
    let store = peer.store().await;
    // More than a page of etcd's, and a kind whose name is a prefix of nothing else here.
    let keys: Vec<_> =
        (0..1100).map(|n| Key::namespaced(Kind::NetworkSet, format!("ns-{}", n % 3), format!("set-{n}"))).collect();
    for part in keys.chunks(100) {
        let writes = part.iter().map(|key| Write::Put(key.clone(), json!({"spec": {}}).to_string().into()));
        store.transact(writes.collect()).await.unwrap();
    }
    store.create(&tier("ops"), document("ops", 1)).await.unwrap();

    let all = store.list(Kind::NetworkSet, None).await.unwrap();
    let mut expected = keys.clone();
    expected.sort();
    assert_eq!(all.items.iter().map(|item| item.key.clone()).collect::<Vec<_>>(), expected);
    assert!(all.items.iter().all(|item| item.revision <= all.revision));

    let one = store.list(Kind::NetworkSet, Some("ns-1")).await.unwrap();
    expected.retain(|key| key.namespace() == Some("ns-1"));
    assert_eq!(one.items.into_iter().map(|item| item.key).collect::<Vec<_>>(), expected);
    assert_eq!(store.list(Kind::Node, None).await.unwrap().items, []);
}

pub(super) async fn writes_a_transaction_as_one_revision(peer: Peer) {
    let store = peer.store().await;
    store.create(&tier("old"), document("old", 1)).await.unwrap();
    let writes = vec![
        Write::Put(tier("a"), document("a", 1)),
        Write::Put(tier("b"), document("b", 2)),
        Write::Delete(tier("old")),
        Write::Delete(tier("never-there")),
    ];
    let revision = store.transact(writes).await.unwrap();
    let listing = store.list(Kind::Tier, None).await.unwrap();
    let found: Vec<_> = listing.items.iter().map(|item| (item.key.name(), item.revision)).collect();
    assert_eq!(found, [("a", revision), ("b", revision)]);
    assert_eq!(listing.revision, revision);
}

pub(super) async fn refuses_a_transaction_that_is_too_large(peer: Peer) {
    let store = peer.store().await;
    let writes = (0..129).map(|n| Write::Put(tier(&format!("t{n}")), document("t", n))).collect();
    assert!(matches!(store.transact(writes).await, Err(StoreError::Invalid(_))));

    let large = json!({"metadata": {"name": "large"}, "spec": {"filler": "x".repeat(2 << 20)}}).to_string();
    let refused = store.create(&tier("large"), large.into()).await;
    assert!(matches!(refused, Err(StoreError::Invalid(ref reason)) if reason.contains("Tier/large")), "{refused:?}");
    assert_eq!(store.list(Kind::Tier, None).await.unwrap().items, []);
}

pub(super) async fn keeps_unknown_fields_and_strips_the_revision(peer: Peer) {
    let (store, key) = (peer.store().await, Key::global(Kind::GlobalNetworkSet, "blocked"));
    let given = json!({
        "kind": "GlobalNetworkSet",
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": "blocked", "resourceVersion": "17", "selfLink": "/x", "annotations": {"team": "net"}},
        "spec": {"nets": ["192.0.2.0/24"], "fieldOfTheFuture": {"deep": [1, 2.5, null, 1_735_689_600_000_000_003_u64]}}
    });
    store.create(&key, given.to_string().into()).await.unwrap();
    let mut expected = given;
    let metadata = expected["metadata"].as_object_mut().unwrap();
    metadata.remove("resourceVersion");
    metadata.remove("selfLink");
    assert_eq!(parsed(&store.get(&key).await.unwrap().unwrap().value), expected);
}

pub(super) async fn stores_as_calico_does(peer: Peer) {
    let (store, mut client) = (peer.store().await, peer.client().await);
    let policy = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {"selector": "all()"}});
    let key = Key::namespaced(Kind::NetworkPolicy, "shop", "web");
    store.create(&key, policy.to_string().into()).await.unwrap();
    let stored = client.get("/calico/resources/v3/projectcalico.org/networkpolicies/shop/web", None).await.unwrap();
    let stored = parsed(stored.kvs()[0].value());
    assert_eq!(stored["metadata"]["annotations"]["projectcalico.org/metadata"], json!(r#"{"name":"web"}"#));
    assert_eq!(parsed(&store.get(&key).await.unwrap().unwrap().value), policy);

    let block = Key::global(Kind::IpamBlock, "10.65.0.64-26");
    store.create(&block, json!({"cidr": "10.65.0.64/26"}).to_string().into()).await.unwrap();
    let stored = client.get("/calico/ipam/v2/assignment/ipv4/block/10.65.0.64-26", None).await.unwrap();
    assert_eq!(parsed(stored.kvs()[0].value()), json!({"cidr": "10.65.0.64/26"}));
    assert_eq!(store.list(Kind::IpamBlock, None).await.unwrap().items[0].key, block);
}

pub(super) async fn finds_policies_under_their_former_names(peer: Peer) {
    let (store, mut client) = (peer.store().await, peer.client().await);
    let former = "/calico/resources/v3/projectcalico.org/globalnetworkpolicies/default.deny-all";
    let policy = json!({"metadata": {"name": "default.deny-all"}, "spec": {"tier": "default", "order": 5}});
    client.put(former, policy.to_string(), None).await.unwrap();

    let key = Key::global(Kind::GlobalNetworkPolicy, "deny-all");
    let found = store.get(&key).await.unwrap().expect("it is there, under its former name");
    assert_eq!(found.key, key);
    assert_eq!(parsed(&found.value)["metadata"]["name"], json!("deny-all"));
    assert_eq!(store.list(Kind::GlobalNetworkPolicy, None).await.unwrap().items, std::slice::from_ref(&found));

    assert!(matches!(store.create(&key, found.value.clone()).await, Err(StoreError::AlreadyExists(_))));
    let updated = store.update(&key, found.value.clone(), found.revision).await.unwrap();
    assert_eq!(client.get(former, None).await.unwrap().kvs()[0].mod_revision() as u64, updated, "it stays where it is");
    assert_eq!(store.list(Kind::GlobalNetworkPolicy, None).await.unwrap().items.len(), 1);
    store.delete(&key, Some(updated)).await.unwrap();
    assert_eq!(client.get(former, None).await.unwrap().kvs().len(), 0);
}

pub(super) async fn refuses_a_name_with_a_slash(peer: Peer) {
    let store = peer.store().await;
    let refused = store.create(&tier("a/b"), document("a/b", 1)).await;
    assert!(matches!(refused, Err(StoreError::Invalid(ref reason)) if reason.contains("Tier/a/b")), "{refused:?}");
}

pub(super) async fn names_a_datastore_that_is_down(mut peer: Peer) {
    let store = peer.store().await;
    peer.kill();
    let refused = store.get(&tier("ops")).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(ref reason)) if reason.contains(&peer.endpoint())),
        "{refused:?}"
    );
    peer.start().await;
    // The same store works again, without anyone's help; what it lost is at most the request under way.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while let Err(error) = store.create(&tier("ops"), document("ops", 1)).await {
        assert!(tokio::time::Instant::now() < deadline, "{error}");
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

pub(super) async fn passes_over_an_endpoint_that_is_down(peer: Peer) {
    let down = format!("http://127.0.0.1:{}", super::peer::free_port());
    for endpoints in [vec![down.clone(), peer.endpoint()], vec![peer.endpoint(), down.clone()]] {
        let store = EtcdStore::connect(EtcdConfig { endpoints, ..EtcdConfig::default() }).await.unwrap();
        for _ in 0..5 {
            let created = store.create(&tier("ops"), document("ops", 1)).await.unwrap();
            store.delete(&tier("ops"), Some(created)).await.unwrap();
        }
    }
}
