//! Statements as nf_tables expressions. The comments show the rule in nft's words and what `nft --debug=netlink`
//! prints for it.

use ipnet::IpNet;
use model::intent::Icmp;

use super::{
    element::{interface_key, write_verdict},
    number::{IFNAMSIZ, NFPROTO_IPV4, NFPROTO_IPV6, NFTA_DATA_VALUE, NFTA_DATA_VERDICT, NFTA_LIST_ELEM},
};
use crate::{
    netlink::{MessageWriter, octets},
    ruleset::{ConntrackState, Family, Rule, Side, Statement, Verdict, Way},
};

const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;

/// Registers of four bytes each follow each other from here; wider values take several.
const REG_FIRST: u32 = 8;
/// Where verdicts go.
const REG_VERDICT: u32 = 0;

const META_MARK: u32 = 3;
const META_IIFNAME: u32 = 6;
const META_OIFNAME: u32 = 7;
const META_NFPROTO: u32 = 15;
const META_L4PROTO: u32 = 16;

const CMP_EQ: u32 = 0;
const CMP_NEQ: u32 = 1;
const CMP_LTE: u32 = 3;
const CMP_GTE: u32 = 5;

const PAYLOAD_NETWORK_HEADER: u32 = 1;
const PAYLOAD_TRANSPORT_HEADER: u32 = 2;

const CT_STATE: u32 = 0;
const CT_STATE_INVALID: u32 = 1;
const CT_STATE_ESTABLISHED_RELATED: u32 = 2 | 4;

/// A rule's expressions, as they stand within `NFTA_RULE_EXPRESSIONS`.
pub(super) fn encode(rule: &Rule) -> Vec<u8> {
    let mut writer = MessageWriter::new(0);
    for statement in &rule.0 {
        Expressions(&mut writer).statement(statement);
    }
    writer.as_bytes().to_vec()
}

struct Expressions<'a>(&'a mut MessageWriter);

