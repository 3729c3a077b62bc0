//! What a client is to connect to, and as whom.

use std::{sync::Arc, time::Duration};

use pki::ClientTls;

use super::{Discovery, Metrics};

/// A client is as dead as it is silent: typha sends a checkpoint at least every few seconds even where nothing changes,
/// so that this much silence means that it, or the way to it, is gone.
pub(super) const SILENCE_LIMIT: Duration = Duration::from_secs(20);

/// Three of typha's signs of life from the datastore are missing then, and typha calls itself not ready.
pub(super) const UPSTREAM_AGE_LIMIT: Duration = Duration::from_secs(15);

/// A replica that does not accept, greet and answer within this is passed over. Above the three SYNs that Linux sends
/// in the first seven seconds would be patient for a network between nodes; one retransmission is enough.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Clients that learn of a better replica at the same time move to it within this, so that a new one is not stormed: at
/// 5,000 nodes and ten replicas that is 50 handshakes a second.
pub(super) const MOVE_SPREAD: Duration = Duration::from_secs(10);

/// Everything that a client must know. Many clients of one process share it behind an [`Arc`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Finds the replicas.
    pub discovery: Arc<Discovery>,
    /// The zone of the node that is served; replicas there are preferred.
    pub zone: Option<Arc<str>>,
    /// Clients that learn of a better replica at the same time move to it within this.
    pub move_spread: Duration,
    /// Our certificate, the CA, and who the server must be; see [`ClientTls`]. Where it follows files, clients look at
    /// them as they go.
    pub tls: Arc<ClientTls>,
    /// The software and its version, for people who look at typha's list of clients.
    pub version: Arc<str>,
    /// Whether typha may compress what it sends with zstd.
    pub takes_zstd: bool,
    /// A replica that is silent for longer is left.
    pub silence_limit: Duration,
    /// A replica whose own view of the datastore is this old is left for one whose view is not; where there is none,
    /// it is kept.
    pub upstream_age_limit: Duration,
    /// A replica that takes longer to be connected to is passed over.
    pub connect_limit: Duration,
    /// How often the certificates' files are looked at.
    pub certificates_every: Duration,
    /// Counters that all clients with this configuration share.
    pub metrics: Metrics,
}

impl Config {
    /// A configuration with the usual limits, without compression, and with `tls` that follows its files or is fixed.
    /// Servers are `host:port`, with `#zone` after the port where the zone is known; see [`Discovery`].
    pub fn new(servers: impl IntoIterator<Item = impl Into<Arc<str>>>, tls: impl Into<ClientTls>) -> Self {
        Self {
            discovery: Arc::new(Discovery::new(servers)),
            zone: None,
            move_spread: MOVE_SPREAD,
            tls: Arc::new(tls.into()),
            version: concat!("cattail/", env!("CARGO_PKG_VERSION")).into(),
            takes_zstd: false,
            silence_limit: SILENCE_LIMIT,
            upstream_age_limit: UPSTREAM_AGE_LIMIT,
            connect_limit: CONNECT_LIMIT,
            certificates_every: pki::REFRESH_INTERVAL,
            metrics: Metrics::default(),
        }
    }
}
