//! Connections that are opened and not used, or opened beyond any number: they end by themselves, keep nobody out, and
//! what they cost is given back.

use rustls::{ClientConnection, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use typha::Limits;

use crate::{
    frames::subscribe,
    harness::{until, within},
    raw::{Raw, Verdict},
    siege::{SHORT, Siege},
};

/// Open at a time in a test.
const MANY: usize = 300;

fn impatient() -> Limits {
    Limits { handshake: SHORT, first_request: SHORT, request: SHORT, ..Limits::default() }
}

/// The first flight of a TLS client.
fn hello(siege: &Siege) -> anyhow::Result<Vec<u8>> {
    let name: ServerName<'static> = "typha".try_into()?;
    let mut client = ClientConnection::new(std::sync::Arc::new(siege.careless(None)?), name)?;
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes)?;
    Ok(bytes)
}

/// Reads until the server hangs up.
async fn hung_up(mut stream: TcpStream) -> anyhow::Result<()> {
    let mut chunk = vec![0; 4096];
    within(async { while !matches!(stream.read(&mut chunk).await, Ok(0) | Err(_)) {} }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_handshakes() -> anyhow::Result<()> {
    let mut siege = Siege::start_with(impatient()).await?;
    let door = siege.door.clone();
    let hello = hello(&siege)?;
    // Nothing; a piece of a hello; a hello and no more; one that announces a record that never comes.
    let beginnings = [&[][..], &hello[..hello.len() / 2], &hello, &[0x16, 3, 1, 0x40, 0]];
    siege
        .withstand(async {
            let mut open = Vec::new();
            for number in 0..MANY {
                let mut stream = door.tcp().await?;
                stream.write_all(beginnings[number % beginnings.len()]).await?;
                open.push(stream);
            }
            // Meanwhile an honest peer gets in at once.
            let mut honest = Raw::open(&door, &[]).await?;
            honest.send(&subscribe(1)).await;
            anyhow::ensure!(honest.verdict().await? == Verdict::Served, "an honest peer was kept out");
            for stream in open {
                hung_up(stream).await?;
            }
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_without_requests() -> anyhow::Result<()> {
    let mut siege = Siege::start_with(impatient()).await?;
    // Each has TLS state of its own for a second, at both ends.
    siege.growth_bytes = 48 << 20;
    let door = siege.door.clone();
    siege
        .withstand(async {
            let mut open = Vec::new();
            for _ in 0..MANY / 3 {
                open.push(Raw::silent(&door).await?);
            }
            for mut raw in open {
                raw.closed().await?;
            }
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_connections_beyond_the_limit() -> anyhow::Result<()> {
    const ALLOWED: usize = 20;
    let mut siege = Siege::start_with(Limits { connections: ALLOWED, ..impatient() }).await?;
    let door = siege.door.clone();
    siege
        .withstand(async {
            for _ in 0..10 {
                // Silent ones take all the places that the agent has left, and more.
                let mut silent = Vec::new();
                for _ in 0..MANY {
                    silent.push(door.tcp().await?);
                }
                // They make room, unless too many of them came in this moment.
                until("an honest peer gets in", async || {
                    let Ok(mut raw) = Raw::open(&door, &[]).await else { return Ok(false) };
                    raw.send(&subscribe(1)).await;
                    Ok(raw.verdict().await? == Verdict::Served)
                })
                .await?;
                for stream in silent {
                    hung_up(stream).await?;
                }
            }
            Ok(())
        })
        .await
}

/// A peer that comes and goes leaves nothing behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_at_once() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let door = siege.door.clone();
    siege
        .withstand(async {
            for number in 0..MANY / 3 {
                let mut raw = Raw::open(&door, &[]).await?;
                raw.send(&subscribe(1)).await;
                if number % 2 == 0 {
                    raw.verdict().await?;
                }
            }
            Ok(())
        })
        .await
}
