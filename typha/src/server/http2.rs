//! HTTP/2 for the port that agents use: a server's half, small enough to read, made for many streams that carry the same.
//!
//! `machine` is the protocol without I/O ([`Machine`], which is also what fuzzers drive); `connection` is the shell
//! that moves bytes between it, a socket and the answers. Why not a complete implementation: decision 0014.
//!
//! What a message costs for each client is a wake-up, nine bytes in front of shared ones, and a write. An answer's body
//! is polled only when the peer has room for more and the socket takes it, so that a peer that does not read costs
//! what it costs when nothing happens.

mod backlog;
mod budget;
mod connection;
mod fault;
mod frame;
mod hpack;
mod limits;
mod machine;
mod notice;
mod request;
mod service;
mod stream;
mod window;

#[cfg(test)]
mod tests;

pub(super) use self::{
    backlog::Backlog,
    connection::{Connection, Ended, Patience},
    notice::Notice,
    service::{Answer, Content, Reply, Service, Unread},
};
pub use self::{
    fault::{Code, Fault},
    machine::{Announced, Event, Machine},
};