impl Expressions<'_> {
    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Family(Family::V4) => self.meta_equals(META_NFPROTO, false, &[NFPROTO_IPV4]),
            Statement::Family(Family::V6) => self.meta_equals(META_NFPROTO, false, &[NFPROTO_IPV6]),
            Statement::Interface { way, name } => {
                self.meta_equals(interface(*way), false, &interface_key(name));
            }
            Statement::InterfacePrefix { way, negated, prefix } => {
                self.meta_equals(interface(*way), *negated, prefix.as_bytes());
            }
            Statement::Protocol { negated, protocol } => self.meta_equals(META_L4PROTO, *negated, &[protocol.0]),
            Statement::ProtocolIn { negated, set } => {
                self.meta(META_L4PROTO, REG_FIRST);
                self.lookup(set, *negated);
            }
            Statement::Address { side, negated, net } => self.address(*side, *negated, *net),
            Statement::AddressIn { side, negated, family, set } => {
                self.load_address(*side, *family, REG_FIRST);
                self.lookup(set, *negated);
            }
            Statement::Port { side, negated, range } => self.port(*side, *negated, range.first, range.last),
            Statement::PortIn { side, negated, set } => {
                self.load_port(*side, REG_FIRST);
                self.lookup(set, *negated);
            }
            Statement::AddressPortIn { side, negated, family, set } => {
                // ip saddr . meta l4proto . th sport @set
                let protocol_register = REG_FIRST + family.address_len() as u32 / 4;
                self.load_address(*side, *family, REG_FIRST);
                self.meta(META_L4PROTO, protocol_register);
                self.load_port(*side, protocol_register + 1);
                self.lookup(set, *negated);
            }
            Statement::InterfaceAddressIn { negated, family, set } => {
                self.meta(META_IIFNAME, REG_FIRST);
                self.load_address(Side::Source, *family, REG_FIRST + IFNAMSIZ as u32 / 4);
                self.lookup(set, *negated);
            }
            Statement::Icmp { negated, icmp } => self.icmp(*negated, *icmp),
            Statement::Conntrack(state) => self.conntrack(*state),
            Statement::MarkClear(bits) => self.mark_test(*bits, CMP_EQ),
            Statement::MarkSet(bits) => self.mark_test(*bits, CMP_NEQ),
            Statement::ClearMark(bits) => self.mark_change(!*bits, 0),
            Statement::SetMark(bits) => self.mark_change(!*bits, *bits),
            Statement::Log { prefix } => self.expression("log", |data| data.text(2, prefix)),
            Statement::Dispatch { way, map } => {
                self.meta(interface(*way), REG_FIRST);
                self.expression("lookup", |data| {
                    data.text(1, map);
                    data.be32(2, REG_FIRST);
                    data.be32(3, REG_VERDICT);
                });
            }
            Statement::Verdict(verdict) => self.verdict(verdict),
        }
    }

    fn address(&mut self, side: Side, negated: bool, net: IpNet) {
        let family = if net.addr().is_ipv4() { Family::V4 } else { Family::V6 };
        self.load_address(side, family, REG_FIRST);
        if net.prefix_len() < net.max_prefix_len() {
            self.bitwise(&octets(net.netmask()), &vec![0; family.address_len()]);
        }
        self.compare(comparison(negated), &octets(net.network()));
    }

    fn port(&mut self, side: Side, negated: bool, first: u16, last: u16) {
        self.load_port(side, REG_FIRST);
        if first == last {
            self.compare(comparison(negated), &first.to_be_bytes());
        } else if negated {
            self.expression("range", |data| {
                data.be32(1, REG_FIRST);
                data.be32(2, CMP_NEQ);
                data.nested(3, |from| from.bytes(NFTA_DATA_VALUE, &first.to_be_bytes()));
                data.nested(4, |to| to.bytes(NFTA_DATA_VALUE, &last.to_be_bytes()));
            });
        } else {
            self.compare(CMP_GTE, &first.to_be_bytes());
            self.compare(CMP_LTE, &last.to_be_bytes());
        }
    }

    /// Type and code are the first two bytes; compared together, a negation is that of both, not of each.
    fn icmp(&mut self, negated: bool, icmp: Icmp) {
        if let Some(code) = icmp.code {
            self.payload(PAYLOAD_TRANSPORT_HEADER, 0, 2, REG_FIRST);
            self.compare(comparison(negated), &[icmp.icmp_type, code]);
        } else {
            self.payload(PAYLOAD_TRANSPORT_HEADER, 0, 1, REG_FIRST);
            self.compare(comparison(negated), &[icmp.icmp_type]);
        }
    }

    fn conntrack(&mut self, state: ConntrackState) {
        let mask = match state {
            ConntrackState::EstablishedOrRelated => CT_STATE_ESTABLISHED_RELATED,
            ConntrackState::Invalid => CT_STATE_INVALID,
        };
        self.expression("ct", |data| {
            data.be32(1, REG_FIRST);
            data.be32(2, CT_STATE);
        });
        self.bitwise(&mask.to_ne_bytes(), &[0; 4]);
        self.compare(CMP_NEQ, &[0; 4]);
    }

    fn mark_test(&mut self, bits: u32, operator: u32) {
        self.meta(META_MARK, REG_FIRST);
        self.bitwise(&bits.to_ne_bytes(), &[0; 4]);
        self.compare(operator, &[0; 4]);
    }

    fn mark_change(&mut self, mask: u32, xor: u32) {
        self.meta(META_MARK, REG_FIRST);
        self.bitwise(&mask.to_ne_bytes(), &xor.to_ne_bytes());
        self.expression("meta", |data| {
            data.be32(2, META_MARK);
            data.be32(3, REG_FIRST);
        });
    }

    fn verdict(&mut self, verdict: &Verdict) {
        self.expression("immediate", |data| {
            data.be32(1, REG_VERDICT);
            data.nested(2, |value| value.nested(NFTA_DATA_VERDICT, |fields| write_verdict(fields, verdict)));
        });
    }

    fn meta_equals(&mut self, key: u32, negated: bool, value: &[u8]) {
        self.meta(key, REG_FIRST);
        self.compare(comparison(negated), value);
    }

    fn meta(&mut self, key: u32, register: u32) {
        self.expression("meta", |data| {
            data.be32(1, register);
            data.be32(2, key);
        });
    }

    fn load_address(&mut self, side: Side, family: Family, register: u32) {
        let offset = match (family, side) {
            (Family::V4, Side::Source) => 12,
            (Family::V4, Side::Destination) => 16,
            (Family::V6, Side::Source) => 8,
            (Family::V6, Side::Destination) => 24,
        };
        self.payload(PAYLOAD_NETWORK_HEADER, offset, family.address_len() as u32, register);
    }

    fn load_port(&mut self, side: Side, register: u32) {
        let offset = match side {
            Side::Source => 0,
            Side::Destination => 2,
        };
        self.payload(PAYLOAD_TRANSPORT_HEADER, offset, 2, register);
    }

    fn payload(&mut self, base: u32, offset: u32, length: u32, register: u32) {
        self.expression("payload", |data| {
            data.be32(1, register);
            data.be32(2, base);
            data.be32(3, offset);
            data.be32(4, length);
        });
    }

    fn compare(&mut self, operator: u32, value: &[u8]) {
        self.expression("cmp", |data| {
            data.be32(1, REG_FIRST);
            data.be32(2, operator);
            data.nested(3, |field| field.bytes(NFTA_DATA_VALUE, value));
        });
    }

    fn bitwise(&mut self, mask: &[u8], xor: &[u8]) {
        self.expression("bitwise", |data| {
            data.be32(1, REG_FIRST);
            data.be32(2, REG_FIRST);
            data.be32(3, mask.len() as u32);
            data.nested(4, |field| field.bytes(NFTA_DATA_VALUE, mask));
            data.nested(5, |field| field.bytes(NFTA_DATA_VALUE, xor));
        });
    }

    fn lookup(&mut self, set: &str, negated: bool) {
        self.expression("lookup", |data| {
            data.text(1, set);
            data.be32(2, REG_FIRST);
            data.be32(5, u32::from(negated));
        });
    }

    fn expression(&mut self, name: &str, body: impl FnOnce(&mut MessageWriter)) {
        self.0.nested(NFTA_LIST_ELEM, |element| {
            element.text(NFTA_EXPR_NAME, name);
            element.nested(NFTA_EXPR_DATA, body);
        });
    }
}

fn comparison(negated: bool) -> u32 {
    if negated { CMP_NEQ } else { CMP_EQ }
}

fn interface(way: Way) -> u32 {
    match way {
        Way::In => META_IIFNAME,
        Way::Out => META_OIFNAME,
    }
}
