//! The floor: what the same fan-out costs over plain sockets, with nothing but the kernel in the way.
//!
//! A server process with one thread writes the same number of bytes to the same number of clients at the same intended
//! times. No TLS, no HTTP/2, no state: nothing that serves clients can cost less.

mod client;
pub(crate) mod server;

use serde::{Deserialize, Serialize};

pub(crate) use self::client::run;
use crate::recorder::Percentiles;

/// What the floor cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Floor {
    /// The floor server's CPU time for each update and client.
    pub(crate) cpu_us_per_client_update: f64,
    /// From the intended time to the client.
    pub(crate) latency_ms: Percentiles,
}
