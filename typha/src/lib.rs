//! Typha: streams a datastore's state and its changes to thousands of agents.
//!
//! The way of the data: `feed` takes events from a source into the `store`; `session` decides what a client lacks;
//! `batch` makes the bytes once for all; `server` is the door. [`Server`] is all of it, for binaries and tests.
//!
//! Values are bytes here: what a policy means is decided elsewhere.

mod admin;
pub mod admission;
mod balance;
pub mod batch;
pub mod clients;
pub mod feed;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod journeys;
mod memory;
mod metrics;
mod pulses;
mod readiness;
mod server;
pub mod session;
pub mod store;

pub use self::{
    balance::Share,
    memory::MemorySource,
    server::{Config, Limits, Server, ServerError, http2},
};
