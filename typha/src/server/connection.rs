//! One connection: handshake, identity, HTTP/2, until either end has enough.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use pki::ServerTls;
use rustls::HandshakeKind;
use tokio::{net::TcpStream, sync::Semaphore, time::timeout};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use super::{Shared, executor::StreamTasks, router::Router};

/// Streams at a time on one connection. An agent needs one and its reports; a test client may put a few more on one.
const STREAMS: u32 = 100;
/// The length of a request's headers, together. Ours take some 200 bytes.
const HEADER_LIST_BYTES: u32 = 16 << 10;
/// What of a request may be on its way unread, per stream and per connection.
const REQUEST_WINDOW_BYTES: u32 = 64 << 10;
/// What a stream may hold that the peer has not taken: one message of ours, and the next one only when that is gone.
const SEND_BUFFER_BYTES: usize = 64 << 10;
/// Streams that a peer opens and resets at once (CVE-2023-44487) before the connection is closed.
const RESET_STREAMS: usize = 20;

/// What all connections share.
pub(super) struct Door {
    pub(super) shared: Arc<Shared>,
    pub(super) tls: Arc<ServerTls>,
    /// One permit per handshake. Taken once the peer has said something, so that silent peers cannot hold them all.
    pub(super) handshakes: Semaphore,
    pub(super) stop: CancellationToken,
}

/// One connection.
pub(super) struct Connection {
    door: Arc<Door>,
    address: SocketAddr,
}

impl Connection {
    pub(super) fn new(door: Arc<Door>, address: SocketAddr) -> Self {
        Self { door, address }
    }

    /// Serves the connection to its end. What goes wrong is this peer's business alone.
    pub(super) async fn run(self, stream: TcpStream) {
        // A message is written as a whole; waiting for more would only delay it.
        let _ = stream.set_nodelay(true);
        // Boxed: the handshake's state is large, and most of a connection's life comes after it.
        match Box::pin(self.handshake(stream)).await {
            Ok(stream) => self.serve(stream).await,
            Err((kind, reason)) => self.door.shared.rejections.reject(kind, self.address, &reason),
        }
    }

    async fn handshake(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, (&'static str, String)> {
        let limit = self.door.shared.config.limits.handshake;
        let stream = timeout(limit, self.shake_hands(stream))
            .await
            .map_err(|_| ("silent", format!("no TLS handshake within {limit:?}")))?
            .map_err(|error| ("handshake", pki::explain(&error)))?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        match self.door.shared.config.peers.check(chain) {
            Ok(_) => {
                let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
                self.door.shared.metrics.shook_hands(if resumed { "resumed" } else { "full" });
                Ok(stream)
            }
            Err(error) => Err(("identity", error.to_string())),
        }
    }

    async fn shake_hands(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let hello = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
        let _permit = self.door.handshakes.acquire().await.map_err(std::io::Error::other)?;
        hello.into_stream(self.door.tls.current()).await
    }

    async fn serve(&self, stream: TlsStream<TcpStream>) {
        let limits = &self.door.shared.config.limits;
        let has_asked = Arc::new(AtomicBool::new(false));
        let streams = StreamTasks::default();
        let router = Router::new(Arc::clone(&self.door.shared), self.address, Arc::clone(&has_asked));
        let mut connection = pin!(
            http2::Builder::new(streams.clone())
                .timer(TokioTimer::new())
                .keep_alive_interval(limits.keepalive)
                .keep_alive_timeout(limits.keepalive)
                .max_concurrent_streams(STREAMS)
                .max_header_list_size(HEADER_LIST_BYTES)
                .initial_stream_window_size(REQUEST_WINDOW_BYTES)
                .initial_connection_window_size(REQUEST_WINDOW_BYTES)
                .max_send_buf_size(SEND_BUFFER_BYTES)
                .max_pending_accept_reset_streams(RESET_STREAMS)
                .serve_connection(TokioIo::new(stream), router)
        );
        let mut patience = pin!(tokio::time::sleep(limits.first_request));
        let (mut is_patient, mut is_stopping) = (true, false);
        let ended = loop {
            tokio::select! {
                ended = &mut connection => break ended,
                () = &mut patience, if is_patient => {
                    is_patient = false;
                    if has_asked.load(Ordering::Relaxed) {
                        continue;
                    }
                    let reason = format!("no request within {:?}", limits.first_request);
                    return self.door.shared.rejections.reject("silent", self.address, &reason);
                }
                () = self.door.stop.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        };
        if let Err(error) = ended {
            self.ended_badly(&error);
        }
        streams.ended().await;
    }

    fn ended_badly(&self, error: &hyper::Error) {
        let rejections = &self.door.shared.rejections;
        if is_lost(error) {
            tracing::debug!(address = %self.address, "connection lost: {}", describe(error));
        } else if error.is_timeout() {
            rejections.reject("dead", self.address, "no answer to a PING");
        } else {
            rejections.reject("protocol", self.address, &describe(error));
        }
    }
}

/// Whether the peer went away by itself: its process ended, or its network did.
fn is_lost(error: &hyper::Error) -> bool {
    let inner = std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
    inner.is_some_and(|inner| inner.is_io() || inner.is_remote())
}

/// hyper's own message hides what happened in its sources.
fn describe(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
