//! The door: accepts connections, owns their tasks, and closes when the server drains.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use pki::ServerTls;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Shared, connection::Door, cores::Cores, newcomers::Newcomers, rejections::NO_ROOM, turns::Turns};

/// How long to wait after the system refused to hand out a connection (too many open files): time for some to close.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// Connections beyond the limit that were told to make room and are not gone yet: a moment's worth of them.
const LEAVING: usize = 64;

/// Accepts connections until it is told to stop.
pub(super) struct Acceptor {
    door: Arc<Door>,
    stop: CancellationToken,
    /// One task per connection.
    connections: JoinSet<()>,
    /// Those of them that may be told to make room.
    newcomers: Newcomers,
    /// Where they run. After them, so that they end first.
    cores: Cores,
}

impl Acceptor {
    pub(super) fn new(shared: Arc<Shared>, tls: Arc<ServerTls>, stop: CancellationToken) -> io::Result<Self> {
        let cores = Cores::start(&shared.board, &shared.pulses)?;
        let handshakes = Turns::new(shared.config.limits.handshakes);
        let door = Arc::new(Door { shared, tls, handshakes, notice: Arc::default() });
        Ok(Self { door, stop, connections: JoinSet::new(), newcomers: Newcomers::default(), cores })
    }

    /// Runs until told to stop; then waits for the connections to end, up to the limit.
    pub(super) async fn run(mut self, listener: TcpListener) {
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                Some(ended) = self.connections.join_next() => log_panic(&ended),
                accepted = listener.accept() => self.accept(accepted).await,
            }
        }
        drop(listener);
        self.door.notice.give();
        let within = self.door.shared.config.limits.drain;
        if timeout(within, self.emptied()).await.is_err() {
            tracing::warn!(connections = self.connections.len(), "clients did not leave in time; closing");
            self.connections.shutdown().await;
        }
    }

    async fn emptied(&mut self) {
        while let Some(ended) = self.connections.join_next().await {
            log_panic(&ended);
        }
    }

    async fn accept(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((stream, address)) if self.has_room() => {
                let make_room = self.newcomers.add();
                if let Err(error) = self.cores.serve(&mut self.connections, &self.door, stream, address, make_room) {
                    tracing::debug!(%address, "connection lost: {error}");
                }
            }
            Ok((_, address)) => {
                let rejections = &self.door.shared.rejections;
                rejections.reject(NO_ROOM, address, "close some, or add replicas");
            }
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }

    /// Whether one more may stay; where all places are taken, one that has not shown a certificate goes for it.
    fn has_room(&mut self) -> bool {
        let (open, places) = (self.connections.len(), self.door.shared.config.limits.connections);
        open < places || (open < places + LEAVING && self.newcomers.make_room())
    }
}

/// A panic ends one connection. It is a defect all the same.
fn log_panic(ended: &Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!("a connection's task failed: {error}");
    }
}
