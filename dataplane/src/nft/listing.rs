//! What is in our table now, read back from the kernel.

use std::{collections::BTreeMap, io, sync::Arc};

#[allow(clippy::wildcard_imports, reason = "the kernel's numbers go by the kernel's own names")]
use super::number::*;
use super::{TABLE, element::Entries, expression::encode, fingerprint::Fingerprint};
use crate::{
    netlink::{Attributes, MessageWriter, Socket, cstring},
    ruleset::{Chain, Element, Hook, Name, Schema},
};

/// A chain as far as it matters for comparing: two chains with the same image do the same.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Image {
    pub(crate) hook: Option<Hook>,
    pub(crate) rules: Vec<Fingerprint>,
}

/// A set in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetImage {
    flags: u32,
    key_len: u32,
}

/// Our table as the kernel has it.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The generation of the kernel's rule set before it was read.
    pub(crate) generation: u32,
    pub(crate) chains: BTreeMap<Name, Image>,
    /// Sets whose schema is not known to the caller are listed without elements.
    pub(crate) sets: BTreeMap<Name, Arc<Vec<Element>>>,
    /// A set has our name and another shape; only removing the table helps.
    pub(crate) is_unusable: bool,
}

impl Image {
    pub(crate) fn of(chain: &Chain) -> Self {
        let rules = chain.rules.iter().map(|rule| Fingerprint::of(&encode(rule))).collect();
        Self { hook: chain.hook, rules }
    }
}

/// Reads our table. `schema_of` tells what a set of ours with some name holds; sets that nobody wants need none.
pub(crate) fn read(socket: &mut Socket, schema_of: impl Fn(&str) -> Option<Schema>) -> io::Result<Listing> {
    let mut listing = Listing { generation: read_generation(socket)?, ..Listing::default() };
    if !table_exists(socket)? {
        return Ok(listing);
    }
    read_chains(socket, &mut listing)?;
    read_rules(socket, &mut listing)?;
    for (name, image) in read_sets(socket)? {
        let elements = match schema_of(&name) {
            Some(schema) if image == SetImage::of(schema) => read_elements(socket, &name, schema)?,
            Some(_) => {
                listing.is_unusable = true;
                Vec::new()
            }
            None => Vec::new(),
        };
        listing.sets.insert(name, Arc::new(elements));
    }
    Ok(listing)
}

impl SetImage {
    fn of(schema: Schema) -> Self {
        let flags =
            if schema.is_interval() { NFT_SET_INTERVAL } else { 0 } | if schema.is_map() { NFT_SET_MAP } else { 0 };
        Self { flags, key_len: super::batch::key(schema).1 }
    }
}

fn read_generation(socket: &mut Socket) -> io::Result<u32> {
    let found = socket.get(
        |writer| request(writer, NFT_MSG_GETGEN, 0, |_| {}),
        |message| message.attributes(NFGENMSG_LEN).be32(NFTA_GEN_ID),
    )?;
    Ok(found.unwrap_or_default())
}

fn table_exists(socket: &mut Socket) -> io::Result<bool> {
    let tables = socket.dump(
        |writer| request(writer, NFT_MSG_GETTABLE, NLM_F_DUMP, |_| {}),
        |message| (message.attributes(NFGENMSG_LEN).text(NFTA_TABLE_NAME)? == TABLE).then_some(()),
    )?;
    Ok(!tables.is_empty())
}

fn read_chains(socket: &mut Socket, listing: &mut Listing) -> io::Result<()> {
    let chains = socket.dump(
        |writer| request(writer, NFT_MSG_GETCHAIN, NLM_F_DUMP, |_| {}),
        |message| {
            let fields = message.attributes(NFGENMSG_LEN);
            let is_ours = fields.text(NFTA_CHAIN_TABLE)? == TABLE;
            is_ours.then(|| Some((Name::from(fields.text(NFTA_CHAIN_NAME)?), read_hook(&fields))))?
        },
    )?;
    listing.chains.extend(chains.into_iter().map(|(name, hook)| (name, Image { hook, rules: Vec::new() })));
    Ok(())
}

pub(super) fn read_hook(chain: &Attributes<'_>) -> Option<Hook> {
    let fields = chain.nested(NFTA_CHAIN_HOOK);
    let priority = fields.be32(NFTA_HOOK_PRIORITY)?.cast_signed();
    Some(Hook { number: fields.be32(NFTA_HOOK_HOOKNUM)?, priority })
}

fn read_rules(socket: &mut Socket, listing: &mut Listing) -> io::Result<()> {
    let rules = socket.dump(
        |writer| request(writer, NFT_MSG_GETRULE, NLM_F_DUMP, |writer| writer.text(NFTA_RULE_TABLE, TABLE)),
        |message| {
            let fields = message.attributes(NFGENMSG_LEN);
            let is_ours = fields.text(NFTA_RULE_TABLE)? == TABLE;
            is_ours.then(|| Some((Name::from(fields.text(NFTA_RULE_CHAIN)?), read_fingerprint(&fields))))?
        },
    )?;
    for (chain, fingerprint) in rules {
        listing.chains.entry(chain).or_default().rules.push(fingerprint);
    }
    Ok(())
}

pub(super) fn read_fingerprint(rule: &Attributes<'_>) -> Fingerprint {
    let comment = || {
        let mut data = rule.find(NFTA_RULE_USERDATA)?;
        while let [kind, length, rest @ ..] = data {
            let (value, others) = rest.split_at_checked(usize::from(*length))?;
            if *kind == UDATA_RULE_COMMENT {
                return cstring(value);
            }
            data = others;
        }
        None
    };
    comment().map_or(Fingerprint::FOREIGN, Fingerprint::parse)
}

fn read_sets(socket: &mut Socket) -> io::Result<Vec<(Name, SetImage)>> {
    socket.dump(
        |writer| request(writer, NFT_MSG_GETSET, NLM_F_DUMP, |writer| writer.text(NFTA_SET_TABLE, TABLE)),
        |message| {
            let fields = message.attributes(NFGENMSG_LEN);
            let image = SetImage {
                flags: fields.be32(NFTA_SET_FLAGS).unwrap_or_default(),
                key_len: fields.be32(NFTA_SET_KEY_LEN).unwrap_or_default(),
            };
            Some((Name::from(fields.text(NFTA_SET_NAME)?), image))
        },
    )
}

fn read_elements(socket: &mut Socket, set: &str, schema: Schema) -> io::Result<Vec<Element>> {
    let datagrams = socket.dump(
        |writer| {
            request(writer, NFT_MSG_GETSETELEM, NLM_F_DUMP, |writer| {
                writer.text(NFTA_SET_ELEM_LIST_TABLE, TABLE);
                writer.text(NFTA_SET_ELEM_LIST_SET, set);
            });
        },
        |message| Some(message.attributes(NFGENMSG_LEN).find(NFTA_SET_ELEM_LIST_ELEMENTS)?.to_vec()),
    )?;
    let mut entries = Entries::default();
    for list in &datagrams {
        for (_, entry) in Attributes(list) {
            entries.take(&Attributes(entry));
        }
    }
    Ok(entries.finish(schema))
}

fn request(writer: &mut MessageWriter, kind: u16, flags: u16, body: impl FnOnce(&mut MessageWriter)) {
    let header = [NFPROTO_INET, 0, 0, 0];
    writer.message(NFNL_SUBSYS_NFTABLES << 8 | kind, NLM_F_REQUEST | flags, &header, body);
}
