//! The nouns of our nftables table as values: what is rendered, compared, written and shown.
//!
//! No netlink here and no intent: rendering makes these, the `nft` room encodes them, `delta` compares them.

mod chain;
mod set;
mod statement;
mod text;

use std::sync::Arc;

#[cfg(test)]
pub(crate) use self::text::listing;
pub(crate) use self::{
    chain::{Chain, Hook, Rule},
    set::{Element, Schema, Set},
    statement::{ConntrackState, Family, Side, Statement, Verdict, Way},
};

/// The name of a chain, set or interface.
pub(crate) type Name = Arc<str>;
