//! Resources in, what each node must enforce out; pure.
//!
//! A graph of plain synchronous rooms with one owner: no I/O, no clock, no tokio. A resource's way through it:
//! [`Graph::apply`] at the door (`graph/intake`), then by kind to the labelled items (`endpoints`, `items`,
//! `label_index`), to the policies (`policies`, `policy_order`, `active_policies`), to profiles, to
//! routes, or to the settings of nodes (`node_configs`).
//! [`Graph::flush`] resolves what changed: classes to tiers, endpoints, rules (`active_rules`, `rules`), sets
//! (`ip_sets`), routes, and `output` says to each node only what is different. What cannot be read or enforced is
//! replaced by `fail_closed`.

mod active_policies;
mod active_rules;
mod endpoints;
mod fail_closed;
mod graph;
mod ip_sets;
mod items;
mod label_index;
mod node_configs;
mod output;
mod policies;
mod policy_order;
mod profiles;
mod routes;
mod rules;
mod symbols;
pub mod verdict;

pub use self::graph::{Graph, Input, Nodes};
