//! An agent behind a slow link is not given up: it cannot answer before what lies ahead of the question has come through.

mod harness;

use std::{net::SocketAddr, time::Duration};

use harness::{
    Certificates, Typha,
    client::{Client, State, connect_with},
    events::{list, put},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpSocket},
    time::{Instant, sleep},
};
use typha::Limits;

/// A peer that is silent for this long is asked for a sign of life, which may take as long again.
const KEEPALIVE: Duration = Duration::from_millis(1500);

/// The state, key by key. The first keys come fast, so that both kernels grow their buffers; the rest fits in them.
const KEYS: u64 = 12;
const VALUE_BYTES: usize = 1 << 20;
const FAST_BYTES: usize = 9 << 20;

/// What the link carries from then on: 400 KB/s, so that the rest takes several times the keepalive.
const STEP_BYTES: usize = 20 << 10;
const STEP: Duration = Duration::from_millis(50);

/// What the link holds on its way.
const HELD_BYTES: u32 = 128 << 10;

/// Carries one connection to a server: what comes from it fast and then slowly, what goes to it at once.
async fn link(listener: TcpListener, server: SocketAddr) -> anyhow::Result<()> {
    let (client, _) = listener.accept().await?;
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(HELD_BYTES)?;
    let ((mut from_server, mut to_server), (mut from_client, mut to_client)) =
        (socket.connect(server).await?.into_split(), client.into_split());
    let slowly = async {
        let (mut step, mut carried) = (vec![0; STEP_BYTES], 0);
        loop {
            match from_server.read(&mut step).await? {
                0 => return anyhow::Ok(()),
                bytes => to_client.write_all(&step[..bytes]).await?,
            }
            carried += STEP_BYTES;
            if carried > FAST_BYTES {
                sleep(STEP).await;
            }
        }
    };
    let at_once = async { Ok(copy(&mut from_client, &mut to_server).await.map(|_| ())?) };
    tokio::try_join!(slowly, at_once).map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_link_is_no_dead_peer() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let limits = Limits { keepalive: KEEPALIVE, ..Limits::default() };
    let typha = Typha::start_with(&certificates, "a", limits).await?;
    let value = vec![b'x'; VALUE_BYTES];
    for event in list(1, (0..KEYS).map(|key| put(&key.to_string(), 1, value.clone())).collect()) {
        typha.send(event).await?;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (entrance, server) = (listener.local_addr()?, typha.address());
    let carrying = tokio::spawn(link(listener, server));

    let wide = |endpoint: tonic::transport::Endpoint| {
        endpoint.initial_stream_window_size(16 << 20).initial_connection_window_size(16 << 20)
    };
    let mut sync = connect_with(entrance, certificates.client()?, wide).await?;
    let since = Instant::now();
    let mut client = Client::subscribe(&mut sync, "far", State::default()).await?;
    client.reach(1).await?;
    assert!(since.elapsed() > 2 * KEEPALIVE, "the link is too fast for this test to say anything");
    carrying.abort();
    Ok(())
}
