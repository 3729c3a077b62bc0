//! Peers that must not get in, and peers that misbehave: each is turned away in time, is told nothing, is counted, and
//! nobody else notices.

#![allow(clippy::expect_used, reason = "tests")]

mod harness;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use harness::{
    Certificates, Typha, admin,
    client::{Client, State, connect},
    events::{apply, list, put},
    until, within,
};
use pki::{Files, Peers, development::Request};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use typha::Limits;

/// Short enough to see it run out.
const SHORT: Duration = Duration::from_secs(1);

/// How every HTTP/2 connection begins: the preface, and SETTINGS without any.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// A server under attack, and a proper client that must not notice.
struct Siege {
    certificates: Certificates,
    typha: Typha,
    bystander: Client,
    revision: u64,
}

impl Siege {
    async fn start() -> anyhow::Result<Self> {
        Self::start_with(Limits { handshake: SHORT, first_request: SHORT, ..Limits::default() }).await
    }

    async fn start_with(limits: Limits) -> anyhow::Result<Self> {
        let certificates = Certificates::new()?;
        let typha = Typha::start_with(&certificates, "a", limits).await?;
        for event in list(1, vec![put("one", 1, "first")]) {
            typha.send(event).await?;
        }
        let mut sync = connect(typha.address(), certificates.client()?).await?;
        let mut bystander = Client::subscribe(&mut sync, "bystander", State::default()).await?;
        bystander.reach(1).await?;
        Ok(Self { certificates, typha, bystander, revision: 1 })
    }

    async fn tcp(&self) -> anyhow::Result<TcpStream> {
        Ok(TcpStream::connect(self.typha.address()).await?)
    }

    /// Shakes hands as far as the client side goes: with TLS 1.3 the server's refusal comes later.
    async fn tls(&self, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.typha.address()).await?;
        TlsConnector::from(config).connect("typha".try_into().expect("a name"), stream).await
    }

    /// Waits until the server has counted the peer, and checks that the proper client still gets its changes.
    async fn repelled(&mut self, reason: &str) -> anyhow::Result<()> {
        let (address, count) = (self.typha.server.admin_address().expect("it has one"), self.revision);
        let counted = format!("typha_rejections_total{{reason=\"{reason}\"}} {count}");
        until(&counted, async || Ok(admin::get(address, "/metrics").await?.1.contains(&counted))).await?;
        self.revision += 1;
        self.typha.send(apply(vec![put("one", self.revision, "next")])).await?;
        self.bystander.reach(self.revision).await?;
        Ok(())
    }
}

/// Reads until the peer hangs up; what it said.
async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> anyhow::Result<Vec<u8>> {
    let mut said = Vec::new();
    // Being reset is one way of being hung up on.
    let _ = within(stream.read_to_end(&mut said)).await?;
    Ok(said)
}

#[tokio::test]
async fn a_peer_without_a_right_certificate_learns_nothing() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let now = SystemTime::now();
    let elsewhere = Certificates::new()?;
    let expired = Request { not_after: now - SHORT, ..Request::named("felix") };
    let files = [
        None,
        Some(elsewhere.issue(&Request::named("felix"))?),
        Some(siege.certificates.issue(&expired)?),
        Some(siege.certificates.issue(&Request::named("confd"))?),
    ];
    for files in &files {
        let config = Arc::new(siege.certificates.careless(files.as_ref())?);
        // Whatever the refusal looks like from outside, no byte of HTTP/2 comes, not even SETTINGS.
        if let Ok(mut stream) = siege.tls(config).await {
            let _ = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
            assert_eq!(rest(&mut stream).await?, b"");
        }
        siege.repelled("handshake").await?;
    }
    Ok(())
}

#[tokio::test]
async fn garbage_ends_the_connection() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], &[0x16, 3, 1, 0xff, 0xff, 1, 2, 3, 4, 5, 6]] {
        let mut stream = siege.tcp().await?;
        stream.write_all(garbage).await?;
        stream.shutdown().await?;
        rest(&mut stream).await?;
        siege.repelled("handshake").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_cut() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let mut silent = siege.tcp().await?;
    rest(&mut silent).await?;
    siege.repelled("silent").await?;
    // By now the bystander has been connected for longer than a first request may take.
    let mut shaken = siege.tls(siege.certificates.client()?).await?;
    rest(&mut shaken).await?;
    siege.repelled("silent").await
}

