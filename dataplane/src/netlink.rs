//! Netlink as bytes: writing messages, reading messages, and one socket to exchange them.
//!
//! Knows the framing that all of netlink shares and nothing of nftables or routes; those rooms name the numbers.

mod address;
mod message;
mod reader;
mod socket;

pub(crate) use self::{
    address::{octets, parse_address},
    message::MessageWriter,
    reader::{Attributes, Message, cstring},
    socket::{Refusal, Socket},
};
