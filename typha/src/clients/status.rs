//! What is told of clients, one by one and all together.

use std::net::SocketAddr;

use model::Version;
use serde::Serialize;

use super::{Failure, Lag};

/// One client, for people and their tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientStatus {
    /// The node that it serves, and how far behind it is.
    #[serde(flatten)]
    pub lag: Lag,
    /// Where it connects from.
    pub address: SocketAddr,
    /// Its software.
    pub version: String,
    /// Since when it is connected.
    pub connected_at_unix_ms: u64,
    /// Up to which revision everything was handed out to it.
    pub position_revision: Version,
    /// The revision that it reports to enforce; `null` before its first report.
    pub applied_revision: Option<Version>,
    /// When it reached that, by its own clock.
    pub applied_at_unix_ms: Option<u64>,
    /// What it could not enforce.
    pub failures: Vec<Failure>,
}

/// "Revision R is enforced by so many of so many."
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Acks {
    /// The revision of the last change.
    pub revision: Version,
    /// How many clients report to enforce it.
    pub applied: usize,
    /// How many clients there are.
    pub clients: usize,
    /// How many clients could not enforce something.
    pub failing: usize,
    /// How many clients do not read what is sent to them.
    pub stalled: usize,
    /// Some of those that do not enforce it yet: the ones that have lacked it for longest, the worst first.
    pub lagging: Vec<Lag>,
}

/// What was handed out to all clients ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes of messages, before TLS.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
    /// Streams that began, or began anew, with a snapshot.
    pub snapshots: u64,
    /// Streams that went on from the client's position.
    pub resumes: u64,
    /// Streams that began with the ranges in which the client's state differed.
    pub repairs: u64,
}
