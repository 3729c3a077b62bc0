//! Made-up rules. As calc's do, they match ports only of protocols that have them, and exclude prefixes only of the IP
//! version that they are for.

use ipnet::IpNet;
use model::intent::{Icmp, PeerMatch, PortRange, Protocol, RuleAction, RuleIntent, SetId};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{select, subsequence},
};

use super::{NET_SETS, PORT_SETS, nets};

/// What a rule asks besides its two sides.
#[derive(Clone, Copy, Debug)]
enum Payload {
    Anything,
    Not(Protocol),
    Ported(Protocol),
    /// Ports by name only, of any protocol.
    Named,
    Icmp {
        echo: bool,
        code: Option<u8>,
        negated: bool,
    },
}

pub(super) fn rule() -> impl Strategy<Value = RuleIntent> {
    use RuleAction::{Allow, Deny, Log, Pass};
    let action = select(vec![Allow, Allow, Allow, Deny, Deny, Pass, Log]);
    let version = option::weighted(0.4, select(vec![4, 6]));
    (action, version, payload()).prop_flat_map(|(action, version, payload)| {
        (peer(version, payload, true), peer(version, payload, false)).prop_map(move |(source, destination)| {
            let rule = RuleIntent { source, destination, ip_version: version, ..RuleIntent::every(action) };
            with_payload(rule, payload)
        })
    })
}

fn payload() -> impl Strategy<Value = Payload> {
    let protocols = || select(vec![Protocol::TCP, Protocol::UDP]);
    prop_oneof![
        4 => Just(Payload::Anything),
        1 => prop_oneof![protocols(), Just(Protocol::ICMP)].prop_map(Payload::Not),
        5 => protocols().prop_map(Payload::Ported),
        2 => Just(Payload::Named),
        2 => (any::<bool>(), option::of(0..2_u8), any::<bool>())
            .prop_map(|(echo, code, negated)| Payload::Icmp { echo, code, negated }),
    ]
}

fn with_payload(mut rule: RuleIntent, payload: Payload) -> RuleIntent {
    match payload {
        Payload::Anything | Payload::Named => {}
        Payload::Not(protocol) => rule.not_protocol = Some(protocol),
        Payload::Ported(protocol) => rule.protocol = Some(protocol),
        Payload::Icmp { echo, code, negated } => {
            let v6 = rule.ip_version == Some(6);
            let (protocol, echo_request) = if v6 { (Protocol::ICMPV6, 128) } else { (Protocol::ICMP, 8) };
            let message = Some(Icmp { icmp_type: if echo { echo_request } else { 3 }, code });
            rule.protocol = Some(protocol);
            rule.ip_version = Some(if v6 { 6 } else { 4 });
            *(if negated { &mut rule.not_icmp } else { &mut rule.icmp }) = message;
        }
    }
    rule
}

fn peer(version: Option<u8>, payload: Payload, is_source: bool) -> BoxedStrategy<PeerMatch> {
    let sets = || subsequence(&NET_SETS[..], 1..3).prop_map(|ids| ids.into_iter().map(SetId::from).collect::<Vec<_>>());
    let net_list = subsequence(nets(), 1..4).boxed();
    let not_nets: Vec<IpNet> = nets().into_iter().filter(|net| version == Some(version_of(*net))).collect();
    let not_net_list = match version {
        Some(_) => subsequence(not_nets, 0..2).boxed(),
        None => Just(Vec::new()).boxed(),
    };
    let addresses = (sometimes(net_list), sometimes(not_net_list), sometimes(sets()), sometimes(sets()));
    (addresses, ports(payload, is_source), ports(payload, is_source))
        .prop_map(|((nets, not_nets, ip_sets, not_ip_sets), (ports, named), (not_ports, not_named))| PeerMatch {
            nets,
            not_nets,
            ip_sets,
            not_ip_sets,
            ports,
            named_port_sets: named,
            not_ports,
            not_named_port_sets: not_named,
        })
        .boxed()
}

/// Nothing, three times in four.
fn sometimes<T: Clone + std::fmt::Debug + 'static>(
    strategy: impl Strategy<Value = Vec<T>> + 'static,
) -> impl Strategy<Value = Vec<T>> {
    prop_oneof![3 => Just(Vec::new()), 1 => strategy]
}

fn version_of(net: IpNet) -> u8 {
    if net.addr().is_ipv4() { 4 } else { 6 }
}

type Ports = (Vec<PortRange>, Vec<SetId>);

fn ports(payload: Payload, is_source: bool) -> BoxedStrategy<Ports> {
    let range = |first, last| PortRange { first, last };
    // Of source ports, which are ephemeral: all, or none.
    let ranges = if is_source {
        vec![range(1024, 65_535), range(1, 1023)]
    } else {
        vec![range(80, 80), range(80, 81), range(53, 53), range(8000, 9000)]
    };
    let numbers = vec(select(ranges), 1..3);
    let named = subsequence(&PORT_SETS[..], 1..=2).prop_map(|ids| ids.into_iter().map(SetId::from).collect::<Vec<_>>());
    let nothing = Just((Vec::new(), Vec::new()));
    match payload {
        Payload::Ported(_) => prop_oneof![
            4 => nothing,
            2 => numbers.clone().prop_map(|numbers| (numbers, Vec::new())),
            1 => named.clone().prop_map(|named| (Vec::new(), named)),
            1 => (numbers, named),
        ]
        .boxed(),
        Payload::Named => prop_oneof![2 => nothing, 1 => named.prop_map(|named| (Vec::new(), named))].boxed(),
        _ => nothing.boxed(),
    }
}
