//! What every [`Source`](datastore_adapters::Source) does. [`Mirror`] checks order and atomicity of everything on the way.

use bytes::Bytes;
use datastore_adapters::{Store, Write};
use etcd_client::{Txn, TxnOp};
use model::{Key, Kind, Update, Version};
use serde_json::{Value, json};

use super::{
    mirror::Mirror,
    peer::Peer,
    proxy::{Cable, Proxy},
};

fn tier(name: &str) -> Key {
    Key::global(Kind::Tier, name)
}

fn document(order: usize) -> Bytes {
    json!({"metadata": {}, "spec": {"order": order}}).to_string().into()
}

fn put(name: &str, order: usize) -> Write {
    Write::Put(tier(name), document(order))
}

fn order(mirror: &Mirror, name: &str) -> Value {
    mirror.value(&tier(name)).map_or(Value::Null, |value| value["spec"]["order"].clone())
}

pub(super) async fn lists_and_then_follows(peer: Peer) {
    let store = peer.store().await;
    let listed = store.create(&tier("a"), document(1)).await.unwrap();
    let mut mirror = Mirror::of(peer.source());
    mirror.until_listed().await;
    assert_eq!((mirror.resources.len(), mirror.revision), (1, listed));
    assert_eq!(mirror.resources["Tier/a"].1, listed);
    assert_ne!(mirror.datastore_id, 0);

    let created = store.create(&tier("b"), document(2)).await.unwrap();
    let updated = store.update(&tier("a"), document(3), listed).await.unwrap();
    let deleted = store.delete(&tier("b"), None).await.unwrap();
    mirror.until_revision(deleted).await;
    let expected = [
        (created, vec!["Tier/b".to_owned()]),
        (updated, vec!["Tier/a".to_owned()]),
        (deleted, vec!["Tier/b".to_owned()]),
    ];
    assert_eq!(mirror.applied, expected);
    assert_eq!((order(&mirror, "a"), order(&mirror, "b")), (json!(3), Value::Null));
    assert_eq!((mirror.lists, mirror.unavailable), (1, 0));
}

pub(super) async fn sends_a_transaction_in_one_piece(peer: Peer) {
    let store = peer.store().await;
    let mut mirror = Mirror::of(peer.source());
    mirror.until_listed().await;
    // First and last in the order of paths, so that they are far apart, and others between; large, so that one
    // message does not hold them all.
    let filler = "x".repeat(10_000);
    let value =
        |n: usize| Bytes::from(json!({"metadata": {"n": n, "filler": filler}, "spec": {"order": n}}).to_string());
    let mut keys: Vec<_> = (0..100).map(|n| tier(&format!("t{n:03}"))).collect();
    keys.push(Key::global(Kind::IpamBlock, "10.0.0.0-26"));
    keys.push(Key::global(Kind::Namespace, "shop"));
    for round in 0..5 {
        let writes = keys.iter().map(|key| Write::Put(key.clone(), value(round))).collect();
        let revision = store.transact(writes).await.unwrap();
        mirror.until_revision(revision).await;
        let mut expected: Vec<_> = keys.iter().map(Key::to_string).collect();
        expected.sort();
        assert_eq!(mirror.applied.last(), Some(&(revision, expected)));
    }
    assert_eq!(mirror.applied.len(), 5);
}

