//! One connection to one replica: TCP, mutual TLS, HTTP/2, and gRPC's two calls on it.
//!
//! hyper directly instead of tonic's channel: we decide when a connection is made and given up, and messages are
//! decoded in the buffers they arrived in. The server's identity is checked by the TLS configuration (see `pki`).

mod grpc;
mod tasks;
mod witness;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::{Body as _, Incoming},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use prost::Message as _;
use proto::sync::v1::{Batch, ReportRequest, SubscribeRequest};
use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, task::JoinSet, time};
use tokio_rustls::{TlsConnector, client::TlsStream};

use self::{
    tasks::Tasks,
    witness::{Testimony, Witness},
};
use super::{Config, Disconnect, frame::FrameDecoder};

/// Typha may send this much ahead of us. Large, so that a snapshot is not slowed down by round trips and WINDOW_UPDATEs
/// are rare; not unbounded, so that typha notices a busy agent and conflates, instead of this process buffering.
const WINDOW_BYTES: u32 = 16 << 20;

/// Fewer, larger DATA frames cost both ends less; typha's chunks are of this order.
const MAX_FRAME_BYTES: u32 = 256 << 10;

/// Typha's response headers are a few lines.
const MAX_HEADER_BYTES: u32 = 16 << 10;

/// Requests are small and rare.
const SEND_BUFFER_BYTES: usize = 16 << 10;

/// HTTP/2 pings start when nothing was received for this long. They matter only while we do not read (then silence is
/// our own doing); so they are rarer than typha's checkpoints, which make them unnecessary otherwise.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// An unanswered ping ends the connection after this.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection, and the tasks that drive it, which end with it.
pub(super) struct Connection {
    address: Arc<str>,
    requests: SendRequest<Full<Bytes>>,
    /// Why the stream of bytes broke, once it did.
    testimony: Testimony,
    /// hyper's connection, a task of its own, so that pings are answered while the consumer is busy.
    _driver: JoinSet<Result<(), hyper::Error>>,
    /// hyper's helpers. Not in the same set: the driver holds this one's executor.
    _tasks: Tasks,
}

/// The stream of batches of one subscription.
pub(super) struct Batches {
    address: Arc<str>,
    body: Incoming,
    decoder: FrameDecoder,
}

impl Connection {
    /// Connects within the configured limit.
    pub(super) async fn open(config: &Config, address: &Arc<str>) -> Result<Self, Disconnect> {
        let limit = config.connect_limit;
        match time::timeout(limit, Self::establish(config, address)).await {
            Ok(connection) => connection,
            Err(_) => Err(Disconnect::TimedOut { address: Arc::clone(address), limit }),
        }
    }

    async fn establish(config: &Config, address: &Arc<str>) -> Result<Self, Disconnect> {
        // Boxed: the handshake's state is kilobytes, and a process may hold thousands of clients.
        let stream = Box::pin(dial(config, address)).await?;
        let testimony = Testimony::default();
        let stream = Witness::new(stream, Arc::clone(&testimony));
        let tasks = Tasks::default();
        let (requests, connection) = http2::Builder::new(tasks.clone())
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_frame_size(MAX_FRAME_BYTES)
            .max_header_list_size(MAX_HEADER_BYTES)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Disconnect::broken(address, &error))?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        Ok(Self { address: Arc::clone(address), requests, testimony, _driver: driver, _tasks: tasks })
    }

    /// Opens the stream.
    pub(super) async fn subscribe(
        &mut self,
        request: &SubscribeRequest,
        limit: Duration,
    ) -> Result<Batches, Disconnect> {
        let call = grpc::call(&mut self.requests, &self.address, "Subscribe", request);
        let response = match time::timeout(limit, call).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.cause(error)),
            Err(_) => return Err(Disconnect::TimedOut { address: Arc::clone(&self.address), limit }),
        };
        Ok(Batches { address: Arc::clone(&self.address), body: response, decoder: FrameDecoder::default() })
    }

    /// What makes reports on this connection.
    pub(super) fn reports(&self) -> ReportCalls {
        ReportCalls { address: Arc::clone(&self.address), requests: self.requests.clone() }
    }

    /// A call's error often says only that the connection is gone; the bytes' witness knows why. With TLS 1.3 a server
    /// refuses our certificate after our handshake is done, so that only this tells of it.
    pub(super) fn cause(&self, error: Disconnect) -> Disconnect {
        let Disconnect::Broken { address, .. } = &error else { return error };
        let address = Arc::clone(address);
        match self.testimony.get().cloned() {
            None => error,
            Some(broke) if broke.by_tls => Disconnect::Tls { address, reason: broke.reason },
            Some(broke) => Disconnect::Broken { address, reason: broke.reason },
        }
    }
}

impl Batches {
    /// The next batch and its size on the wire. Cancel safe: a chunk that came is kept.
    pub(super) async fn next(&mut self) -> Result<(Batch, usize), Disconnect> {
        loop {
            let message = self.decoder.next().map_err(|source| self.unreadable(source))?;
            if let Some(message) = message {
                let length = message.len();
                let batch = Batch::decode(message)
                    .map_err(|source| Disconnect::Garbage { address: Arc::clone(&self.address), source })?;
                return Ok((batch, length));
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), Disconnect> {
        let frame = match self.body.frame().await {
            Some(frame) => frame.map_err(|error| Disconnect::broken(&self.address, &error))?,
            None => return Err(self.ended()),
        };
        match frame.into_data() {
            Ok(data) => self.decoder.push(data),
            Err(frame) => {
                // gRPC ends a stream with its status in trailers.
                let trailers = frame.into_trailers().unwrap_or_default();
                return Err(grpc::refusal(&self.address, &trailers).unwrap_or_else(|| self.ended()));
            }
        }
        Ok(())
    }

    fn ended(&self) -> Disconnect {
        match self.decoder.finish() {
            Ok(()) => Disconnect::Closed { address: Arc::clone(&self.address) },
            Err(source) => self.unreadable(source),
        }
    }

    fn unreadable(&self, source: super::FrameError) -> Disconnect {
        Disconnect::Frame { address: Arc::clone(&self.address), source }
    }
}

/// Makes reports on a connection that somebody else owns.
pub(super) struct ReportCalls {
    address: Arc<str>,
    requests: SendRequest<Full<Bytes>>,
}

impl ReportCalls {
    /// One report; its answer is empty and only its status counts.
    pub(super) async fn send(&mut self, request: &ReportRequest) -> Result<(), Disconnect> {
        let mut body = grpc::call(&mut self.requests, &self.address, "Report", request).await?;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Disconnect::broken(&self.address, &error))?;
            if let Some(refusal) = frame.trailers_ref().and_then(|trailers| grpc::refusal(&self.address, trailers)) {
                return Err(refusal);
            }
            if body.is_end_stream() {
                break;
            }
        }
        Ok(())
    }
}

async fn dial(config: &Config, address: &Arc<str>) -> Result<TlsStream<TcpStream>, Disconnect> {
    let unreachable = |source| Disconnect::Unreachable { address: Arc::clone(address), source };
    let tcp = TcpStream::connect(&**address).await.map_err(unreachable)?;
    // Reports are small and must not wait for an acknowledgement (Nagle).
    tcp.set_nodelay(true).map_err(unreachable)?;
    let name = server_name(address)?;
    TlsConnector::from(Arc::clone(&config.tls))
        .connect(name, tcp)
        .await
        .map_err(|error| Disconnect::Tls { address: Arc::clone(address), reason: pki::explain(&error) })
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
