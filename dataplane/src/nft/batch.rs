//! One transaction: everything in it happens at once or not at all.

use std::{fmt, io};

#[allow(clippy::wildcard_imports, reason = "the kernel's numbers go by the kernel's own names")]
use super::number::*;
use super::{TABLE, element, expression::encode, fingerprint::Fingerprint};
use crate::{
    netlink::{MessageWriter, Refusal, Socket},
    ruleset::{Chain, Element, Family, Name, Rule, Schema, Set},
};

/// An attribute is below 64 KiB, and an element of a verdict map, the largest, takes about 90 bytes, a range of IPv6
/// addresses 80.
const ELEMENTS_PER_MESSAGE: usize = 512;
/// nft shows no longer comments.
const COMMENT_MAX_BYTES: usize = 120;

/// What a message of a transaction is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Touched {
    Table,
    Chain(Name),
    Set(Name),
}

impl fmt::Display for Touched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table => f.write_str("the table"),
            Self::Chain(name) => write!(f, "chain {name}"),
            Self::Set(name) => write!(f, "set {name}"),
        }
    }
}

/// Messages of one transaction, gathered.
pub(crate) struct Batch {
    writer: MessageWriter,
    /// What each message is about, in order.
    touched: Vec<Touched>,
    next_set_id: u32,
}

impl Batch {
    /// Begins a transaction that makes sure of our table. With a `generation` the kernel takes it only if nothing
    /// has changed since that generation of its rule set.
    pub(crate) fn new(socket: &Socket, generation: Option<u32>) -> Self {
        let mut batch = Self { writer: socket.writer(), touched: Vec::new(), next_set_id: 1 };
        batch.boundary(NFNL_MSG_BATCH_BEGIN, generation);
        // The one message whose acknowledgement says that the whole transaction went through.
        batch.message(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK, Touched::Table, |writer| {
            writer.text(NFTA_TABLE_NAME, TABLE);
            writer.bytes(NFTA_TABLE_USERDATA, &user_text(UDATA_TABLE_COMMENT, "managed by cattail"));
        });
        batch
    }

    /// Whether there is nothing in it but our table.
    pub(crate) fn is_empty(&self) -> bool {
        self.touched.len() <= 2
    }

    /// How many messages change something.
    pub(crate) fn changes(&self) -> usize {
        self.touched.len().saturating_sub(2)
    }

    /// Removes the whole table and begins it anew.
    pub(crate) fn recreate_table(&mut self) {
        self.message(NFT_MSG_DELTABLE, 0, Touched::Table, |writer| writer.text(NFTA_TABLE_NAME, TABLE));
        self.message(NFT_MSG_NEWTABLE, NLM_F_CREATE, Touched::Table, |writer| writer.text(NFTA_TABLE_NAME, TABLE));
    }

    pub(crate) fn add_set(&mut self, name: &Name, set: &Set) {
        let id = self.next_set_id;
        self.next_set_id += 1;
        let (key_type, key_len) = key(set.schema);
        let flags = if set.schema.is_interval() { NFT_SET_INTERVAL } else { 0 }
            | if set.schema.is_map() { NFT_SET_MAP } else { 0 };
        self.message(NFT_MSG_NEWSET, NLM_F_CREATE, Touched::Set(name.clone()), |writer| {
            writer.text(NFTA_SET_TABLE, TABLE);
            writer.text(NFTA_SET_NAME, name);
            writer.be32(NFTA_SET_FLAGS, flags);
            writer.be32(NFTA_SET_KEY_TYPE, key_type);
            writer.be32(NFTA_SET_KEY_LEN, key_len);
            if set.schema.is_map() {
                writer.be32(NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
                writer.be32(NFTA_SET_DATA_LEN, 0);
            }
            writer.be32(NFTA_SET_ID, id);
            writer.bytes(NFTA_SET_USERDATA, &set_user_data(set));
        });
    }

    pub(crate) fn delete_set(&mut self, name: &Name) {
        self.message(NFT_MSG_DELSET, 0, Touched::Set(name.clone()), |writer| {
            writer.text(NFTA_SET_TABLE, TABLE);
            writer.text(NFTA_SET_NAME, name);
        });
    }

    pub(crate) fn add_elements(&mut self, set: &Name, elements: &[Element]) {
        self.elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, elements);
    }

    pub(crate) fn delete_elements(&mut self, set: &Name, elements: &[Element]) {
        self.elements(NFT_MSG_DELSETELEM, 0, set, elements);
    }

    pub(crate) fn add_chain(&mut self, name: &Name, chain: &Chain) {
        self.message(NFT_MSG_NEWCHAIN, NLM_F_CREATE, Touched::Chain(name.clone()), |writer| {
            writer.text(NFTA_CHAIN_TABLE, TABLE);
            writer.text(NFTA_CHAIN_NAME, name);
            if let Some(hook) = chain.hook {
                writer.nested(NFTA_CHAIN_HOOK, |fields| {
                    fields.be32(NFTA_HOOK_HOOKNUM, hook.number);
                    fields.be32(NFTA_HOOK_PRIORITY, hook.priority as u32);
                });
                writer.be32(NFTA_CHAIN_POLICY, NF_ACCEPT);
                writer.text(NFTA_CHAIN_TYPE, "filter");
            }
            writer.bytes(NFTA_CHAIN_USERDATA, &user_text(UDATA_CHAIN_COMMENT, &chain.owner.to_string()));
        });
    }

