//! The sync protocol's client and the agent's brain; no netlink.
//!
//! `sync` brings verified states from typha; the agent turns them into what its node must enforce. Whoever programs a
//! kernel by that lives elsewhere.

pub mod agent;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod sync;
