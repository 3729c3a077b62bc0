//! Why a client is not, or no longer, connected: each variant names the replica's address and what to look at.

use std::{error::Error, fmt::Write as _, io, sync::Arc, time::Duration};

use proto::sync::v1::{GoAway, go_away::Kind};
use thiserror::Error;

use super::{FrameError, ProtocolError};

/// A reason is for a log line.
pub(super) const MAX_REASON_CHARS: usize = 500;

/// Nobody has more replicas worth naming.
const MAX_SERVERS: usize = 64;

/// A DNS name, a colon and a port.
const MAX_SERVER_CHARS: usize = 253 + 6;

/// A replica that puts us off for longer is asked again all the same: it may have restarted since.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_mins(5);

/// Why an attempt or a stream ended. None of them is final; the client goes on with the next replica.
#[derive(Debug, Error)]
pub enum Disconnect {
    /// No replica is known.
    #[error("{reason}")]
    NoReplica {
        /// Which name has no address, and why.
        reason: Arc<str>,
    },
    /// No TCP connection.
    #[error("cannot connect to typha at {address}: {source}; is it running there, and is the port open?")]
    Unreachable {
        /// The replica.
        address: Arc<str>,
        /// What the system says.
        source: io::Error,
    },
    /// Not connected in time.
    #[error("typha at {address} did not answer within {limit:?}; is it overloaded, or does a firewall drop packets?")]
    TimedOut {
        /// The replica.
        address: Arc<str>,
        /// The limit.
        limit: Duration,
    },
    /// The handshake failed, at either end.
    #[error("TLS with typha at {address} failed: {reason}")]
    Tls {
        /// The replica.
        address: Arc<str>,
        /// Why, in words.
        reason: String,
    },
    /// The connection broke.
    #[error("the connection to typha at {address} broke: {reason}")]
    Broken {
        /// The replica.
        address: Arc<str>,
        /// Why, in words.
        reason: String,
    },
    /// Typha answered with an error.
    #[error("typha at {address} refused: {message} (gRPC status {code})")]
    Refused {
        /// The replica.
        address: Arc<str>,
        /// gRPC's status code.
        code: i32,
        /// What typha says.
        message: String,
    },
    /// Whatever listens there does not speak our protocol.
    #[error("{address} is no typha: {reason}")]
    NotTypha {
        /// The replica.
        address: Arc<str>,
        /// What it said.
        reason: String,
    },
    /// The bytes are not gRPC messages that we take.
    #[error("typha at {address} sent what cannot be read: {source}")]
    Frame {
        /// The replica.
        address: Arc<str>,
        /// What is wrong with them.
        source: FrameError,
    },
    /// A message is not one of the protocol.
    #[error("typha at {address} sent a message that is no batch: {source}")]
    Garbage {
        /// The replica.
        address: Arc<str>,
        /// What is wrong with it.
        source: prost::DecodeError,
    },
    /// A message breaks the protocol's rules.
    #[error("typha at {address}: {source}")]
    Protocol {
        /// The replica.
        address: Arc<str>,
        /// Which rule.
        source: ProtocolError,
    },
    /// Nothing came for too long.
    #[error("typha at {address} was silent for {limit:?}; it or the way to it is gone")]
    Silent {
        /// The replica.
        address: Arc<str>,
        /// The limit.
        limit: Duration,
    },
    /// Typha asked us to go, and we went.
    #[error("typha at {address} asked us to leave: {reason}")]
    GoAway {
        /// The replica.
        address: Arc<str>,
        /// Why, as typha put it.
        reason: String,
    },
    /// Typha has too much to send at present, and told when to come back.
    #[error("typha at {address} puts us off for {} s: {reason}", retry_after.as_secs_f32().ceil())]
    PutOff {
        /// The replica.
        address: Arc<str>,
        /// Why, as typha put it.
        reason: String,
        /// It is not to be asked again before that.
        retry_after: Duration,
    },
    /// Typha does not serve us; another replica may.
    #[error("typha at {address} refers us to others: {reason}")]
    Referred {
        /// The replica.
        address: Arc<str>,
        /// Why, as typha put it.
        reason: String,
        /// The addresses of those that it names, the best first.
        servers: Vec<String>,
    },
    /// Typha's view of the datastore is old, and we went to ask another replica.
    #[error("typha at {address} has heard nothing from the datastore for {} s; asking another", age.as_secs())]
    Stale {
        /// The replica.
        address: Arc<str>,
        /// How old its view is.
        age: Duration,
    },
    /// Typha closed the stream without an error.
    #[error("typha at {address} closed the stream")]
    Closed {
        /// The replica.
        address: Arc<str>,
    },
}

