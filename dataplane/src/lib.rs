//! Intent into the kernel of one network namespace: nftables, routes and interface settings, by netlink.
//!
//! Takes [`model::intent`] and knows neither labels nor datastores nor how the intent came here. What is desired is
//! compared with what is there, and the difference is written; start, change and drift are one function.
//!
//! Everything that is ours is marked: the nftables table `inet cattail` and all in it, and routes with the protocol
//! number [`ROUTE_PROTOCOL`]. Nothing else is ever changed, but for the settings of workloads' interfaces and the
//! forwarding of packets. Before the first [`Dataplane::set_in_sync`] nothing is written at all.

mod applied;
mod config;
mod dataplane;
mod delta;
mod desired;
mod engine;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod netlink;
mod nft;
mod object;
mod render;
mod routes;
mod ruleset;
mod tables;

pub use self::{
    applied::{Applied, Failure},
    config::Config,
    dataplane::Dataplane,
    error::Error,
    object::Object,
    routes::ROUTE_PROTOCOL,
};