pub(super) async fn ignores_foreign_keys_and_passes_on_what_it_cannot_read(peer: Peer) {
    let mut client = peer.client().await;
    let ours = "/calico/resources/v3/projectcalico.org";
    client.put("/registry/pods/a/b", "of somebody else", None).await.unwrap();
    client.put("/calico/ipam/v2/handle/h1", "{}", None).await.unwrap();
    client.put(format!("{ours}/bgppeers/p"), "{}", None).await.unwrap();
    client.put(format!("{ours}/tiers/not-json"), "certainly not", None).await.unwrap();
    let mut mirror = Mirror::of(peer.source());
    mirror.until_listed().await;
    assert_eq!(mirror.resources.keys().collect::<Vec<_>>(), ["Tier/not-json"]);
    assert_eq!(mirror.resources["Tier/not-json"].0, "certainly not");

    let broken = "/cattail/kubernetes/v1/networkpolicies/shop/broken";
    let mixed = [
        TxnOp::put("/registry/pods/a/b", "changed", None),
        TxnOp::put(format!("{ours}/networkpolicies/shop/web"), "{", None),
        TxnOp::put(format!("{ours}/networkpolicies/no-namespace"), "{}", None),
        TxnOp::put("/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26", "", None),
        TxnOp::put(broken, r#"{"spec": 7}"#, None),
    ];
    let answer = client.txn(Txn::new().and_then(mixed)).await.unwrap();
    let revision = answer.header().unwrap().revision() as Version;
    mirror.until_revision(revision).await;
    let expected = ["IPAMBlock/10.0.0.0-26", "KubernetesNetworkPolicy/shop/broken", "NetworkPolicy/shop/web"];
    assert_eq!(mirror.applied, [(revision, expected.map(str::to_owned).to_vec())]);
    assert_eq!(mirror.resources["KubernetesNetworkPolicy/shop/broken"].0, r#"{"spec": 7}"#);
}

pub(super) async fn projects_kubernetes_objects(peer: Peer) {
    let store = peer.store().await;
    let namespace = Key::global(Kind::Namespace, "shop");
    let labelled = json!({"metadata": {"name": "shop", "labels": {"team": "web"}}});
    store.create(&namespace, labelled.to_string().into()).await.unwrap();
    let mut mirror = Mirror::of(peer.source());
    mirror.until_listed().await;
    let profile = mirror.value(&namespace).expect("a profile");
    assert_eq!(profile["spec"]["labelsToApply"]["pcns.team"], json!("web"), "{profile}");

    // A pod becomes an endpoint once it has an address, and is none any more when it has finished.
    let key = Key::namespaced(Kind::Pod, "shop", "cart");
    let pod = |phase: &str| {
        let status = json!({"phase": phase, "podIPs": [{"ip": "10.65.0.2"}], "podIP": "10.65.0.2"});
        let pod = json!({"metadata": {"name": "cart", "namespace": "shop"}, "spec": {"nodeName": "n1", "containers": []}, "status": status});
        Bytes::from(pod.to_string())
    };
    let started = store.create(&key, pod("Running")).await.unwrap();
    mirror.until_revision(started).await;
    assert_eq!(mirror.value(&key).expect("an endpoint")["spec"]["ipNetworks"], json!(["10.65.0.2/32"]));
    let finished = store.update(&key, pod("Succeeded"), started).await.unwrap();
    mirror.until_revision(finished).await;
    assert_eq!(mirror.value(&key), None);
    assert_eq!(parsed(&store.get(&key).await.unwrap().unwrap().value)["status"]["phase"], json!("Succeeded"));
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

pub(super) async fn lists_more_than_a_page(peer: Peer) {
    let store = peer.store().await;
    for part in (0..1300).collect::<Vec<_>>().chunks(100) {
        store.transact(part.iter().map(|n| put(&format!("t{n}"), *n)).collect()).await.unwrap();
    }
    let mut mirror = Mirror::of(peer.source());
    mirror.until_listed().await;
    assert_eq!(mirror.resources.len(), 1300);
    assert!((0..1300).all(|n| order(&mirror, &format!("t{n}")) == json!(n)));
}

pub(super) async fn waits_for_a_datastore_that_is_down_at_start(mut peer: Peer) {
    let store = peer.store().await;
    store.create(&tier("a"), document(1)).await.unwrap();
    peer.kill();
    let mut mirror = Mirror::of(peer.source());
    mirror.until("two failures", |mirror| mirror.unavailable >= 2).await;
    assert!(mirror.reasons.iter().all(|reason| reason.contains(&peer.endpoint())), "{:?}", mirror.reasons);
    assert_eq!(mirror.lists, 0);
    peer.start().await;
    mirror.until_listed().await;
    assert_eq!(order(&mirror, "a"), json!(1));
}

pub(super) async fn resumes_where_it_was(mut peer: Peer) {
    let mut revisions = Vec::new();
    let mut mirror = Mirror::of(peer.source());
    mirror.until_listed().await;
    for round in 0..3 {
        let store = peer.store().await;
        for n in 0..10 {
            revisions.push(store.transact(vec![put(&format!("t{n}"), round * 10 + n)]).await.unwrap());
        }
        // In the middle of what it is reading, or after it.
        let seen = revisions[revisions.len() - 1 - round];
        mirror.until_revision(seen).await;
        peer.kill();
        mirror.until("the loss to be noticed", |mirror| mirror.unavailable > round).await;
        peer.start().await;
    }
    mirror.until_revision(*revisions.last().unwrap()).await;
    assert_eq!(mirror.lists, 1, "nothing was listed again; failures {:#?}", mirror.reasons);
    assert_eq!(mirror.applied.iter().map(|(revision, _)| *revision).collect::<Vec<_>>(), revisions);
    assert!((0..10).all(|n| order(&mirror, &format!("t{n}")) == json!(20 + n)));
}

pub(super) async fn lists_again_after_compaction_and_clears_nothing(peer: Peer) {
    let (store, proxy) = (peer.store().await, Proxy::before(&peer).await);
    store.transact(vec![put("kept", 1), put("changed", 1), put("removed", 1)]).await.unwrap();
    let mut mirror = Mirror::of(proxy.source());
    mirror.until_listed().await;

    proxy.set(Cable::Cut);
    mirror.until("the loss to be noticed", |mirror| mirror.unavailable > 0).await;
    store.transact(vec![put("changed", 2), put("added", 2)]).await.unwrap();
    let last = store.delete(&tier("removed"), None).await.unwrap();
    peer.client().await.compact(last.cast_signed(), None).await.unwrap();
    proxy.set(Cable::Plugged);

    // The mirror sweeps at the end of the list and not before: what was kept never went away, and what went away
    // while nobody looked is gone although no deletion was ever told.
    mirror.until("a second list", |mirror| mirror.lists == 2).await;
    assert_eq!(mirror.revision, last);
    assert_eq!(mirror.applied, []);
    let found = ["kept", "changed", "added", "removed"].map(|name| order(&mirror, name));
    assert_eq!(found, [json!(1), json!(2), json!(2), Value::Null]);

    let next = store.transact(vec![put("kept", 3)]).await.unwrap();
    mirror.until_revision(next).await;
    assert_eq!(order(&mirror, "kept"), json!(3));
}

pub(super) async fn notices_a_connection_that_went_silent(peer: Peer) {
    let (store, proxy) = (peer.store().await, Proxy::before(&peer).await);
    let mut mirror = Mirror::of(proxy.source());
    mirror.until_listed().await;
    proxy.set(Cable::Dead);
    let missed = store.transact(vec![put("a", 1)]).await.unwrap();
    mirror.until("the silence to be noticed", |mirror| mirror.unavailable > 0).await;
    assert!(mirror.revision < missed);
    proxy.set(Cable::Plugged);
    mirror.until_revision(missed).await;
    assert_eq!((order(&mirror, "a"), mirror.lists), (json!(1), 1));
}

pub(super) async fn proves_progress_past_foreign_writes(peer: Peer) {
    let store = peer.store().await;
    store.transact(vec![put("a", 1), put("b", 1)]).await.unwrap();
    let mut mirror = Mirror::of(peer.source());
    mirror.until_listed().await;
    let mut client = peer.client().await;
    let foreign = client.put("/registry/pods/a/b", "of somebody else", None).await.unwrap();
    mirror.until_revision(foreign.header().unwrap().revision() as Version).await;
    assert_eq!((mirror.applied.len(), mirror.lists, mirror.unavailable), (0, 1, 0));
    let next = store.delete(&tier("b"), None).await.unwrap();
    mirror.until_revision(next).await;
    assert_eq!(mirror.applied, [(next, vec!["Tier/b".to_owned()])]);
}

pub(super) async fn reads_lost_keys_again(peer: Peer) {
    let store = peer.store().await;
    let written = store.transact(vec![put("a", 1), put("b", 1)]).await.unwrap();
    let mut mirror = Mirror::of(peer.source());
    mirror.until_listed().await;
    let last = store.transact(vec![put("b", 2)]).await.unwrap();
    mirror.until_revision(last).await;
    let (revision, items) = mirror.ask(vec![tier("b"), tier("never-there"), tier("a")]).await;
    assert_eq!(revision, mirror.revision);
    let found: Vec<_> = items.iter().map(|item| (item.key.name(), item.value.is_some(), item.revision)).collect();
    assert_eq!(found, [("b", true, last), ("never-there", false, revision), ("a", true, written)]);
    assert_eq!(mirror.value(&tier("b")).unwrap()["spec"]["order"], json!(2));
    assert_eq!(items[0].value.as_ref(), Some(&mirror.resources["Tier/b"].0), "as it was told before");

    // What comes after an answer is told as before.
    let next = store.delete(&tier("a"), None).await.unwrap();
    mirror.until_revision(next).await;
    assert_eq!(
        mirror.ask(vec![tier("a")]).await.1,
        [Update { key: tier("a"), value: None, revision: mirror.revision }]
    );
    assert_eq!((mirror.lists, mirror.unavailable), (1, 0));
}

pub(super) async fn notices_another_datastore(mut peer: Peer) {
    peer.store().await.transact(vec![put("a", 1), put("b", 1)]).await.unwrap();
    let mut mirror = Mirror::of(peer.source());
    mirror.until_listed().await;
    let former_id = mirror.datastore_id;
    peer.kill();
    peer.wipe();
    peer.start().await;
    mirror.until("a second list", |mirror| mirror.lists == 2).await;
    assert_ne!(mirror.datastore_id, former_id);
    assert_eq!(mirror.resources.len(), 0);
    let created = peer.store().await.create(&tier("c"), document(1)).await.unwrap();
    mirror.until("the new tier", |mirror| !mirror.resources.is_empty()).await;
    assert_eq!(mirror.resources["Tier/c"].1, created);
}
