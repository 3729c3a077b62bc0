//! What a failure is about.

use std::fmt;

use ipnet::IpNet;
use model::intent::{EndpointId, PolicyId, ProfileId, SetId};

/// The part of the intent on whose behalf something in the kernel exists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A policy; where it could not be programmed, what reaches it is dropped.
    Policy(PolicyId),
    /// A profile; where it could not be programmed, what reaches it is dropped.
    Profile(ProfileId),
    /// An endpoint; where it could not be programmed, its packets are dropped.
    Endpoint(EndpointId),
    /// A set; where it could not be programmed, policies that use it drop.
    Set(SetId),
    /// A route.
    Route(IpNet),
    /// An interface's settings, by its name.
    Interface(String),
    /// What is ours whatever the intent: the table, its base chains and its interned sets.
    Table,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(id) => write!(f, "policy {id}"),
            Self::Profile(id) => write!(f, "profile {id}"),
            Self::Endpoint(id) => write!(f, "endpoint {id}"),
            Self::Set(id) => write!(f, "set {id}"),
            Self::Route(net) => write!(f, "route {net}"),
            Self::Interface(name) => write!(f, "interface {name}"),
            Self::Table => f.write_str("cattail"),
        }
    }
}
