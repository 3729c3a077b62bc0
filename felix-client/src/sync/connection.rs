//! One connection to one replica: TCP, mutual TLS, HTTP/2, and gRPC's two calls on it.
//!
//! hyper directly instead of tonic's channel: we decide when a connection is made and given up, and messages are
//! decoded in the buffers they arrived in.

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
use proto::sync::v1::{Batch, ReportRequest, SubscribeRequest};
use tokio::task::JoinSet;

use self::{
    tasks::Tasks,
    witness::{Testimony, Witness},
};
use super::{
    Config, Disconnect,
    frame::FrameDecoder,
    transport::{MAX_FRAME_BYTES, Reports, Transport, WINDOW_BYTES, decode, dial, unreadable},
};

/// Typha's response headers are a few lines.
const MAX_HEADER_BYTES: u32 = 16 << 10;

/// Requests are small and rare.
const SEND_BUFFER_BYTES: usize = 16 << 10;

/// HTTP/2 pings start when nothing was received for this long. They matter only while we do not read (then silence is
/// our own doing); so they are rarer than typha's checkpoints, which make them unnecessary otherwise.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// An unanswered ping ends the connection after this.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection with its one subscription, and the tasks that drive it, which end with it.
pub(super) struct Connection {
    address: Arc<str>,
    requests: SendRequest<Full<Bytes>>,
    /// The subscription's response, and what is left of it between two messages.
    body: Incoming,
    decoder: FrameDecoder,
    /// Why the stream of bytes broke, once it did.
    testimony: Testimony,
    /// hyper's connection, a task of its own, so that pings are answered while the consumer is busy.
    _driver: JoinSet<Result<(), hyper::Error>>,
    /// hyper's helpers. Not in the same set: the driver holds this one's executor.
    _tasks: Tasks,
}

impl Transport for Connection {
    type Reports = ReportCalls;

    async fn open(config: &Config, address: &Arc<str>, request: &SubscribeRequest) -> Result<Self, Disconnect> {
        let testimony = Testimony::default();
        let opened = Self::establish(config, address, request, &testimony).await;
        opened.map_err(|error| cause(error, &testimony))
    }

    async fn next(&mut self) -> Result<(Batch, usize), Disconnect> {
        loop {
            if let Some(message) = self.decoder.next().map_err(|source| unreadable(&self.address, source))? {
                return decode(&self.address, message);
            }
            self.read().await.map_err(|error| cause(error, &self.testimony))?;
        }
    }

    fn reports(&self) -> ReportCalls {
        ReportCalls { address: Arc::clone(&self.address), requests: self.requests.clone() }
    }
}

impl Connection {
    async fn establish(
        config: &Config,
        address: &Arc<str>,
        request: &SubscribeRequest,
        testimony: &Testimony,
    ) -> Result<Self, Disconnect> {
        let stream = Witness::new(dial(config, address).await?, Arc::clone(testimony));
        let tasks = Tasks::default();
        let (mut requests, connection) = http2::Builder::new(tasks.clone())
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
        let call = grpc::Call { method: "Subscribe", takes_zstd: config.takes_zstd };
        let (body, is_zstd) = grpc::call(&mut requests, address, call, request).await?;
        Ok(Self {
            address: Arc::clone(address),
            requests,
            body,
            decoder: FrameDecoder::new(is_zstd),
            testimony: Arc::clone(testimony),
            _driver: driver,
            _tasks: tasks,
        })
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
            Err(source) => unreadable(&self.address, source),
        }
    }
}

/// A call's error often says only that the connection is gone; the bytes' witness knows why. With TLS 1.3 a server
/// refuses our certificate after our handshake is done, so that only this tells of it.
fn cause(error: Disconnect, testimony: &Testimony) -> Disconnect {
    let Disconnect::Broken { address, .. } = &error else { return error };
    let address = Arc::clone(address);
    match testimony.get().cloned() {
        None => error,
        Some(broke) if broke.by_tls => Disconnect::Tls { address, reason: broke.reason },
        Some(broke) => Disconnect::Broken { address, reason: broke.reason },
    }
}

/// Makes reports on a connection that somebody else owns.
pub(super) struct ReportCalls {
    address: Arc<str>,
    requests: SendRequest<Full<Bytes>>,
}

impl Reports for ReportCalls {
    /// The answer is empty; only its status counts.
    async fn send(&mut self, request: &ReportRequest) -> Result<(), Disconnect> {
        let call = grpc::Call { method: "Report", takes_zstd: false };
        let (mut body, _) = grpc::call(&mut self.requests, &self.address, call, request).await?;
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
