//! A TCP relay that can be cut: neither end hears of it, as where a switch drops packets.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

/// Bytes passed on at a time.
const PIECE_BYTES: usize = 64 << 10;

/// Passes on connections to one address. Dropping it ends them.
pub(super) struct Relay {
    address: SocketAddr,
    is_cut: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Relay {
    pub(super) async fn start(to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port is free on 127.0.0.1")?;
        let (address, is_cut, mut tasks) = (listener.local_addr()?, watch::Sender::new(false), JoinSet::new());
        tasks.spawn(accept(listener, to, is_cut.subscribe()));
        Ok(Self { address, is_cut, _tasks: tasks })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn set_cut(&self, is_cut: bool) {
        self.is_cut.send_replace(is_cut);
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, is_cut: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                connections.spawn(connection(client, to, is_cut.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(client: TcpStream, to: SocketAddr, is_cut: watch::Receiver<bool>) {
    // A failure ends both connections, which tells their ends.
    let Ok(server) = TcpStream::connect(to).await else { return };
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return;
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::join!(pass(from_client, to_server, is_cut.clone()), pass(from_server, to_client, is_cut));
}

/// Passes bytes on until either end closes.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut is_cut: watch::Receiver<bool>) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        if is_cut.wait_for(|is_cut| !is_cut).await.is_err() || to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}
