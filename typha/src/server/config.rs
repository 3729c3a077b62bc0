//! What a server is told: where to listen, whom to admit, how much to bear.

use std::{net::SocketAddr, num::NonZero, thread::available_parallelism, time::Duration};

use crate::admission::AdmissionLimits;

/// What a server is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The replica's name, for logs and clients.
    pub name: String,
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where the admin API is served, if it is.
    pub admin_listen: Option<SocketAddr>,
    /// Where the admin APIs of all replicas are, as `HOST:PORT`, for the page that shows them beside each other.
    pub admin_peers: Vec<String>,
    /// The server's certificate, its key, and the CA of its clients.
    pub files: pki::Files,
    /// The clients that are admitted.
    pub peers: pki::Peers,
    /// How much to bear.
    pub limits: Limits,
}

/// How much a server bears from its peers.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time, handshakes included. Far above what one replica should serve, because refusing service
    /// to a node is worse than serving it slowly; it only keeps a flood from eating all memory.
    pub connections: usize,
    /// Handshakes that compute at a time: as many as keep all cores busy, and a stream that has news waits for no more
    /// than one of them. The others wait for their turn, within the time that a handshake may take.
    pub handshakes: usize,
    /// From the connection to the end of its handshake. A node under load is slow, but not this slow.
    pub handshake: Duration,
    /// From the handshake to the first request: a client connects in order to ask.
    pub first_request: Duration,
    /// From a request's headers to its end. Requests are small.
    pub request: Duration,
    /// A request's length. A position and a name need little, a report of 100 failures more.
    pub request_bytes: usize,
    /// How long a silent peer is left alone before it is asked for a sign of life, and how long it may take.
    pub keepalive: Duration,
    /// How much is sent at once to clients who need a whole state, and how long they wait.
    pub admission: AdmissionLimits,
    /// How long clients may take to leave when the server drains. Less than the 30 s after which Kubernetes kills.
    pub drain: Duration,
    /// Without a sign of life from the datastore for longer than this, the replica is not ready.
    pub stale_after: Duration,
    /// A part of the server that has not run for longer than this is wedged, and the process is to be restarted. No part
    /// has work for a second; a machine that is out of breath, or was suspended, is not restarted for that.
    pub wedged_after: Duration,
    /// How often the certificates' files are looked at.
    pub certificates_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            handshakes: available_parallelism().map_or(1, NonZero::get),
            handshake: Duration::from_secs(10),
            first_request: Duration::from_secs(10),
            request: Duration::from_secs(10),
            request_bytes: 256 << 10,
            keepalive: Duration::from_secs(20),
            admission: AdmissionLimits::default(),
            drain: Duration::from_secs(10),
            stale_after: Duration::from_secs(15),
            wedged_after: Duration::from_secs(30),
            certificates_every: pki::REFRESH_INTERVAL,
        }
    }
}
