//! One rule of a policy as rules of the kernel: one for each IP version that it speaks of, usually.
//!
//! A kernel rule is an AND. What a policy's rule says with OR inside one condition (a port in a range, or a named
//! port) is a choice of alternatives, and each alternative makes one kernel rule.

use ipnet::IpNet;
use model::intent::{Icmp, PeerMatch, Protocol, RuleAction, RuleIntent, SetId};

use super::{Fragment, Presence, name};
use crate::ruleset::{Family, Rule, Side, Statement};

/// Protocols that carry ports.
const PORTED: [Protocol; 4] = [Protocol::TCP, Protocol::UDP, Protocol::SCTP, Protocol::UDPLITE];

/// The statements of one alternative.
type Alternative = Vec<Statement>;

/// Renders a rule; a packet that it matches meets `outcome`. `presence` tells where its sets have members.
pub(super) fn rules(
    intent: &RuleIntent,
    outcome: &[Statement],
    presence: &dyn Fn(&SetId) -> Option<Presence>,
    fragment: &mut Fragment,
) -> Vec<Rule> {
    let families: &[Option<Family>] =
        if needs_family(intent) { &[Some(Family::V4), Some(Family::V6)] } else { &[None] };
    let mut rules = Vec::new();
    for family in families {
        let renderer = Renderer { intent, family: *family, presence, fragment: &mut *fragment };
        for mut statements in renderer.alternatives().unwrap_or_default() {
            statements.extend_from_slice(outcome);
            rules.push(Rule(statements));
        }
    }
    rules
}

/// Whether the rule must be said for each IP version apart.
fn needs_family(intent: &RuleIntent) -> bool {
    let asks_address = |peer: &PeerMatch| {
        !(peer.nets.is_empty()
            && peer.not_nets.is_empty()
            && peer.ip_sets.is_empty()
            && peer.not_ip_sets.is_empty()
            && peer.named_port_sets.is_empty()
            && peer.not_named_port_sets.is_empty())
    };
    let asks_icmp_alone = intent.protocol.is_none() && (intent.icmp.is_some() || intent.not_icmp.is_some());
    intent.ip_version.is_some() || asks_icmp_alone || asks_address(&intent.source) || asks_address(&intent.destination)
}

/// One rule in one IP version, or in both where `family` is none.
struct Renderer<'a> {
    intent: &'a RuleIntent,
    family: Option<Family>,
    presence: &'a dyn Fn(&SetId) -> Option<Presence>,
    fragment: &'a mut Fragment,
}

