//! The floor: what the same fan-out costs over plain sockets, with nothing but the kernel in the way.
//!
//! A server process with one thread writes the same number of bytes to the same number of clients at the same intended
//! times. No TLS, no HTTP/2, no state: nothing that serves clients can cost less.

mod client;
pub(crate) mod server;

use serde::{Deserialize, Serialize};

pub(crate) use self::client::run;
use crate::recorder::Percentiles;

/// What the floor is to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) clients: u32,
    /// Frames to each client.
    pub(crate) frames: u64,
    /// Frames a second.
    pub(crate) rate: f64,
    /// Frames intended for the same moment.
    pub(crate) burst: u32,
    pub(crate) frame_bytes: usize,
    /// What the CPU time is divided by.
    pub(crate) updates: f64,
}

/// What the floor cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Floor {
    /// The floor server's CPU time for each update and client.
    pub(crate) cpu_us_per_client_update: f64,
    /// From the intended time to the client.
    pub(crate) latency_ms: Percentiles,
}
