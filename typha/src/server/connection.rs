//! One connection: handshake, identity, HTTP/2, until either end has enough.

use std::{
    net::{SocketAddr, TcpStream},
    pin::pin,
    sync::Arc,
};

use pki::ServerTls;
use rustls::HandshakeKind;
use tokio::time::timeout;
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use super::{
    Shared,
    http2::{self, Ended, Notice, Patience},
    newcomers::MakeRoom,
    rejections::NO_ROOM,
    router::Router,
    socket::Socket,
    turns::Turns,
};
use crate::feed::Board;

/// What is encrypted ahead of a socket that takes no more. Long messages are written in pieces of this size, and a peer
/// that does not read holds up one of them.
const ENCRYPTED_BYTES: usize = 64 << 10;

/// What all connections share.
pub(super) struct Door {
    pub(super) shared: Arc<Shared>,
    pub(super) tls: Arc<ServerTls>,
    pub(super) handshakes: Turns,
    /// Given when connections shall end.
    pub(super) notice: Arc<Notice>,
}

/// One connection.
pub(super) struct Connection {
    door: Arc<Door>,
    /// Where it sees the state.
    board: Arc<Board>,
    address: SocketAddr,
}

impl Connection {
    pub(super) fn new(door: Arc<Door>, board: Arc<Board>, address: SocketAddr) -> Self {
        Self { door, board, address }
    }

    /// Serves the connection to its end, or, if it is told to make room, to the end of its handshake at the latest. What goes
    /// wrong is this peer's business alone.
    pub(super) async fn run(self, stream: TcpStream, make_room: MakeRoom) {
        let Ok(stream) = tokio::net::TcpStream::from_std(stream) else { return };
        // Boxed: the handshake's state is large, and most of a connection's life comes after it. Boxed as well is what it
        // leaves behind, of which a future would hold a copy for every function that it went through.
        match Box::pin(self.handshake(Socket::new(stream), make_room)).await {
            Ok(stream) => self.serve(stream).await,
            Err((kind, reason)) => self.door.shared.rejections.reject(kind, self.address, &reason),
        }
    }

    async fn handshake(
        &self,
        stream: Socket,
        make_room: MakeRoom,
    ) -> Result<Box<TlsStream<Socket>>, (&'static str, String)> {
        let limit = self.door.shared.config.limits.handshake;
        let shaken = tokio::select! {
            shaken = timeout(limit, self.shake_hands(stream)) => shaken,
            Ok(()) = make_room => return Err((NO_ROOM, "others came before its handshake was over".into())),
        };
        let stream = shaken
            .map_err(|_| ("silent", format!("no TLS handshake within {limit:?}")))?
            .map_err(|error| ("handshake", pki::explain(&error)))?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        match self.door.shared.config.peers.check(chain) {
            Ok(_) => {
                let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
                self.door.shared.metrics.shook_hands(if resumed { "resumed" } else { "full" });
                Ok(Box::new(stream))
            }
            Err(error) => Err(("identity", error.to_string())),
        }
    }

    async fn shake_hands(&self, stream: Socket) -> std::io::Result<TlsStream<Socket>> {
        let hello = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
        let handshake = pin!(async { hello.into_stream(self.door.tls.current()).await });
        self.door.handshakes.take(handshake).await
    }

    async fn serve(&self, mut stream: Box<TlsStream<Socket>>) {
        stream.get_mut().1.set_buffer_limit(Some(ENCRYPTED_BYTES));
        let limits = &self.door.shared.config.limits;
        let patience = Patience {
            first_request: limits.first_request,
            keepalive: limits.keepalive,
            request: limits.request,
            request_bytes: limits.request_bytes,
        };
        let router = Router::new(Arc::clone(&self.door.shared), Arc::clone(&self.board), self.address);
        let connection = http2::Connection::new(stream, router, patience, Arc::clone(&self.door.notice));
        let ended = Box::new(connection).run().await;
        let (rejections, reason) = (&self.door.shared.rejections, ended.to_string());
        match ended {
            Ended::Closed => {}
            Ended::Lost(_) => tracing::debug!(address = %self.address, "{reason}"),
            Ended::Silent => rejections.reject("silent", self.address, &reason),
            Ended::Dead => rejections.reject("dead", self.address, &reason),
            Ended::Fault(_) => rejections.reject("protocol", self.address, &reason),
        }
    }
}