    /// Removes all rules of a chain.
    pub(crate) fn flush_chain(&mut self, name: &Name) {
        self.message(NFT_MSG_DELRULE, 0, Touched::Chain(name.clone()), |writer| {
            writer.text(NFTA_RULE_TABLE, TABLE);
            writer.text(NFTA_RULE_CHAIN, name);
        });
    }

    /// Adds a rule at a chain's end.
    pub(crate) fn add_rule(&mut self, chain: &Name, rule: &Rule) {
        let expressions = encode(rule);
        let fingerprint = Fingerprint::of(&expressions);
        self.message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, Touched::Chain(chain.clone()), |writer| {
            writer.text(NFTA_RULE_TABLE, TABLE);
            writer.text(NFTA_RULE_CHAIN, chain);
            writer.bytes(NFTA_RULE_EXPRESSIONS, &expressions);
            writer.bytes(NFTA_RULE_USERDATA, &user_text(UDATA_RULE_COMMENT, &fingerprint.to_string()));
        });
    }

    /// Removes a chain that has no rules and that nothing leads to.
    pub(crate) fn delete_chain(&mut self, name: &Name) {
        self.message(NFT_MSG_DELCHAIN, 0, Touched::Chain(name.clone()), |writer| {
            writer.text(NFTA_CHAIN_TABLE, TABLE);
            writer.text(NFTA_CHAIN_NAME, name);
        });
    }

    /// Hands the transaction to the kernel. What it refuses, by what the refused message was about; then nothing of
    /// the transaction happened.
    pub(crate) fn commit(mut self, socket: &mut Socket) -> io::Result<Vec<(Touched, Refusal)>> {
        self.boundary(NFNL_MSG_BATCH_END, None);
        let refusals = socket.exchange(&self.writer, 1)?;
        Ok(refusals
            .into_iter()
            .map(|refusal| {
                let index = self.writer.index_of(refusal.sequence);
                (self.touched.get(index).cloned().unwrap_or(Touched::Table), refusal)
            })
            .collect())
    }

    fn elements(&mut self, kind: u16, flags: u16, set: &Name, elements: &[Element]) {
        for chunk in elements.chunks(ELEMENTS_PER_MESSAGE) {
            self.message(kind, flags, Touched::Set(set.clone()), |writer| {
                writer.text(NFTA_SET_ELEM_LIST_TABLE, TABLE);
                writer.text(NFTA_SET_ELEM_LIST_SET, set);
                writer.nested(NFTA_SET_ELEM_LIST_ELEMENTS, |list| {
                    for element in chunk {
                        element::write(list, element);
                    }
                });
            });
        }
    }

    fn message(&mut self, kind: u16, flags: u16, touched: Touched, body: impl FnOnce(&mut MessageWriter)) {
        let header = [NFPROTO_INET, 0, 0, 0];
        self.writer.message(NFNL_SUBSYS_NFTABLES << 8 | kind, NLM_F_REQUEST | flags, &header, body);
        self.touched.push(touched);
    }

    fn boundary(&mut self, kind: u16, generation: Option<u32>) {
        let [high, low] = NFNL_SUBSYS_NFTABLES.to_be_bytes();
        self.writer.message(kind, NLM_F_REQUEST, &[0, 0, high, low], |writer| {
            if let Some(generation) = generation {
                writer.be32(NFNL_BATCH_GENID, generation);
            }
        });
        self.touched.push(Touched::Table);
    }
}

/// Type and length of a set's keys.
pub(super) fn key(schema: Schema) -> (u32, u32) {
    let address = |family| match family {
        Family::V4 => (TYPE_IPV4_ADDR, 4),
        Family::V6 => (TYPE_IPV6_ADDR, 16),
    };
    match schema {
        Schema::Addresses(family) => address(family),
        Schema::Ports => (TYPE_INET_SERVICE, 2),
        Schema::Protocols => (TYPE_INET_PROTO, 1),
        Schema::AddressPorts(family) => {
            let (kind, length) = address(family);
            (concatenate(concatenate(kind, TYPE_INET_PROTO), TYPE_INET_SERVICE), length + 8)
        }
        Schema::InterfaceAddresses(family) => {
            let (kind, length) = address(family);
            (concatenate(TYPE_IFNAME, kind), IFNAMSIZ as u32 + length)
        }
        Schema::Dispatch => (TYPE_IFNAME, IFNAMSIZ as u32),
    }
}

fn concatenate(first: u32, second: u32) -> u32 {
    first << TYPE_BITS | second
}

fn set_user_data(set: &Set) -> Vec<u8> {
    let byte_order = if set.schema == Schema::Dispatch { BYTEORDER_HOST_ENDIAN } else { BYTEORDER_BIG_ENDIAN };
    let mut data = user_field(UDATA_SET_KEYBYTEORDER, &byte_order.to_ne_bytes());
    data.extend(user_text(UDATA_SET_COMMENT, &set.owner.to_string()));
    data
}

fn user_text(kind: u8, text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes()[..text.floor_char_boundary(COMMENT_MAX_BYTES)].to_vec();
    bytes.push(0);
    user_field(kind, &bytes)
}

/// `value` is at most 255 bytes long.
fn user_field(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut field = vec![kind, value.len() as u8];
    field.extend_from_slice(value);
    field
}
