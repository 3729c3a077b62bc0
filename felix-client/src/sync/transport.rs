//! What a session needs of a connection, and what all connections to typha have in common: TCP, mutual TLS, limits.
//!
//! The server's identity is checked by the TLS configuration (see `pki`), not by its address.

mod last_words;

use std::{future::Future, io, sync::Arc};

use prost::Message as _;
use proto::sync::v1::{Batch, ReportRequest, SubscribeRequest};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use self::last_words::{LastWords, cut_after_handshake};
use super::{Config, Disconnect, FrameError, frame::Message};

/// Typha may send this much ahead of us. Large, so that a snapshot is not slowed down by round trips and WINDOW_UPDATEs
/// are rare; not unbounded, so that typha notices a busy agent and conflates, instead of this process buffering.
pub(super) const WINDOW_BYTES: u32 = 16 << 20;

/// Fewer, larger DATA frames cost both ends less; typha's chunks are of this order.
pub(super) const MAX_FRAME_BYTES: u32 = 256 << 10;

/// Bytes to and from a replica.
pub(super) type Stream = LastWords<TlsStream<TcpStream>>;

/// One connection with one subscription. Dropping it ends both.
pub(super) trait Transport: Sized + Send {
    /// What makes reports beside the subscription.
    type Reports: Reports;

    /// Connects and subscribes. The caller sets the limit in time.
    fn open(
        config: &Config,
        address: &Arc<str>,
        request: &SubscribeRequest,
    ) -> impl Future<Output = Result<Self, Disconnect>> + Send;

    /// The next batch and its size on the wire. Cancel safe.
    fn next(&mut self) -> impl Future<Output = Result<(Batch, usize), Disconnect>> + Send;

    /// What makes reports on this connection.
    fn reports(&self) -> Self::Reports;
}

/// Makes reports on a connection that somebody else owns.
pub(super) trait Reports: Send {
    /// Makes one. The caller sets the limit in time.
    fn send(&mut self, request: &ReportRequest) -> impl Future<Output = Result<(), Disconnect>> + Send;
}

/// Connects as far as TLS.
pub(super) async fn dial(config: &Config, address: &Arc<str>) -> Result<Stream, Disconnect> {
    let unreachable = |source| Disconnect::Unreachable { address: Arc::clone(address), source };
    let tcp = TcpStream::connect(&**address).await.map_err(unreachable)?;
    // Reports are small and must not wait for an acknowledgement (Nagle).
    tcp.set_nodelay(true).map_err(unreachable)?;
    let name = server_name(address)?;
    // Boxed: the handshake's state is kilobytes, and a process may hold thousands of clients.
    let connected = Box::pin(TlsConnector::from(config.tls.current()).connect(name, tcp)).await;
    connected.map(LastWords::new).map_err(|error| {
        // Our certificate goes out before our last words: who closes between the two did not like it, most likely.
        let is_cut = error.kind() == io::ErrorKind::BrokenPipe;
        let error = if is_cut { cut_after_handshake(&error) } else { error };
        Disconnect::Tls { address: Arc::clone(address), reason: pki::explain(&error) }
    })
}

/// The host part of `host:port`, for SNI.
fn server_name(address: &Arc<str>) -> Result<ServerName<'static>, Disconnect> {
    let host = address.rsplit_once(':').map_or(&**address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(host).map_err(|_| Disconnect::Tls {
        address: Arc::clone(address),
        reason: "it is neither a DNS name nor an address with a port".to_owned(),
    })
}

/// Reads a message.
pub(super) fn decode(address: &Arc<str>, message: Message) -> Result<(Batch, usize), Disconnect> {
    match Batch::decode(message.content) {
        Ok(batch) => Ok((batch, message.wire_bytes)),
        Err(source) => Err(Disconnect::Garbage { address: Arc::clone(address), source }),
    }
}

/// Names the replica whose bytes are no messages.
pub(super) fn unreadable(address: &Arc<str>, source: FrameError) -> Disconnect {
    Disconnect::Frame { address: Arc::clone(address), source }
}