#[tokio::test]
async fn silent_peers_do_not_keep_others_out() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start_with(&certificates, "a", Limits { handshakes: 1, ..Limits::default() }).await?;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(typha.address()).await?);
    }
    connect(typha.address(), certificates.client()?).await?;
    Ok(())
}

/// The client's first flight of a handshake, as any TLS client sends it.
fn client_hello(config: Arc<ClientConfig>) -> anyhow::Result<Vec<u8>> {
    let mut client = rustls::ClientConnection::new(config, "typha".try_into()?)?;
    let mut hello = Vec::new();
    client.write_tls(&mut hello)?;
    Ok(hello)
}

#[tokio::test]
async fn peers_that_stop_half_way_do_not_keep_others_out() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start_with(&certificates, "a", Limits { handshakes: 1, ..Limits::default() }).await?;
    let mut halted = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(typha.address()).await?;
        stream.write_all(&client_hello(certificates.client()?)?).await?;
        // The server has answered: it has begun, and waits for the peer.
        within(stream.readable()).await??;
        halted.push(stream);
    }
    connect(typha.address(), certificates.client()?).await?;
    Ok(())
}

#[tokio::test]
async fn frames_that_break_the_rules_end_the_connection() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    for attack in [
        &b"GET / HTTP/1.1\r\nhost: typha\r\n\r\n"[..],
        // HEADERS of 1 MiB, where 16 KiB are allowed.
        &[0x10, 0, 0, 1, 4, 0, 0, 0, 1],
        // DATA on a stream that was never opened.
        &[0, 0, 1, 0, 0, 0, 0, 0, 5, 0],
    ] {
        let mut stream = siege.tls(siege.certificates.client()?).await?;
        stream.write_all(PREFACE).await?;
        stream.write_all(attack).await?;
        rest(&mut stream).await?;
        siege.repelled("protocol").await?;
    }
    Ok(())
}

/// A Subscribe request of node "x" as HTTP/2 frames: HEADERS with literal fields (RFC 7541 section 6.2.2), then DATA.
fn subscribe_frames() -> Vec<u8> {
    let mut headers = vec![0x83, 0x86];
    for (index, value) in [(&[0x04][..], "/cattail.sync.v1.Sync/Subscribe"), (&[0x0f, 0x10][..], "application/grpc")] {
        headers.extend_from_slice(index);
        headers.push(u8::try_from(value.len()).expect("short"));
        headers.extend_from_slice(value.as_bytes());
    }
    let mut frames = vec![0, 0, u8::try_from(headers.len()).expect("short"), 1, 4, 0, 0, 0, 1];
    frames.append(&mut headers);
    frames.extend_from_slice(&[0, 0, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 3, 0x0a, 1, b'x']);
    frames
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_cut() -> anyhow::Result<()> {
    let mut siege = Siege::start_with(Limits { keepalive: SHORT, ..Limits::default() }).await?;
    let mut dead = siege.tls(siege.certificates.client()?).await?;
    dead.write_all(PREFACE).await?;
    dead.write_all(&subscribe_frames()).await?;
    let said = rest(&mut dead).await?;
    assert!(said.windows(3).any(|window| window == b"one"), "it was served before it died");
    siege.repelled("dead").await
}

#[tokio::test]
async fn more_connections_than_allowed_are_closed_at_once() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start_with(&certificates, "a", Limits { connections: 2, ..Limits::default() }).await?;
    let tls = certificates.client()?;
    let _one = connect(typha.address(), tls.clone()).await?;
    let _two = connect(typha.address(), tls.clone()).await?;
    let mut third = TcpStream::connect(typha.address()).await?;
    assert_eq!(rest(&mut third).await?, b"");
    Ok(())
}

#[test]
fn a_server_whose_own_files_are_no_good_does_not_start() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let files = certificates.issue(&Request::named("typha"))?;
    let missing = Files { key: certificates.path().join("nowhere.key"), ..files };
    let error = pki::load_server(&missing, &Peers::common_name("felix")).map(|_| ()).expect_err("no key");
    assert!(error.to_string().contains("nowhere.key"), "{error}");
    Ok(())
}
