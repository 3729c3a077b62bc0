//! An admin port as those who ask see it: answered, refused or silent, and within what time.

#![allow(clippy::expect_used, reason = "tests")]

use std::{net::SocketAddr, time::Duration};

use axum::{Json, Router, routing::get};
use telemetry::admin::{self, Bounds, Silence, ask};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

/// Far more than anything here takes.
const DEADLINE: Duration = Duration::from_secs(20);
const BOUNDS: Bounds = Bounds { within: DEADLINE, bytes: 1000 };

/// A port that answers some paths; it ends with what is returned beside its address.
async fn port() -> (SocketAddr, JoinSet<()>) {
    let router = Router::new()
        .route("/number", get(async || Json(7)))
        .route("/long", get(async || Json("x".repeat(BOUNDS.bytes))));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut tasks = JoinSet::new();
    tasks.spawn(admin::serve(listener, router));
    (address, tasks)
}

async fn number(address: SocketAddr, path: &'static str, bounds: Bounds) -> Result<u32, Silence> {
    ask(&address.to_string(), path, bounds).await
}

#[tokio::test]
async fn who_asks_is_answered_or_told_why_not() {
    let (address, _tasks) = port().await;
    assert_eq!(number(address, "/number", BOUNDS).await.expect("an answer"), 7);
    for (path, told) in [
        ("/nothing", "/nothing answers 404 Not Found; is that an admin API?"),
        ("/long", "/long breaks off"),
        ("/number ", "/number  cannot be asked"),
    ] {
        let silence = number(address, path, BOUNDS).await.expect_err(path).to_string();
        assert!(silence.starts_with(told), "{silence}");
    }
    let silence = ask::<String>(&address.to_string(), "/number", BOUNDS).await.expect_err("it is a number").to_string();
    assert!(silence.starts_with("/number is not answered as here"), "{silence}");
}

#[tokio::test]
async fn who_does_not_answer_is_told_by_how() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    assert!(matches!(number(closed, "/number", BOUNDS).await, Err(Silence::Connect(_))));

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let short = Bounds { within: Duration::from_millis(100), ..BOUNDS };
    let silence = number(address, "/number", short).await.expect_err("nobody answers").to_string();
    assert_eq!(silence, "no answer within 0.1 s");

    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    assert!(matches!(number(address, "/number", BOUNDS).await, Err(Silence::HungUp(_))));
    assert!(matches!(admin::addresses("nowhere.invalid:1", DEADLINE).await, Err(Silence::NotFound(_))));
}

#[tokio::test]
async fn who_asks_nothing_keeps_nobody_out_and_is_hung_up_on() {
    let (address, _tasks) = port().await;
    let mut idle = Vec::new();
    for number in 0..300 {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let beginning = ["", "GET /number HTTP/1.1\r\nhost: ", "GET /number HTTP/1.1\r\nhost: a\r\n\r\n"][number % 3];
        // Those that came long before are closed by now.
        let _ = stream.write_all(beginning.as_bytes()).await;
        idle.push(stream);
    }
    assert_eq!(number(address, "/number", BOUNDS).await.expect("an answer"), 7);
    for mut stream in idle {
        // However it is closed: an error says that it is, too.
        let _ = timeout(DEADLINE, stream.read_to_end(&mut Vec::new())).await.expect("it is closed");
    }
}
