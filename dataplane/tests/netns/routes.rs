//! Routes, and interfaces that come later.

use model::intent::{Delta, RouteIntent};

use crate::{
    intent::*,
    world::{OUTSIDE, World, assert_ping},
};

const A: [&str; 2] = ["10.65.0.1", "fd00:65::1"];

fn remote(net: &str, next_hop: &str) -> Delta {
    let route = RouteIntent::RemoteNode { node: "other".into(), next_hop: next_hop.parse().unwrap() };
    route_to(net, Some(route))
}

fn route_to(net: &str, route: Option<RouteIntent>) -> Delta {
    let mut delta = Delta::default();
    delta.routes.insert(net.parse().unwrap(), route);
    delta
}

#[test]
fn an_endpoint_is_served_when_its_interface_comes() {
    let mut world = World::new();
    let applied = world.apply(&workload("a", &A, &[], &[]));
    assert_eq!(applied.waiting, ["calia".into()]);
    world.add_pod("a", A[0], A[1]);
    let applied = world.settle();
    assert_eq!((applied.route_changes, applied.rule_changes), (2, 0));
    assert_ping(world.pod("a"), OUTSIDE);
    // The kernel removes an interface's routes with it; an interface that comes again gets them again.
    world.node.ip("link set calia down");
    world.node.ip("link set calia up");
    world.settle();
    assert_ping(world.pod("a"), OUTSIDE);
    let forwarding = world.node.command("cat /proc/sys/net/ipv4/conf/calia/proxy_arp /proc/sys/net/ipv4/ip_forward");
    assert_eq!(forwarding, "1\n1\n");
}

#[test]
fn remote_prefixes_change_their_way_and_go() {
    let mut world = World::new();
    assert_eq!(world.apply(&remote("10.77.0.0/26", "192.0.2.2")).route_changes, 1);
    assert_eq!(ours(&world), "10.77.0.0/26 via 192.0.2.2 dev eth0 metric 1024");
    assert_eq!(world.apply(&remote("10.77.0.0/26", "192.0.2.2")).route_changes, 0);
    assert_eq!(world.apply(&remote("10.77.0.0/26", "192.0.2.3")).route_changes, 1);
    assert_eq!(ours(&world), "10.77.0.0/26 via 192.0.2.3 dev eth0 metric 1024");
    // Not in a subnet of the node's: the way there is through the interface of the default route.
    world.apply(&remote("10.77.0.0/26", "198.51.100.7"));
    assert_eq!(ours(&world), "10.77.0.0/26 via 198.51.100.7 dev eth0 metric 1024 onlink");
    world.apply(&route_to("10.77.0.0/26", Some(RouteIntent::Blackhole)));
    assert_eq!(ours(&world), "blackhole 10.77.0.0/26 metric 1024");
    world.apply(&remote("10.77.0.0/26", "192.0.2.2"));
    assert_eq!(ours(&world), "10.77.0.0/26 via 192.0.2.2 dev eth0 metric 1024");
    world.apply(&route_to("10.77.0.0/26", None));
    assert_eq!(ours(&world), "");
}

#[test]
fn a_route_that_is_refused_is_reported_alone_and_tried_again() {
    let mut world = World::new();
    world.node.ip("route del default");
    let applied = world.try_apply(&merge([remote("10.77.0.0/26", "203.0.113.1"), remote("10.78.0.0/26", "192.0.2.2")]));
    let failures: Vec<_> = applied.failures.iter().map(|failure| failure.object.to_string()).collect();
    assert_eq!(failures, ["route 10.77.0.0/26"]);
    assert!(applied.failures[0].reason.contains("203.0.113.1, the address of node other"), "{:?}", applied.failures);
    assert_eq!(ours(&world), "10.78.0.0/26 via 192.0.2.2 dev eth0 metric 1024");
    world.node.ip("route add default via 192.0.2.2");
    assert_eq!(world.apply(&Delta::default()).route_changes, 1);
}

#[test]
fn many_routes_go_in_few_datagrams() {
    let mut world = World::new();
    let many =
        merge((0..2000).map(|number| remote(&format!("10.{}.{}.0/24", 80 + number / 256, number % 256), "192.0.2.2")));
    assert_eq!(world.apply(&many).route_changes, 2000);
    assert_eq!(ours(&world).lines().count(), 2000);
    world.restart(dataplane::Config::default());
    assert_eq!(world.apply(&many).route_changes, 0);
}

fn ours(world: &World) -> String {
    let routes = world.node.ip("route show proto 202");
    routes.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}
