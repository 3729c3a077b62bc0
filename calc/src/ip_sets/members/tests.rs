//! Members against the naive definition: whatever no other contributed prefix covers.

use model::intent::Protocol;
use proptest::{collection::vec, prelude::*};

use super::*;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn members(nets: &[&str]) -> BTreeSet<SetMember> {
    nets.iter().map(|text| SetMember::Net(net(text))).collect()
}

#[test]
fn a_prefix_hides_what_it_covers_and_shows_it_again() {
    let mut set = Members::of_nets(vec![net("10.0.0.0/24"), net("10.0.0.1/32"), net("10.0.1.0/24")]);
    assert_eq!(set.complete().members, members(&["10.0.0.0/24", "10.0.1.0/24"]));
    set.add_net(net("10.0.0.0/16"));
    assert_eq!(set.take_changes(), (members(&["10.0.0.0/16"]), members(&["10.0.0.0/24", "10.0.1.0/24"])));
    set.remove_net(net("10.0.0.0/16"));
    assert_eq!(set.take_changes(), (members(&["10.0.0.0/24", "10.0.1.0/24"]), members(&["10.0.0.0/16"])));
    set.remove_net(net("10.0.0.0/24"));
    assert_eq!(set.take_changes(), (members(&["10.0.0.1/32"]), members(&["10.0.0.0/24"])));
}

#[test]
fn everything_is_one_member() {
    let set = Members::of_nets(vec![net("0.0.0.0/0"), net("10.0.0.1/32"), net("::1/128")]);
    assert_eq!(set.complete().members, members(&["0.0.0.0/0", "::1/128"]));
}

#[test]
fn a_member_stays_until_its_last_contributor_leaves() {
    let port = SetMember::AddressPort("10.0.0.1".parse().unwrap(), Protocol::TCP, 80);
    let mut set = Members::of_ports([port, port].into_iter());
    set.remove_port(port);
    assert_eq!(set.take_changes(), Default::default());
    set.remove_port(port);
    assert_eq!(set.take_changes(), (BTreeSet::new(), [port].into()));
    assert_eq!(set.complete().kind, SetKind::AddressPort);
}

/// Prefixes that often cover each other.
fn nets() -> impl Strategy<Value = IpNet> {
    let lengths = prop_oneof![Just(0_u8), Just(8), Just(16), Just(24), Just(31), Just(32)];
    (any::<bool>(), 0_u8..2, 0_u8..2, 0_u8..4, lengths).prop_map(|(six, a, b, c, length)| {
        let address = if six { format!("{a:x}{b:x}00::{c:x}") } else { format!("10.{a}.{b}.{c}") };
        let length = if six { length * 4 } else { length };
        IpNet::new(address.parse().unwrap(), length).unwrap().trunc()
    })
}

proptest! {
    #[test]
    fn members_are_what_nothing_else_covers(start in vec(nets(), 0..10), steps in vec((nets(), any::<bool>(), any::<bool>()), 0..40)) {
        let mut counted = start.clone();
        let mut set = Members::of_nets(start);
        let mut told = set.complete().members;
        for (net, add, ask) in steps {
            let known = counted.iter().position(|other| *other == net);
            match (add, known) {
                (true, _) => { counted.push(net); set.add_net(net); }
                (false, Some(place)) => { counted.swap_remove(place); set.remove_net(net); }
                (false, None) => {}
            }
            if ask {
                let (added, removed) = set.take_changes();
                prop_assert!(added.is_disjoint(&told) && removed.is_subset(&told));
                told = told.difference(&removed).chain(&added).copied().collect();
                let uncovered = |net: &&IpNet| !counted.iter().any(|other| other != *net && other.contains(*net));
                let expected: BTreeSet<_> = counted.iter().filter(uncovered).map(|net| SetMember::Net(*net)).collect();
                prop_assert_eq!(&told, &expected);
                prop_assert_eq!(&set.complete().members, &expected);
            }
        }
    }
}