impl Disconnect {
    /// A short name for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::NoReplica { .. } => "no_replica",
            Self::Unreachable { .. } => "unreachable",
            Self::TimedOut { .. } => "timed_out",
            Self::Tls { .. } => "tls",
            Self::Broken { .. } => "broken",
            Self::Refused { .. } => "refused",
            Self::NotTypha { .. } => "not_typha",
            Self::Frame { .. } => "frame",
            Self::Garbage { .. } => "garbage",
            Self::Protocol { .. } => "protocol",
            Self::Silent { .. } => "silent",
            Self::GoAway { .. } => "go_away",
            Self::PutOff { .. } => "put_off",
            Self::Referred { .. } => "referred",
            Self::Stale { .. } => "stale",
            Self::Closed { .. } => "closed",
        }
    }

    /// Whether all is as it should be, so that it deserves no warning.
    pub fn is_orderly(&self) -> bool {
        matches!(self, Self::GoAway { .. } | Self::Closed { .. })
    }

    /// What typha's word that we should go amounts to, where it means that the stream is over; `None` where we leave in
    /// our own time.
    pub(super) fn told(address: &Arc<str>, word: &GoAway) -> Option<Self> {
        let (address, reason) = (Arc::clone(address), tamed(&word.reason, MAX_REASON_CHARS));
        match word.kind() {
            Kind::Unspecified | Kind::Draining | Kind::Rebalance => None,
            Kind::Busy => {
                let retry_after = Duration::from_millis(word.retry_after_ms.into()).min(MAX_RETRY_AFTER);
                Some(Self::PutOff { address, reason, retry_after })
            }
            Kind::Full | Kind::Behind | Kind::NotReady | Kind::NoResume => {
                let servers = word.servers.iter().take(MAX_SERVERS).map(|server| tamed(server, MAX_SERVER_CHARS));
                Some(Self::Referred { address, reason, servers: servers.collect() })
            }
        }
    }

    pub(super) fn broken(address: &Arc<str>, error: &(dyn Error + 'static)) -> Self {
        Self::Broken { address: Arc::clone(address), reason: chain(error) }
    }

    /// A connection that broke, at the network or because TLS did not agree. With TLS 1.3 a server refuses our
    /// certificate after our handshake is done, so that only reading tells of it.
    pub(super) fn from_io(address: &Arc<str>, error: &io::Error) -> Self {
        let (address, reason) = (Arc::clone(address), explain(error));
        if is_tls(error) { Self::Tls { address, reason } } else { Self::Broken { address, reason } }
    }
}

/// How long a replica gives a client to go. Nobody needs longer, and it may mean something else.
pub(super) fn within(word: &GoAway) -> Duration {
    Duration::from_millis(word.within_ms.into()).min(MAX_RETRY_AFTER)
}

/// Why a stream that was open broke, in words.
pub(super) fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the peer hung up".to_owned(),
        _ => pki::explain(error),
    }
}

/// Whether TLS did not agree, as against the network.
pub(super) fn is_tls(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some()
}

/// What a peer says, cut and without what would disturb a log.
pub(super) fn tamed(text: &str, max_chars: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max_chars).collect()
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// An error with its causes in one line, each said once.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error).map(ToString::to_string) {
        if text.contains(&cause) {
            continue;
        }
        let separator = if text.is_empty() { "" } else { ": " };
        let _ = write!(text, "{separator}{cause}");
    }
    text
}
