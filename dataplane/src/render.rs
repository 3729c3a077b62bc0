//! Intent into the nouns of our table. Pure: the same intent gives the same nouns, whatever was before.
//!
//! ```text
//! prerouting   from a workload, source address not its own           -> drop
//! forward      from a workload  -> from-workload -> fw-… (egress)    -> po-… policies, pro-… profiles
//!              to a workload    -> to-workload   -> tw-… (ingress)   -> pi-… policies, pri-… profiles
//! input        from a workload  -> workload-to-host -> from-workload, then the configured action
//!              from elsewhere   -> host-ingress  -> th-…
//! output       to elsewhere     -> host-egress   -> fh-…
//! ```
//!
//! Allowed ingress is accepted on the spot: nothing comes after it. Allowed egress sets the accept mark and returns,
//! since the receiver's ingress may come after it. Pass sets the pass mark and returns; an endpoint's chain asks the
//! next policy of a tier only while both marks are clear.

mod address;
mod base;
mod dispatch;
mod endpoint;
mod fragment;
mod name;
mod policy;
mod rule;
mod set;

pub(crate) use self::{
    base::base,
    dispatch::{Claims, dispatch},
    endpoint::{Known, endpoint},
    fragment::Fragment,
    name::schema_of,
    policy::{policy, profile, sets},
    set::{Presence, ip_set},
};

/// A way that packets go, seen from the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Ingress,
    Egress,
}

#[cfg(test)]
mod tests;
