//! What an apply did and what it could not do.

use std::sync::Arc;

use crate::Object;

/// The state of the kernel after an apply.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Applied {
    /// Everything of the intent that the kernel does not enforce as asked, old failures included. Where it concerns
    /// policy, packets are dropped instead.
    pub failures: Vec<Failure>,
    /// Interfaces that endpoints or routes name and that are not there, or not up, yet. Their rules are in force;
    /// their routes and settings follow when they appear.
    pub waiting: Vec<Arc<str>>,
    /// How many nftables messages changed something in this apply; 0 where the kernel was as desired.
    pub rule_changes: usize,
    /// How many routes were added, changed or removed in this apply.
    pub route_changes: usize,
}

/// One thing that could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it is about.
    pub object: Object,
    /// Why, in words.
    pub reason: String,
}
