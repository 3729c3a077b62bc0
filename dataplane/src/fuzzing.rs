//! Doors to private parsers, for the room `fuzz` alone: each takes bytes as the kernel may send them.

use crate::{netlink::Message, nft, routes};

/// A datagram of netlink, read as everything that we ever ask the kernel for.
pub fn netlink(bytes: &[u8]) {
    for message in Message::all(bytes) {
        nft::fuzzing::message(&message);
        routes::fuzzing::message(&message);
    }
}