impl Renderer<'_> {
    /// `None` where the rule can match nothing in this IP version.
    fn alternatives(mut self) -> Option<Vec<Alternative>> {
        let mut all = vec![self.family_and_protocol()?];
        for (side, peer) in [(Side::Source, &self.intent.source), (Side::Destination, &self.intent.destination)] {
            let addresses = self.addresses(side, peer)?;
            all = product(&all, &[addresses]);
        }
        let icmp = self.icmp()?;
        all = product(&all, &icmp);
        for (side, peer) in [(Side::Source, &self.intent.source), (Side::Destination, &self.intent.destination)] {
            let ports = self.ports(side, peer)?;
            all = product(&all, &ports);
        }
        let not_ports = self.not_ports();
        Some(product(&all, &not_ports))
    }

    fn family_and_protocol(&self) -> Option<Alternative> {
        let mut statements = Vec::new();
        if let Some(family) = self.family {
            if self.intent.ip_version.is_some_and(|version| version != family.version()) {
                return None;
            }
            statements.push(Statement::Family(family));
        }
        let protocol = |negated| move |protocol| Statement::Protocol { negated, protocol };
        statements.extend(self.intent.protocol.map(protocol(false)));
        statements.extend(self.intent.not_protocol.map(protocol(true)));
        Some(statements)
    }

    /// A list of prefixes that says nothing about this IP version, whether positive or negative, makes the rule none
    /// for this version; so Calico does.
    fn addresses(&mut self, side: Side, peer: &PeerMatch) -> Option<Alternative> {
        let Some(family) = self.family else { return Some(Vec::new()) };
        let mut statements = Vec::new();
        for (negated, nets) in [(false, &peer.nets), (true, &peer.not_nets)] {
            if !nets.is_empty() {
                let nets: Vec<IpNet> = nets.iter().filter(|net| Family::of(net.addr()) == family).copied().collect();
                statements.extend(self.nets(side, negated, family, &nets)?);
            }
        }
        let in_set = |negated: bool, id: &SetId| {
            let set = name::address_set(id, family);
            Statement::AddressIn { side, negated, family, set }
        };
        // No address is in an empty set.
        if !peer.ip_sets.iter().all(|id| self.has_members(id, family)) {
            return None;
        }
        statements.extend(peer.ip_sets.iter().map(|id| in_set(false, id)));
        let excluded = peer.not_ip_sets.iter().filter(|id| self.has_members(id, family));
        statements.extend(excluded.map(|id| in_set(true, id)));
        Some(statements)
    }

    /// No statement where every address of the version is meant; `None` where no address can match.
    fn nets(&mut self, side: Side, negated: bool, family: Family, nets: &[IpNet]) -> Option<Alternative> {
        match nets {
            [] => None,
            nets if nets.iter().any(|net| net.prefix_len() == 0) => (!negated).then(Vec::new),
            [net] => Some(vec![Statement::Address { side, negated, net: net.trunc() }]),
            nets => {
                let set = self.fragment.intern_addresses(family, nets);
                Some(vec![Statement::AddressIn { side, negated, family, set }])
            }
        }
    }

    fn icmp(&self) -> Option<Vec<Alternative>> {
        let mut all = vec![Vec::new()];
        if let Some(icmp) = self.intent.icmp {
            all = product(&all, &[self.icmp_message(icmp)?]);
        }
        if let Some(icmp) = self.intent.not_icmp {
            all = product(&all, &self.not_icmp_message(icmp));
        }
        Some(all)
    }

    fn icmp_message(&self, icmp: Icmp) -> Option<Alternative> {
        let message = Statement::Icmp { negated: false, icmp };
        match (self.intent.protocol, self.family) {
            (Some(Protocol::ICMP | Protocol::ICMPV6), _) => Some(vec![message]),
            (None, Some(family)) => Some(vec![protocol(false, family.icmp()), message]),
            _ => None,
        }
    }

    /// A packet that is no ICMP message is not that message.
    fn not_icmp_message(&self, icmp: Icmp) -> Vec<Alternative> {
        let message = Statement::Icmp { negated: true, icmp };
        match (self.intent.protocol, self.family) {
            (Some(Protocol::ICMP | Protocol::ICMPV6), _) => vec![vec![message]],
            (None, Some(family)) => {
                vec![vec![protocol(true, family.icmp())], vec![protocol(false, family.icmp()), message]]
            }
            _ => vec![Vec::new()],
        }
    }

    fn ports(&mut self, side: Side, peer: &PeerMatch) -> Option<Vec<Alternative>> {
        if peer.ports.is_empty() && peer.named_port_sets.is_empty() {
            return Some(vec![Vec::new()]);
        }
        let mut all = self.port_matches(side, peer, false);
        if all.is_empty() || self.intent.protocol.is_some_and(|protocol| !protocol.has_ports()) {
            return None;
        }
        if self.intent.action == RuleAction::Log {
            exclude_earlier(&mut all, &self.port_matches(side, peer, true));
        }
        if self.intent.protocol.is_none() {
            let set = self.fragment.intern_protocols(&PORTED);
            all = product(&[vec![Statement::ProtocolIn { negated: false, set }]], &all);
        }
        Some(all)
    }

    /// A packet without ports has none that is excluded.
    fn not_ports(&mut self) -> Vec<Alternative> {
        let mut statements = Vec::new();
        for (side, peer) in [(Side::Source, &self.intent.source), (Side::Destination, &self.intent.destination)] {
            let excluded = PeerMatch {
                ports: peer.not_ports.clone(),
                named_port_sets: peer.not_named_port_sets.clone(),
                ..PeerMatch::default()
            };
            statements.extend(self.port_matches(side, &excluded, true).into_iter().flatten());
        }
        match self.intent.protocol {
            Some(protocol) if protocol.has_ports() => vec![statements],
            None if !statements.is_empty() => {
                let set = self.fragment.intern_protocols(&PORTED);
                let without_ports = vec![Statement::ProtocolIn { negated: true, set: set.clone() }];
                statements.insert(0, Statement::ProtocolIn { negated: false, set });
                vec![without_ports, statements]
            }
            _ => vec![Vec::new()],
        }
    }

    fn has_members(&self, id: &SetId, family: Family) -> bool {
        (self.presence)(id).is_some_and(|presence| presence.has(family))
    }

    /// One alternative for the literal ports, one for each set of named ports.
    fn port_matches(&mut self, side: Side, peer: &PeerMatch, negated: bool) -> Vec<Alternative> {
        let mut all = Vec::new();
        match peer.ports.as_slice() {
            [] => {}
            [range] => all.push(vec![Statement::Port { side, negated, range: *range }]),
            ranges => {
                let set = self.fragment.intern_ports(ranges);
                all.push(vec![Statement::PortIn { side, negated, set }]);
            }
        }
        if let Some(family) = self.family {
            let sets = peer.named_port_sets.iter().filter(|id| self.has_members(id, family));
            all.extend(sets.map(|id| {
                let set = name::address_port_set(id, family);
                vec![Statement::AddressPortIn { side, negated, family, set }]
            }));
        }
        all
    }
}

/// A log rule goes on after it matched: without this, a packet that two alternatives match would be logged twice.
fn exclude_earlier(all: &mut [Alternative], negations: &[Alternative]) {
    for (index, alternative) in all.iter_mut().enumerate() {
        alternative.splice(0..0, negations[..index].iter().flatten().cloned());
    }
}

fn protocol(negated: bool, protocol: Protocol) -> Statement {
    Statement::Protocol { negated, protocol }
}

/// Every alternative of the one followed by every alternative of the other.
fn product(first: &[Alternative], second: &[Alternative]) -> Vec<Alternative> {
    let pairs =
        first.iter().flat_map(|head| second.iter().map(move |tail| [head.as_slice(), tail.as_slice()].concat()));
    pairs.collect()
}
