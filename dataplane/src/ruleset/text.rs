//! The nouns as text, close to what `nft list table` prints. For people, logs and golden files.

use std::fmt::{self, Display, Formatter};

use super::{ConntrackState, Element, Family, Hook, Rule, Side, Statement, Verdict, Way};

impl Display for Family {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "ip",
            Self::V6 => "ip6",
        })
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Return => f.write_str("return"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Goto(chain) => write!(f, "goto {chain}"),
        }
    }
}

impl Display for Hook {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let hook = ["prerouting", "input", "forward", "output"].get(self.number as usize).unwrap_or(&"?");
        write!(f, "type filter hook {hook} priority {}; policy accept;", self.priority)
    }
}

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, statement) in self.0.iter().enumerate() {
            write!(f, "{}{statement}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl Display for Element {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(first, last) if first == last => write!(f, "{first}"),
            Self::Addresses(first, last) => write!(f, "{first}-{last}"),
            Self::Ports(first, last) if first == last => write!(f, "{first}"),
            Self::Ports(first, last) => write!(f, "{first}-{last}"),
            Self::Protocol(protocol) => write!(f, "{protocol}"),
            Self::AddressPort(address, protocol, port) => write!(f, "{address} . {protocol} . {port}"),
            Self::InterfaceAddress(interface, address) => write!(f, "{interface:?} . {address}"),
            Self::Dispatch(interface, verdict) => write!(f, "{interface:?} : {verdict}"),
        }
    }
}

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Family(Family::V4) => f.write_str("meta nfproto ipv4"),
            Self::Family(Family::V6) => f.write_str("meta nfproto ipv6"),
            Self::Interface { way, name } => write!(f, "{} {name:?}", interface(*way)),
            Self::InterfacePrefix { way, negated, prefix } => {
                write!(f, "{} {}\"{prefix}*\"", interface(*way), not(*negated))
            }
            Self::Protocol { negated, protocol } => {
                write!(f, "meta l4proto {}{}", not(*negated), protocol.to_string().to_lowercase())
            }
            Self::ProtocolIn { negated, set } => write!(f, "meta l4proto {}@{set}", not(*negated)),
            Self::Address { side, negated, net } => {
                let family = if net.addr().is_ipv4() { Family::V4 } else { Family::V6 };
                write!(f, "{family} {} {}{net}", address(*side), not(*negated))
            }
            Self::AddressIn { side, negated, family, set } => {
                write!(f, "{family} {} {}@{set}", address(*side), not(*negated))
            }
            Self::Port { side, negated, range } => {
                write!(f, "th {} {}{}", port(*side), not(*negated), Element::Ports(range.first, range.last))
            }
            Self::PortIn { side, negated, set } => write!(f, "th {} {}@{set}", port(*side), not(*negated)),
            Self::AddressPortIn { side, negated, family, set } => {
                let (address, port, not) = (address(*side), port(*side), not(*negated));
                write!(f, "{family} {address} . meta l4proto . th {port} {not}@{set}")
            }
            Self::InterfaceAddressIn { negated, family, set } => {
                write!(f, "iifname . {family} saddr {}@{set}", not(*negated))
            }
            Self::Icmp { negated, icmp } => match icmp.code {
                Some(code) => write!(f, "icmp type . code {}{} . {code}", not(*negated), icmp.icmp_type),
                None => write!(f, "icmp type {}{}", not(*negated), icmp.icmp_type),
            },
            Self::Conntrack(ConntrackState::EstablishedOrRelated) => f.write_str("ct state established,related"),
            Self::Conntrack(ConntrackState::Invalid) => f.write_str("ct state invalid"),
            Self::MarkClear(bits) => write!(f, "meta mark & {bits:#x} == 0"),
            Self::MarkSet(bits) => write!(f, "meta mark & {bits:#x} != 0"),
            Self::ClearMark(bits) => write!(f, "meta mark set meta mark & {:#x}", !bits),
            Self::SetMark(bits) => write!(f, "meta mark set meta mark | {bits:#x}"),
            Self::Log { prefix } => write!(f, "log prefix {prefix:?}"),
            Self::Dispatch { way, map } => write!(f, "{} vmap @{map}", interface(*way)),
            Self::Verdict(verdict) => write!(f, "{verdict}"),
        }
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "!= " } else { "" }
}

fn interface(way: Way) -> &'static str {
    match way {
        Way::In => "iifname",
        Way::Out => "oifname",
    }
}

fn address(side: Side) -> &'static str {
    match side {
        Side::Source => "saddr",
        Side::Destination => "daddr",
    }
}

fn port(side: Side) -> &'static str {
    match side {
        Side::Source => "sport",
        Side::Destination => "dport",
    }
}

/// Chains and sets as one listing.
#[cfg(test)]
pub(crate) fn listing<'a>(
    sets: impl Iterator<Item = (&'a super::Name, &'a super::Set)>,
    chains: impl Iterator<Item = (&'a super::Name, &'a super::Chain)>,
) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for (name, set) in sets {
        let elements: Vec<_> = set.elements.iter().map(ToString::to_string).collect();
        let word = if set.schema.is_map() { "map" } else { "set" };
        writeln!(text, "{word} {name} {{ # {:?}, {}\n\t{}\n}}\n", set.schema, set.owner, elements.join(",\n\t"))
            .unwrap();
    }
    for (name, chain) in chains {
        writeln!(text, "chain {name} {{ # {}", chain.owner).unwrap();
        if let Some(hook) = &chain.hook {
            writeln!(text, "\t{hook}").unwrap();
        }
        for rule in &chain.rules {
            writeln!(text, "\t{rule}").unwrap();
        }
        writeln!(text, "}}\n").unwrap();
    }
    text
}
