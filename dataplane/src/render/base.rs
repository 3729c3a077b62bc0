//! Chains that are there whatever the intent: hooks, and the ways from them to endpoints.

use std::net::Ipv6Addr;

use ipnet::IpNet;
use model::intent::{EndpointToHostAction, Icmp, Protocol};

use super::{Direction, Fragment, name};
use crate::{
    Config, Object,
    ruleset::{Chain, ConntrackState, Family, Hook, Name, Rule, Side, Statement, Verdict, Way},
};

/// Multicast listener discovery and neighbour discovery: without them there is no IPv6 at all. Router
/// advertisements (134) and redirects (137) are the host's to send.
const IPV6_LINK_MESSAGES: [u8; 7] = [130, 131, 132, 133, 135, 136, 143];

/// Renders the base chains.
pub(crate) fn base(config: &Config) -> Fragment {
    let mut fragment = Fragment::default();
    let mut chain = |name: &str, chain: Chain| fragment.chains.insert(Name::from(name), chain);
    let regular = |rules| Chain::regular(Object::Table, rules);
    chain("prerouting", Chain::base(Hook::PREROUTING, prerouting(config)));
    chain("input", Chain::base(Hook::INPUT, input(config)));
    chain("forward", Chain::base(Hook::FORWARD, forward(config)));
    chain("output", Chain::base(Hook::OUTPUT, output(config)));
    chain(name::FROM_WORKLOAD, regular(workload(config, Way::In, Direction::Egress)));
    chain(name::TO_WORKLOAD, regular(workload(config, Way::Out, Direction::Ingress)));
    chain(name::WORKLOAD_TO_HOST, regular(workload_to_host(config)));
    chain(name::LINK_MESSAGES, regular(accept_link_messages()));
    fragment
}

/// A workload speaks with its own addresses only; an interface that nobody claims has none.
fn prerouting(config: &Config) -> Vec<Rule> {
    let mut rules = Vec::new();
    for from_workload in workload_interfaces(config, Way::In) {
        rules.extend(unaddressed_link_messages(&from_workload));
        for family in [Family::V4, Family::V6] {
            let set = name::source_set(family);
            rules.push(Rule(vec![
                from_workload.clone(),
                Statement::Family(family),
                Statement::InterfaceAddressIn { negated: true, family, set },
                Statement::Verdict(Verdict::Drop),
            ]));
        }
    }
    rules
}

fn input(config: &Config) -> Vec<Rule> {
    let from_workload = workload_interfaces(config, Way::In);
    let to_host = from_workload.map(|interface| Rule(vec![interface, goto(name::WORKLOAD_TO_HOST)]));
    to_host.chain([Rule(vec![goto(name::HOST_INGRESS)])]).collect()
}

fn forward(config: &Config) -> Vec<Rule> {
    let from_workload = workload_interfaces(config, Way::In);
    let to_workload = workload_interfaces(config, Way::Out);
    let egress = from_workload.map(|interface| Rule(vec![interface, jump(name::FROM_WORKLOAD)]));
    egress.chain(to_workload.map(|interface| Rule(vec![interface, goto(name::TO_WORKLOAD)]))).collect()
}

/// From the host to its own workloads nothing is policed, so that health probes work under every policy.
fn output(config: &Config) -> Vec<Rule> {
    let prefixes = config.workload_interface_prefixes.iter();
    let to_elsewhere = prefixes.map(|prefix| interface_prefix(Way::Out, true, prefix));
    vec![Rule(to_elsewhere.chain([goto(name::HOST_EGRESS)]).collect())]
}

/// Marks are cleared at the door: whoever sent the packet, they mean nothing yet.
fn workload(config: &Config, way: Way, direction: Direction) -> Vec<Rule> {
    vec![
        Rule(vec![Statement::ClearMark(config.accept_mark | config.pass_mark)]),
        Rule(vec![Statement::Dispatch { way, map: name::workload_map(direction) }]),
        Rule::always(Verdict::Drop),
    ]
}

/// Answers to what the host itself asked of a workload, as probes do, pass whatever the action.
fn workload_to_host(config: &Config) -> Vec<Rule> {
    let mut rules = vec![Rule(link_messages().into())];
    rules.push(Rule(vec![jump(name::FROM_WORKLOAD)]));
    match config.endpoint_to_host_action {
        EndpointToHostAction::Drop => {
            let answers = Statement::Conntrack(ConntrackState::EstablishedOrRelated);
            rules.push(Rule(vec![answers, Statement::Verdict(Verdict::Accept)]));
            rules.push(Rule::always(Verdict::Drop));
        }
        EndpointToHostAction::Accept => rules.push(Rule::always(Verdict::Accept)),
        EndpointToHostAction::Return => rules.push(Rule::always(Verdict::Return)),
    }
    rules
}

/// From neighbours that have no address of their own yet, or use the one that every link has.
fn unaddressed_link_messages(from_workload: &Statement) -> Vec<Rule> {
    let link_local = IpNet::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0).into(), 10);
    let unspecified = IpNet::new_assert(Ipv6Addr::UNSPECIFIED.into(), 128);
    let rule = |net| {
        let source = Statement::Address { side: Side::Source, negated: false, net };
        let [family, protocol, jump] = link_messages();
        Rule(vec![from_workload.clone(), family, source, protocol, jump])
    };
    [link_local, unspecified].map(rule).into()
}

/// Leads ICMPv6 to the chain that accepts what no link can do without.
pub(super) fn link_messages() -> [Statement; 3] {
    let protocol = Statement::Protocol { negated: false, protocol: Protocol::ICMPV6 };
    [Statement::Family(Family::V6), protocol, jump(name::LINK_MESSAGES)]
}

fn accept_link_messages() -> Vec<Rule> {
    let accept = |icmp_type| {
        let message = Statement::Icmp { negated: false, icmp: Icmp { icmp_type, code: None } };
        Rule(vec![message, Statement::Verdict(Verdict::Accept)])
    };
    IPV6_LINK_MESSAGES.map(accept).into()
}

fn workload_interfaces(config: &Config, way: Way) -> impl Iterator<Item = Statement> {
    config.workload_interface_prefixes.iter().map(move |prefix| interface_prefix(way, false, prefix))
}

fn interface_prefix(way: Way, negated: bool, prefix: &str) -> Statement {
    Statement::InterfacePrefix { way, negated, prefix: prefix.into() }
}

fn jump(chain: &str) -> Statement {
    Statement::Verdict(Verdict::Jump(chain.into()))
}

fn goto(chain: &str) -> Statement {
    Statement::Verdict(Verdict::Goto(chain.into()))
}
