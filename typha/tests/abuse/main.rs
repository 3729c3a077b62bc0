//! Peers that are let in and then break the rules of HTTP/2, or keep to them and ask for too much; and peers that are not
//! let in. Each is ended or held back, costs the server a bounded amount of memory, and meanwhile an agent on the same
//! server gets every change, in order.
//!
//! The attacker writes its frames by hand (RFC 9113, RFC 7541), so that no library keeps it from anything. Where the RFC
//! leaves a choice the tests ask for what matters: an error of the right class, or the end of the connection.

#![allow(clippy::expect_used, reason = "tests")]

mod connections;
mod floods;
mod frames;
#[path = "../harness/mod.rs"]
mod harness;
mod headers;
mod memory;
mod raw;
mod requests;
mod siege;
mod strangers;
mod violations;
