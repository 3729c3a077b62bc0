//! Paths in the shapes that Calico uses.

use super::*;

const GOLDEN: [(&str, &str); 19] = [
    ("ClusterInformation/default", "/calico/resources/v3/projectcalico.org/clusterinformations/default"),
    ("FelixConfiguration/node.edge-7", "/calico/resources/v3/projectcalico.org/felixconfigurations/node.edge-7"),
    (
        "GlobalNetworkPolicy/security.block",
        "/calico/resources/v3/projectcalico.org/globalnetworkpolicies/security.block",
    ),
    ("GlobalNetworkSet/partners", "/calico/resources/v3/projectcalico.org/globalnetworksets/partners"),
    ("HostEndpoint/edge-7-uplink", "/calico/resources/v3/projectcalico.org/hostendpoints/edge-7-uplink"),
    ("IPAMBlock/10.65.3.128-26", "/calico/ipam/v2/assignment/ipv4/block/10.65.3.128-26"),
    ("IPAMBlock/fd00:65::40-122", "/calico/ipam/v2/assignment/ipv6/block/fd00:65::40-122"),
    ("IPPool/pods-v4", "/calico/resources/v3/projectcalico.org/ippools/pods-v4"),
    ("KubernetesNetworkPolicy/shop/cart", "/cattail/kubernetes/v1/networkpolicies/shop/cart"),
    ("Namespace/shop", "/cattail/kubernetes/v1/namespaces/shop"),
    ("NetworkPolicy/shop/cart", "/calico/resources/v3/projectcalico.org/networkpolicies/shop/cart"),
    ("NetworkPolicy/shop/default.cart", "/calico/resources/v3/projectcalico.org/networkpolicies/shop/default.cart"),
    ("NetworkSet/shop/suppliers", "/calico/resources/v3/projectcalico.org/networksets/shop/suppliers"),
    ("Node/edge-7", "/calico/resources/v3/projectcalico.org/nodes/edge-7"),
    ("Pod/shop/cart-0", "/cattail/kubernetes/v1/pods/shop/cart-0"),
    ("Profile/kns.shop", "/calico/resources/v3/projectcalico.org/profiles/kns.shop"),
    ("ServiceAccount/shop/clerk", "/cattail/kubernetes/v1/serviceaccounts/shop/clerk"),
    ("Tier/security", "/calico/resources/v3/projectcalico.org/tiers/security"),
    (
        "WorkloadEndpoint/shop/edge--7-k8s-cart--0-eth0",
        "/calico/resources/v3/projectcalico.org/workloadendpoints/shop/edge--7-k8s-cart--0-eth0",
    ),
];

#[test]
fn keys_and_paths_are_one_to_one() {
    for (text, expected) in GOLDEN {
        let of_text: Key = text.parse().expect("a key");
        assert_eq!(path(&of_text), expected);
        assert_eq!(key(expected.as_bytes()), Some(of_text.clone()));
        assert!(is_storable(&of_text) && is_ours(expected.as_bytes()), "{text}");
    }
    for kind in Kind::ALL {
        assert!(GOLDEN.iter().any(|(text, _)| text.starts_with(&format!("{kind}/"))), "{kind} has no example");
    }
}

#[test]
fn every_path_is_under_its_directory_and_within_the_watch() {
    for (text, path) in GOLDEN {
        let key: Key = text.parse().expect("a key");
        assert!(path.starts_with(&directory(key.kind(), None)), "{text}");
        assert!(path.starts_with(&directory(key.kind(), key.namespace())), "{text}");
        assert!(path >= WATCH_RANGE.0 && path < WATCH_RANGE.1, "{text}");
    }
}

#[test]
fn other_paths_are_no_keys() {
    let resources = "/calico/resources/v3/projectcalico.org";
    let foreign = [
        String::new(),
        "/".into(),
        "/registry/pods/shop/cart-0".into(),
        "/calico/ipam/v2/config".into(),
        "/calico/ipam/v2/host/edge-7/ipv4/block/10.65.3.128-26".into(),
        "/calico/ipam/v2/assignment/ipv4/block/".into(),
        "/calico/ipam/v2/assignment/ipv6/block/10.65.3.128-26".into(),
        "/calico/ipam/v2/assignment/ipv4/block/10.65.3.128/26".into(),
        format!("{resources}/"),
        format!("{resources}/tiers"),
        format!("{resources}/tiers/"),
        format!("{resources}/tiers/a/b"),
        format!("{resources}/ipamblocks/10.65.3.128-26"),
        format!("{resources}/bgppeers/rack-1"),
        format!("{resources}/pods/shop/cart-0"),
        format!("{resources}/networkpolicies/cart"),
        format!("{resources}/networkpolicies//cart"),
        format!("{resources}/networkpolicies/shop/"),
        format!("{resources}/networkpolicies/shop/cart/x"),
        "/cattail/kubernetes/v1/tiers/security".into(),
    ];
    for path in foreign {
        assert_eq!(key(path.as_bytes()), None, "{path}");
    }
    assert_eq!(key(b"/calico/resources/v3/projectcalico.org/tiers/\xff"), None);
}

#[test]
fn names_that_would_become_another_path_cannot_be_stored() {
    assert!(!is_storable(&Key::global(Kind::Tier, "a/b")));
    assert!(!is_storable(&Key::global(Kind::Tier, "")));
    assert!(!is_storable(&Key::namespaced(Kind::Pod, "", "cart")));
    assert!(!is_storable(&Key::global(Kind::IpamBlock, "10.65.3.128/26")));
}
