//! A TCP proxy in front of a datastore whose cable can be cut, or can go dead without anyone being told.

use std::time::Duration;

use datastore_adapters::{EtcdConfig, EtcdSource};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use super::peer::Peer;

/// The cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cable {
    /// Bytes pass.
    Plugged,
    /// Connections are closed.
    Cut,
    /// Connections stay open, and nothing passes.
    Dead,
}

/// A running proxy.
pub(super) struct Proxy {
    port: u16,
    cable: watch::Sender<Cable>,
    serving: JoinHandle<()>,
}

impl Proxy {
    pub(super) async fn before(peer: &Peer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on the loopback");
        let port = listener.local_addr().expect("a bound socket").port();
        let (cable, state) = watch::channel(Cable::Plugged);
        let serving = tokio::spawn(serve(listener, peer.port(), state));
        Self { port, cable, serving }
    }

    pub(super) fn source(&self) -> EtcdSource {
        let endpoints = vec![format!("http://127.0.0.1:{}", self.port)];
        EtcdSource::new(EtcdConfig { endpoints, ..EtcdConfig::default() })
    }

    pub(super) fn set(&self, cable: Cable) {
        self.cable.send_replace(cable);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, port: u16, cable: watch::Receiver<Cable>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        if *cable.borrow() == Cable::Cut {
            continue;
        }
        connections.spawn(connect(near, port, cable.clone()));
    }
}

async fn connect(near: TcpStream, port: u16, mut cable: watch::Receiver<Cable>) {
    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    let (up, down) = (cable.clone(), cable.clone());
    tokio::select! {
        () = copy(near_read, far_write, up) => {}
        () = copy(far_read, near_write, down) => {}
        _ = cable.wait_for(|cable| *cable == Cable::Cut) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut cable: watch::Receiver<Cable>) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        while *cable.borrow_and_update() == Cable::Dead {
            if cable.changed().await.is_err() {
                tokio::time::sleep(Duration::MAX).await;
            }
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
