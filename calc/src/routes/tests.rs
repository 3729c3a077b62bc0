//! Destinations by the resources that make them.

use model::resource::AllocationAttribute;

use super::*;
use crate::items::Content;

/// Routes with the items they speak of, and the sum of what nodes were told.
struct World {
    items: Items,
    symbols: Symbols,
    routes: Routes,
    told: BTreeMap<Arc<str>, BTreeMap<IpNet, RouteIntent>>,
}

impl World {
    /// Nodes n1, n2 and n3 at 172.16.0.1, .2 and .3.
    fn new() -> Self {
        let mut world = Self {
            items: Items::default(),
            symbols: Symbols::default(),
            routes: Routes::new(Nodes::All),
            told: BTreeMap::new(),
        };
        for number in 1..=3 {
            world.node(&format!("n{number}"), &format!("172.16.0.{number}/24"));
        }
        world
    }

    fn node(&mut self, name: &str, address: &str) {
        let bgp = NodeBgpSpec { ipv4_address: Some(address.parse().unwrap()), ipv6_address: None };
        self.routes.set_node(name, Some(&bgp));
    }

    fn pod(&mut self, name: &str, node: &str, address: &str) -> ItemId {
        let key: Key = format!("Pod/shop/{name}").parse().unwrap();
        let interface: Arc<str> = format!("cali{name}").into();
        let local = crate::items::LocalEndpoint {
            id: (&*key.to_string()).into(),
            node: node.into(),
            attachment: Attachment::Workload { interface, addresses: BTreeSet::new() },
        };
        let endpoint = Endpoint {
            node: self.symbols.acquire(node),
            addresses: [address.parse().unwrap()].into(),
            ports: Box::default(),
            is_workload: true,
            local: Some(Arc::new(local)),
        };
        let class = crate::label_index::ClassId::default();
        let id = self.items.insert(Item { key, class, place: 0, content: Content::Endpoint(endpoint) });
        let item = self.items.get(id).unwrap();
        self.routes.endpoint_added(id, item.endpoint().unwrap());
        id
    }

    fn remove_pod(&mut self, id: ItemId) {
        let item = self.items.detach(id).unwrap();
        self.routes.endpoint_removed(id, item.endpoint().unwrap());
    }

    fn block(&mut self, cidr: &str, affinity: Option<&str>) {
        let key = Key::global(model::Kind::IpamBlock, cidr.replace('/', "-"));
        let block = IpamBlockSpec {
            cidr: cidr.parse().unwrap(),
            affinity: affinity.map(str::to_owned),
            allocations: Vec::new(),
            attributes: vec![AllocationAttribute::default()],
            deleted: false,
        };
        self.routes.set_block(&key, Some(&block));
    }

    /// A node's routes as text.
    fn of(&mut self, node: &str) -> Vec<String> {
        let mut output = Output::default();
        self.routes.publish(&self.items, &self.symbols, &mut output);
        for (node, delta) in output.take() {
            let routes = self.told.entry(node).or_default();
            for (prefix, route) in delta.routes {
                match route {
                    Some(route) => routes.insert(prefix, route),
                    None => routes.remove(&prefix),
                };
            }
        }
        let routes = self.told.get(node).into_iter().flatten();
        routes.map(|(prefix, route)| format!("{prefix} {}", text(route))).collect()
    }
}

fn text(route: &RouteIntent) -> String {
    match route {
        RouteIntent::LocalWorkload { interface } => format!("dev {interface}"),
        RouteIntent::RemoteNode { next_hop, .. } => format!("via {next_hop}"),
        RouteIntent::Blackhole => "blackhole".to_owned(),
    }
}

#[test]
fn a_block_is_a_black_hole_at_home_and_behind_its_node_elsewhere() {
    let mut world = World::new();
    world.block("10.0.1.0/26", Some("host:n1"));
    world.pod("a", "n1", "10.0.1.1");
    assert_eq!(world.of("n1"), ["10.0.1.0/26 blackhole", "10.0.1.1/32 dev calia"]);
    assert_eq!(world.of("n2"), ["10.0.1.0/26 via 172.16.0.1"]);
}

#[test]
fn a_pod_outside_its_nodes_blocks_is_routed_by_itself() {
    let mut world = World::new();
    world.block("10.0.1.0/26", Some("host:n1"));
    world.pod("borrower", "n2", "10.0.1.1");
    world.pod("stray", "n2", "10.9.9.9");
    assert_eq!(
        world.of("n3"),
        ["10.0.1.0/26 via 172.16.0.1", "10.0.1.1/32 via 172.16.0.2", "10.9.9.9/32 via 172.16.0.2"]
    );
    world.block("10.0.1.0/26", Some("host:n2"));
    assert_eq!(world.of("n3"), ["10.0.1.0/26 via 172.16.0.2", "10.9.9.9/32 via 172.16.0.2"]);
    assert_eq!(world.of("n1"), ["10.0.1.0/26 via 172.16.0.2", "10.9.9.9/32 via 172.16.0.2"]);
}

#[test]
fn a_block_of_no_node_is_not_routed() {
    let mut world = World::new();
    world.block("10.0.1.0/26", Some("virtual:load-balancer"));
    world.block("10.0.2.0/26", None);
    assert!(world.of("n1").is_empty());
}

#[test]
fn a_node_that_moves_takes_its_routes_along() {
    let mut world = World::new();
    world.block("10.0.1.0/26", Some("host:n1"));
    world.pod("stray", "n1", "10.9.9.9");
    assert_eq!(world.of("n2"), ["10.0.1.0/26 via 172.16.0.1", "10.9.9.9/32 via 172.16.0.1"]);
    world.node("n1", "172.16.0.99/24");
    assert_eq!(world.of("n2"), ["10.0.1.0/26 via 172.16.0.99", "10.9.9.9/32 via 172.16.0.99"]);
    world.routes.set_node("n1", None);
    assert!(world.of("n2").is_empty(), "a node without an address is not routed to");
}

#[test]
fn routes_stay_in_their_family() {
    let mut world = World::new();
    world.pod("six", "n1", "fd00::1");
    assert_eq!(world.of("n1"), ["fd00::1/128 dev calisix"]);
    assert!(world.of("n2").is_empty(), "no IPv4 next hop for an IPv6 address");
}

#[test]
fn of_two_pods_with_one_address_the_least_key_wins_and_home_comes_first() {
    let mut world = World::new();
    let first = world.pod("a", "n1", "10.0.0.1");
    world.pod("b", "n2", "10.0.0.1");
    assert_eq!(world.of("n1"), ["10.0.0.1/32 dev calia"]);
    assert_eq!(world.of("n2"), ["10.0.0.1/32 dev calib"]);
    assert_eq!(world.of("n3"), ["10.0.0.1/32 via 172.16.0.1"]);
    world.remove_pod(first);
    assert_eq!(world.of("n1"), ["10.0.0.1/32 via 172.16.0.2"]);
    assert_eq!(world.of("n3"), ["10.0.0.1/32 via 172.16.0.2"]);
}

#[test]
fn a_node_is_told_everything_when_it_comes_and_nothing_is_left_when_it_goes() {
    let mut world = World::new();
    world.block("10.0.1.0/26", Some("host:n1"));
    assert!(world.of("n4").is_empty());
    world.node("n4", "172.16.0.4/24");
    assert_eq!(world.of("n4"), ["10.0.1.0/26 via 172.16.0.1"]);
    world.routes.set_node("n4", None);
    assert!(world.of("n4").is_empty());
}
